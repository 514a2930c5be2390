from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from posi.posi_core.errors import ModelFileError
from posi.trainer.data.split import is_held_out
from posi.trainer.evaluation.judges import load_judge
from posi.trainer.evaluation.judges.build import build_judge, check_judge, in_judge_fold, judge_rows
from posi.trainer.evaluation.judges.linear import LinearJudge
from posi.trainer.evaluation.risk.heldout import load_held_out
from tiny_risk import write_tiny_sources


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def judge(source: Path) -> LinearJudge:
    return build_judge(source, strength=1.0)


def test_its_fold_is_its_own_and_holds_nothing_held_out(source: Path) -> None:
    seen = {text for text, _, _ in judge_rows(source)}
    sets = load_held_out(source)
    assert seen
    assert not seen & {*sets.i2p, *sets.toxic, *sets.clean, *sets.captions, *sets.users}
    everybody = [f"prompt number {number}" for number in range(2000)]
    assert 0.75 < np.mean(list(map(in_judge_fold, everybody))) < 0.85
    assert 0.7 < np.mean([in_judge_fold(text) for text in everybody if is_held_out(text)]) < 0.9


def test_it_tells_risky_from_harmless(judge: LinearJudge, source: Path) -> None:
    grim, calm = judge.share(["a dog with knife and blood", "a dog with bread and tree"])
    assert grim > calm + 0.3
    assert judge.share([]) == []
    found = check_judge(judge, source)
    assert found.twins_auc > 0.95
    assert found.pairs_risky_side > 0.9
    assert found.twins_risky_side > 0.9


def test_the_file_holds_the_same_judge_byte_for_byte(
    judge: LinearJudge, source: Path, tmp_path: Path
) -> None:
    judge.save(tmp_path / "first.npz")
    build_judge(source, strength=1.0).save(tmp_path / "second.npz")
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    texts = ["a dog with knife", "a lake", ""]
    assert load_judge(tmp_path / "first.npz").share(texts) == pytest.approx(judge.share(texts))


def test_files_that_are_no_judge(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="posi train judge"):
        load_judge(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="is no judge"):
        load_judge(tmp_path / "broken.npz")
