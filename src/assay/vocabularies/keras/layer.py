"""One call of a Keras layer, at hand for the rules that say it in ONNX's words.

Keras keeps channels last; an operator that wants them first stands between two transpositions,
which the graph passes drop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from assay.vocabularies.keras.model import Call, KerasModel, class_and_config
from assay.vocabularies.keras.weights import canonical
from assay.weights import Weight

_ACTIVATIONS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "elu": "Elu",
    "selu": "Selu",
    "celu": "Celu",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "exponential": "Exp",
    "gelu": "Gelu",
    "mish": "Mish",
    "hard_silu": "HardSwish",
    "hard_swish": "HardSwish",
}
# Names in the configuration of Keras 1 → later ones.
_OLD_OPTIONS = {
    "strides": ("subsample", "subsample_length"),
    "padding": ("border_mode",),
    "data_format": ("dim_ordering",),
    "use_bias": ("bias",),
    "dilation_rate": ("atrous_rate",),
    "pool_size": ("pool_length",),
}
_LINEAR = (None, "linear")
_NONE: Mapping[str, Any] = {}


class Layer:
    """One call, its options at hand."""

    def __init__(self, model: KerasModel, call: Call) -> None:
        self.model, self.call, self.build = model, call, model.build
        self.config = call.config
        self.x = call.inputs[0]
        self.is_first = self.option("data_format") in ("channels_first", "th")

    def option(self, name: str) -> Any:
        """An option's value, also under its older names."""
        for each in (name, *_OLD_OPTIONS.get(name, ())):
            if self.config.get(each) is not None:
                return self.config[each]
        return None

    def ints(self, name: str, rank: int, usual: int = 1) -> tuple[int, ...]:
        """An option as whole numbers, one for each of ``rank`` axes."""
        value = self.option(name)
        if isinstance(value, int):
            return (value,) * rank
        values = self.listed(name)
        return values if len(values) == rank else (usual,) * rank

    def listed(self, name: str) -> tuple[int, ...]:
        """An option that is a list of whole numbers; none where it is anything else."""
        value = self.option(name)
        whole = isinstance(value, list) and all(isinstance(v, int) for v in value)
        return tuple(value) if whole else ()

    def integer(self, name: str, usual: int) -> int:
        return self.ints(name, 1, usual)[0]

    def real(self, name: str, usual: float) -> float:
        value = self.option(name)
        return float(value) if isinstance(value, int | float) else usual

    def add(self, op: str, inputs: Sequence[str], attributes: Mapping[str, Any] = _NONE) -> str:
        """One operator; its output."""
        return self.build.add(op, inputs, self.fresh(), attributes)

    def fresh(self) -> str:
        return self.build.fresh(self.call.name)

    def constant(self, value: Any) -> str:
        return self.build.constant(value)

    def number(self, value: float) -> str:
        return self.build.constant(np.float32(value))

    def weight(self, name: str, change: Callable[[Weight], Weight] | None = None) -> str:
        """The tensor of one of the layer's variables, in the canonical layout; "" without one."""
        found = self.variable(name, change)
        return "" if found is None else self.build.weight(found)

    def variable(
        self, name: str, change: Callable[[Weight], Weight] | None = None
    ) -> Weight | None:
        """One of the layer's variables in the canonical layout."""
        path = self.call.variables.get(name)
        if path is None:
            return None
        if change is None:
            kind = self.call.kind
            if self.is_first and self.config.get("dim_ordering") == "th" and name == "kernel":
                kind, name = "", "first"  # Keras 1 stored these with channels first
        return self.model.variables.settle(path, change or (lambda w: canonical(w, kind, name)))

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self.build.known(tensor).shape or () if tensor else ()

    def length(self, tensor: str, axis: int) -> int:
        """One of a tensor's dimensions, the first or the last; 1 where it has none."""
        return (self.shape(tensor) or (1,))[axis]

    def rank(self) -> int:
        """The number of axes of what is read; 0 where unknown."""
        return self.build.rank(self.x)

    def moved(
        self,
        rank: int,
        op: str,
        others: Sequence[str],
        attributes: Mapping[str, Any] = _NONE,
    ) -> str:
        """An operator that wants channels first, on a tensor of ``rank`` axes of space."""
        if self.is_first:
            return self.add(op, [self.x, *others], attributes)
        done = self.add(op, [self.build.first(self.x, rank), *others], attributes)
        return self.build.last(done, self.fresh())

    def window(self, rank: int) -> dict[str, Any]:
        """Strides and padding."""
        found: dict[str, Any] = {"strides": self.ints("strides", rank)}
        padding = self.option("padding")
        if padding == "causal":
            return found
        return found | {"auto_pad": "SAME_UPPER" if padding == "same" else "VALID"}

    def activated(self, tensor: str, option: str = "activation") -> str:
        """The tensor after the layer's own activation, which may be a layer or a function."""
        value = self.config.get(option)
        if isinstance(value, Mapping):
            if isinstance(value.get("config"), str):
                return self.activation(tensor, value["config"])
            class_and_config(value)
            return self.model.inner(self.call, value, "activation", [tensor])[0]
        return tensor if value in _LINEAR else self.activation(tensor, str(value))

    def activation(self, tensor: str, name: str) -> str:
        """The tensor after an activation that is known by name."""
        if name in _LINEAR:
            return tensor
        if name in ("swish", "silu"):
            return self.add("Mul", [tensor, self.add("Sigmoid", [tensor])])
        if name == "relu6":
            return self.clip(tensor, 0.0, 6.0)
        if name == "leaky_relu":
            return self.add("LeakyRelu", [tensor], {"alpha": 0.2})
        if name == "hard_sigmoid":
            return self.add("HardSigmoid", [tensor], {"alpha": self.hard_slope(), "beta": 0.5})
        if name == "log_sigmoid":
            return self.add("Log", [self.add("Sigmoid", [tensor])])
        op = _ACTIVATIONS.get(name, f"keras::{name}"[:200])
        return self.add(op, [tensor], {"axis": -1} if op.endswith("oftmax") else {})

    def hard_slope(self) -> float:
        """Of the hard sigmoid: Keras 3 has another than its forerunners."""
        newer = self.model.variables.metadata.get("keras_version", "3").startswith("3")
        return 1 / 6 if newer else 0.2

    def clip(self, tensor: str, low: float, high: float) -> str:
        return self.add("Clip", [tensor, self.number(low), self.number(high)])

    def product(self, x: str, weight: str, bias: str = "") -> str:
        """Of a tensor and a matrix; one that several calls share is turned once."""
        if self.build.rank(x) == 2:
            others = [weight, bias] if bias else [weight]
            return self.add("Gemm", [x, *others], {"transB": 1})
        turned = self.model.turned
        if weight not in turned:
            turned[weight] = self.build.transpose(weight, (1, 0))
        product = self.add("MatMul", [x, turned[weight]])
        return self.add("Add", [product, bias]) if bias else product

    def opaque(self) -> str:
        """The layer as an operator of its own, with its weights."""
        weights = [self.weight(name) for name in self.call.variables]
        return self.add(f"keras::{self.call.kind}"[:200], [*self.call.inputs, *weights])


Rule = Callable[[Layer], str | list[str]]
