"""What a graph knows before it runs: the file's weights as its operators read them, and what
follows from them alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assay.errors import UnfitModel
from assay.graphs._shape_rules import infer
from assay.graphs._values import evaluate
from assay.graphs.operators import MOST_VALUES, Operator, OperatorGraph
from assay.graphs.operators import Tensor as Known
from assay.running.network.operations import FUNCTIONS, NUMBERS
from assay.running.network.sizes import MEASURES, as_tensor
from assay.weights import Weight
from assay.weights.layout import Layout, fitting, layouts, reading
from assay.weights.steps import Dequantize

EXTRA = "torch"

Numbers = NDArray[Any]

_CODES = {"f": 1, "i": 7, "u": 7, "b": 9}
_DEQUANTIZE = ("DequantizeLinear", "com.microsoft::DequantizeLinear")
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli")


class Constants:
    """Arrays by name.  A weight is read when it is asked for."""

    def __init__(
        self,
        graph: OperatorGraph,
        weights: Mapping[str, Weight],
        read: OperatorGraph,
        steady: Mapping[str, Numbers],
    ) -> None:
        """Of ``graph``; the file's own, ``read``, tells which layout its weights have.

        ``steady`` are sizes that are the same for inputs of all shapes.
        """
        self._weights, self._steady = weights, steady
        self._known = {name: t for name, t in graph.tensors.items() if t.constant}
        self._known |= {
            node.outputs[0]: node.attributes["value"]
            for node in graph.operators
            if _is_constant(node)
        }
        self._found: dict[str, Numbers] = {}
        self._origins: dict[str, str] = {}  # what was computed → the first weight of those in it
        shapes = {name: t.shape for name, t in self._known.items() if t.shape is not None}
        self._layouts = layouts(read, shapes)

    def __contains__(self, name: str) -> bool:
        return name in self._known or name in self._found

    def __getitem__(self, name: str) -> Numbers:
        if name not in self._found:
            self._found[name] = self._read(name)
        return self._found[name]

    def origin(self, name: str) -> str:
        """The weight that a constant is, or the first of those that it is made of; "" of none."""
        weight = self._weights.get(name)
        if weight is not None:
            return name if weight.size > 1 else ""  # one number is an option of some operator
        return self._origins.get(name, "")

    def is_small(self, name: str) -> bool:
        """Whether it may be read as numbers."""
        if name in self._found:
            return self._found[name].size <= MOST_VALUES
        return self._known[name].value is not None

    def is_zero(self, name: str) -> bool:
        """Whether it is nothing but zeros, and no weight of the file: an exporter's stopgap."""
        return not self.origin(name) and not self[name].any()

    def take(self, node: Operator) -> bool:
        """Whether an operator reads constants alone; what it gives is a constant, too, then."""
        if _is_constant(node):
            return True
        if node.op in _RANDOM or not self._are_told(node.inputs):
            return False
        if node.op not in FUNCTIONS and node.op not in ("Constant", *MEASURES):
            return False
        read = NUMBERS.get(node.op, ())
        made_of = [self.origin(n) for place, n in enumerate(node.inputs) if place not in read]
        origin = "" if node.op in MEASURES else next(filter(None, made_of), "")
        for name, array in zip(node.outputs, self._computed(node), strict=False):
            if name:
                self._found[name] = array
                self._origins[name] = origin
        return True

    def _are_told(self, inputs: Sequence[str]) -> bool:
        """Whether all are constants; what a weight is cut or moved by may also be steady."""
        given = [name for name in inputs if name]
        if not all(name in self or name in self._steady for name in given):
            return False
        if not all(name in self for name in given[:1]):
            return False
        self._found |= {name: self._steady[name] for name in given if name not in self}
        return True

    def _computed(self, node: Operator) -> list[Numbers]:
        if node.op in _DEQUANTIZE and self._is_dequantized(node.inputs[0]):
            return [self._real(node.inputs[0])]
        arrays = [self[name] if name else None for name in node.inputs]
        known = [None if a is None else _known(a) for a in arrays]
        small = evaluate(node, known, infer(node, known))
        if small is not None:
            return [np.asarray(array) for array in small]
        if node.op not in FUNCTIONS:
            raise UnfitModel(f"{node.op} {node.outputs[0]!r} of constants cannot be computed")
        read = NUMBERS.get(node.op, ())
        with torch.no_grad():
            found = FUNCTIONS[node.op](
                node,
                *(
                    array if array is None or place in read else _tensor(array)
                    for place, array in enumerate(arrays)
                ),
            )
        results = found if isinstance(found, tuple) else (found,)
        return [result.numpy() for result in results]

    def _read(self, name: str) -> Numbers:
        known = self._known[name]
        weight = self._weights.get(name)
        if weight is not None and known.shape is not None:
            return reading(weight, self._layouts[name], known.shape)(self._scale)
        if known.value is None:
            raise UnfitModel(f"what the constant {name!r} holds is not known")
        return known.value

    def _scale(self, name: str) -> Any:
        return np.asarray(self[name], np.float32)

    def _is_dequantized(self, name: str) -> bool:
        return name in self._weights and _scaled(self._layouts[name]) == 0

    def _real(self, name: str) -> Numbers:
        """What dequantizing a weight gives: the weight itself, in its stored axes."""
        weight, layout, shape = self._weights[name], self._layouts[name], self._known[name].shape
        rest = Layout(layout.steps[1:])
        wanted = fitting(weight, layout.shape(shape or ()))
        return rest.undo(weight.read().reshape(wanted), shape or (), self._scale)


def _is_constant(node: Operator) -> bool:
    return node.op == "Constant" and isinstance(node.attributes.get("value"), Known)


def _scaled(layout: Layout) -> int | None:
    """The place of the step that dequantizes."""
    places = [i for i, step in enumerate(layout.steps) if isinstance(step, Dequantize)]
    return places[0] if places else None


def _known(array: Numbers) -> Known:
    value = array if array.size <= MOST_VALUES else None
    return Known(_CODES.get(array.dtype.kind, 0), array.shape, value, True)


_tensor = partial(as_tensor, device=torch.device("cpu"))
