"""Graphs as text, in both directions, so that a pass's test reads as before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx.parser
import pytest
from onnx import ModelProto, TensorProto

from assay.graphs import layer_graph
from assay.graphs.operators import Operator, OperatorGraph, Tensor, without_dead
from assay.graphs.shapes import fold_shapes
from assay.vocabularies.onnx.graph import convert

HEADER = '<ir_version: 10, opset_import: ["" : {opset}, "com.microsoft" : 1, "mine" : 1]> network '
Pass = Callable[[OperatorGraph], OperatorGraph]


def parsed(text: str, opset: int = 20) -> ModelProto:
    """``(float[1,8,4,4] x) => (y) <float[8,8,3,3] w> { y = Conv(x, w) }``, in ONNX's own language.

    What stands in ``<…>`` and is written by no node is a stored tensor, with the values that the
    text gives, or without any.
    """
    model = onnx.parser.parse_model(HEADER.format(opset=opset) + text)
    written = {name for node in model.graph.node for name in node.output}
    for value in [v for v in model.graph.value_info if v.name not in written]:
        kind = value.type.tensor_type
        dims = [d.dim_value for d in kind.shape.dim]
        model.graph.initializer.append(
            TensorProto(name=value.name, data_type=kind.elem_type, dims=dims)
        )
        model.graph.value_info.remove(value)
    return model


def text_of(graph: OperatorGraph) -> str:
    """What the outputs are computed by: ``Clip<max=6>(Conv(x, w))``; outputs joined by ``; ``.

    A constant is its number where it is one number, and its name otherwise.  An operator that
    writes several tensors is followed by the place of the one that is read: ``LSTM(x).1``.
    """
    producers = graph.producers()

    def expression(name: str) -> str:
        node = producers.get(name)
        if node is None:
            value = graph.tensor(name).value
            one = value is not None and graph.tensor(name).constant and value.size == 1
            return f"{value.reshape(-1)[0]:.6g}" if value is not None and one else name
        place = f".{node.outputs.index(name)}" if node.outputs.index(name) else ""
        inputs = ", ".join(expression(inner) for inner in node.inputs)
        return f"{node.op}{_options(node)}({inputs}){place}"

    return "; ".join(expression(name) for name in graph.outputs)


def _options(node: Operator) -> str:
    options = sorted((k, v) for k, v in node.attributes.items() if not isinstance(v, Tensor))
    return f"<{', '.join(f'{k}={_short(v)}' for k, v in options)}>" if options else ""


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).replace(" ", "")


@pytest.fixture
def proto() -> Callable[..., ModelProto]:
    """Text → ONNX model, see ``parsed``."""
    return parsed


@pytest.fixture
def graph() -> Callable[..., OperatorGraph]:
    """Text → operator graph, as the format reads it."""

    def read(text: str, opset: int = 20) -> OperatorGraph:
        return convert(parsed(text, opset), {}).layers

    return read


@pytest.fixture
def shown() -> Callable[[OperatorGraph], str]:
    """Operator graph → text, see ``text_of``."""
    return text_of


@pytest.fixture
def typed(graph: Callable[..., OperatorGraph]) -> Callable[..., OperatorGraph]:
    """Text → operator graph with all known types, what most passes start from."""

    def read(text: str, opset: int = 20) -> OperatorGraph:
        return fold_shapes(graph(text, opset))

    return read


@pytest.fixture
def after(typed: Callable[..., OperatorGraph]) -> Callable[..., str]:
    """Passes and text → what the passes, in their order, make of it, as text."""

    def run(*passes_and_text: Pass | str) -> str:
        *passes, text = passes_and_text
        result = typed(text)
        for one in passes:
            assert callable(one)
            result = one(result)
        return text_of(without_dead(result))

    return run


@pytest.fixture
def layers(graph: Callable[..., OperatorGraph]) -> Callable[..., list[str]]:
    """Text → the operators of the merged layer graph, in the order in which they run."""

    def run(text: str, rules: Mapping[str, Any] | None = None) -> list[str]:
        made = layer_graph(graph(text)) if rules is None else layer_graph(graph(text), rules)
        return [layer.op for layer in made.layers]

    return run
