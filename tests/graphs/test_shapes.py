"""What is known before anything is run, what is not, and what is folded away."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from assay.graphs.inline_bodies import inline_bodies
from assay.graphs.operators import MOST_AXES, UNKNOWN, Operator, OperatorGraph, Tensor
from assay.graphs.shapes import fold_shapes

Read = Callable[..., OperatorGraph]
Shape = tuple[int, ...]


def test_rule_1_what_depends_on_constants_alone_is_dropped(typed: Read) -> None:
    text = """(float[4,8] x) => (y) <float[8,16] w> {
        t = Transpose(w)  n = Neg(t)  z = MatMul(x, w)  y = Gemm <transB = 1> (x, n)
    }"""
    graph = typed(text)
    assert [node.op for node in graph.operators] == ["Gemm"]
    assert graph.tensor("n").constant
    assert graph.tensor("n").shape == (16, 8)
    assert graph.tensor("n").value is None


@pytest.mark.parametrize("op", ["RandomNormalLike(w)", "RandomUniformLike(w)", "mine.Thing(w)"])
def test_rule_1_randomness_and_unknown_operators_are_no_constants(op: str, typed: Read) -> None:
    graph = typed(f"(float[8] x) => (y) <float[8] w> {{ n = {op}  y = Add(x, n) }}")
    assert len(graph.operators) == 2
    assert not graph.tensor("n").constant


def test_rule_1_one_output_that_is_not_constant_keeps_the_operator(typed: Read) -> None:
    text = "(float[8] x) => (y, s) { y, m = Dropout(x)  s = Shape(y) }"
    assert [node.op for node in typed(text).operators] == ["Dropout"]


def test_rule_2_a_known_shape_is_a_constant(typed: Read) -> None:
    text = """(float[2,8,6,6] x) => (y) {
        s = Shape(x)  i = Constant <value_ints = [0]> ()  b = Gather(s, i)
        r = Constant <value_ints = [-1]> ()  t = Concat <axis = 0> (b, r)  y = Reshape(x, t)
    }"""
    graph = typed(text)
    assert [node.op for node in graph.operators] == ["Reshape"]
    assert graph.tensor("y").shape == (2, 288)


def test_rule_2_an_unknown_dimension_keeps_the_operator(typed: Read) -> None:
    text = (
        "(float[2,8] x) => (s, z) { n = NonZero(x)  m = mine.Thing(x)  s = Shape(n)  z = Size(m) }"
    )
    assert [node.op for node in typed(text).operators] == [
        "NonZero",
        "mine::Thing",
        "Shape",
        "Size",
    ]


IF = """(float[1,8] x) => (y) <bool c = {{{}}}> {{
    y = If (c) <then_branch = a () => (p) {{ p = Relu(x) }},
                else_branch = b () => (q) {{ t = Tanh(x)  q = Neg(t) }}>
}}"""


@pytest.mark.parametrize(("taken", "expected"), [(1, "Relu(x)"), (0, "Neg(Tanh(x))")])
def test_rule_3_an_if_with_a_known_condition_is_the_branch_taken(
    taken: int, expected: str, graph: Read, shown: Callable[[OperatorGraph], str]
) -> None:
    folded = fold_shapes(inline_bodies(graph(IF.format(taken))))
    assert shown(folded) == f"Identity({expected})"


def test_rule_3_a_condition_may_follow_from_shapes(
    graph: Read, shown: Callable[[OperatorGraph], str]
) -> None:
    text = (
        IF.format(1)
        .replace(" <bool c = {1}>", "")
        .replace(
            "{\n    y", "{ s = Size(x)  n = Constant <value_int = 8> ()  c = Equal(s, n)  y", 1
        )
    )
    assert shown(fold_shapes(inline_bodies(graph(text)))) == "Identity(Relu(x))"


def test_rule_3_an_unknown_condition_keeps_both_branches(
    graph: Read, shown: Callable[[OperatorGraph], str]
) -> None:
    text = (
        IF.format(1)
        .replace("(float[1,8] x)", "(float[1,8] x, bool c)")
        .replace(" <bool c = {1}>", "")
    )
    folded = fold_shapes(inline_bodies(graph(text)))
    assert shown(folded) == "If(c, Relu(x), Neg(Tanh(x)))"
    assert folded.tensor("y").shape == (1, 8)


def test_branches_of_different_shapes_give_what_they_share(graph: Read) -> None:
    text = (
        IF.format(1)
        .replace("(float[1,8] x)", "(float[1,8] x, bool c)")
        .replace(" <bool c = {1}>", "")
    )
    for branch, shape in (
        ("Concat <axis = 1> (x, x)", (1, -1)),
        ("mine.Thing(x)", None),
        ("Flatten <axis = 0> (x)", (1, 8)),
        ("ReduceMax <keepdims = 0> (x)", None),
    ):
        other = graph(text.replace("Relu(x)", branch))
        assert fold_shapes(inline_bodies(other)).tensor("y").shape == shape


def test_cast_like_is_a_cast_to_the_others_type(typed: Read) -> None:
    graph = typed("(float[8] x, float16[1] h) => (y) { n = Neg(h)  y = CastLike(x, n) }")
    (cast,) = graph.operators
    assert (cast.op, cast.inputs, cast.attributes) == ("Cast", ("x",), {"to": 10})
    assert graph.tensor("y").dtype == 10


def test_a_shape_with_too_many_axes_is_unknown(typed: Read) -> None:
    grow = "  ".join(f"x{i + 1} = Unsqueeze(x{i}, a)" for i in range(MOST_AXES))
    text = f"(float[8] x0) => (y) <int64[1] a = {{0}}> {{ {grow}  y = Relu(x{MOST_AXES}) }}"
    graph = typed(text)
    assert len(graph.tensor(f"x{MOST_AXES - 1}").shape or ()) == MOST_AXES
    assert graph.tensor("y").shape is None


def test_an_empty_name_is_no_tensor(typed: Read) -> None:
    assert typed("(float[8] x) => (y) { y = Clip(x, , ) }").tensor("") is UNKNOWN


# --- what is unknown ----------------------------------------------------------------------------

UNKNOWN_BITS = """(float[2,8,6,6] x, float[4,8] m, int64[2] s, int64 n, float[4] f,
    int64[4] d) => (y)
    <int64[1] one = {1}, int64[1] last = {3}, int64[1] ax = {1}>"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("Reshape(x, s)", (-1, -1)),
        ("Expand(x, s)", None),
        ("Tile(x, s)", (-1, -1, -1, -1)),
        ("Pad(x, s)", (-1, -1, -1, -1)),
        ("Slice(x, s, s)", (-1, -1, -1, -1)),
        ("Slice(x, one, s, one)", (2, -1, 6, 6)),
        ("Slice(x, one, last, s)", (-1, -1, -1, -1)),
        ("Resize(x, , f)", (2, 8, -1, -1)),
        ("ConstantOfShape(s)", None),
        ("Range(n, n, n)", (-1,)),
        ("ReduceMean(x, s)", None),
        ("Squeeze(x, s)", None),
        ("Unsqueeze(x, s)", None),
        ("Split <axis = 1> (x, s)", (2, -1, 6, 6)),
        ("TopK(x, n)", (2, 8, 6, -1)),
        ("OneHot(s, n, f)", (2, -1)),
        ("mine.Thing(x)", None),
        ("Conv(x, k)", (2, -1, -1, -1)),
        ("NonZero(x)", None),
    ],
)
def test_what_cannot_be_known_is_unknown(call: str, expected: Shape | None, typed: Read) -> None:
    text = f"{UNKNOWN_BITS} {{ k = Reshape(m, d)  y = {call} }}"
    assert typed(text).tensor("y").shape == expected


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        (Operator("Conv", ("x", "w"), ("y",), {"strides": (0, 0)}), [(1, 8, 6, 6), (8, 8, 3, 3)]),
        (Operator("Conv", ("x", "w"), ("y",), {"strides": "two"}), [(1, 8, 6, 6), (8, 8, 3, 3)]),
        (Operator("Conv", ("x", "w"), ("y",), {"pads": (1,)}), [(1, 8, 6, 6), (8, 8, 3, 3)]),
        (Operator("Conv", ("x", "w"), ("y",)), [(1, 8, 6, 6), (8,)]),
        (Operator("Conv", ("x", "w"), ("y",)), [(), (8, 8, 3, 3)]),
        (Operator("Concat", ("x", "w"), ("y",), {"axis": 1}), [(), ()]),
        (Operator("Concat", ("x", "w"), ("y",)), [(1, 2), (1, 2)]),
        (Operator("Transpose", ("x",), ("y",), {"perm": (0, 7)}), [(1, 2)]),
        (Operator("DepthToSpace", ("x",), ("y",), {"blocksize": 0}), [(1, 8, 6, 6)]),
        (Operator("DepthToSpace", ("x",), ("y",), {"blocksize": 2}), [(1, 8)]),
        (Operator("Split", ("x",), ("y", "z"), {"axis": 0}), [()]),
        (Operator("Gemm", ("x", "w"), ("y",)), [(8,), (8,)]),
        (Operator("MatMul", ("x", "w"), ("y",)), [(), (8,)]),
        (Operator("Einsum", ("x", "w"), ("y",), {"equation": "ij->k"}), [(1, 2), (1, 2)]),
        (Operator("Einsum", ("x", "w"), ("y",), {"equation": 3}), [(1, 2), (1, 2)]),
        (Operator("GatherND", ("x", "w"), ("y",)), [(1, 2), ()]),
        (Operator("Flatten", ("x",), ("y",), {"axis": "one"}), [(1, 2)]),
        (Operator("LSTM", ("x", "w", "r"), ("y",)), [(1, 2, 3), (1,), (1,)]),
        (Operator("Attention", ("x", "w", "r"), ("y",), {"kv_num_heads": 0}), [(1, 2, 3)] * 3),
        (Operator("Unsqueeze", ("x",), ("y",), {"axes": (0,) * 99}), [(1, 2)]),
    ],
)
def test_what_onnx_does_not_allow_is_unknown_and_no_error(
    node: Operator, inputs: list[Shape]
) -> None:
    tensors = {n: Tensor(1, s) for n, s in zip(node.inputs, inputs, strict=True)}
    graph = OperatorGraph((node,), node.inputs, node.outputs, tensors)
    found = fold_shapes(graph).tensor("y").shape
    if node.attributes.get("strides") in ((0, 0), "two"):
        assert found == (1, 8, 4, 4)  # as if they were not given
    else:
        assert found is None or -1 in found


