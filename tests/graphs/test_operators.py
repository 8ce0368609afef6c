from __future__ import annotations

import pytest

from assay.graphs.operators import Operator, OperatorGraph, Tensor, bypass, without_dead


def test_sizes_are_known_where_every_dimension_is() -> None:
    assert Tensor(1, (2, 3, 4)).size == 24
    assert Tensor(1, ()).size == 1
    assert Tensor(1, (2, 0)).size == 0
    assert Tensor(1, (2, -1)).size == 0
    assert Tensor(1).size == 0


@pytest.mark.parametrize(
    ("value", "ints", "integer", "real"),
    [
        ((1, 2), (1, 2), 9, 0.5),
        (3, (3,), 3, 3.0),
        ((), (), 9, 0.5),
        (1.5, (7,), 9, 1.5),
        ("3", (7,), 9, 0.5),
        ((1, 2.5), (7,), 9, 0.5),
        (None, (7,), 9, 0.5),
        (Tensor(), (7,), 9, 0.5),
    ],
)
def test_an_attribute_of_another_kind_counts_as_absent(
    value: object, ints: tuple[int, ...], integer: int, real: float
) -> None:
    node = Operator("Conv", ("x",), ("y",), {"a": value})
    assert node.ints("a", (7,)) == ints
    assert node.integer("a", 9) == integer
    assert node.real("a", 0.5) == real


def test_an_absent_attribute_has_its_default() -> None:
    node = Operator("Conv", ("x",), ("y",))
    assert (node.ints("a"), node.ints("a", (1,))) == ((), (1,))
    assert (node.integer("a", 2), node.real("a", 0.5)) == (2, 0.5)


def test_producers_and_consumers() -> None:
    first = Operator("Split", ("x",), ("a", "", "b"))
    second = Operator("Add", ("a", "a", ""), ("y",))
    graph = OperatorGraph((first, second), ("x",), ("y",), {})
    assert graph.producers() == {"a": first, "b": first, "y": second}
    assert graph.consumers() == {"x": [first], "a": [second, second]}


def test_bypassed_operators_hand_on_through_one_another_and_to_the_outputs() -> None:
    nodes = (
        Operator("Identity", ("x",), ("a",)),
        Operator("Identity", ("a",), ("b",)),
        Operator("Relu", ("b",), ("c",)),
        Operator("Identity", ("c",), ("y",)),
    )
    graph = OperatorGraph(nodes, ("x",), ("y", "b"), {})
    left = bypass(graph, lambda node: node.inputs[0] if node.op == "Identity" else None)
    assert [(node.op, node.inputs) for node in left.operators] == [("Relu", ("x",))]
    assert left.outputs == ("c", "x")
    assert bypass(graph, lambda node: None) is graph


def test_what_no_output_depends_on_is_dead() -> None:
    nodes = (
        Operator("Relu", ("x",), ("a",)),
        Operator("Neg", ("a",), ("dead",)),
        Operator("Abs", ("dead",), ("too",)),
        Operator("Exp", ("a",), ("y",)),
    )
    alive = without_dead(OperatorGraph(nodes, ("x",), ("y",), {}))
    assert [node.op for node in alive.operators] == ["Relu", "Exp"]
