"""The always-on script "POSI": its accordion and the hooks in which it rewrites. Loaded by scripts/posi.py."""

from __future__ import annotations

from typing import Any

from modules import script_callbacks, scripts, shared

from ..posi_core.service import service
from . import accordion, api, hooks, infotext, policies, runs, settings, tab, xyz
from .choice import decide
from .guard import Guard

GUARD = "posi_guard"


class PosiScript(scripts.Script):  # type: ignore[misc]
    """Rewrites in `before_process_batch`, where styles, wildcards and dynamic prompts are expanded, and looks once
    more in `process_batch`, the last hook before encoding, at what other extensions added since.

    Hooks of the host fail open, so each one here catches everything and stops the generation instead.
    """

    def title(self) -> str:
        return "POSI"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        controls, self.infotext_fields = accordion.build(self.elem_id, settings.current())
        self.paste_field_names = [label for _, label in self.infotext_fields if isinstance(label, str)]
        return controls

    def after_component(self, component: Any, **kwargs: Any) -> None:
        accordion.attach_panel(component, kwargs.get("elem_id"))

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("batch_number", 0) == 0:
            setattr(p, GUARD, None)
            include_in_adetailer()
        self._protect(p, args, kwargs.get("prompts"))

    def process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        self._protect(p, args, kwargs.get("prompts"))

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        guard = getattr(p, GUARD, None)
        if guard is not None:
            # The result carries the metadata's entries as they are, and others may have written theirs again.
            infotext.scrub(p.extra_generation_params, guard)

    def _protect(self, p: Any, args: tuple[Any, ...], prompts: list[str] | None) -> None:
        guard: Guard | None = None
        try:
            guard = getattr(p, GUARD, None) or new_guard(p, args)
            if guard is None:
                return
            setattr(p, GUARD, guard)
            hooks.protect(p, prompts, guard)
            hooks.report(p, guard)
            runs.keep(shared.state.job_timestamp, guard.verdicts)
        except Exception as error:
            reason = explain(error)
            hooks.stop(p, prompts, shared.state, reason)
            runs.keep(shared.state.job_timestamp, guard.verdicts if guard else [], stopped=reason)


def new_guard(p: Any, args: tuple[Any, ...]) -> Guard | None:
    """The guard of one generation under the settings, the script's arguments and an X/Y/Z axis; None if off."""
    known = settings.current()
    choice = decide(
        known, args, api=bool(getattr(p, "is_api", False)), axis_policy=getattr(p, xyz.FIELD, None)
    )
    if not choice.enabled:
        return None
    policy = policies.load(choice.policy)
    prompter = service().prompter(policy, settings.model_path(known))
    state = shared.state

    def rewrite(text: str) -> Any:
        state.textinfo = "POSI: checking the prompt"
        try:
            return prompter.rewrite(
                text, syntax="a1111", deadline=known.seconds, cancelled=lambda: bool(state.interrupted)
            )
        finally:
            state.textinfo = None

    return Guard(
        rewrite,
        policy,
        choice.policy,
        stop_on_block=choice.stop_on_block,
        store_original=known.store_original,
    )


def explain(error: Exception) -> str:
    """A reason that a user can read: POSI's own errors as they stand, others by name."""
    from ..posi_core.errors import PosiError

    return str(error) if isinstance(error, PosiError) else f"Internal error: {type(error).__name__}: {error}"


def include_in_adetailer() -> None:
    """ADetailer's second pass runs only the scripts its setting names; without POSI there, its prompt would be raw.

    Looked at in each run, since a client may override that setting.
    """
    names = shared.opts.data.get("ad_script_names")
    if isinstance(names, str) and "posi" not in [name.strip() for name in names.split(",")]:
        shared.opts.data["ad_script_names"] = f"{names},posi" if names.strip() else "posi"
        print("POSI added itself to ADetailer's setting “Script names to apply to ADetailer”.")


def register() -> None:
    """Hooks POSI into the host. Called each time the host loads its scripts, since it forgets callbacks before."""
    script_callbacks.on_ui_settings(settings.register)
    script_callbacks.on_before_ui(settings.register)
    script_callbacks.on_before_ui(xyz.register)
    # With --nowebui the plot script reads its axes before that callback; it is loaded before any extension.
    xyz.register()
    settings.keep_from_api()
    script_callbacks.on_ui_tabs(tab.build)
    script_callbacks.on_app_started(api.mount)
    script_callbacks.on_script_unloaded(unload)


def unload() -> None:
    """Frees the model's memory when the host reloads its scripts."""
    service().unload()
