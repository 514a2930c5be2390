"""The README's commands are real: CI runs the second one, and every `posi …` line names what exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from posi.posi_core.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, flags=re.M | re.S)


def setup_commands() -> list[str]:
    section = re.search(r"^## Set up\n(.*?)^## ", README, flags=re.M | re.S)
    assert section is not None
    return [line for block in code_blocks(section.group(1)) for line in block.splitlines()]


def posi_commands() -> list[str]:
    """Every `posi …` in the code blocks and inline code of README and docs."""
    found = set()
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for block in code_blocks(text) for line in block.splitlines()]
        lines += re.findall(r"`(posi [^`\n]+)`", text)
        for line in lines:
            for part in re.split(r"&&|\||;", line):
                part = part.partition(" > ")[0].partition(" #")[0].strip().removeprefix("$ ")
                if part.startswith("posi "):
                    found.add(part)
    return sorted(found)


def test_two_commands_do_the_set_up() -> None:
    first, second = setup_commands()
    assert first.startswith("pip install . && posi rewrite ")
    assert second == 'pip install -e ".[test]" && pytest'


def test_ci_runs_the_second_command_as_it_stands() -> None:
    assert setup_commands()[1] in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize("command", posi_commands())
def test_shown_commands_exist(
    command: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command and subcommand have a help page, and each option shown is on it."""
    monkeypatch.setenv("COLUMNS", "300")
    words = shlex.split(command)
    options = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
    names = [word for word in words[1:3] if re.fullmatch(r"[a-z][a-z-]*", word)]
    code, shown = help_page(names, capfd)
    if code:  # the second word is an argument, not a subcommand
        code, shown = help_page(names[:1], capfd)
    assert code == 0, shown
    assert "(not available)" not in shown
    missing = {option for option in options if option not in shown}
    assert not missing, f"{command}: no such option {missing}"


def help_page(names: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as exit_:
        main([*names, "--help"])
    captured = capfd.readouterr()
    return int(exit_.value.code or 0), captured.out + captured.err


def test_links_inside_the_repository_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} links to {target}"
        for target in re.findall(r"(?:trainer|docs|tests)/[\w./-]*\w", path.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{path.name} names {target}"
