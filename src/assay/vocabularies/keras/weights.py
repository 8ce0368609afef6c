"""The weights of a Keras model in the canonical layout, said by the layer's class [Keras].

Keras keeps channels last and the output's axis at the end.  Where there is no configuration, the
name of a layer's group in the file, the name of a weight and the number of its axes tell as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.containers.hdf5.data import check_expanded
from assay.containers.hdf5.file import File, Object, walk
from assay.vocabularies.keras.names import Folder, class_of, last_of, variables_of
from assay.weights import Weight
from assay.weights import conventions as layouts

Json = Any
_FLOAT = 4  # bytes
_GRU = (1, 0, 2)  # Keras lists z r h; canonical: r z h


@dataclass
class Variables:
    """All data sets of a file, as weights by path."""

    by_path: dict[str, Weight] = field(default_factory=dict)
    configuration: str = ""  # JSON that the file holds of its layers
    metadata: dict[str, str] = field(default_factory=dict)
    is_numbered: bool = False  # whether variables have numbers for names, as Keras 3 writes them
    root: Folder = field(default_factory=Folder)

    @classmethod
    def of_file(cls, file: File) -> Variables:
        """Those of an HDF5 file."""
        weights: dict[str, Weight] = {}
        expanded = 0
        configuration, metadata = "", dict[str, str]()
        for found in walk(file):
            if not found.path:
                configuration, metadata = _about(found)
            elif found.is_data and (weight := _weight(file, found)) is not None:
                weights[weight.name] = weight
                expanded += weight.size * _FLOAT
                check_expanded("its weights", expanded, file)
        return cls.of_weights(weights, configuration, metadata)

    @classmethod
    def of_weights(
        cls,
        weights: Mapping[str, Weight],
        configuration: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Variables:
        """Those that are known already, by path."""
        is_numbered = any("/vars/" in path.replace("\\", "/") for path in weights)
        root = Folder.of(weights, is_numbered)
        return cls(dict(weights), configuration, dict(metadata or {}), is_numbered, root)

    def settle(self, path: str, change: Callable[[Weight], Weight]) -> Weight:
        """The layout of one weight, now that its layer is known; the first layer decides."""
        weight = self.by_path[path]
        if not weight.canonical:
            weight = self.by_path[path] = change(weight)
        return weight

    def settle_rest(self) -> None:
        """The layout of what no layer claimed, by name."""
        for path, weight in self.by_path.items():
            if not weight.canonical:
                self.by_path[path] = _by_name(self.by_path, weight, self.is_numbered)


def _about(root: Object) -> tuple[str, dict[str, str]]:
    """The configuration of the layers, and who wrote the file."""
    configuration = root.text("model_config")
    metadata = {}
    for name in ("keras_version", "backend"):
        text = root.text(name)
        if text is not None:
            metadata[name] = text[:80]
    return configuration or "", metadata


def _weight(file: File, found: Object) -> Weight | None:
    """One data set; None where it is not of the network: of its training, text, a random state."""
    outer = found.path.replace("\\", "/").split("/")
    if outer[0] in ("optimizer", "_optimizer", "optimizer_weights", "metrics", "compile_metrics"):
        return None
    layout = found.layout()
    is_state = "seed_generator" in found.path and not layout.kind.name.startswith("float")
    if not layout.kind.numpy or is_state:
        return None
    layout.check(file)
    return Weight(found.path, layout.shape, layout.kind.name, lambda: layout.read(file))


def canonical(weight: Weight, kind: str, variable: str) -> Weight:
    """Output, input, space, for a variable of a layer of a class."""
    rank = len(weight.shape)
    if rank < 2 or variable == "embeddings":
        return layouts.known(weight)
    if kind.startswith("GRU") or kind == "CuDNNGRU":
        return _gru(weight, variable)
    is_kernel = variable.endswith("kernel")
    if variable == "depthwise_kernel" or (is_kernel and "Depthwise" in kind and rank > 2):
        return layouts.depthwise(weight)
    if is_kernel and "Transpose" in kind and rank > 2:
        return layouts.transposed_output_first(weight)
    if is_kernel or kind == "PReLU":
        return layouts.output_first(weight)
    if variable == "bias":
        return layouts.known(weight)
    return weight


def _gru(weight: Weight, variable: str) -> Weight:
    if variable.endswith("kernel") and len(weight.shape) == 2:
        return layouts.gates(layouts.output_first(weight), _GRU)
    return layouts.known(weight)


def projection(weight: Weight, axes: int) -> Weight:
    """The kernel of a product that makes several axes, of which the last are the output's."""
    rank = len(weight.shape)
    if rank <= axes:
        return weight
    return layouts.contracted(weight, range(rank - axes, rank), range(rank - axes))


def einsum(weight: Weight, equation: str) -> Weight:
    """The kernel of a product that is written as an equation: ``abc,cde->abde``."""
    left, _, right = equation.replace("...", "").replace(" ", "").partition("->")
    data, _, kernel = left.partition(",")
    if len(kernel) != len(weight.shape) or len(set(kernel)) < len(kernel):
        return weight
    outputs = [i for i, letter in enumerate(kernel) if letter in right and letter not in data]
    inputs = [i for i, letter in enumerate(kernel) if letter in data and letter not in right]
    if len(outputs) + len(inputs) < len(kernel):
        return weight
    return layouts.contracted(weight, outputs, inputs)


def _by_name(weights: Mapping[str, Weight], weight: Weight, is_numbered: bool) -> Weight:
    """The layout where no configuration says the class of the layer."""
    *outer, last = weight.name.replace("\\", "/").split("/")
    kind = next((found for part in reversed(outer) if (found := class_of(part))), "")
    variable = last_of(weight.name)
    if is_numbered:
        if outer[-2:] == ["cell", "vars"]:
            kind = _cell(weights.get(weight.name[: -len(last)] + "1"))
        names = variables_of(kind, {}) if kind else ()
        place = int(last) if last.isdecimal() and len(last) < 4 else len(names)
        variable = names[place] if place < len(names) else ""
    if kind == "MultiHeadAttention" and variable == "kernel":
        return projection(weight, 1 if any("output" in part for part in outer[-2:]) else 2)
    return canonical(weight, kind, variable)


def _cell(recurrent: Weight | None) -> str:
    """The class of a recurrent cell, told by how many gates its states feed."""
    if recurrent is None or len(recurrent.shape) != 2 or not all(recurrent.shape):
        return ""
    columns, rows = sorted(recurrent.shape, reverse=True)  # whichever layout it has by now
    return {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}.get(columns // rows, "")
