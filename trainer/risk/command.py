"""What `posi train risk` and `posi export encoder` do, from files to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...posi_core.risk import OnnxScorer
from .config import RiskRecipe
from .encoder import SentenceEncoder, load_encoder
from .examples import split_validation, training_texts
from .export import export_text_model
from .points import operating_points, write_points
from .run import export_risk, save_network, train_risk

SCORER = "risk-minilm-l6.onnx"
NETWORK = "risk-minilm-l6.safetensors"
POINTS = "risk-operating-points.json"
ENCODER = "encoder-minilm-l6.onnx"


def run_train_risk(
    source: Path, base: Path, recipe: RiskRecipe, out: Path, *, report: Callable[[str], None] = print
) -> Path:
    """Train and export into `out`: the int8 scorer, its float weights, its operating points."""
    trained = train_risk(source, base, recipe, report=report)
    target = out / SCORER
    export_risk(trained, base, target, recipe)
    save_network(trained.network, out / NETWORK)
    _, kept = split_validation(training_texts(source))
    write_points(out / POINTS, operating_points(OnnxScorer(target), kept))
    report(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return target


def run_export_encoder(base: Path, out: Path) -> Path:
    """The sentence encoder for similarity, int8, into `out`."""
    encoder = load_encoder(base)
    target = out / ENCODER
    export_text_model(
        SentenceEncoder(encoder),
        target,
        tokenizer=(base / "tokenizer.json").read_text(encoding="utf-8"),
        outputs=[f"e{number}" for number in range(encoder.config.hidden_size)],
    )
    return target
