"""Which texts of a queued graph reach a text encoder without passing a POSI node. Pure: no ComfyUI here.

A graph is what POST /prompt carries: node id -> {"class_type", "inputs"}; an input is a literal or a link
[node id, output slot]. What node classes look like comes in as `shape`, so this runs on any table of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Graph = Mapping[str, Mapping[str, Any]]

SAFE_PROMPT = "POSI_SafePrompt"
SAFE_ENCODE = "POSI_SafeTextEncode"
MAX_NODES = 5000
MAX_STEPS = 20_000
MAX_CHARACTERS = 20_000

_MAKES_PICTURES = {"CONDITIONING", "IMAGE", "LATENT", "VIDEO", "GUIDER"}
_TEXT_TYPES = {"STRING", "*"}
_NO_TEXT = {
    "AUDIO",
    "CLIP",
    "CLIP_VISION",
    "CLIP_VISION_OUTPUT",
    "CONDITIONING",
    "CONTROL_NET",
    "GUIDER",
    "IMAGE",
    "LATENT",
    "MASK",
    "MODEL",
    "NOISE",
    "SAMPLER",
    "SIGMAS",
    "STYLE_MODEL",
    "UPSCALE_MODEL",
    "VAE",
    "VIDEO",
}
"""Links of these types carry no text that a node behind them would encode; an encoder before them is found itself."""


@dataclass(frozen=True)
class Shape:
    """A node class: input name -> type, types and names of its outputs, and whether it calls a paid service."""

    inputs: Mapping[str, str]
    outputs: tuple[str, ...]
    output_names: tuple[str, ...] = ()
    api: bool = False


ShapeOf = Callable[[str], Shape | None]


@dataclass(frozen=True)
class Feed:
    """Texts that arrive at one input of one encoder. `texts` are the literals, then all of them run together in
    graph order, since a graph can put a word together from two nodes."""

    node: str
    input: str
    class_type: str
    texts: tuple[str, ...]


def feeds(graph: Graph, shape: ShapeOf) -> list[Feed]:
    """Every input of every encoder that brings it text by another way than a POSI node.

    Encoders are the nodes that take a CLIP or make conditioning, pictures or latents (or call a service). Texts
    that serve only as a negative prompt are left out. ValueError: the graph is no graph, or is larger than
    anything that can be judged in time.
    """
    _check(graph)
    walk = _Walk(graph, shape)
    found = []
    for node_id, node in graph.items():
        known = shape(node["class_type"])
        if known is None or node["class_type"] in (SAFE_PROMPT, SAFE_ENCODE) or not _encodes(known):
            continue
        texts_of = {name: walk.behind(node_id, name) for name in node["inputs"]}
        if not any(texts_of.values()) or only_negative(graph, node_id, shape):
            continue
        for name, texts in texts_of.items():
            if texts:
                joined = [sep.join(texts) for sep in (" ", "")] if len(texts) > 1 else []
                unique = tuple(dict.fromkeys([*texts, *joined]))
                found.append(Feed(node_id, name, node["class_type"], unique))
    return found


def literals(graph: Graph, node_id: str, name: str, shape: ShapeOf) -> list[str]:
    """The literal texts behind one input, in graph order. ValueError as in `feeds`."""
    return _Walk(graph, shape).behind(node_id, name)


def only_negative(graph: Graph, node_id: str, shape: ShapeOf) -> bool:
    """True if all that comes out of a node ends in inputs named "negative", where guidance pushes away from it.

    With a guidance scale under 1 the picture is drawn towards the negative prompt, so `cfg` must be a number of
    at least 1 at each node where it ends.
    """
    pending: list[tuple[str, int | None]] = [(node_id, None)]
    seen: set[tuple[str, int]] = set()
    ended = False
    while pending:
        source, slot = pending.pop()
        for target_id, name, from_slot in _links_from(graph, source):
            if slot is not None and from_slot != slot:
                continue
            if name != "negative":
                return False
            target = shape(graph[target_id]["class_type"])
            if target is None:
                return False
            carried = [i for i, kind in enumerate(target.outputs) if kind == "CONDITIONING"]
            if not carried:
                cfg = graph[target_id]["inputs"].get("cfg")
                if isinstance(cfg, bool) or not isinstance(cfg, (int, float)) or not cfg >= 1:
                    return False
                ended = True
                continue
            named = [i for i in carried if target.output_names[i : i + 1] == ("negative",)]
            if not named:
                return False
            for out in named:
                if (target_id, out) not in seen:
                    seen.add((target_id, out))
                    pending.append((target_id, out))
    return ended


def is_link(value: Any) -> bool:
    """[node id, slot], as ComfyUI itself tells links from literals."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], (int, float))
    )


class _Walk:
    """Walks from inputs back to literals, at most MAX_STEPS in all: a graph of doublings has 2^n ways."""

    def __init__(self, graph: Graph, shape: ShapeOf) -> None:
        self.graph = graph
        self.shape = shape
        self.steps = 0

    def behind(self, node_id: str, name: str) -> list[str]:
        node = self.graph.get(node_id)
        if node is None:
            return []
        texts = [t for t in self._input(node, name, frozenset((node_id,))) if t.strip()]
        if sum(map(len, texts)) > MAX_CHARACTERS:
            raise ValueError(
                f"Node {node_id}, input {name}: more than {MAX_CHARACTERS:,} characters of text."
            )
        return texts

    def _input(self, node: Mapping[str, Any], name: str, seen: frozenset[str]) -> Iterator[str]:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise ValueError("The graph has too many ways from texts to encoders to be judged.")
        value = node["inputs"].get(name)
        if not is_link(value):
            known = self.shape(node["class_type"])
            if known is None or known.inputs.get(name, "STRING") in _TEXT_TYPES:
                yield from _strings(value)
            return
        source, slot = value
        target = self.graph.get(source)
        if target is None or source in seen or self._carries_no_text(target, slot):
            return
        if target["class_type"] == SAFE_PROMPT and slot == 0:
            return
        for inner in target["inputs"]:
            yield from self._input(target, inner, seen | {source})

    def _carries_no_text(self, target: Mapping[str, Any], slot: float) -> bool:
        known = self.shape(target["class_type"])
        index = int(slot)
        return known is not None and 0 <= index < len(known.outputs) and known.outputs[index] in _NO_TEXT


def _encodes(known: Shape) -> bool:
    return known.api or "CLIP" in known.inputs.values() or bool(_MAKES_PICTURES.intersection(known.outputs))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _strings(inner)


def _links_from(graph: Graph, source: str) -> Iterator[tuple[str, str, Any]]:
    for node_id, node in graph.items():
        for name, value in node["inputs"].items():
            if is_link(value) and value[0] == source:
                yield node_id, name, value[1]


def _check(graph: Any) -> None:
    if not isinstance(graph, Mapping) or len(graph) > MAX_NODES:
        raise ValueError(f"The prompt is no graph of at most {MAX_NODES:,} nodes.")
    for node_id, node in graph.items():
        if not isinstance(node, Mapping) or not isinstance(node.get("inputs", {}), Mapping):
            raise ValueError(f"Node {str(node_id)[:40]!r} is not an object with inputs.")
        if not isinstance(node.get("class_type"), str) or "inputs" not in node:
            raise ValueError(f"Node {str(node_id)[:40]!r} has no class_type or no inputs.")
