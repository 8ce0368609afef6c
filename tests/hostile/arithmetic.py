"""Shape arithmetic that explodes, and operators with garbage for attributes and operands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnx import TensorProto, helper

from hostile.building import FLOAT, INT64, attack, chain, of_nodes, saved

NAN, INFINITE = float("nan"), float("inf")


def _ints(name: str, *values: int) -> TensorProto:
    return helper.make_tensor(name, INT64, [len(values)], values)


def _floats(name: str, *values: float) -> TensorProto:
    return helper.make_tensor(name, FLOAT, [len(values)], values)


def _one(folder: Path, op: str, operands: Sequence[TensorProto], **attributes: object) -> Path:
    """A model of one operator, whose operands are stored."""
    inputs = ["x", *(tensor.name for tensor in operands)]
    return of_nodes(folder, [helper.make_node(op, inputs, ["y"], **attributes)], operands)


@attack("")
def tiles_of_tiles(folder: Path) -> Path:
    nodes = chain(lambda a, b, i: helper.make_node("Tile", [a, "r"], [b]), 2000)
    return of_nodes(folder, nodes, [_ints("r", *[2**62] * 4)])


@attack("")
def constants_that_tile(folder: Path) -> Path:
    nodes = chain(lambda a, b, i: helper.make_node("Tile", [a if i else "c", "r"], [b]), 200)
    nodes += [helper.make_node("Expand", ["x", "y"], ["z"])]
    return of_nodes(folder, nodes, [_ints("c", 2), _ints("r", 2)], output="z")


@attack("")
def constants_of_any_shape(folder: Path) -> Path:
    value = helper.make_tensor("v", INT64, [1], [7])
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["c"], value=value),
        helper.make_node("Expand", ["x", "c"], ["y"]),
    ]
    return of_nodes(folder, nodes, [_ints("s", 2**62)])


@attack("")
def expanded_constants_divided(folder: Path) -> Path:
    """One number repeated a million times is a view; its inverse would be megabytes, each time."""
    nodes = []
    for op in ("Div", "Sub", "Mul", "Add"):
        names = [f"{op}{i}" for i in range(5000)]
        nodes += [helper.make_node("Expand", ["one", "s"], [f"c{name}"]) for name in names]
        nodes += [helper.make_node(op, ["x", f"c{name}"], [name]) for name in names]
        nodes.append(helper.make_node("Sum", names, [op]))
    nodes.append(helper.make_node("Sum", ["Div", "Sub", "Mul", "Add"], ["y"]))
    return of_nodes(
        folder, nodes, [_floats("one", 2.0), _ints("s", 1024, 1024)], shape=[1024, 1024]
    )


@attack("")
def shapes_of_a_million_numbers(folder: Path) -> Path:
    nodes = [helper.make_node("Expand", ["one", "s"], ["c"])]
    nodes += chain(lambda a, b, i: helper.make_node("Reshape", [a, "c"], [b]), 2000)
    return of_nodes(folder, nodes, [_ints("one", 1), _ints("s", 2**20)])


@attack("")
def range_without_end(folder: Path) -> Path:
    ranges = [(0, 2**62, 1), (-(2**63), 2**63 - 1, 1), (0, 5, 0), (5, 0, 1), (0, 2**63 - 1, -1)]
    tensors, nodes = [], []
    for i, bounds in enumerate(ranges):
        names = [f"{letter}{i}" for letter in "abc"]
        tensors += [
            helper.make_tensor(n, INT64, [], [v]) for n, v in zip(names, bounds, strict=True)
        ]
        nodes.append(helper.make_node("Range", names, [f"r{i}"]))
        nodes.append(helper.make_node("Expand", ["x", f"r{i}"], [f"e{i}"]))
    nodes.append(helper.make_node("Sum", [f"e{i}" for i in range(len(ranges))], ["y"]))
    return of_nodes(folder, nodes, tensors)


@attack("")
def range_of_no_numbers(folder: Path) -> Path:
    tensors = [helper.make_tensor(n, FLOAT, [], [v]) for n, v in (("a", 0), ("b", NAN), ("c", 1))]
    nodes = [
        helper.make_node("Range", ["a", "b", "c"], ["r"]),
        helper.make_node("Mul", ["x", "r"], ["y"]),
    ]
    return of_nodes(folder, nodes, tensors)


@attack("")
def resize_by_infinity(folder: Path) -> Path:
    return _one(folder, "Resize", [_floats("roi"), _floats("s", 1, NAN, INFINITE, -INFINITE)])


@attack("")
def resize_to_the_largest_number(folder: Path) -> Path:
    scales = [_floats("roi"), _floats("s", 1, 1, 3e38, 3e38)]
    nodes = chain(lambda a, b, i: helper.make_node("Resize", [a, "roi", "s"], [b]), 500)
    return of_nodes(folder, nodes, scales)


@attack("")
def upsample_by_nothing(folder: Path) -> Path:
    node = helper.make_node("Upsample", ["x"], ["y"], scales=[NAN, INFINITE, 0.0, -1.0])
    return of_nodes(folder, [node], opset=7)


@attack("")
def pads_that_wrap_round(folder: Path) -> Path:
    return _one(folder, "Pad", [_ints("p", *[2**63 - 1] * 8)])


@attack("")
def pads_that_remove_everything(folder: Path) -> Path:
    return _one(folder, "Pad", [_ints("p", *[-(2**63)] * 8)])


@attack("")
def reshape_to_negative_sizes(folder: Path) -> Path:
    return _one(folder, "Reshape", [_ints("s", -1, -1, -7, 0, 2**62)])


@attack("")
def reshape_of_nothing(folder: Path) -> Path:
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["a"]),
        helper.make_node("Reshape", ["a", "t"], ["y"]),
    ]
    return of_nodes(folder, nodes, [_ints("s", 0, 0, -1), _ints("t", -1, 0)], shape=[0, 3, 8, 8])


@attack("")
def sums_that_wrap_round(folder: Path) -> Path:
    nodes = chain(lambda a, b, i: helper.make_node("Mul", ["s" if not i else a, "s"], [b]), 100)
    nodes.append(helper.make_node("Reshape", ["x", "y"], ["z"]))
    return of_nodes(folder, nodes, [_ints("s", 2**62, 3, -5, 7)], output="z")


@attack("")
def powers_of_powers(folder: Path) -> Path:
    nodes = chain(lambda a, b, i: helper.make_node("Pow", ["s" if not i else a, "s"], [b]), 100)
    nodes.append(helper.make_node("Reshape", ["x", "y"], ["z"]))
    return of_nodes(folder, nodes, [_ints("s", 99, 2, -3, 7)], output="z")


@attack("")
def concats_that_double(folder: Path) -> Path:
    nodes = chain(lambda a, b, i: helper.make_node("Concat", [a, a], [b], axis=0), 3000)
    return of_nodes(folder, nodes)


@attack("")
def axes_out_of_range(folder: Path) -> Path:
    far = -(2**63)
    steps = [
        ("Concat", ["@", "@"], {"axis": far}),
        ("Gather", ["@", "i"], {"axis": 99}),
        ("Split", ["@", "i"], {"axis": far}),
        ("Flatten", ["@"], {"axis": far}),
        ("Softmax", ["@"], {"axis": 99}),
        ("Squeeze", ["@", "i"], {}),
        ("Unsqueeze", ["@", "i"], {}),
        ("ReduceSum", ["@", "i"], {}),
        ("ReduceMean", ["@"], {"axes": [far, 99]}),
        ("ArgMax", ["@"], {"axis": far}),
        ("TopK", ["@", "i"], {"axis": far}),
        ("OneHot", ["@", "i", "i"], {"axis": far}),
        ("GatherElements", ["@", "i"], {"axis": far}),
        ("Slice", ["@", "i", "i", "i", "i"], {}),
        ("Transpose", ["@"], {"perm": [far, 99, 0, 0, 0]}),
        ("SpaceToDepth", ["@"], {"blocksize": 0}),
        ("DepthToSpace", ["@"], {"blocksize": -3}),
        ("SplitToSequence", ["@", "z"], {}),
    ]
    nodes = []
    for place, (op, inputs, attributes) in enumerate(steps):
        names = ["x" if name == "@" else name for name in inputs]
        nodes.append(helper.make_node(op, names, [f"r{place}"], **attributes))
        nodes.append(
            helper.make_node(
                op, ["c" if n == "x" else n for n in names], [f"c{place}"], **attributes
            )
        )
    results = [f"{letter}{place}" for letter in "rc" for place in range(len(steps))]
    nodes.append(helper.make_node("Sum", results, ["y"]))
    scalar = helper.make_tensor("c", INT64, [], [5])
    return of_nodes(folder, nodes, [_ints("i", far, 99), _ints("z", 0), scalar])


@attack("")
def windows_that_make_no_sense(folder: Path) -> Path:
    weight = helper.make_tensor("w", FLOAT, [1, 3, 1, 1], [0.0] * 3)
    worst = {"strides": [0, -1], "dilations": [-(2**62), 2**62], "pads": [2**62]}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], group=-1, **worst),
        helper.make_node("MaxPool", ["x"], ["b"], kernel_shape=[-5], **worst),
        helper.make_node("AveragePool", ["x"], ["c"], kernel_shape=[2**62] * 1000),
        helper.make_node("ConvTranspose", ["x", "w"], ["d"], output_shape=[2**62] * 9, **worst),
        helper.make_node("LpPool", ["x"], ["e"], kernel_shape=[0] * 64, auto_pad="SOMEHOW"),
        helper.make_node("Sum", ["a", "b", "c", "d", "e"], ["y"]),
    ]
    return of_nodes(folder, nodes, [weight])


@attack("")
def equations_that_are_none(folder: Path) -> Path:
    texts = [
        "",
        "->",
        "ab,cd",
        "...ij,jk->ik",
        "abcd,abcd->zz",
        "a" * 100_000,
        ",->,",
        "ij->\x1b[2J",
    ]
    nodes = [
        helper.make_node("Einsum", ["x", "x"], [f"e{i}"], equation=text)
        for i, text in enumerate(texts)
    ]
    nodes.append(helper.make_node("Sum", [f"e{i}" for i in range(len(texts))], ["y"]))
    return of_nodes(folder, nodes)


def _wrong(op: str, inputs: Sequence[str], **attributes: object) -> None:
    """An attack by one operator with attributes of the wrong type."""

    def make(folder: Path) -> Path:
        return of_nodes(folder, [helper.make_node(op, inputs, ["y"], **attributes)])

    make.__name__ = f"{op}_with_{'_'.join(attributes)}_of_the_wrong_type"
    attack("another type than ONNX's")(make)


_wrong("Conv", ["x", "x"], strides="two")
_wrong("Conv", ["x", "x"], group=[1, 2])
_wrong("MaxPool", ["x"], kernel_shape="3x3")
_wrong("Concat", ["x", "x"], axis=1.5)
_wrong("Concat", ["x", "x"], axis="channels")
_wrong("Split", ["x"], axis=[0])
_wrong("Transpose", ["x"], perm="abcd")
_wrong("Einsum", ["x", "x"], equation=7)
_wrong("LSTM", ["x", "x", "x"], hidden_size="many")
_wrong("Cast", ["x"], to="float")
_wrong("Loop", ["", "", "x"], body=1)
_wrong("Constant", [], value=1.5)


@attack("inputs, not")
def convolution_without_weights(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("Conv", ["x"], ["y"])])


@attack("inputs, not")
def operator_with_too_many_inputs(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("Relu", ["x"] * 9, ["y"])])


@attack("outputs")
def operator_with_too_many_outputs(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("Relu", ["x"], ["y", "z"])])


@attack("")
def loop_with_a_huge_trip_count(folder: Path) -> Path:
    return saved(
        folder,
        """g (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y, float[N] all)
        <int64 count = {4611686018427387904}> {
            y, all = Loop (count, , x) <body = b (int64 i, bool c, float[1, 3, 8, 8] a)
                => (bool d, float[1, 3, 8, 8] v, float[1, 3, 8, 8] w)
                { d = Identity(c)  v = Concat <axis = 0> (a, a)  w = Relu(v) }>
        }""",
    )


@attack("has no input")
def quantized_operators_with_few_operands(folder: Path) -> Path:
    ops = ["QLinearAdd", "MatMulNBits", "DynamicQuantizeLSTM", "FusedConv", "QLinearConcat"]
    ops += ["QGemm", "FusedMatMul", "MultiHeadAttention", "BiasGelu", "DequantizeLinear"]
    nodes = [
        helper.make_node(op, ["x"], [op], domain="com.microsoft", K=2**63 - 1, N=-4) for op in ops
    ]
    nodes.append(helper.make_node("Sum", ops, ["y"]))
    return of_nodes(folder, nodes)
