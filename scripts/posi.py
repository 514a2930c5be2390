"""What AUTOMATIC1111 and Forge load. They run this file under a name that no import finds, so nothing is defined
here: the extension's folder is made importable as the package it is, and `posi_webui` does the rest."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if getattr(sys.modules.get("posi"), "__file__", None) != str(ROOT / "__init__.py"):
    spec = importlib.util.spec_from_file_location(
        "posi", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["posi"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["posi"])

script = importlib.import_module("posi.posi_webui.script")
script.register()
PosiScript = script.PosiScript
