"""`posi export`: a trained adapter as one GGUF, and what it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

export_app = typer.Typer(help="Export a trained rewriter to GGUF.")


@export_app.callback(invoke_without_command=True)
def export_rewriter(
    context: typer.Context,
    adapter: Annotated[
        Path | None, typer.Option(help="Folder of a trained adapter; the shipped one by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="GGUF file to write.")] = Path("posi-rewriter.gguf"),
    kind: Annotated[str, typer.Option("--type", help="File type, such as q4_0, q8_0 or f16.")] = "q4_0",
    base: Annotated[
        str | None, typer.Option(help="Base model, instead of the one the adapter names.")
    ] = None,
    calibration: Annotated[
        Path, typer.Option(help="Prompts (text or JSON lines) that calibrated types are rounded for.")
    ] = Path("data/sft/sft_train.jsonl.gz"),
    calibration_prompts: Annotated[int, typer.Option(min=1, help="How many of them.")] = 1000,
    lora: Annotated[Path | None, typer.Option(help="Also write the adapter alone as a GGUF LoRA.")] = None,
    converter: Annotated[
        Path | None, typer.Option(help="llama.cpp's convert_hf_to_gguf.py, for a base that is no GGUF.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare llama.cpp with transformers; write nothing.")
    ] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Compare file types; write nothing.")] = False,
    types: Annotated[str, typer.Option(help="Types to compare.")] = (
        "f16,q8_0,q5_1,q5_0,q4_1,iq4_nl,q4_0-plain,q4_0"
    ),
    prompts: Annotated[Path, typer.Option(help="Prompts to verify or compare with.")] = Path(
        "data/source/posi_test.jsonl.gz"
    ),
    count: Annotated[int, typer.Option(min=1, help="How many of them.")] = 100,
) -> None:
    """Merge an adapter into its base and write one GGUF file that the rewriter runs as it is."""
    if context.invoked_subcommand is not None:
        return
    from ...posi_core.models import find
    from ...posi_core.prompt_file import read_prompts
    from ..export.export import ExportRequest, export
    from ..export.quantize import quant_type

    names = [name.strip() for name in types.split(",")] if compare else [kind]
    needs_prompts = not verify and any(quant_type(name).calibrated for name in names)

    request = ExportRequest(
        adapter=adapter or find("adapter").parent,
        out=out,
        kind=kind,
        base=base,
        calibration=read_prompts(calibration, calibration_prompts) if needs_prompts else (),
        lora_out=lora,
        converter=converter,
        threads=threads,
    )

    def say(line: str) -> None:
        typer.echo(line, err=True)

    if verify:
        from ..export.verify import verify as run_verify

        result = run_verify(request, read_prompts(prompts, count), say)
        for prompt, ours, theirs in result.differing:
            typer.echo(f"prompt       {prompt}\nllama.cpp    {ours}\ntransformers {theirs}\n")
        typer.echo(f"equal greedy output: {result.equal} of {result.prompts} (95% are required)")
        raise typer.Exit(0 if result.passed else 1)
    if compare:
        from ...posi_core.similarity import load_encoder
        from ..export.compare import compare as run_compare

        rows = run_compare(request, read_prompts(prompts, count), names, load_encoder(), say)
        typer.echo(f"{'type':12} {'MB':>7} {'tokens/s':>9} {'cosine':>7} {'equal':>6}")
        for row in rows:
            typer.echo(
                f"{row.name:12} {row.megabytes:7.1f} {row.tokens_per_second:9.1f} {row.cosine:7.4f} {row.equal:6.2f}"
            )
        return
    written = export(request, say)
    typer.echo(f"{written} ({written.stat().st_size / 1e6:.1f} MB)")


@export_app.command("encoder")
def export_encoder(
    out: Annotated[Path, typer.Option(help="Folder for the encoder.")],
    base: Annotated[Path | None, typer.Option(help="Folder of a BERT encoder, instead of MiniLM-L6.")] = None,
) -> None:
    """The sentence encoder that compares a rewrite with its original, as int8 ONNX."""
    from ..risk.command import run_export_encoder
    from ..risk.encoder import find_minilm

    typer.echo(run_export_encoder(base or find_minilm(), out))
