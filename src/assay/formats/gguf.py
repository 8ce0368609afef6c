"""GGUF files, single or split [ggml, gguf.md; llama.cpp, convert_hf_to_gguf.py].

Shapes are listed fastest axis first, so that reversed they are canonical: a matrix multiplies from
the left (output, input).  Quantized tensors are decoded block by block.  Converters of Llama and
its kin interleave the two halves of each head's queries and keys; that is undone, so that the
weights are those of the same model in safetensors.  The graph of architectures that are built like
Llama comes from the metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from assay.containers.gguf import MAGIC, Contents, Place, contents
from assay.errors import UnreadableModel
from assay.formats import MISSING, Format, InputShapes, Model
from assay.formats._shards import join, located
from assay.graphs.operators import OperatorGraph
from assay.weights import Array, Weight
from assay.weights.numbers import MOST_AT_ONCE, buffer, elements

MOST_FILES = 2000
_PART = re.compile(r"(?P<start>.*-)(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)
_ROTATED = re.compile(r"blk\.\d+\.attn_(?P<part>[qk])\.(weight|bias)")
_INTERLEAVED = {  # architectures whose converters do that
    "llama", "llama-embed", "mistral3", "minicpm", "granite", "granitemoe", "granitehybrid", "deci",
    "arctic", "xverse", "baichuan", "internlm2", "smollm3", "arcee", "nanbeige",
}  # fmt: skip


class Gguf(Format):
    """The tensors of a ``.gguf`` file, version 2 or 3, or of all files that it was split into."""

    suffixes = (".gguf",)

    def sniff(self, head: bytes) -> bool:
        return head.startswith(MAGIC)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        named = contents(path)
        files, missing = _files(path, named.metadata)
        held = {file: named if file == path else contents(file) for file in files}
        metadata = {key: _finite(value) for key, value in held[files[0]].metadata.items()}
        weights: dict[str, Weight] = {}
        for file, part in held.items():
            join(weights, _weights(file, part, metadata))
        if missing:
            metadata[MISSING] = missing
        layers = _graph(metadata, weights, input_shapes)
        return Model("gguf", layers, tuple(files), metadata, weights)


def _finite(value: Any) -> Any:
    """What can be kept as JSON, which has no NaN."""
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def _files(path: Path, metadata: Mapping[str, Any]) -> tuple[list[Path], list[str]]:
    """All files that the model was split into, and the names of those that are not there."""
    count = metadata.get("split.count", 1)
    if type(count) is not int or count > MOST_FILES:
        raise UnreadableModel(f"it claims to be split into {count!r:.40} files")
    if count <= 1:
        return [path], []
    match = _PART.fullmatch(path.name)
    if match is None or int(match["count"]) != count:
        return [path], [f"{count - 1} other parts: its name does not say which"]
    names = [f"{match['start']}{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    places = {name: path if name == path.name else None for name in names}
    others = located(path.parent, (name for name in names if name != path.name))
    found = [places[name] or others[name] for name in names]
    return [f for f in found if f.is_file()], [f.name for f in found if not f.is_file()]


def _weights(path: Path, part: Contents, metadata: Mapping[str, Any]) -> dict[str, Weight]:
    weights = {}
    for place in part.places:
        heads = _interleaved_heads(place, metadata)
        read = partial(_read, path, place, heads)
        weights[place.name] = Weight(place.name, place.shape, place.kind.name, read, True)
    return weights


def _interleaved_heads(place: Place, metadata: Mapping[str, Any]) -> int:
    """The heads whose rows are interleaved; 0 where none are."""
    match = _ROTATED.fullmatch(place.name)
    kind = metadata.get("general.architecture")
    if match is None or kind not in _INTERLEAVED:
        return 0
    heads = metadata.get(f"{kind}.attention.head_count")
    if match["part"] == "k":
        heads = metadata.get(f"{kind}.attention.head_count_kv", heads)
    fits = type(heads) is int and heads > 0 and place.shape[0] % (2 * heads) == 0
    return heads if fits and heads is not None else 0


def _read(path: Path, place: Place, heads: int) -> Array:
    count = elements(place.shape)
    if count > MOST_AT_ONCE:
        raise UnreadableModel(f"tensor {place.name!r} is too large to be read")
    content = buffer(path, place.offset, place.length)
    values = place.kind.decode(content, count).reshape(place.shape)
    if not heads:
        return values
    pairs = values.reshape(heads, place.shape[0] // heads // 2, 2, *place.shape[1:])
    return pairs.swapaxes(1, 2).reshape(place.shape)


def _graph(
    metadata: dict[str, Any], weights: Mapping[str, Weight], input_shapes: InputShapes
) -> OperatorGraph | None:
    """The graph; None, and a note of the reason, where it is not known."""
    from assay.vocabularies.transformers.gguf_graph import translate

    shapes = {name: weight.shape for name, weight in weights.items()}
    try:
        return translate(metadata, shapes, input_shapes)
    except UnreadableModel as error:
        if input_shapes:  # which fit a graph only
            raise
        metadata["no_graph"] = str(error)
        return None
