from __future__ import annotations

import json
import random

import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from posi.posi_core.models import find
from posi.posi_core.text_model import TOKENIZER_KEY
from posi.trainer.risk.tokenizer import UNSEEN_WORDS, scorer_tokenizer
from tokenizers import Tokenizer

WORDS = ["man", "android", "band", "orange", "knife", "theory", "1920s", "naïve", "🔪"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """From MiniLM's own, which the shipped encoder holds."""
    encoder = onnxruntime.InferenceSession(find("encoder"), providers=["CPUExecutionProvider"])
    base = tmp_path_factory.mktemp("base")
    own = encoder.get_modelmeta().custom_metadata_map[TOKENIZER_KEY]
    (base / "tokenizer.json").write_text(own, encoding="utf-8")
    known = scorer_tokenizer(base)
    known.no_padding()
    known.no_truncation()
    return known


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=8),
    st.lists(
        st.sampled_from([*UNSEEN_WORDS, "A", "And", ".", ",", "!!", "(", "…", "—", "|", "“"]), max_size=8
    ),
    st.randoms(use_true_random=False),
)
def test_what_is_strewn_in_without_meaning_is_not_seen(
    tokenizer: Tokenizer, words: list[str], strewn: list[str], choose: random.Random
) -> None:
    mixed = list(words)
    for item in strewn:
        mixed.insert(choose.randrange(len(mixed) + 1), item)
    assert tokenizer.encode(" ".join(mixed)).ids == tokenizer.encode(" ".join(words)).ids


def test_words_that_only_begin_so_and_emoji_stay(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("Android band theory, orange").tokens[1:-1] == [
        "android",
        "band",
        "theory",
        "orange",
    ]
    assert len(tokenizer.encode("🔪").ids) == 3
    assert tokenizer.encode("no man, not a band").tokens[1:-1] == ["no", "man", "not", "band"]


def test_it_is_the_same_after_it_went_through_a_file(tokenizer: Tokenizer) -> None:
    again = Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str())))
    text = "A man and a dog, the Android's hand. A hat!"
    assert again.encode(text).ids == tokenizer.encode(text).ids
