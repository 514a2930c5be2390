"""PyTorch -> ONNX -> int8, one file that also holds its tokenizer and the names of its outputs."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from ...posi_core.models.manifest import write_atomically
from ...posi_core.text_model import OUTPUTS_KEY, TOKENIZER_KEY

_INPUTS = ("input_ids", "attention_mask")


def export_text_model(
    module: nn.Module,
    target: Path,
    *,
    tokenizer: str,
    outputs: Sequence[str],
    int8: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write `module(input_ids, attention_mask) -> [batch, len(outputs)]` for `posi_core.text_model`.

    `tokenizer` is the text of a `tokenizer.json`. int8 is dynamic: weights and embedding tables are stored in
    8 bits with one scale a column, activations are quantised as they come.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        _export(module, path)
        if int8:
            ready, source = Path(folder) / "ready.onnx", path
            path = Path(folder) / "int8.onnx"
            quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
            quantize_dynamic(
                str(ready),
                str(path),
                per_channel=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        model = onnx.load(str(path))
    # Compact, and without the padding that tokenizer.json files often ask for.
    plain = json.loads(tokenizer) | {"padding": None, "truncation": None}
    notes = {TOKENIZER_KEY: json.dumps(plain, ensure_ascii=False, separators=(",", ":"))}
    notes |= {OUTPUTS_KEY: json.dumps(list(outputs))} | dict(metadata or {})
    onnx.helper.set_model_props(model, notes)
    write_atomically(target, model.SerializeToString())


def _export(module: nn.Module, path: Path) -> None:
    ids = torch.ones(2, 9, dtype=torch.int64)
    axes = {name: {0: "batch", 1: "tokens"} for name in _INPUTS} | {"rows": {0: "batch"}}
    module.eval()
    with warnings.catch_warnings():
        # The TorchScript exporter needs no package beyond torch and onnx; its successor needs onnxscript.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (ids, torch.ones_like(ids)),
            str(path),
            input_names=list(_INPUTS),
            output_names=["rows"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
