"""How hostile files are built: text where ONNX can say it, bytes where its checker would refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from onnx import ModelProto, TensorProto, helper, parser

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
RELU = "g (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y) { y = Relu(x) }"
Attack = Callable[[Path], Path]
ATTACKS: dict[str, tuple[str, Attack]] = {}  # name → a part of the error, "" where it is read


def attack(error: str) -> Callable[[Attack], Attack]:
    def register(make: Attack) -> Attack:
        ATTACKS[make.__name__] = (error, make)
        return make

    return register


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def write(folder: Path, content: bytes, name: str = "hostile.onnx") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def model(text: str, opset: int = 17) -> ModelProto:
    """A model from the text of its graph."""
    header = f'<ir_version: 8, opset_import: ["" : {opset}, "f" : 1, "com.microsoft" : 1]>\n'
    return parser.parse_model(header + text)


def saved(folder: Path, text: str, opset: int = 17) -> Path:
    return write(folder, model(text, opset).SerializeToString())


def small(folder: Path) -> Path:
    """A sound model, of which no part is a model."""
    proto = model(RELU)
    del proto.opset_import[1:]
    return write(folder, proto.SerializeToString())


def of_nodes(
    folder: Path,
    nodes: Sequence[object],
    initializers: Sequence[TensorProto] = (),
    output: str = "y",
    shape: Sequence[int | str] = (1, 3, 8, 8),
    opset: int = 17,
) -> Path:
    """A model whose input is ``x``, from nodes that the reference checker has not seen."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(output, FLOAT, None)],
        initializers,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("f", 1)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return write(folder, proto.SerializeToString())


def chain(step: Callable[[str, str, int], object], count: int) -> list[object]:
    """``count`` nodes from ``x`` to ``y``, each reading the one before."""
    names = ["x", *(f"t{i}" for i in range(count - 1)), "y"]
    return [step(names[i], names[i + 1], i) for i in range(count)]


def raw_graph(*parts: bytes, functions: Iterable[bytes] = ()) -> bytes:
    """A model around the bytes of a graph that writes ``y`` from ``x``."""
    relu = field(1, field(1, b"x") + field(2, b"y") + field(4, b"Relu"))
    ends = field(11, field(1, b"x")) + field(12, field(1, b"y"))
    graph = relu + ends + b"".join(parts)
    opset = field(8, field(1, b"") + varint(2 << 3) + varint(17))
    return varint(8) + varint(8) + opset + field(7, graph) + b"".join(functions)
