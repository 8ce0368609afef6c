"""How a network is put together: which operators are layers, which constants are trained.

1. Bodies stand in the one list of operators; of branches the one that is taken, if that is known;
   of casts the type, if that is known.
2. Operators on codes are spelled out.
3. What depends on constants alone is computed.
4. An operator with constant weights is a layer, with the bias that an Add behind it adds.
5. Every other operator is a function; the weights that it reads are parameters, or buffers where
   they are means, bounds or masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.errors import AssayError, UnfitModel
from assay.graphs.inline_bodies import inline_bodies
from assay.graphs.operators import FLOAT, UNKNOWN, Operator, OperatorGraph, Tensor, without_dead
from assay.graphs.shapes import fold_shapes
from assay.running.network import PER_AXIS
from assay.running.network.constants import Constants
from assay.running.network.layers import LAYERS, Facts, Layer
from assay.running.network.names import layer_of, path_of, place_for
from assay.running.network.norm_layers import NORM_LAYERS
from assay.running.network.operations import FUNCTIONS, NUMBERS
from assay.running.network.quantized import LIMITS, spelled_out
from assay.running.network.recurrent_layers import RECURRENT_LAYERS
from assay.running.network.sizes import MEASURES, SIZES, as_tensor
from assay.running.network.steps import Network, Step
from assay.weights import Weight

EXTRA = "torch"

_RULES = {**LAYERS, **NORM_LAYERS, **RECURRENT_LAYERS}
_SOFTMAX = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
_FIXED = frozenset({  # what they read says how, or is no weight: means, deviations, bounds, masks
    "BatchNormalization", "CastLike", "Clip", "DequantizeLinear", "Div", "Equal", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "OneHot", "Pad", "Pow",
    "QuantizeLinear", "Resize", "Sub", "Where",
})  # fmt: skip


class Assembly:
    """A network in the making."""

    def __init__(self, graph: OperatorGraph, weights: Mapping[str, Weight], opset: int) -> None:
        flat = spelled_out(without_dead(inline_bodies(graph)))
        self.types = fold_shapes(flat).tensors
        self.graph = without_dead(_told_apart(flat, self.types))
        self.opset = opset
        self.constants = Constants(self.graph, weights, graph, _steady(flat, self.types))
        self.facts = Facts(
            self.constants,
            {
                n: t.shape
                for n, t in self.types.items()
                if t.shape is not None and -1 not in t.shape
            },
        )
        self.made = Network(self.graph.inputs, self.graph.outputs)
        self.steps: list[Step] = []
        self.sizes: set[str] = set()  # tensors that shape arithmetic gives
        self.layers: dict[str, list[str]] = {}  # weight → the names of the layers that have it
        self.became: dict[str, list[nn.Parameter]] = {}  # weight → the parameters that it became

    def network(self) -> Network:
        """The finished module.  Raises UnfitModel, which names what cannot be run."""
        rest = []
        for node in self.graph.operators:
            with _naming(node):
                if not self.constants.take(node):
                    rest.append(node)
        consumers = self.graph.replaced(rest).consumers()
        added: set[str] = set()  # outputs of Adds that are done as a bias
        for node in rest:
            if node.outputs[0] not in added:
                with _naming(node):
                    added.add(self._add(node, self._with_bias(node, consumers)))
        for name in self.graph.outputs:
            if name in self.constants:
                self._hold(name, trained=False)
        self._check_given()
        self.made.steps = self._with_ends()
        self.made.eval()
        return self.made

    def _add(self, node: Operator, joined: Operator) -> str:
        """One operator, with what is joined to it if it is a layer; gives what that writes."""
        layer = _RULES[joined.op](joined, self.facts) if joined.op in _RULES else None
        if layer is None:
            self._add_function(node)
            return node.outputs[0]
        self._add_layer(joined, layer)
        return joined.outputs[0]

    def _with_bias(self, node: Operator, consumers: Mapping[str, list[Operator]]) -> Operator:
        """Rule 4: with the bias as its third input, and the Add's output; or as it is."""
        product = node.outputs[0]
        readers = consumers.get(product, [])
        if node.op not in ("MatMul", "Conv") or len(node.inputs) > 2 or len(readers) != 1:
            return node
        weight = self.facts.constant(node, 1)
        (add,) = readers
        if not weight or add.op != "Add" or product in self.graph.outputs:
            return node
        place = 1 - list(add.inputs).index(product)
        bias = self.facts.constant(add, place)
        if not bias or not _is_bias(
            self.constants[bias].shape, self.constants[weight].shape, node.op
        ):
            return node
        return replace(node, inputs=(*node.inputs, bias), outputs=add.outputs)

    def _add_layer(self, node: Operator, layer: Layer) -> None:
        if layer.before is not None:
            self.steps.append(Step(layer.before))
        for name in layer.inputs:
            if name in self.constants:
                self._hold(name, trained=False)
        origins = {key: self.constants.origin(name) for key, name in layer.weights.items()}
        weight = origins.get("weight", "")
        key = weight or layer.weights.get("weight", node.outputs[0])
        path = self._twin(key, layer.module)
        if path is None:
            for name, origin in origins.items():
                self._share(layer.module, name, origin)
            parts = layer_of(weight) if weight else path_of(node.outputs[0])
            inside, last, path = place_for(self.made, parts)
            inside.add_module(last, layer.module)
            self.layers.setdefault(key, []).append(path)
        outputs = node.outputs if layer.after is None else layer.after.inputs
        self.steps.append(Step(replace(node, inputs=layer.inputs, outputs=outputs), path))
        if layer.after is not None:
            self.steps.append(Step(layer.after))

    def _twin(self, weight: str, module: nn.Module) -> str | None:
        """The layer that does the same with the same weights, such as an earlier step's."""
        state = module.state_dict()
        for path in self.layers.get(weight, []):
            other = self.made.get_submodule(path)
            same = other.state_dict()
            if repr(other) == repr(module) and all(torch.equal(same[k], state[k]) for k in state):
                return path
        return None

    def _share(self, module: nn.Module, name: str, origin: str) -> None:
        """A weight that another layer has in the same axes is one parameter with that."""
        parameter = getattr(module, name, None)
        if not origin or not isinstance(parameter, nn.Parameter):
            return
        for other in self.became.get(origin, []):
            if other.shape == parameter.shape and torch.equal(other, parameter):
                setattr(module, name, other)
                return
        self.became.setdefault(origin, []).append(parameter)

    def _add_function(self, node: Operator) -> None:
        if node.op not in FUNCTIONS and node.op not in MEASURES:
            raise UnfitModel(
                f"the operator {node.op}, which gives {node.outputs[0]!r}, cannot be run"
            )
        node = self._told(node)
        is_size = node.op in SIZES and all(map(self._is_size, filter(None, node.inputs)))
        if is_size or node.op in MEASURES:
            self.sizes.update(node.outputs)
        places = NUMBERS.get(node.op, ())
        for place, name in enumerate(node.inputs):
            if not name or name not in self.constants:
                continue
            if is_size or node.op in MEASURES or place in places:
                self.made.numbers[name] = self.constants[name]
            else:
                self._hold(name, trained=node.op not in _FIXED)
        self.steps.append(Step(node))

    def _is_size(self, name: str) -> bool:
        if name in self.constants:
            return self.constants.is_small(name) and not self.constants.origin(name)
        return name in self.sizes

    def _told(self, node: Operator) -> Operator:
        """With what a function has to know of the file."""
        more: dict[str, object] = {}
        if node.op in _SOFTMAX and self.opset < PER_AXIS:
            more["opset"] = self.opset
        elif node.op == "Reshape" and (len(node.inputs) < 2 or self.facts.constant(node, 1)):
            shapes = self.facts.shapes
            more["made_for"] = shapes.get(node.inputs[0], ())
            more["made"] = shapes.get(node.outputs[0], ())
        elif node.op.endswith("QuantizeLinear"):
            zero = self.types.get(node.inputs[2]) if len(node.inputs) > 2 else None
            code = node.integer("output_dtype", 0) or (zero.dtype if zero is not None else 2)
            if code not in LIMITS:
                raise UnfitModel(f"{node.op} {node.outputs[0]!r} gives codes of an unknown type")
            more["limits"] = LIMITS[code]
        return replace(node, attributes={**node.attributes, **more}) if more else node

    def _hold(self, name: str, *, trained: bool) -> None:
        """Rule 5: a constant as a parameter or a buffer.

        What is not finite masks something; what is zero is where something starts.
        """
        if name in self.made.held:
            return
        tensor = as_tensor(self.constants[name], torch.device("cpu"))
        origin = self.constants.origin(name)
        is_weight = bool(origin) and tensor.is_floating_point() and bool(tensor.any())
        parts = path_of(origin) if is_weight else ["constants", *path_of(name)]
        inside, last, path = place_for(self.made, parts)
        if trained and is_weight and bool(torch.isfinite(tensor).all()):
            inside.register_parameter(last, nn.Parameter(tensor))
            self._share(inside, last, origin)
        else:
            inside.register_buffer(last, tensor, persistent=is_weight)
        self.made.held[name] = path

    def _check_given(self) -> None:
        """Raises UnfitModel where an operator reads what nothing gives."""
        given = set(self.graph.inputs)
        for step in self.steps:
            for name in filter(None, step.node.inputs):
                if name not in given and name not in self.constants:
                    what = f"{step.node.op} reads {name!r}"
                    raise UnfitModel(f"{what}, which nothing gives: a state between two runs")
            given.update(step.node.outputs)

    def _with_ends(self) -> tuple[Step, ...]:
        """The steps, each with the tensors that it is the last to read."""
        wanted = set(self.graph.outputs)
        steps = []
        for step in reversed(self.steps):
            touched = {name for name in (*step.node.inputs, *step.node.outputs) if name}
            steps.append(replace(step, done=tuple(sorted(touched - wanted))))
            wanted |= touched
        return tuple(reversed(steps))


