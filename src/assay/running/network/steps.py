"""A graph's operators in their order, as a torch module runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.graphs.operators import Operator
from assay.running.network.operations import FUNCTIONS, NUMBERS
from assay.running.network.recurrent_layers import CALLS
from assay.running.network.sizes import (
    MEASURES,
    SIZES,
    as_numbers,
    as_tensor,
    computed,
    measured,
)

EXTRA = "torch"

Value = Any  # Tensor, or NDArray: numbers that shape arithmetic has made
_HALVES = (torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class Step:
    """One operator, as it is run."""

    node: Operator
    layer: str = ""  # the dotted name of the layer that does it; "": a function does
    done: tuple[str, ...] = ()  # tensors that nothing reads afterwards


class Network(nn.Module):
    """A graph's operators in their order: layers of its own, and functions."""

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.steps: tuple[Step, ...] = ()
        self.numbers: dict[str, Any] = {}  # small constants that are read as numbers
        self.held: dict[str, str] = {}  # other constants → their names as parameters and buffers

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the graph gives for its inputs.  Raises UnfitModel where they are not as many."""
        if len(inputs) != len(self.inputs):
            names = ", ".join(self.inputs)
            raise UnfitModel(f"the model reads {len(self.inputs)} tensors, {names}: give as many")
        values: dict[str, Value] = dict(zip(self.inputs, map(_real, inputs), strict=True))
        device = inputs[0].device if inputs else torch.device("cpu")
        for step in self.steps:
            results = self._run(step, values, device)
            values.update(zip(step.node.outputs, results, strict=False))
            for name in step.done:
                values.pop(name, None)
        found = tuple(self._tensor(name, values, device) for name in self.outputs)
        return found[0] if len(found) == 1 else found

    def _run(
        self, step: Step, values: Mapping[str, Value], device: torch.device
    ) -> Sequence[Value]:
        node = step.node
        if step.layer:
            layer = self.get_submodule(step.layer)
            read = [self._tensor(name, values, device) for name in node.inputs]
            result = CALLS[node.op](node, layer, *read) if node.op in CALLS else layer(*read)
        else:
            known = [values.get(name, self.numbers.get(name)) for name in node.inputs]
            if node.op in MEASURES:
                return (measured(node, known[0]),)
            if node.op in SIZES and _are_numbers(node, known):
                return computed(node, known)
            places = NUMBERS.get(node.op, ())
            read = [
                self._numbers(name, values)
                if place in places
                else self._tensor(name, values, device)
                for place, name in enumerate(node.inputs)
            ]
            result = FUNCTIONS[node.op](node, *read)
        return result if isinstance(result, tuple) else (result,)

    def _numbers(self, name: str, values: Mapping[str, Value]) -> Value:
        value = values.get(name, self.numbers.get(name))
        if value is None and name in self.held:
            value = self._get(self.held[name])
        return None if value is None else as_numbers(value)

    def _tensor(self, name: str, values: Mapping[str, Value], device: torch.device) -> Any:
        """A tensor of the graph; None of one that is not given."""
        if not name:
            return None
        if name in self.held:
            return self._get(self.held[name])
        value = values[name] if name in values else self.numbers[name]
        return as_tensor(value, device) if isinstance(value, np.ndarray) else value

    def _get(self, path: str) -> Tensor:
        owner, _, name = path.rpartition(".")
        tensor: Tensor = getattr(self.get_submodule(owner), name)
        return tensor


def _are_numbers(node: Operator, read: Sequence[Value]) -> bool:
    pairs = zip(node.inputs, read, strict=True)
    return all(not name or isinstance(value, np.ndarray) for name, value in pairs)


def _real(x: Tensor) -> Tensor:
    return x.float() if x.dtype in _HALVES else x
