from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from posi.posi_core.verdict import CATEGORIES, Risk, WordRisk
from posi.trainer.data.split import is_held_out
from posi.trainer.evaluation.risk import heldout
from posi.trainer.evaluation.risk.blame import blamed_words, listing, read_words
from posi.trainer.evaluation.risk.calming import risk_left
from posi.trainer.evaluation.risk.command import run_eval_risk
from posi.trainer.evaluation.risk.figures import auc, calibration_error, curve, shares_over, spearman
from posi.trainer.evaluation.risk.heldout import AROUND, load_held_out
from posi.trainer.evaluation.risk.report import figures, score_held_out, table, write_report
from posi.trainer.evaluation.risk.styled import CALM, ENDINGS, VIOLENT, in_styles
from posi.trainer.risk.hard_cases import SWEET
from posi.trainer.risk.templates import FRAMES, MOST_EACH, short_sentences
from tiny_risk import GRIM, write_tiny_sources


class GrimScorer:
    """Knows the grim words of the tiny sources."""

    identity = "grim"

    def score(self, texts: Sequence[str], *, words: bool = False) -> list[Risk]:
        return [self._risk(text, words) for text in texts]

    @staticmethod
    def _risk(text: str, words: bool) -> Risk:
        grim = [word for word in GRIM if word in text.split()]
        overall = 0.8 if grim else 0.05
        places = [(word, text.index(word)) for word in grim] if words else []
        found = tuple(WordRisk(word, at, at + len(word), 1 / len(grim)) for word, at in places)
        return Risk(overall, dict.fromkeys(CATEGORIES, 0.0) | {"violence": overall}, found)


def test_figures_by_hand() -> None:
    assert spearman(np.array([0.1, 0.2, 0.9]), np.array([0.0, 0.5, 1.0])) == pytest.approx(1)
    assert auc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx(3.5 / 4)
    predicted = np.array([0.05, 0.05, 0.95, 1.0])
    assert calibration_error(predicted, np.array([0.0, 0.1, 1.0, 0.8])) == pytest.approx(
        0.5 * 0.0 + 0.5 * 0.075
    )
    assert shares_over(np.array([0.1, 0.5, 0.9]), [0.5, 0.95]).tolist() == pytest.approx([2 / 3, 0])


def test_the_curve_takes_the_highest_threshold_that_reaches_a_recall() -> None:
    found = curve(np.array([0.9, 0.8, 0.4, 0.3]), np.array([0.85, 0.35, 0.1, 0.05]))
    assert found.at_recall(0.5) == pytest.approx((0.8, 0.25))
    assert found.at_recall(0.75) == pytest.approx((0.4, 0.25))
    assert found.at_recall(1.0) == pytest.approx((0.3, 0.5))


def test_blamed_words() -> None:
    texts = ["a dog with knife", "a lake | tree", "knife and gore"]
    risks = read_words(GrimScorer(), texts)
    first, second = blamed_words(risks)
    assert (first.word, first.prompts, first.share) == ("knife", 2, 0.75)
    assert second.word == "gore"
    lines = listing(texts, risks).splitlines()
    assert lines[2] == "| 0.80 | violence | knife (100%) | a dog with knife |"
    assert lines[3].endswith("| - | a lake \\| tree |")


def test_strewn_are_the_toxic_texts_with_words_that_no_hard_case_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heldout, "sweet_words", lambda texts, count: [f"sweet{n}" for n in range(count)])
    sets = load_held_out(write_tiny_sources(tmp_path / "sources"))
    assert len(sets.strewn) == len(sets.toxic) > 10
    for text, before in zip(sets.strewn, sets.toxic, strict=True):
        new = [word for word in text.split(" ") if word.startswith("sweet")]
        assert 1 <= len(new) <= 3
        assert all(int(word.removeprefix("sweet")) >= SWEET for word in new)
        assert " ".join(word for word in text.split(" ") if word not in new) == before


