"""The builder of operator graphs: constants, layouts, and what is known on the way."""

from __future__ import annotations

import numpy as np
import pytest

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, MOST_VALUES, Tensor
from assay.vocabularies.builder import MOST_OPERATORS, GraphBuilder


def image() -> GraphBuilder:
    """A feature map ``last`` with channels last, made of ``x``, which has them first."""
    build = GraphBuilder()
    build.input("x", Tensor(FLOAT, (1, 4, 8, 6)))
    build.last("x", "last")
    return build


def ops(build: GraphBuilder) -> list[str]:
    return [node.op for node in build.operators]


def test_shapes_are_known_as_operators_are_added() -> None:
    build = GraphBuilder()
    build.input("x", Tensor(FLOAT, (2, 3)))
    turned = build.transpose("x", (1, 0), "turned")
    assert build.known(build.add("Relu", [turned])).shape == (3, 2)
    assert build.rank("x") == 2
    assert build.rank("nobody") == 0


def test_what_is_made_of_constants_is_constant() -> None:
    build = GraphBuilder()
    build.input("x", Tensor(FLOAT, (3,)))
    weight = build.add("Reshape", [build.constant(np.zeros(6)), build.constant([2, 3])])
    assert build.known(weight).constant
    assert not build.known(build.add("Add", ["x", weight])).constant
    assert not build.known(build.add("acme::Random", [weight])).constant


def test_only_small_constants_keep_their_values() -> None:
    build = GraphBuilder()
    build.named("small", np.arange(MOST_VALUES, dtype=np.int32))
    build.named("large", np.zeros(MOST_VALUES + 1))
    build.named("text", np.array(["a"]))
    assert build.known("small").value is not None
    assert build.known("large").value is None
    assert build.known("text").value is None


def test_a_map_that_is_turned_twice_is_the_same_again() -> None:
    build = image()
    assert build.first("last", 2) == "x"
    assert ops(build) == ["Transpose"]


def test_elementwise_operators_stay_channels_first() -> None:
    """The transposition between them is then read by nobody."""
    build = image()
    build.add("Relu", ["last"], "relu")
    inner = build.first("relu", 2)
    assert build.known("relu").shape == (1, 8, 6, 4)
    assert build.known(inner).shape == (1, 4, 8, 6)
    relu = next(node for node in build.operators if node.op == "Relu")
    assert relu.inputs == ("x",)


@pytest.mark.parametrize(
    ("shape", "turned"),
    [((4,), (4, 1, 1)), ((1, 1, 1, 4), (4, 1, 1)), ((1, 8, 6, 4), (1, 4, 8, 6)), ((), ())],
)
def test_constants_are_turned_with_the_map(shape: tuple[int, ...], turned: tuple[int, ...]) -> None:
    build = image()
    build.named("c", np.ones(shape, np.float32))
    build.add("Add", ["last", "c"], "sum")
    add = next(node for node in build.operators if node.op == "Add")
    assert add.inputs[0] == "x"
    assert build.known(add.inputs[1]).shape == turned
    assert build.known("sum").shape == (1, 8, 6, 4)


def test_another_operand_keeps_the_operator_channels_last() -> None:
    build = image()
    build.input("other", Tensor(FLOAT, (6, 4)))
    build.add("Add", ["last", "other"], "sum")
    assert next(node for node in build.operators if node.op == "Add").inputs == ("last", "other")


def test_an_unknown_rank_may_be_told() -> None:
    build = GraphBuilder()
    build.input("x", Tensor(FLOAT))
    assert build.operators == []
    build.last("x", "same")
    build.last("x", "turned", 4)
    assert ops(build) == ["Identity", "Transpose"]


def test_an_output_that_nothing_writes_is_refused() -> None:
    build = image()
    assert build.graph(["last"]).outputs == ("last",)
    with pytest.raises(UnreadableModel, match="written by nothing"):
        build.graph(["ghost"])


def test_operators_are_counted() -> None:
    build = GraphBuilder()
    build.input("x", Tensor(FLOAT))
    build.operators = image().operators * MOST_OPERATORS
    with pytest.raises(UnreadableModel, match="more than 50,000 operators"):
        build.add("Relu", ["x"])
