"""Runs inside Forge's own interpreter: the real host with a model that only writes down what it is asked to encode.

    python driver.py FORGE DATA LISTEN_FD ANSWER_FD

Reads one JSON command a line and answers with one JSON line. What is replaced: loading a checkpoint, the text
encoder's network and the sampler. Everything before and after them (scripts, hooks, styles, extra networks, prompt
parsing, hires fix, metadata, the X/Y/Z script, the API) is Forge's own code.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import types
from pathlib import Path

FLAGS = [
    "--skip-prepare-environment",
    "--skip-torch-cuda-test",
    "--skip-version-check",
    "--skip-python-version-check",
    "--always-cpu",
    "--no-download-sd-model",
    "--api",
    "--nowebui",
    "--disable-console-progressbars",
]


class Recorder:
    """What reached the text encoder, and what the host said, since the last command."""

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.negative: list[str] = []
        self.comments: list[str] = []
        self.saved: list[str] = []
        self.loras: list[str] = []


class FakeModel:
    """Looks like a loaded checkpoint; encodes to zeros and writes the texts down."""

    is_inpaint = is_sdxl = is_sd2 = is_sd3 = False
    is_sd1 = True
    use_distilled_cfg_scale = False
    cond_stage_key = "txt"
    sd_model_hash = "0000000000"
    filename = "fake.safetensors"

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.comments: list[str] = []
        self.extra_generation_params: dict[str, str] = {}
        self.sd_checkpoint_info = types.SimpleNamespace(
            name_for_extra="fake",
            name="fake",
            model_name="fake",
            title="fake",
            short_title="fake",
            filename="fake.safetensors",
        )
        self.model_config = types.SimpleNamespace()
        self.alphas_cumprod = None
        objects = types.SimpleNamespace(vae=types.SimpleNamespace(latent_channels=4), unet=None, clip=None)
        objects.shallow_copy = lambda: objects
        self.forge_objects = self.forge_objects_original = self.forge_objects_after_applying_lora = objects

    def set_clip_skip(self, _: int) -> None:
        pass

    def get_learned_conditioning(self, texts):
        import torch

        kind = (
            self.recorder.negative if getattr(texts, "is_negative_prompt", False) else self.recorder.encoded
        )
        kind += list(texts)
        return torch.zeros(len(texts), 77, 768)

    def get_prompt_lengths_on_ui(self, _: str):
        return 0, 75


def fake_sampling(recorder: Recorder, model: FakeModel) -> None:
    """Zeros instead of a sampled picture, at the size asked for."""
    import torch
    from modules import devices, images, processing, sd_models, shared_items

    shared_items.Shared.sd_model = property(lambda _: model)
    sd_models.model_data.sd_model = model
    sd_models.forge_model_reload = lambda: (model, False)
    sd_models.apply_alpha_schedule_override = lambda *_: None
    processing.forge_model_reload = sd_models.forge_model_reload
    processing.apply_circular_forge = lambda *_: None
    processing.manage_model_and_prompt_cache = lambda p: p.clear_prompt_cache()
    devices.torch_gc = lambda: None

    def sample(self, conditioning, unconditional_conditioning, seeds, subseeds, subseed_strength, prompts):
        pictures = processing.DecodedSamples()
        pictures.extend(torch.zeros(3, 8, 8) for _ in prompts)
        return pictures

    processing.StableDiffusionProcessingTxt2Img.sample = sample
    processing.StableDiffusionProcessingImg2Img.sample = sample
    processing.StableDiffusionProcessingImg2Img.init = lambda *_: None

    inner = processing.process_images_inner

    def process_images_inner(p):
        result = inner(p)
        recorder.comments += [line for line in result.comments.splitlines() if line]
        return result

    processing.process_images_inner = process_images_inner

    def save_image(*args, info=None, p=None, **kwargs):
        recorder.saved.append(info or "")
        return "", None

    images.save_image = save_image


def fake_loras(recorder: Recorder) -> None:
    """Notes which networks a prompt activates, in the place of Forge's own loader of LoRA files."""
    from modules import extra_networks

    class Lora(extra_networks.ExtraNetwork):
        def activate(self, p, params_list):
            recorder.loras += [":".join(params.items) for params in params_list if params.items]

        def deactivate(self, p):
            pass

    extra_networks.extra_network_registry["lora"] = Lora("lora")


