"""Best of n: the reward chooses, unfit choices are left out with the reason, and a stop loses nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeScorer
from posi.posi_core.errors import UsageError
from posi.trainer.data.best import JOURNAL, TRAIN, VALIDATION, BestOf, best_of, choose, fate, write_pairs
from posi.trainer.data.favourites import FEWEST, Favourites
from posi.trainer.data.guided import Guide
from posi.trainer.evaluation.names import NameFinder
from posi.trainer.rewards.protocol import RewardBatch

RISK = {"bloody sword": 0.8, "clean sword": 0.1, "sword": 0.3, "grim tower": 0.5, "calm sea": 0.05}


class Samples:
    """A rewriter with these answers to every prompt."""

    def __init__(self, greedy: str, *sampled: str) -> None:
        self.greedy, self.sampled = greedy, sampled
        self.asked: list[str] = []

    def rewrite(self, text: str, *, n: int = 1, temperature: float = 0.0, seed: int = 0) -> list[str]:
        self.asked.append(text)
        return [self.greedy] if temperature == 0 else list(self.sampled[:n])


class LessRisk:
    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        risks = np.array([RISK.get(text, 0.4) for text in rewrites], np.float32)
        return RewardBatch(1 - risks, {"risk": risks})


def run(prompts: Sequence[str], out: Path, rewriter: Any, **settings: Any) -> dict[str, int]:
    return best_of(prompts, out, rewriter, LessRisk(), BestOf(**{"samples": 8, **settings}))


def pairs(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def test_the_reward_chooses_among_samples_greedy_and_the_prompt() -> None:
    row = choose(
        "bloody sword", Samples("sword", "bloody sword", "clean sword"), LessRisk(), BestOf(samples=8)
    )
    assert (row["clean"], row["risk"], row["own_risk"]) == ("clean sword", 0.1, 0.8)
    assert choose("calm sea", Samples("grim tower"), LessRisk(), BestOf(samples=8))["clean"] == "calm sea"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"clean": "b", "score": 1.0, "own_score": 0.2, "risk": 0.1}, "better"),
        ({"clean": "b", "score": 0.3, "own_score": 0.2, "risk": 0.1}, "hardly better"),
        ({"clean": "b", "score": 1.0, "own_score": 0.2, "risk": 0.5}, "still risky"),
        ({"clean": "a", "score": 1.0, "own_score": 1.0, "risk": 0.1}, "unchanged"),
        ({"clean": "a", "score": 0.2, "own_score": 0.2, "risk": 0.5}, "nothing better, but risky"),
    ],
)
def test_what_becomes_of_a_choice(row: dict[str, Any], expected: str) -> None:
    assert fate({"toxic": "a", **row}, BestOf()) == expected


def test_pairs_fit_for_training_are_written_and_the_rest_counted(tmp_path: Path) -> None:
    counts = run(["bloody sword", "calm sea", "grim tower"], tmp_path, Samples("grim tower", "clean sword"))
    assert counts == {"better": 2, "unchanged": 1}
    written = pairs(tmp_path / TRAIN) + pairs(tmp_path / VALIDATION)
    assert {(pair["toxic"], pair["clean"]) for pair in written} == {
        ("bloody sword", "clean sword"),
        ("calm sea", "calm sea"),
        ("grim tower", "clean sword"),
    }


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    rewriter = Samples("sword", "clean sword")
    run(["bloody sword"], tmp_path, rewriter)
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"toxic": "grim tow')  # what a kill amid writing leaves
    rewriter.asked.clear()
    counts = run(["bloody sword", "grim tower", "grim tower"], tmp_path, rewriter)
    assert set(rewriter.asked) == {"grim tower"}
    assert counts == {"better": 2}


def test_a_teacher_s_answer_takes_part_and_alone_without_samples(tmp_path: Path) -> None:
    row = choose("bloody sword", Samples("sword", "grim tower"), LessRisk(), BestOf(), "clean sword")
    assert row["clean"] == "clean sword"
    silent = Samples("clean sword")
    counts = best_of(
        ["bloody sword", "grim tower"],
        tmp_path,
        silent,
        LessRisk(),
        BestOf(samples=0),
        known={"bloody sword": "sword", "grim tower": "bloody sword"},
    )
    assert silent.asked == []
    assert counts == {"better": 1, "nothing better, but risky": 1}


def test_a_harmless_prompt_is_its_own_answer_and_nothing_but_the_greedy_one_is_generated() -> None:
    rewriter = Samples("sword", "clean sword")
    row = choose("calm sea", rewriter, LessRisk(), BestOf(samples=8, harmless=0.05), "clean sword")
    assert (row["clean"], row["greedy"], rewriter.asked) == ("calm sea", "sword", ["calm sea"])
    assert fate(row, BestOf()) == "unchanged"


def test_a_greedy_rewrite_that_the_choice_beats_is_its_rejected_side(tmp_path: Path) -> None:
    run(["bloody sword", "calm sea"], tmp_path / "worse", Samples("sword", "clean sword"), gain=0.1)
    written = pairs(tmp_path / "worse" / TRAIN) + pairs(tmp_path / "worse" / VALIDATION)
    assert {(pair["clean"], pair["rejected"]) for pair in written} == {
        ("clean sword", "sword"),
        ("calm sea", "sword"),
    }
    run(["bloody sword"], tmp_path / "close", Samples("sword", "clean sword"), gain=0.3)
    (pair,) = pairs(tmp_path / "close" / VALIDATION)
    assert "rejected" not in pair


def test_a_word_that_stands_for_everything_is_taught_a_few_times_only(tmp_path: Path) -> None:
    rows = [
        {"toxic": f"bloody {noun}", "clean": f"peaceful {noun}", "score": 1.0, "own_score": 0.0, "risk": 0.1}
        for noun in ("barn", "sword", "tower", "hill")
    ]
    counts = write_pairs(rows, tmp_path, BestOf())
    assert counts == {"better": 2, "a common word": 2}
    known = [{**row, "greedy": "peaceful house", "greedy_score": 0.0} for row in rows]
    assert write_pairs(known, tmp_path, BestOf()) == {"better": 4}


def test_what_the_whole_search_found_takes_part_where_the_greedy_answer_is_risky() -> None:
    def search(prompt: str) -> str:
        asked.append(prompt)
        return found

    asked: list[str] = []
    found = "clean sword"
    row = choose("bloody sword", Samples("sword"), LessRisk(), BestOf(), search=search)
    assert (row["clean"], row["greedy"], asked) == ("clean sword", "sword", ["bloody sword"])
    found = ""  # blocked
    assert choose("bloody sword", Samples("sword"), LessRisk(), BestOf(), search=search)["clean"] == "sword"
    asked.clear()
    choose("bloody sword", Samples("clean sword"), LessRisk(), BestOf(harmless=0.1), search=search)
    assert not asked


def test_words_that_the_greedy_answers_bring_in_everywhere_cost_in_the_choice() -> None:
    rows = [
        {"toxic": f"bloody {noun}", "greedy": "flower-shaped sword"} for noun in ("barn", "hill", "tower")
    ]
    reward = Favourites(LessRisk(), 10.0, rows)
    share = 3 / FEWEST
    assert reward.share("bloody sword", "flower sword") == pytest.approx(share)
    assert reward.share("a flower", "flower sword") == pytest.approx(share)  # sword alone is new
    assert reward.share("bloody sword", "clean sword") == 0
    judged = reward(["bloody sword"] * 2, ["sword", "flower sword"])
    assert judged.scores == pytest.approx([0.7, 0.6 - 10 * share], abs=1e-6)
    assert judged.parts["risk"] == pytest.approx([0.3, 0.4])
    for _ in range(20 * FEWEST):
        reward.add({"toxic": "a", "greedy": "flower flower shaped"})
    assert reward.share("bloody", "flower shaped") == 1.0


def test_favourites_are_counted_from_the_journal_when_a_run_goes_on(tmp_path: Path) -> None:
    names = [f"bloody sword {n}" for n in range(8)]
    flowers = Samples("flower sword", "clean sword")
    run(names, tmp_path / "whole", flowers, favourites=4.0)
    run(names[:5], tmp_path / "two", flowers, favourites=4.0)
    run(names, tmp_path / "two", flowers, favourites=4.0)
    first, second = ((tmp_path / name / JOURNAL).read_text() for name in ("whole", "two"))
    assert first == second
    scores = [json.loads(line)["greedy_score"] for line in first.splitlines()]
    assert scores[0] == pytest.approx(0.6)
    assert scores[7] == pytest.approx(0.6 - 4.0 * 7 / FEWEST, abs=1e-4)


def test_changes_for_which_the_reward_does_not_pay_are_not_taught() -> None:
    class Wordy(Samples):
        def rewrite(self, text: str, **options: Any) -> list[str]:
            return [text] if options.get("temperature", 0) == 0 else ["an old clean barn by the sea"]

    reward = FewWords()
    row = choose("a bloody crimson barn by the hill", Wordy(""), reward, BestOf(samples=1))
    assert row["clean"] == "an old crimson barn by the hill"


class Avoiding(Samples):
    """Answers with the prompt, less the words to avoid; "old" is then written "ancient"."""

    def rewrite(self, text: str, *, n: int = 1, avoid: Sequence[Collection[str]] = (), **_: Any) -> list[str]:
        self.asked.append(text)
        assert not avoid or n == len(avoid)
        answers = [
            " ".join("ancient" if word == "old" else word for word in text.split() if word not in words)
            for words in avoid
        ]
        return list(dict.fromkeys(answers)) if avoid else [text]


class FewWords:
    """Risk by word counts, and every word left costs nothing: the least risky wins."""

    def __init__(self) -> None:
        self.scorer = FakeScorer()

    def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
        risks = np.array([risk.overall for risk in self.scorer.score(rewrites)], np.float32)
        lengths = np.array([len(text) for text in rewrites], np.float32)
        return RewardBatch(lengths / 1000 - risks, {"risk": risks})


def test_guided_candidates_do_without_the_words_blamed_and_keep_harmless_names() -> None:
    scorer = FakeScorer({"bloody": ("violence", 0.9), "gun": ("violence", 0.6), "lee": ("violence", 0.01)})
    prompt = "a bloody gun and knight, painting by stan lee"
    row = choose(
        prompt,
        Avoiding("unused"),
        FewWords(),
        BestOf(),
        guide=Guide(scorer, NameFinder(frozenset({"painting"})), rounds=2),
    )
    assert row["clean"] == "a and knight, painting by stan lee"
    assert (row["own_risk"], row["risk"]) == (0.9, 0.02)


def test_an_answer_that_lost_a_harmless_name_is_not_chosen() -> None:
    guide = Guide(FakeScorer(), NameFinder(frozenset()), rounds=1)
    prompt = "a bloody knight by stan lee"
    chosen = choose(
        prompt, Avoiding("unused"), FewWords(), BestOf(), "a shining golden knight by nobody", guide
    )
    assert chosen["clean"] == "a knight by stan lee"
    unguided = choose(prompt, Samples(prompt), FewWords(), BestOf(), "a shining golden knight by nobody")
    assert unguided["clean"] == "a shining golden knight by nobody"


@pytest.mark.parametrize(("greedy", "guided"), [("a clean barn", False), ("a bloody house", True)])
def test_nothing_is_guided_where_the_greedy_rewrite_is_harmless(greedy: str, guided: bool) -> None:
    class Watched(Avoiding):
        def rewrite(self, text: str, **options: Any) -> list[str]:
            return super().rewrite(text, **options) if options.get("avoid") else [greedy]

    rewriter = Watched("unused")
    guide = Guide(FakeScorer(), NameFinder(frozenset()), rounds=1)
    choose("a bloody barn", rewriter, FewWords(), BestOf(harmless=0.1), guide=guide)
    assert bool(rewriter.asked) == guided


def test_a_second_guided_round_avoids_what_is_blamed_in_the_first_ones_best() -> None:
    scorer = FakeScorer({"old": ("shocking", 0.9), "ancient": ("shocking", 0.6), "red": ("shocking", 0.7)})
    reward = FewWords()
    reward.scorer = scorer
    prompt = "an old red barn"

    class Replacing(Avoiding):
        def rewrite(self, text: str, **options: Any) -> list[str]:
            avoid = options.get("avoid", ())
            swap = {"old": ["ancient", "tall"], "red": ["blue"]}
            return [
                " ".join(
                    next((new for new in swap[word] if new not in words), word) if word in words else word
                    for word in text.split()
                )
                for words in avoid
            ] or [text]

    def best(rounds: int) -> str:
        guide = Guide(scorer, NameFinder(frozenset()), rounds)
        return str(choose(prompt, Replacing("unused"), reward, BestOf(), guide=guide)["clean"])

    assert best(1) == "an ancient blue barn"
    assert best(2) == "an tall blue barn"


def test_a_reward_without_risk_is_refused(tmp_path: Path) -> None:
    class Mute(LessRisk):
        def __call__(self, originals: Sequence[str], rewrites: Sequence[str]) -> RewardBatch:
            return RewardBatch(super().__call__(originals, rewrites).scores, {})

    with pytest.raises(UsageError, match="part named risk"):
        best_of(["sword"], tmp_path, Samples("sword"), Mute(), BestOf())
