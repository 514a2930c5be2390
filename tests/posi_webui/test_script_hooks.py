"""The script in the host's order of hooks: no raw word reaches the encoder or the metadata."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fake_webui import Host, Processing, Run
from fakes import RISKY
from posi.posi_core.errors import EngineError, ScorerError
from posi.posi_webui.choice import FOLLOW, STOP

RAW = "a bloody knight at dusk"
SAFE = "a shining knight at dusk"


def is_safe(run: Run) -> bool:
    text = run.everything().lower()
    return not any(word in text for word in RISKY)


def test_rewrites_everywhere_the_host_keeps_the_prompt(host: Host) -> None:
    p = Processing(RAW)
    run = host.run(p)
    assert run.encoded == [SAFE]
    assert run.pictures == 1
    assert p.prompt == p.main_prompt == p.all_prompts[0] == SAFE
    assert "POSI: rewrite" in run.infotexts[0]
    assert is_safe(run)
    assert any("bloody" in comment and "shining" in comment for comment in p.comments)


def test_safe_prompt_stays_byte_for_byte(host: Host) -> None:
    text = "a  (calm:1.2) lake ,, at dawn\n[fog:mist:0.5]"
    p = Processing(text)
    run = host.run(p)
    assert run.encoded == [text]
    assert p.prompt == text
    assert not p.comments
    assert "POSI: pass" in run.infotexts[0]


@pytest.mark.parametrize(
    "prompt",
    [
        "a house AND a bloody knight :0.8",
        "a house BREAK a bloody knight",
        "a [calm:bloody:0.5] knight",
        "a [calm|bloody] knight",
        "a ((bloody)) knight on a hill, (blo)(ody) banner",
        "a bloody knight <lora:armor:0.8>",
        "a knight, (a corpse:1.4) [naked::5]",
    ],
)
def test_syntax_of_the_host(host: Host, prompt: str) -> None:
    run = host.run(Processing(prompt))
    assert run.pictures == 1
    assert is_safe(run)


def test_lora_tags_stay(host: Host) -> None:
    run = host.run(Processing("a bloody knight <lora:armor:0.8>"))
    assert run.networks == ["<lora:armor:0.8>"]


def test_batches_keep_their_lengths(host: Host) -> None:
    p = Processing(RAW, batch_size=2, n_iter=3)
    run = host.run(p)
    assert run.encoded == [SAFE] * 6
    assert run.pictures == 6
    assert len(p.all_prompts) == 6
    assert is_safe(run)


def test_different_prompts_in_one_batch_have_their_own_metadata(host: Host) -> None:
    run = host.run(Processing([RAW, "a calm lake"], batch_size=2))
    assert run.encoded == [SAFE, "a calm lake"]
    assert "POSI: rewrite" in run.infotexts[0]
    assert "POSI: pass" in run.infotexts[1]


def test_hires_pass_and_its_own_prompt(host: Host) -> None:
    for hires in ("", "a corpse, detailed"):
        run = host.run(Processing("a bloody house", enable_hr=True, hr_prompt=hires, n_iter=2))
        assert len(run.encoded) == 4
        assert is_safe(run)


def test_styles_are_judged_with_the_prompt(host: Host) -> None:
    run = host.run(Processing("a knight", styles=("covered in blood",)))
    assert is_safe(run)
    assert "rain" in run.encoded[0]


class Wildcards:
    """Expands `__color__` in `process`, as sd-dynamic-prompts does, and writes its template into the metadata."""

    def process(self, p: Processing, *_: Any) -> None:
        template = p.all_prompts[0]
        p.extra_generation_params["Template"] = template + ", or a corpse"
        p.all_prompts = [template.replace("__color__", "bloody") for _ in p.all_prompts]


@pytest.mark.parametrize("before", [True, False])
def test_wildcards_whatever_the_load_order(host: Host, before: bool) -> None:
    run = host.run(Processing("a __color__ knight", n_iter=2), others=(Wildcards(),), before=before)
    assert run.encoded == ["a shining knight"] * 2
    assert is_safe(run)
    assert "Template: a __color__ knight, or a statue" in run.infotexts[0]


class LateAddition:
    """Adds to the prompts after POSI, in the same hook."""

    def before_process_batch(self, p: Processing, *_: Any, prompts: list[str], **__: Any) -> None:
        prompts[:] = [f"{prompt}, a corpse" for prompt in prompts]


def test_what_another_extension_adds_later_is_caught_before_encoding(host: Host) -> None:
    run = host.run(Processing("a house"), others=(LateAddition(),))
    assert run.encoded == ["a house, a statue"]


def test_negative_prompt_stays_and_gets_the_policys_additions_once(host: Host) -> None:
    from posi.posi_webui import policies

    policies.save("mine", '[negative]\nadditions = "gore, nudity"\n')
    p = Processing("a house", negative_prompt="blurry", n_iter=2, enable_hr=True)
    run = host.run(p, args=(True, "mine"))
    assert run.negative == ["blurry, gore, nudity"] * 2
    assert p.negative_prompt == "blurry"
    assert p.all_hr_negative_prompts == ["blurry, gore, nudity"] * 2
    assert host.run(p, args=(True, "mine")).negative == ["blurry, gore, nudity"] * 2


@pytest.mark.parametrize(
    "error", [ScorerError("no scorer"), RuntimeError("a bug"), EngineError("worker died")]
)
def test_any_failure_generates_nothing_and_says_why(
    host: Host, parts: SimpleNamespace, error: Exception
) -> None:
    where = parts.engine if isinstance(error, EngineError) else parts.scorer
    where.error = error
    p = Processing(RAW, n_iter=2, enable_hr=True)
    run = host.run(p)
    assert run.pictures == 0
    assert run.encoded == []
    assert host.shared.state.interrupted
    assert RAW not in "".join([p.prompt, p.main_prompt, *p.all_prompts, *p.all_hr_prompts])
    assert len(p.all_prompts) == 2
    assert any("POSI stopped" in comment for comment in p.comments)
    assert is_safe(run)


def test_failure_of_the_settings_generates_nothing(host: Host) -> None:
    host.shared.opts.data["posi_policy"] = "no such policy"
    run = host.run(Processing("a house"))
    assert run.encoded == []
    assert host.shared.state.interrupted


def test_a_host_that_encodes_all_the_same_gets_blanks(host: Host, parts: SimpleNamespace) -> None:
    parts.scorer.error = ScorerError("no scorer")
    p = Processing(RAW)
    p.setup_prompts()
    prompts = list(p.all_prompts)
    host.script.before_process_batch(p, batch_number=0, prompts=prompts)
    assert prompts == [""]
    assert p.prompts == []


def test_blocked_prompt_of_a_later_batch_stops_before_the_first_picture(
    host: Host, parts: SimpleNamespace
) -> None:
    parts.engine.stubborn = {"noose"}
    from posi.posi_webui import policies

    policies.save("keep", "[rewriting]\ndrop_words = false\n")
    p = Processing(["a house", "a noose"], n_iter=2)
    run = host.run(p, args=(True, "keep"))
    assert run.pictures == 0
    assert run.encoded == []
    assert "POSI: block" in run.infotexts[0]
    assert is_safe(run)


@pytest.mark.parametrize(("on_block", "encoded"), [(STOP, []), (FOLLOW, ["a quiet garden"])])
def test_what_a_block_does(host: Host, parts: SimpleNamespace, on_block: str, encoded: list[str]) -> None:
    parts.engine.stubborn = {"noose"}
    from posi.posi_webui import policies

    policies.save(
        "garden",
        '[rewriting]\ndrop_words = false\n[block]\non_block = "replace"\nreplacement = "a quiet garden"\n',
    )
    p = Processing("a noose")
    run = host.run(p, args=(True, "garden", on_block))
    assert run.encoded == encoded
    assert p.comments
    assert is_safe(run)


def test_a_failure_never_becomes_the_replacement_text(host: Host, parts: SimpleNamespace) -> None:
    from posi.posi_webui import policies

    policies.save("garden", '[block]\non_block = "replace"\nreplacement = "a quiet garden"\n')
    parts.engine.error = EngineError("worker died")
    run = host.run(Processing(RAW), args=(True, "garden", FOLLOW))
    assert run.encoded == []


def test_switched_off_changes_nothing(host: Host, parts: SimpleNamespace) -> None:
    parts.scorer.error = RuntimeError("never asked")
    p = Processing(RAW)
    run = host.run(p, args=(False,))
    assert run.encoded == [RAW]
    assert "POSI" not in run.infotexts[0]


def test_interrupting_the_host_stops_the_rewrite(host: Host, parts: SimpleNamespace) -> None:
    def interrupt(*_: object) -> None:
        host.shared.state.interrupted = True

    parts.engine.delay = 30.0
    original = parts.scorer.score

    def score(*args: Any, **kwargs: Any) -> Any:
        interrupt()
        return original(*args, **kwargs)

    parts.scorer.score = score
    run = host.run(Processing(RAW))
    assert run.encoded == []


def test_second_run_of_a_safe_prompt_changes_nothing(host: Host) -> None:
    first = host.run(Processing(RAW))
    p = Processing(first.encoded[0])
    second = host.run(p)
    assert second.encoded == first.encoded
    assert not p.comments
