"""Reading GGUF metadata, and writing a GGUF with another's metadata and our own tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...posi_core.errors import ModelFileError
from ..template import Template

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFReader, GGUFWriter
    from numpy.typing import NDArray

PREFIX_KEY, SUFFIX_KEY, STOP_KEY = "posi.template.prefix", "posi.template.suffix", "posi.template.stop"
COMMIT_KEY = "posi.training_commit"
_OURS = frozenset({"general.architecture", "general.file_type", "general.quantization_version"})


def posi_metadata(template: Template, commit: str) -> dict[str, str]:
    """The keys that the rewriter reads: see `posi_core.engine`."""
    return {
        PREFIX_KEY: template.prefix,
        SUFFIX_KEY: template.suffix,
        STOP_KEY: template.stop,
        COMMIT_KEY: commit or "unknown",
    }


def open_gguf(path: Path) -> GGUFReader:
    """Raises ModelFileError when the file is missing, truncated or no GGUF."""
    from gguf import GGUFReader

    try:
        return GGUFReader(path)
    except FileNotFoundError:
        raise ModelFileError(f"no GGUF file at {path}: check the path") from None
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelFileError(f"{path} is no usable GGUF file ({error}): fetch or export it again") from error


def text_value(reader: GGUFReader, key: str) -> str | None:
    found = reader.get_field(key)
    return None if found is None else str(found.contents())


def read_template(path: Path) -> Template:
    """The template in a GGUF of ours. Raises ModelFileError when it has none."""
    reader = open_gguf(path)
    parts = [text_value(reader, key) for key in (PREFIX_KEY, SUFFIX_KEY, STOP_KEY)]
    if None in parts:
        raise ModelFileError(f"{path} has no {PREFIX_KEY}: export it with `posi export`")
    return Template(*(part or "" for part in parts))


def write_gguf(
    skeleton: Path, tensors: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, str], out: Path
) -> None:
    """Write float32 `tensors` (by GGUF name) with the metadata of `skeleton` and our own keys.

    Raises ModelFileError unless the tensors are those of the skeleton, in number, name and shape.
    """
    from gguf import GGUFWriter, LlamaFileType

    reader = open_gguf(skeleton)
    shapes = {tensor.name: tuple(int(size) for size in reversed(tensor.shape)) for tensor in reader.tensors}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if shapes != given:
        odd = sorted(set(shapes.items()) ^ set(given.items()))[:3]
        raise ModelFileError(f"the model's tensors are not those of {skeleton}: {odd}")
    writer = GGUFWriter(out, text_value(reader, "general.architecture") or "")
    copy_metadata(reader, writer, without=metadata)
    writer.add_file_type(LlamaFileType.ALL_F32)
    for key, value in metadata.items():
        writer.add_string(key, value)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensors[tensor.name])
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def copy_metadata(reader: GGUFReader, writer: GGUFWriter, *, without: Mapping[str, Any]) -> None:
    """Copy every key but those that describe the old file's own tensors, and those in `without`."""
    from gguf import GGUFValueType

    for key, entry in reader.fields.items():
        if key.startswith("GGUF.") or key in _OURS or key in without:
            continue
        kind = entry.types[0]
        inner = entry.types[-1] if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(key, entry.contents(), kind, sub_type=inner)
