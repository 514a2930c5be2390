"""A small A1111/Forge: its modules, and a run of one generation in the host's order of hooks.

Written after `processing.process_images_inner` of Forge f2.0.1v1.10.1 and `scripts.ScriptRunner`, which logs an
exception of a hook and goes on.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NETWORK = re.compile(r"<(\w+):([^>]+)>")


class OptionInfo:
    def __init__(
        self, default: Any = None, label: str = "", component: Any = None, arguments: Any = None, **more: Any
    ):
        self.default, self.label, self.component, self.arguments = default, label, component, arguments
        self.section = more.get("section")
        self.restrict_api = False
        self.comment_after = ""

    def info(self, text: str) -> OptionInfo:
        self.comment_after += text
        return self


class Options:
    """`shared.opts`: data wins over the defaults of registered options; unknown names raise."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.data_labels: dict[str, OptionInfo] = {}

    def add_option(self, key: str, info: OptionInfo) -> None:
        self.data_labels[key] = info
        self.data.setdefault(key, info.default)

    def __getattr__(self, key: str) -> Any:
        if key in self.data:
            return self.data[key]
        raise AttributeError(key)


class Script:
    """`scripts.Script` as far as an always-on script needs it."""

    infotext_fields: Any = None
    paste_field_names: Any = None

    def elem_id(self, name: str) -> str:
        return f"script_posi_{name}"


class Callbacks(types.ModuleType):
    """`script_callbacks`: on_X(function) remembers the function under X."""

    def __init__(self) -> None:
        super().__init__("modules.script_callbacks")
        self.registered: dict[str, list[Any]] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return self.registered.setdefault(name[3:], []).append


@dataclass
class Host:
    """The fake modules, and what happened since the host started."""

    shared: Any
    scripts: Any
    callbacks: Callbacks
    script: Any = None
    log: list[str] = field(default_factory=list)

    def run(
        self, p: Processing, args: tuple[Any, ...] = (), others: tuple[Any, ...] = (), before: bool = False
    ) -> Run:
        """One generation. `others`: scripts loaded after POSI, or before it with `before`."""
        ordered = [*others, self.script] if before else [self.script, *others]

        def hook(name: str, *more: Any, **keywords: Any) -> None:
            for script in ordered:
                call = getattr(script, name, None)
                if call is None:
                    continue
                try:
                    call(p, *(args if script is self.script else ()), *more, **keywords)
                except Exception as error:
                    self.log.append(f"Error running {name}: {type(error).__name__}: {error}")

        return _generate(p, hook, self.shared.state)


@dataclass
class Processing:
    """`StableDiffusionProcessing`: the prompts in all the places where the host keeps them."""

    prompt: Any
    negative_prompt: Any = ""
    styles: tuple[str, ...] = ()
    batch_size: int = 1
    n_iter: int = 1
    enable_hr: bool = False
    hr_prompt: str = ""
    hr_negative_prompt: str = ""
    is_api: bool = False
    extra_generation_params: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.comments: dict[str, int] = {}
        self.do_not_save_grid = False
        self.prompts: list[str] = []
        self.negative_prompts: list[str] = []

    def comment(self, text: str) -> None:
        self.comments[text] = 1

    def setup_prompts(self) -> None:
        def styled(text: str) -> str:
            return ", ".join([text, *self.styles]) if text else ", ".join(self.styles)

        count = self.batch_size * self.n_iter
        prompts = self.prompt if isinstance(self.prompt, list) else [self.prompt] * count
        self.all_prompts = [styled(prompt) for prompt in prompts]
        self.all_negative_prompts = [self.negative_prompt] * len(self.all_prompts)
        self.main_prompt, self.main_negative_prompt = self.all_prompts[0], self.all_negative_prompts[0]
        if self.enable_hr:
            self.hr_prompt = self.hr_prompt or self.prompt
            self.hr_negative_prompt = self.hr_negative_prompt or self.negative_prompt
            self.all_hr_prompts = [styled(self.hr_prompt)] * count
            self.all_hr_negative_prompts = [self.hr_negative_prompt] * count


@dataclass
class Run:
    """What one generation encoded and wrote, and how many pictures it made."""

    encoded: list[str] = field(default_factory=list)
    negative: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    infotexts: list[str] = field(default_factory=list)
    pictures: int = 0
    grid: str = ""

    def everything(self) -> str:
        return "\n".join([*self.encoded, *self.networks, *self.infotexts, self.grid])