@contextmanager
def _naming(node: Operator) -> Iterator[None]:
    """What goes wrong inside is about ``node``: shapes that do not fit, options of another kind."""
    try:
        yield
    except AssayError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        reason = str(e).strip().partition("\n")[0]
        raise UnfitModel(f"{node.op} {node.outputs[0]!r} is not as ONNX has it: {reason}") from e


def _told_apart(graph: OperatorGraph, types: Mapping[str, Tensor]) -> OperatorGraph:
    """Rule 1."""
    operators = []
    for node in graph.operators:
        if node.op == "If" and len(node.inputs) == 3:
            value = types.get(node.inputs[0], UNKNOWN).value
            if value is not None and value.size == 1:
                taken = node.inputs[1 if value.item() else 2]
                node = Operator("Identity", (taken,), node.outputs)
        elif node.op == "CastLike":
            code = types.get(node.inputs[1], UNKNOWN).dtype
            if code:
                node = Operator("Cast", node.inputs[:1], node.outputs, {"to": code})
        operators.append(node)
    return graph.replaced(operators)


def _steady(graph: OperatorGraph, types: Mapping[str, Tensor]) -> dict[str, Any]:
    """Sizes that are the same for inputs of other shapes: they come from weights alone."""
    tensors = dict(graph.tensors)
    for name in graph.inputs:
        shape = graph.tensor(name).shape or ()
        kept = len(shape) - 1 if graph.tensor(name).dtype == FLOAT else len(shape)
        other = tuple(size + (place < kept) for place, size in enumerate(shape))
        tensors[name] = replace(tensors[name], shape=other)
    others = fold_shapes(graph.replaced(graph.operators, tensors)).tensors
    pairs = ((name, t.value, others.get(name, UNKNOWN).value) for name, t in types.items())
    return {
        name: value
        for name, value, other in pairs
        if value is not None and other is not None and np.array_equal(value, other)
    }


def _is_bias(shape: tuple[int, ...], weight: tuple[int, ...], op: str) -> bool:
    """Whether a constant that is added gives each output channel one number."""
    if op == "MatMul":
        return len(weight) == 2 and (*(1,) * len(shape), weight[1])[-len(shape) :] == shape
    space = (1,) * (len(weight) - 2)
    return shape in ((weight[0], *space), (1, weight[0], *space))