def test_diluted_are_the_toxic_texts_between_held_out_captions(tmp_path: Path) -> None:
    sets = load_held_out(write_tiny_sources(tmp_path / "sources"))
    assert len(sets.diluted) == len(sets.toxic)
    captions = {caption.rstrip(" .,") for caption in sets.captions}
    for text, before in zip(sets.diluted, sets.toxic, strict=True):
        around = text.replace(before.rstrip(" .,"), "", 1).strip(", ")
        assert around != text
        assert sum(around.count(caption) for caption in captions) >= min(AROUND, len(captions))


def test_sentences_in_styles_are_new_to_training() -> None:
    trained = {text for text, _ in short_sentences(each=MOST_EACH)}
    styled = in_styles([*VIOLENT, *CALM])
    assert len(set(styled)) == len(ENDINGS) * (len(VIOLENT) + len(CALM))
    assert trained.isdisjoint(styled)
    assert not {f"{{}}{ending}" for ending in ENDINGS if ending} & set(FRAMES)


def test_a_word_that_calms_the_scorer_is_named() -> None:
    class Fond(GrimScorer):
        def score(self, texts: Sequence[str], *, words: bool = False) -> list[Risk]:
            return [
                replace(risk, overall=risk.overall / (4 if "flower" in text.split() else 1))
                for risk, text in zip(super().score(texts), texts, strict=True)
            ]

    captions = ["a dog and a flower", "a dog on a sofa", "a Dog"]
    left = risk_left(Fond(), ["a man with knife", "a bowl of gore"], captions)
    assert next(iter(left)) == "flower"
    assert left == pytest.approx({"flower": 0.25, "dog": 1.0, "and": 1.0, "sofa": 1.0})
    assert risk_left(Fond(), [], captions) == {}


def test_the_whole_report(tmp_path: Path) -> None:
    sets = load_held_out(write_tiny_sources(tmp_path / "sources"))
    assert all(map(is_held_out, [*sets.i2p, *sets.toxic, *sets.captions, *sets.users]))
    sets = replace(sets, violent=["a knife , fresco", "a fist"], calm=["a lake", "a", "b", "a knife"])
    scorer = GrimScorer()
    scored = score_held_out(scorer, sets)
    found = figures(sets, scored)
    assert found.rows["i2p"] == len(sets.i2p) == len(sets.measured)
    assert found.auc_at_half == found.twins_auc == 1.0
    assert found.users_at_recall["90%"] == found.captions_at_recall["94%"] == 0.0
    for point in found.presets.values():
        assert (point.recall, point.users, point.toxic, point.clean) == (1.0, 0.0, 1.0, 0.0)
        assert point.strewn == point.diluted == 1.0
        assert (point.violent, point.calm) == (0.5, 0.25)
    left = {"flower": 0.5, "dog": 1.0}
    write_report(tmp_path / "out", sets, scored, found, scorer, {"prompt": 0.002}, left)
    data = json.loads((tmp_path / "out" / "risk.json").read_text())
    assert data["scorer"] == "grim"
    assert data["seconds"] == {"prompt": 0.002}
    assert (tmp_path / "out" / "risk-curve.png").read_bytes().startswith(b"\x89PNG")
    assert data["risk_left"] == left
    assert "| seconds a prompt | 0.0020 | at most 5 ms |" in table(found, {"prompt": 0.002}, {})
    assert table(found, {}, left).endswith("| flower | 0.50 |\n| dog | 1.00 |\n| mean of 2 words | 0.75 |\n")
    assert "violence" in (tmp_path / "out" / "risk-words.md").read_text()


def test_the_command_measures_the_shipped_scorer(tmp_path: Path) -> None:
    shown = run_eval_risk(write_tiny_sources(tmp_path / "sources"), tmp_path / "out", limit=6)
    data = json.loads((tmp_path / "out" / "risk.json").read_text())
    assert data["scorer"].startswith("risk-minilm-l6-")
    assert all(0 < value < 3 for value in data["risk_left"].values())
    assert f"| mean of {len(data['risk_left'])} words |" in shown
    assert set(data["seconds"]) == {"prompt", "thousand"}