def _generate(p: Processing, hook: Callable[..., None], state: Any) -> Run:
    run = Run()
    hook("before_process")
    p.setup_prompts()
    hook("process")
    for number in range(p.n_iter):
        if state.interrupted:
            break
        batch = slice(number * p.batch_size, (number + 1) * p.batch_size)
        p.prompts, p.negative_prompts = p.all_prompts[batch], p.all_negative_prompts[batch]
        hook("before_process_batch", batch_number=number, prompts=p.prompts, seeds=[], subseeds=[])
        if not p.prompts:
            break
        run.networks += [match.group() for text in p.prompts for match in NETWORK.finditer(text)]
        p.prompts = [NETWORK.sub("", text) for text in p.prompts]
        if p.enable_hr:
            p.hr_prompts = [NETWORK.sub("", text) for text in p.all_hr_prompts[batch]]
            p.hr_negative_prompts = p.all_hr_negative_prompts[batch]
        hook("process_batch", batch_number=number, prompts=p.prompts, seeds=[], subseeds=[])
        run.encoded += p.prompts
        run.negative += p.negative_prompts
        if p.enable_hr:
            run.encoded += p.hr_prompts
        if state.interrupted:
            break
        run.pictures += len(p.prompts)
        p.prompts = p.all_prompts[batch]
        run.infotexts += [infotext(p, p.prompts[index], index) for index in range(len(p.prompts))]
    if run.pictures > 1 and not p.do_not_save_grid:
        run.grid = infotext(p, p.main_prompt, 0)
    if not run.infotexts:
        run.infotexts.append(infotext(p, p.all_prompts[0], 0))
    hook("postprocess", run)
    return run


def infotext(p: Processing, prompt_text: str, index: int) -> str:
    """`create_infotext`: strings, one value an image, or callables that get the local variables."""
    generation_params: dict[str, Any] = {"Steps": 20, "Sampler": "Euler", **p.extra_generation_params}
    for key, value in generation_params.items():
        try:
            if isinstance(value, list):
                generation_params[key] = value[index]
            elif callable(value):
                generation_params[key] = value(**locals())
        except Exception:
            generation_params[key] = None
    text = ", ".join(f"{key}: {value}" for key, value in generation_params.items() if value is not None)
    return f"{prompt_text}\n{text}"


@contextmanager
def started(models_path: Path) -> Iterator[Host]:
    """The host's modules in place of real ones, with scripts/posi.py loaded as the host loads it."""
    package = types.ModuleType("modules")
    scripts = types.ModuleType("modules.scripts")
    scripts.Script, scripts.AlwaysVisible, scripts.scripts_data = Script, object(), []  # type: ignore[attr-defined]
    shared = types.ModuleType("modules.shared")
    shared.opts, shared.OptionInfo = Options(), OptionInfo  # type: ignore[attr-defined]
    shared.cmd_opts = types.SimpleNamespace(api_auth=None)  # type: ignore[attr-defined]
    shared.state = types.SimpleNamespace(  # type: ignore[attr-defined]
        interrupted=False, job_timestamp="20260101000000", textinfo=None
    )
    paths = types.ModuleType("modules.paths")
    paths.models_path = str(models_path)  # type: ignore[attr-defined]
    callbacks = Callbacks()
    fakes = {"scripts": scripts, "shared": shared, "paths": paths, "script_callbacks": callbacks}
    kept = {name: module for name, module in sys.modules.items() if name.startswith("posi.posi_webui")}
    for name in kept:
        del sys.modules[name]
    for name, module in fakes.items():
        setattr(package, name, module)
        sys.modules[f"modules.{name}"] = module
    sys.modules["modules"] = package
    try:
        host = Host(shared, scripts, callbacks)
        host.script = load_script().PosiScript()
        yield host
    finally:
        for name in [name for name in sys.modules if name == "modules" or name.startswith("modules.")]:
            del sys.modules[name]
        for name in [name for name in sys.modules if name.startswith("posi.posi_webui")]:
            del sys.modules[name]
        sys.modules.update(kept)


def load_script() -> Any:
    """scripts/posi.py the way the host runs it: under a name that is not in sys.modules."""
    path = ROOT / "scripts" / "posi.py"
    spec = importlib.util.spec_from_file_location(path.name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
