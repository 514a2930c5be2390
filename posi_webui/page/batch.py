"""Many prompts: lines or a file in, progress while it runs, the verdicts and two files out."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ...posi_core.errors import PosiError, UsageError
from ...posi_core.service import MAX_CHARACTERS, service
from ...posi_core.syntax import SyntaxName
from .. import policies, render
from .prompt import strictness, syntax_menu
from .rules import Rules

MAX_LINES = 10_000
MAX_BYTES = 10_000_000
SHOWN = 200
"""Rows drawn at most; the files hold all of them."""

_stopped: set[str] = set()


def build(rules: Rules) -> Any:
    """Draws the view; gives back its strictness menu."""

    def run(lines: str, file: Any, policy: str, syntax: SyntaxName) -> Iterator[tuple[str, str, Any, str]]:
        job = uuid.uuid4().hex
        try:
            prompts = read(lines, file)
            prompter = service().prompter(policies.load(policy), rules.model_path())
        except PosiError as error:
            yield render.notice(str(error), kind="error"), "", None, job
            return
        done: list[dict[str, Any]] = []
        drawn = 0.0
        for prompt in prompts:
            # Drawing each row would take longer than rewriting it.
            if time.monotonic() - drawn > 0.3:
                yield render.progress(len(done), len(prompts), "Rewriting"), rows(done), None, job
                drawn = time.monotonic()
            if job in _stopped:
                _stopped.discard(job)
                break
            verdict = prompter.rewrite(prompt, syntax=syntax, deadline=rules.seconds())
            service().record(verdict, source="batch")
            done.append(verdict.to_dict())
        yield summary(done, len(prompts)), rows(done), write(done) if done else None, job

    def halt(job: str) -> None:
        _stopped.add(job)

    with gr.Row(elem_classes=["posi-split"]):
        with gr.Column(scale=1, min_width=280):
            lines = gr.Textbox(label="Prompts, one a line", lines=8, elem_id="posi_batch_lines")
            file = gr.File(
                label="or a file: .txt, .csv, .jsonl",
                file_types=[".txt", ".csv", ".jsonl"],
                height=170,
                elem_id="posi_batch_file",
            )
            with gr.Row():
                policy = strictness(rules, "posi_batch_policy")
                syntax = syntax_menu(rules, "posi_batch_syntax")
            with gr.Row():
                stop = gr.Button("Stop", elem_id="posi_batch_stop")
                start = gr.Button("Rewrite all", variant="primary", elem_id="posi_batch_start")
        with gr.Column(scale=1, min_width=280):
            state = gr.HTML(render.notice("Progress and verdicts appear here."), elem_id="posi_batch_state")
            result = gr.HTML("", elem_id="posi_batch_result")
            files = gr.File(
                label="Download", file_count="multiple", interactive=False, elem_id="posi_batch_download"
            )
    job = gr.State("")
    start.click(run, [lines, file, policy, syntax], [state, result, files, job])
    stop.click(halt, [job], None, queue=False)
    return policy


def read(lines: str, file: Any) -> list[str]:
    """Prompts from the file if there is one, else from the lines. UsageError names what cannot be used."""
    text, name = lines or "", "lines.txt"
    if file is not None:
        # A path in newer gradio, an open temporary file in gradio 3.
        path = Path(getattr(file, "name", file))
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
        try:
            text, name = path.read_text(encoding="utf-8-sig"), path.name.lower()
        except UnicodeDecodeError:
            raise UsageError("The file is no UTF-8 text.") from None
    prompts = [prompt for prompt in parse(text, name) if prompt.strip()]
    if not prompts:
        raise UsageError("There is no prompt yet: type one a line, or choose a file.")
    if len(prompts) > MAX_LINES:
        raise UsageError(f"{len(prompts):,} prompts: at most {MAX_LINES:,} at once.")
    for number, prompt in enumerate(prompts, 1):
        if len(prompt) > MAX_CHARACTERS:
            raise UsageError(f"Prompt {number} has more than {MAX_CHARACTERS:,} characters.")
    return prompts


def parse(text: str, name: str) -> list[str]:
    """Prompts of a text; the ending of `name` says in which format."""
    if name.endswith(".csv"):
        table = list(csv.reader(io.StringIO(text)))
        header = [cell.strip().lower() for cell in table[0]] if table else []
        if "prompt" not in header:
            raise UsageError("The CSV file has no column “prompt” in its first line.")
        column = header.index("prompt")
        return [row[column] for row in table[1:] if len(row) > column]
    if name.endswith(".jsonl"):
        prompts = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                prompts.append(_from_json(line, number))
        return prompts
    return [line.strip() for line in text.splitlines()]


def rows(done: list[dict[str, Any]]) -> str:
    """The newest verdicts as rows, newest first."""
    more = f'<p class="posi-sub">The newest {SHOWN} are shown.</p>' if len(done) > SHOWN else ""
    return render.verdict_list(list(reversed(done[-SHOWN:])), empty="") + more if done else ""


def summary(done: list[dict[str, Any]], total: int) -> str:
    """Counts by action."""
    counts = Counter(verdict["action"] for verdict in done)
    text = f"{len(done)} of {total}: {counts['pass']} passed, {counts['rewrite']} rewritten, {counts['block']} blocked."
    return render.notice(text, kind="ok" if len(done) == total else "info")


def write(done: list[dict[str, Any]]) -> list[str]:
    """Two files in a new temporary folder: the prompts to use, one a line, and every verdict as JSON."""
    folder = Path(tempfile.mkdtemp(prefix="posi-"))
    safe, full = folder / "safe-prompts.txt", folder / "verdicts.jsonl"
    safe.write_text("".join(" ".join(verdict["text"].split()) + "\n" for verdict in done), encoding="utf-8")
    full.write_text(
        "".join(json.dumps(verdict, ensure_ascii=False) + "\n" for verdict in done), encoding="utf-8"
    )
    return [str(safe), str(full)]


def _from_json(line: str, number: int) -> str:
    try:
        item = json.loads(line)
    except ValueError:
        raise UsageError(f"Line {number} of the file is no JSON.") from None
    prompt = item.get("prompt") if isinstance(item, dict) else item
    if not isinstance(prompt, str):
        raise UsageError(f'Line {number} of the file has no text under "prompt".')
    return prompt
