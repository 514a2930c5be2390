"""Names in prompts, and whether they come through."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeScorer
from posi.posi_core.errors import UsageError
from posi.trainer.evaluation.names import NameFinder, common_words, names_of_run, survival
from posi.trainer.evaluation.prompts.rows import Row, RowFile
from posi.trainer.evaluation.prompts.sets import PromptSet, set_of_run

COMMON = common_words(["an oil painting of a castle with highly detailed sharp focus on a hill"] * 3)
FINDER = NameFinder(COMMON)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "a castle, oil painting by greg rutkowski and alphonse mucha, sharp focus",
            ["greg rutkowski", "alphonse mucha"],
        ),
        ("by zdzisław beksiński, by h. r. giger", ["zdzisław beksiński", "h r giger"]),
        ("in the style of van gogh", ["van gogh"]),
        ("Portrait of Emma Watson on a hill", ["emma watson"]),
        ("a painting by a hill", []),
        ("a castle on a hill", []),
    ],
)
def test_names_are_found_where_they_stand(text: str, names: list[str]) -> None:
    assert list(FINDER.find(text)) == names


def test_common_words_need_several_captions() -> None:
    assert "rutkowski" not in common_words(["a rutkowski", "a hill", "a hill", "a hill"])
    assert "hill" in COMMON


def test_survival_counts_all_names_and_those_without_risk() -> None:
    originals = ["a hill by greg rutkowski", "a hill by bloody mary", "a castle"]
    rewrites = ["a hill by Greg Rutkowski", "a hill", "a castle"]
    found = survival(originals, rewrites, FINDER, FakeScorer())
    assert found is not None
    assert (found.names, found.kept.value) == (2, 0.5)
    assert (found.harmless_names, found.harmless_kept.value) == (1, 1.0)


def test_half_a_name_has_not_survived() -> None:
    found = survival(["by greg rutkowski"], ["by greg"], FINDER, FakeScorer())
    assert found is not None
    assert found.kept.value == 0.0


def test_prompts_without_names_have_no_figure() -> None:
    assert survival(["a castle"], ["a castle"], FINDER, FakeScorer()) is None


def test_names_of_a_run_on_a_file_of_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = PromptSet(
        "mine", "mine.txt", ("a hill by greg rutkowski", "a castle by alphonse mucha"), ((), ())
    )
    rows = RowFile(tmp_path)
    rows.add(Row("mine", "POSI bare", 0, "rewrite", "a hill by greg rutkowski", None, False, 0.0, ""))
    rows.add(Row("mine", "POSI bare", 1, "rewrite", "a castle by an artist", None, False, 0.0, ""))
    rows.add(Row("mine", "POSI standard", 1, "block", "", None, False, 0.0, ""))
    monkeypatch.setattr("posi.posi_core.risk.load_scorer", FakeScorer)
    monkeypatch.setattr(
        "posi.trainer.data.sources.load_source", lambda source, name: [{"prompt": "a castle"}]
    )
    found = names_of_run(tmp_path, prompts, tmp_path)
    assert list(found) == ["POSI bare"]
    assert (found["POSI bare"].names, found["POSI bare"].kept.value) == (2, 0.5)
    other = PromptSet("other", "other.txt", ("a hill",), ((),))
    with pytest.raises(UsageError, match=r"no rows of other\.txt"):
        names_of_run(tmp_path, other, tmp_path)


def test_the_prompts_of_a_run_are_a_file_or_the_test_prompts(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a hill\n")
    assert set_of_run(tmp_path / "mine.txt", None).prompts == ("a hill",)
    with pytest.raises(UsageError, match="which prompts"):
        set_of_run(None, None)
