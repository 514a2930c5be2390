"""What ComfyUI's node classes look like, for the walk through a graph."""

from __future__ import annotations

from typing import Any

from .graph import Shape


def shape_of(class_type: str) -> Shape | None:
    """The shape of a loaded node class; None if no such class is loaded (ComfyUI refuses such a graph itself)."""
    import nodes

    node = nodes.NODE_CLASS_MAPPINGS.get(class_type)
    if node is None:
        return None
    declared = node.INPUT_TYPES()
    inputs = {
        name: _type(spec)
        for group in ("required", "optional")
        for name, spec in (declared.get(group) or {}).items()
    }
    outputs = tuple(_type((kind,)) for kind in node.RETURN_TYPES)
    names = tuple(str(name) for name in getattr(node, "RETURN_NAMES", None) or outputs)
    return Shape(inputs, outputs, names, bool(getattr(node, "API_NODE", False)))


def _type(spec: Any) -> str:
    kind = spec[0] if isinstance(spec, (tuple, list)) and spec else spec
    if isinstance(kind, (list, tuple)):
        return "COMBO"
    parts = str(kind).split(",")
    return "STRING" if "STRING" in parts else str(kind)
