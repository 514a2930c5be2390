"""What is unsafe in a training text: a word list, a linear scorer, and the combination that is never kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .align import split_words

TERMS_FILE = Path(__file__).with_name("unsafe_terms.txt")

_MINORS = re.compile(
    r"\b(?:child(?:ren|hood|like|s)?|kids?|minors?|under ?age\w*|(?:pre ?)?teen(?:s|age|aged|ager|agers)?"
    r"|toddlers?|bab(?:y|ies)|infants?|newborns?|school ?(?:girl|boy)s?"
    r"|girls?|boys?|students?|pupils?|loli\w*|shota\w*|(?:[1-9]|1[0-7]) ?(?:year|yr|yo)s?(?: old)?)\b"
)
_SEXUAL = re.compile(
    r"\b(?:nud\w*|naked\w*|topless|undress\w*|unclothed|sex\w*|porn\w*|erotic\w*|hentai|nsfw|lewd\w*|orgas\w*"
    r"|fetish\w*|lingerie|bikinis?|seduc\w*|sensual\w*|breasts?|nipples?|boobs?|tits|genital\w*|penis\w*|vagina\w*"
    r"|rape\w*|molest\w*|incest\w*|bdsm|busty|thong|panties|underwear|lust\w*|prostitut\w*|stripp\w*)\b"
)


def sexual_with_minor(*texts: str) -> bool:
    """True when the texts together hold a sexual word and a word for a minor; such rows are never kept."""
    joined = " ".join(" ".join(split_words(text).keys) for text in texts)
    return bool(_MINORS.search(joined) and _SEXUAL.search(joined))


class UnsafeScorer:
    """Logistic regression on word counts: unsafe texts against safe ones. Plain, and able to say why.

    `weight(word)` is in log-odds; a word it has not seen weighs 0.
    """

    def __init__(self, unsafe: Sequence[str], safe: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression

        self._vectorizer = CountVectorizer(analyzer=_keys, binary=True, min_df=2)
        self._model = LogisticRegression(max_iter=300, C=0.3, class_weight="balanced")
        labels = np.array([1] * len(unsafe) + [0] * len(safe))
        self._model.fit(self._vectorizer.fit_transform([*unsafe, *safe]), labels)
        self._weights = dict(
            zip(self._vectorizer.get_feature_names_out(), self._model.coef_[0].tolist(), strict=True)
        )
        self._terms = load_terms()

    def probability(self, texts: Sequence[str]) -> list[float]:
        """P(unsafe) of each text, in [0, 1]."""
        if not texts:
            return []
        result: list[float] = self._model.predict_proba(self._vectorizer.transform(texts))[:, 1].tolist()
        return result

    def weight(self, key: str) -> float:
        return float(self._weights.get(key, 0.0))

    def names_unsafe(self, text: str) -> list[str]:
        """The words of the list that the text holds."""
        return [key for key in split_words(text).keys if key in self._terms]


def _keys(text: str) -> tuple[str, ...]:
    return split_words(text).keys


def load_terms(path: Path = TERMS_FILE) -> frozenset[str]:
    """The word list: one word or more a line, `#` begins a comment."""
    lines = (line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    return frozenset(word for line in lines for word in line.casefold().split())
