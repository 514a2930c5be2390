"""POSI Model: which rewriter runs and where, as a wire for the other nodes."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from comfy_api.latest import io

from ..posi_core.errors import UsageError
from ..posi_core.safe_prompt import ModelChoice
from . import host
from .sockets import CATEGORY, ModelSocket

SHIPPED_NAME = "POSI (shipped)"


class ModelNode(io.ComfyNode):
    """Names a rewriter: the shipped one, a .gguf of models/LLM, or a server."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="POSI_Model",
            display_name="POSI Model",
            category=CATEGORY,
            description="Chooses the rewriter: the shipped model, a GGUF file from models/LLM, or a server with "
            "an OpenAI-compatible API.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=[SHIPPED_NAME, *host.gguf_names()],
                    default=SHIPPED_NAME,
                    tooltip="The shipped model needs no download. Others: .gguf files in models/LLM.",
                ),
                io.Int.Input(
                    "gpu_layers",
                    default=0,
                    min=-1,
                    max=999,
                    tooltip="Layers to run on the GPU; 0: CPU only, -1: all. The shipped model is fast on a CPU.",
                ),
                io.Int.Input("threads", default=0, min=0, max=256, tooltip="CPU threads; 0: chosen for you."),
                io.Int.Input(
                    "keep_loaded",
                    default=300,
                    min=0,
                    max=86400,
                    tooltip="Seconds after the last prompt until the model leaves memory.",
                ),
                io.String.Input(
                    "endpoint",
                    default="",
                    tooltip="Base URL of an OpenAI-compatible server, for example http://127.0.0.1:8080/v1. "
                    "Empty: run here. A key comes from the server's environment, never from the workflow.",
                ),
                io.String.Input("endpoint_model", default="", tooltip="The model's name on that server."),
            ],
            outputs=[ModelSocket.Output("model_choice", display_name="model")],
        )

    @classmethod
    def fingerprint_inputs(cls, model: str = SHIPPED_NAME, **_others: Any) -> str:
        """Runs again when the chosen file was replaced."""
        if model == SHIPPED_NAME:
            return model
        stat = host.gguf_path(model).stat()
        return f"{model}:{stat.st_size}:{stat.st_mtime_ns}"

    @classmethod
    def execute(
        cls,
        model: str,
        gpu_layers: int,
        threads: int,
        keep_loaded: int,
        endpoint: str,
        endpoint_model: str,
    ) -> io.NodeOutput:
        base_url = endpoint.strip()
        check_endpoint(base_url)
        return io.NodeOutput(
            ModelChoice(
                path=None if model == SHIPPED_NAME else host.gguf_path(model),
                threads=threads or None,
                gpu_layers=gpu_layers,
                idle_unload_seconds=keep_loaded,
                base_url=base_url,
                remote_model=endpoint_model.strip(),
            )
        )


def check_endpoint(base_url: str) -> None:
    """Raises UsageError for what is no web address, and for one that must not see this server's key.

    A workflow made by somebody else could name any server, and the key in POSI_API_KEY would be sent there; so
    once a key is set, only the server in POSI_ENDPOINT may be named.
    """
    if not base_url:
        return
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"endpoint is {base_url[:80]!r}: it must be an address such as http://127.0.0.1:8080/v1."
        )
    if os.environ.get("POSI_API_KEY"):
        allowed = urlsplit(os.environ.get("POSI_ENDPOINT", ""))
        if (parts.scheme, parts.netloc) != (allowed.scheme, allowed.netloc):
            raise UsageError(
                f"endpoint is {base_url[:80]!r}: this server holds a key (POSI_API_KEY), so the endpoint must be "
                "the one in its variable POSI_ENDPOINT."
            )
