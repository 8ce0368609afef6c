"""Shape arithmetic on numbers, beside the tensors: sizes stay sizes, also while torch traces.

A traced size is symbolic; an array of such is one of objects, on which NumPy's arithmetic works.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from assay.errors import UnfitModel
from assay.graphs._shape_rules import infer
from assay.graphs._values import evaluate
from assay.graphs.operators import Operator
from assay.graphs.operators import Tensor as Known

EXTRA = "torch"

Numbers = Any  # NDArray

# Operators that shape arithmetic is made of: of numbers alone, they give numbers.
SIZES = frozenset({
    "Identity", "Reshape", "Squeeze", "Unsqueeze", "Slice", "Gather", "Cast", "Split", "Concat",
    "Transpose", "Where", "Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Floor", "Ceil",
    "Round", "Sqrt", "Not", "And", "Or", "Equal", "Less", "LessOrEqual", "Greater",
    "GreaterOrEqual", "Min", "Max", "ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin",
})  # fmt: skip
MEASURES = frozenset({"Shape", "Size"})  # they give numbers, whatever they read


def whole(values: Numbers) -> list[int]:
    """Numbers as a list; symbolic sizes stay what they are."""
    return [v if values.dtype == object else int(v) for v in np.reshape(values, -1)]


def listed(node: Operator, name: str, values: Numbers | None) -> list[int] | None:
    """An option that newer opsets read as a tensor, and older ones have as an attribute."""
    if values is not None:
        return whole(values)
    return list(node.ints(name)) if name in node.attributes else None


def measured(node: Operator, x: Tensor | Numbers) -> Numbers:
    """The shape, a part of it, or the number of elements."""
    if node.op == "Shape":
        return of_sizes(x.shape[node.integer("start", 0) : node.integer("end", len(x.shape))])
    return of_sizes([x.size if isinstance(x, np.ndarray) else x.numel()]).reshape(())


def of_sizes(sizes: Sequence[Any]) -> Numbers:
    """Sizes as an array; of objects where one is symbolic."""
    plain = all(isinstance(size, int) for size in sizes)
    return np.array(list(sizes), np.int64 if plain else object)


def computed(node: Operator, inputs: Sequence[Numbers | None]) -> list[Numbers]:
    """What an operator of SIZES gives.  Raises UnfitModel where it cannot be told."""
    arrays = [array for array in inputs if array is not None]
    if any(array.dtype == object for array in arrays):
        if node.op == "Cast":
            return arrays
        if node.op == "Div":
            return [arrays[0] // arrays[1]]
    known = [None if a is None else Known(7, a.shape, a) for a in inputs]
    found = evaluate(node, known, infer(node, known))
    if found is None:
        raise UnfitModel(f"{node.op} {node.outputs[0]!r} cannot be told from the shapes it reads")
    return [np.asarray(value) for value in found]


def as_tensor(numbers: Numbers, device: torch.device) -> Tensor:
    """Numbers as a tensor, real ones as float32."""
    if numbers.dtype == object:
        return torch.stack(
            [torch.scalar_tensor(size, dtype=torch.int64) for size in numbers.reshape(-1)]
        ).reshape(numbers.shape)
    if numbers.dtype.kind == "f":
        numbers = numbers.astype(np.float32)
    if numbers.dtype in (np.uint16, np.uint32, np.uint64):
        numbers = numbers.astype(np.int64)
    return torch.tensor(numbers, device=device)


def as_numbers(value: Tensor | Numbers) -> Numbers:
    """A tensor's numbers, where an operator needs them to know what it gives."""
    return np.asarray(value.tolist()) if isinstance(value, Tensor) else value