@pytest.mark.parametrize(
    ("split", "shape"),
    [
        ("SplitToSequence <axis = 1, keepdims = 0> (x)", (2, 6, 6)),
        ("SplitToSequence <axis = 1> (x)", (2, 1, 6, 6)),
        ("SplitToSequence <axis = 1> (x, four)", (2, 4, 6, 6)),
        ("SplitToSequence <axis = 1> (x, three)", (2, 3, 6, 6)),
        ("SplitToSequence <axis = 1> (x, halves)", (2, 4, 6, 6)),
        ("SplitToSequence <axis = 1> (x, parts)", (2, 2, 6, 6)),
    ],
)
def test_sequences_are_typed_by_their_elements(split: str, shape: Shape, typed: Read) -> None:
    text = f"""(float[2,8,6,6] x) => (y) <int64 n = {{0}}, int64 four = {{4}},
        int64 three = {{3}}, int64[2] halves = {{4, 4}},
        int64[2] parts = {{2, 6}}> {{ k = {split}  y = SequenceAt(k, n) }}"""
    assert typed(text).tensor("y").shape == shape


@pytest.mark.parametrize(
    ("sizes", "place", "width"),
    [
        ("int64[2] s = {2, 6}", 1, 6),
        ("int64[2] s = {2, 6}", -2, 2),
        ("int64[2] s = {2, 6}", 2, -1),  # there is no such part
        ("int64 s = {3}", 2, 2),  # what is left
        ("int64 s = {3}", 0, 3),
        ("int64 s = {9}", 0, -1),  # more than there is
    ],
)
def test_a_part_of_a_sequence_has_its_own_size(
    sizes: str, place: int, width: int, typed: Read
) -> None:
    text = f"""(float[2,8,6,6] x) => (y) <{sizes}, int64 n = {{{place}}}>
        {{ k = SplitToSequence <axis = -3> (x, s)  y = SequenceAt(k, n) }}"""
    assert typed(text).tensor("y").shape == (2, width, 6, 6)