def fake_posi() -> object:
    """POSI's service with the tests' scorer and engine: no model files, every word of the story is known."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import fakes
    from posi.posi_core import service
    from posi.posi_core.safe_prompt import Parts

    engine, scorer, encoder = fakes.FakeEngine(), fakes.FakeScorer(), fakes.FakeEncoder()
    service._service = service.Service(Parts(engine=engine, scorer=scorer, encoder=encoder), cache=False)
    return types.SimpleNamespace(engine=engine, scorer=scorer)


def main() -> None:
    forge, data, listen, answer = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    os.chdir(forge)
    sys.path.insert(0, forge)
    sys.argv = ["launch.py", *FLAGS, "--data-dir", data]
    import webui
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from modules import script_callbacks, shared
    from modules_forge import main_thread

    main_thread.run_and_wait_result = lambda work, *args, **kwargs: work(*args, **kwargs)
    recorder = Recorder()
    model = FakeModel(recorder)
    fake_sampling(recorder, model)
    parts = fake_posi()
    app = FastAPI(exception_handlers={Exception: webui._handle_exception})
    webui.create_api(app)
    script_callbacks.before_ui_callback()
    script_callbacks.app_started_callback(None, app)
    # Extensions that register their options only when a script object is made come too late under --nowebui.
    script_callbacks.ui_settings_callback()
    fake_loras(recorder)
    shared.opts.data["sd_model_checkpoint"] = "fake"
    shared.opts.live_previews_enable = False
    client = TestClient(app, raise_server_exceptions=False)
    commands = Commands(client, recorder, parts)
    with os.fdopen(listen) as lines, os.fdopen(answer, "w") as out:
        print(json.dumps({"ready": True}), file=out, flush=True)
        for line in lines:
            command = json.loads(line)
            try:
                result = getattr(commands, command.pop("do"))(**command)
            except Exception:
                result = {"error": traceback.format_exc()}
            print(json.dumps(result), file=out, flush=True)
    os._exit(0)


class Commands:
    """What a test can ask for; each method answers with plain data."""

    def __init__(self, client, recorder: Recorder, parts) -> None:
        self.client, self.recorder, self.parts = client, recorder, parts

    def post(self, path: str, payload: dict) -> dict:
        """A request to the host's API, with everything that was recorded during it."""
        self.recorder.__init__()
        response = self.client.post(path, json=payload)
        body = response.json()
        pictures = body.pop("images", None) if isinstance(body, dict) else None
        info = (
            json.loads(body["info"]) if isinstance(body, dict) and isinstance(body.get("info"), str) else {}
        )
        return {
            "status": response.status_code,
            "body": body,
            "pictures": len(pictures or []),
            "png": [self._parameters(picture) for picture in pictures or []],
            "info": info,
            **vars(self.recorder),
        }

    def get(self, path: str) -> dict:
        response = self.client.get(path)
        return {"status": response.status_code, "body": response.json()}

    def options(self, values: dict) -> dict:
        """Settings as the admin's settings page stores them."""
        from modules import shared

        for key, value in values.items():
            shared.opts.data[key] = value
        return {}

    def option(self, name: str) -> dict:
        from modules import shared

        return {"value": shared.opts.data.get(name), "known": name in shared.opts.data_labels}

    def reset(self) -> dict:
        """All settings back to their defaults."""
        from modules import shared

        for key in [key for key in shared.opts.data if key.startswith(("posi_", "dp_"))]:
            if key in shared.opts.data_labels:
                shared.opts.data[key] = shared.opts.data_labels[key].default
        return {}

    def policy(self, name: str, text: str) -> dict:
        """An own policy, saved as the tab saves it."""
        from posi.posi_webui import policies

        policies.save(name, text)
        return {}

    def page(self) -> dict:
        """Element ids of the host's page with POSI's accordion, panel and tab in it."""
        from modules import script_callbacks, ui

        demo = ui.create_ui()
        blocks = [demo, *(tab for tab, _, _ in script_callbacks.ui_tabs_callback())]
        found = {getattr(block, "elem_id", None) for tab in blocks for block in tab.blocks.values()}
        return {"ids": sorted(filter(None, found))}

    def adetailer(self) -> dict:
        """Lets ADetailer find one face in every picture, without its detection models."""
        from modules import scripts
        from PIL import Image

        script = next(
            s for s in scripts.scripts_txt2img.alwayson_scripts if "adetailer" in Path(s.filename).name
        )
        module = sys.modules.get(type(script).__module__) or next(
            data.module for data in scripts.scripts_data if data.script_class is type(script)
        )
        output = module.PredictOutput

        def predict(*_, image, **__):
            mask = Image.new("L", image.size, 255)
            return output(bboxes=[[0, 0, *image.size]], masks=[mask], confidences=[0.9], preview=image)

        module.ultralytics_predict = predict
        module.AfterDetailerScript.get_ad_model = lambda *_: "face_yolov8n.pt"
        return {}

    def fault(self, where: str | None) -> dict:
        """Makes the scorer or the engine fail from now on; None heals both."""
        from posi.posi_core.errors import EngineError, ScorerError

        self.parts.engine.error = EngineError("The worker is gone.") if where == "engine" else None
        self.parts.scorer.error = ScorerError("The scorer cannot be read.") if where == "scorer" else None
        return {}

    def stubborn(self, words: list[str]) -> dict:
        """Words the rewriter leaves as they are."""
        self.parts.engine.stubborn = set(words)
        return {}

    def styles(self, styles: dict) -> dict:
        from modules import shared
        from modules.styles import PromptStyle

        for name, (prompt, negative) in styles.items():
            shared.prompt_styles.styles[name] = PromptStyle(name, prompt, negative, None)
        return {}

    def order(self) -> dict:
        """The scripts in the order in which Forge calls their `before_process_batch` and `process`."""
        from modules import scripts

        runner = scripts.scripts_txt2img
        return {
            "process": [Path(script.filename).name for script in runner.ordered_scripts("process")],
            "loaded": [Path(script.filename).name for script in runner.alwayson_scripts],
        }

    def paste(self, infotext: str, tab: str = "txt2img") -> dict:
        """What pasting an infotext sets POSI's controls to: the value by label, only where it sets one."""
        from modules import infotext_utils, scripts

        runner = scripts.scripts_txt2img if tab == "txt2img" else scripts.scripts_img2img
        script = next(script for script in runner.scripts if script.title() == "POSI")
        params = infotext_utils.parse_generation_parameters(infotext)
        found = {"Prompt": params.get("Prompt")}
        for control, target in script.infotext_fields:
            update = target(params) if callable(target) else params.get(target)
            if isinstance(update, dict):
                update = update.get("value")
            if update is not None:
                found[control.label] = update
        return found

    def axes(self) -> dict:
        from posi.posi_webui import xyz

        options = xyz._grid_module().axis_options
        return {
            "labels": [option.label for option in options if getattr(option, "is_img2img", False) is False]
        }

    @staticmethod
    def _parameters(picture: str) -> str:
        import base64
        import io

        from PIL import Image

        return Image.open(io.BytesIO(base64.b64decode(picture))).info.get("parameters", "")


if __name__ == "__main__":
    main()
