"""A trainable torch module made of what a model file holds: graph and weights [ONNX operators].

Operators whose weights are constants become torch's own layers, under the names of the file's
weights; all others are calls of torch functions, run in the file's order.  Numbers are float32,
whatever the file has.  Nothing of the file is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.graphs.operators import Operator, OperatorGraph, without_dead
from assay.graphs.shapes import fold_shapes
from assay.running._constants import Constants
from assay.running._layers import LAYERS, Known, Layer
from assay.running._names import layer_of, path_of, place_for
from assay.running._operations import FUNCTIONS, NUMBERS
from assay.running._operations_reductions import PER_AXIS
from assay.running._operations_sizes import (
    MEASURES,
    SIZES,
    as_numbers,
    as_tensor,
    computed,
    measured,
)
from assay.weights import Weight

EXTRA = "torch"

Value = Any  # Tensor, or NDArray: numbers that shape arithmetic has made
_SOFTMAX = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
_TRAINED = frozenset({"Add", "Mul", "PRelu", "Concat", "MatMul", "Einsum", "Gemm", "Gather"})


def network(
    operators: OperatorGraph, weights: Mapping[str, Weight], *, opset: int = PER_AXIS
) -> nn.Module:
    """The module that computes what the graph does, in evaluation mode.

    It takes the graph's inputs in their order, and gives a tensor, or a tuple of several.
    ``opset`` is the one that the file declares, as its metadata tell; only ONNX has such.

    Raises:
        UnfitModel: an operator is not known, or what a constant holds is not; names it.
        UnreadableModel: a weight is damaged.
    """
    return _Maker(operators, weights, opset).made()


@dataclass(frozen=True)
class Step:
    """One operator, as it is run."""

    node: Operator
    layer: str = ""  # the dotted name of the layer that does it; "": a function does
    done: tuple[str, ...] = ()  # tensors that nothing reads afterwards


class Network(nn.Module):
    """A graph's operators in their order: layers of its own, and functions."""

    def __init__(self, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.steps: tuple[Step, ...] = ()
        self.numbers: dict[str, Any] = {}  # small constants that are read as numbers
        self.held: dict[str, str] = {}  # constants → the names of parameters and buffers

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the graph gives for its inputs."""
        if len(inputs) != len(self.inputs):
            names = ", ".join(self.inputs)
            raise UnfitModel(f"the model reads {len(self.inputs)} tensors: {names}")
        values: dict[str, Value] = dict(zip(self.inputs, map(_real, inputs), strict=True))
        for step in self.steps:
            for name, value in zip(step.node.outputs, self._run(step, values), strict=False):
                values[name] = value
            for name in step.done:
                del values[name]
        results = tuple(self._tensor(name, values, inputs) for name in self.outputs)
        return results[0] if len(results) == 1 else results

    def _run(self, step: Step, values: Mapping[str, Value]) -> tuple[Value, ...]:
        node = step.node
        if step.layer:
            result = self.get_submodule(step.layer)(*(values[name] for name in node.inputs))
            return result if isinstance(result, tuple) else (result,)
        read = [values.get(name, self.numbers.get(name)) for name in node.inputs]
        if node.op in MEASURES:
            return (measured(node, read[0]),)
        if node.op in SIZES and self._are_numbers(node, read):
            return tuple(computed(node, read))
        tensors = [value for value in read if isinstance(value, Tensor)]
        places = NUMBERS.get(node.op, ())
        arguments = [
            (as_numbers(value) if value is not None else self._as_numbers(name))
            if place in places
            else self._tensor(name, values, tensors)
            for place, (name, value) in enumerate(zip(node.inputs, read, strict=True))
        ]
        result = FUNCTIONS[node.op](node, *arguments)
        return tuple(result) if isinstance(result, tuple | list) else (result,)

    def _are_numbers(self, node: Operator, read: list[Value]) -> bool:
        pairs = zip(node.inputs, read, strict=True)
        return all(not name or isinstance(value, np.ndarray) for name, value in pairs)

    def _as_numbers(self, name: str) -> Value:
        return as_numbers(self._get(self.held[name])) if name in self.held else None

    def _tensor(self, name: str, values: Mapping[str, Value], near: Any) -> Tensor | None:
        """A tensor; numbers become one where the tensors ``near`` are."""
        if not name:
            return None
        if name in self.held:
            return self._get(self.held[name])
        value = values[name] if name in values else self.numbers[name]
        if isinstance(value, Tensor):
            return value
        return as_tensor(value, near[0].device if near else torch.device("cpu"))

    def _get(self, path: str) -> Tensor:
        owner, _, name = path.rpartition(".")
        tensor: Tensor = getattr(self.get_submodule(owner), name)
        return tensor


def _real(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.float64, torch.bfloat16) else x


class _Maker:
    def __init__(
        self, graph: OperatorGraph, weights: Mapping[str, Weight], opset: int
    ) -> None:
        self.graph = without_dead(graph)
        self.weights, self.opset = weights, opset
        self.constants = Constants(self.graph, weights)
        types = fold_shapes(self.graph).tensors
        shapes = {n: t.shape for n, t in types.items() if t.shape is not None}
        self.shapes = {name: shape for name, shape in shapes.items() if -1 not in shape}
        self.known = Known(self.graph, self.constants, self.shapes)
        self.network = Network(self.graph.inputs, self.graph.outputs)
        self.made_of: dict[str, list[nn.Parameter]] = {}  # weight → the parameters that it became
        self.consumers = self.graph.consumers()
        self.numbers: set[str] = set()  # computed by shape arithmetic
        self.steps: list[Step] = []

    def made(self) -> nn.Module:
        """The module."""
        skipped: set[str] = set()
        for node in self.graph.operators:
            if node.outputs[0] in skipped or self.constants.take(node):
                continue
            node, behind = self._with_bias(node)
            if behind is not None:
                skipped.add(behind)
            layer = LAYERS[node.op](node, self.known) if node.op in LAYERS else None
            if layer is not None:
                self._add_layer(node, layer)
            else:
                self._add_function(node)
        for name in self.graph.outputs:
            if name in self.constants:
                self._hold(name, trained=False)
        self.network.steps = self._with_ends()
        return self.network.eval()

    def _with_bias(self, node: Operator) -> tuple[Operator, str | None]:
        """A product with the constant vector that an Add behind it adds, and that Add's output."""
        if node.op not in ("MatMul", "Conv") or not self.known.constant(node, 1):
            return node, None
        readers = self.consumers.get(node.outputs[0], [])
        if len(readers) != 1 or readers[0].op != "Add" or len(node.inputs) > 2:
            return node, None
        if node.outputs[0] in self.graph.outputs:
            return node, None
        (add,) = readers
        other = [place for place, name in enumerate(add.inputs) if name != node.outputs[0]]
        bias = self.known.constant(add, other[0]) if len(other) == 1 else ""
        weight = self.constants[node.inputs[1]]
        if not bias or not _is_bias(self.constants[bias].shape, weight.shape, node.op):
            return node, None
        return replace(node, inputs=(*node.inputs, bias), outputs=add.outputs), add.outputs[0]

    def _add_layer(self, node: Operator, layer: Layer) -> None:
        if layer.before is not None:
            self.steps.append(Step(layer.before))
        origin = self.constants.origin(layer.weights.get("weight", ""))
        parts = layer_of(origin) if origin else path_of(node.outputs[0])
        for name, constant in layer.weights.items():
            self._share(layer.module, name, self.constants.origin(constant))
        inside, last, path = place_for(self.network, parts)
        inside.add_module(last, layer.module)
        self.steps.append(Step(replace(node, inputs=layer.inputs), path))

    def _share(self, module: nn.Module, name: str, origin: str) -> None:
        """A weight that another layer has in the same axes is one parameter with that."""
        parameter = getattr(module, name, None)
        if not origin or not isinstance(parameter, nn.Parameter):
            return
        for other in self.made_of.get(origin, []):
            if other.shape == parameter.shape and torch.equal(other, parameter):
                setattr(module, name, other)
                return
        self.made_of.setdefault(origin, []).append(parameter)

    def _add_function(self, node: Operator) -> None:
        if node.op not in FUNCTIONS and node.op not in MEASURES:
            raise UnfitModel(
                f"operator {node.op} ({node.outputs[0]!r}) cannot be run: it has no torch function"
            )
        node = self._adapted(node)
        numbers = node.op in SIZES and all(
            name in self.numbers or (name in self.constants and self.constants.is_small(name))
            for name in node.inputs
            if name
        )
        if numbers or node.op in MEASURES:
            self.numbers.update(node.outputs)
        places = NUMBERS.get(node.op, ())
        for place, name in enumerate(node.inputs):
            if not name or name not in self.constants:
                continue
            if numbers or place in places:
                self.network.numbers[name] = self.constants[name]
            else:
                self._hold(name, trained=node.op in _TRAINED)
        self.steps.append(Step(node))

    def _adapted(self, node: Operator) -> Operator:
        """With what a function has to know of the file."""
        if node.op in _SOFTMAX and self.opset < PER_AXIS:
            return replace(node, attributes={**node.attributes, "opset": self.opset})
        if node.op == "Reshape" and (len(node.inputs) < 2 or self.known.constant(node, 1)):
            before, after = (self.shapes.get(n, ()) for n in (node.inputs[0], node.outputs[0]))
            return replace(node, attributes={**node.attributes, "made_for": before, "made": after})
        return node

    def _hold(self, name: str, *, trained: bool) -> None:
        """A constant as a parameter or a buffer of the module."""
        if name in self.network.held:
            return
        tensor = as_tensor(self.constants[name], torch.device("cpu"))
        origin = self.constants.origin(name)
        trained = trained and bool(origin) and tensor.numel() > 1 and tensor.is_floating_point()
        trained = trained and bool(torch.isfinite(tensor).all())
        inside, last, path = place_for(self.network, path_of(origin or name))
        if trained:
            inside.register_parameter(last, nn.Parameter(tensor))
        else:
            inside.register_buffer(last, tensor, persistent=bool(origin))
        self.network.held[name] = path

    def _with_ends(self) -> tuple[Step, ...]:
        """The steps, each with the tensors that it is the last to read."""
        wanted = set(self.graph.outputs)
        steps = []
        for step in reversed(self.steps):
            written = {name for name in step.node.outputs if name}
            read = {name for name in step.node.inputs if name and self._is_computed(name)}
            done = tuple(sorted((read | written) - wanted))
            wanted |= read
            steps.append(replace(step, done=done))
        return tuple(reversed(steps))

    def _is_computed(self, name: str) -> bool:
        return name not in self.constants


def _is_bias(shape: tuple[int, ...], weight: tuple[int, ...], op: str) -> bool:
    """Whether a constant that is added gives each output channel one number."""
    if op == "MatMul":
        return len(weight) == 2 and (*(1,) * len(shape), weight[1])[-len(shape) :] == shape
    space = (1,) * (len(weight) - 2)
    return shape in ((weight[0], *space), (1, weight[0], *space))
