"""Too much of everything."""

from __future__ import annotations

from pathlib import Path

from hostile.building import attack, field, raw_graph, varint, write


@attack("too many operators")
def million_nodes(folder: Path) -> Path:
    node = field(1, field(1, b"x") + field(2, b"z") + field(4, b"Relu"))
    return write(folder, raw_graph(node * 10**6))


@attack("too many operators")
def million_empty_nodes(folder: Path) -> Path:
    return write(folder, raw_graph(field(1, b"") * 10**6))


@attack("too many operators")
def million_nodes_in_a_body(folder: Path) -> Path:
    body = field(1, field(5, field(6, field(1, b"") * 250_000)))
    return write(folder, raw_graph(body * 2))


@attack("too many operators")
def million_nodes_in_bodies(folder: Path) -> Path:
    body = field(1, field(5, field(6, field(1, b"") * 10_000)))
    return write(folder, raw_graph(body * 100))


@attack("too many fields")
def millions_of_attributes(folder: Path) -> Path:
    node = field(1, b"x") + field(2, b"z") + field(4, b"Relu") + field(5, b"") * 3 * 10**6
    return write(folder, raw_graph(field(1, node)))


@attack("too many")
def millions_of_inputs(folder: Path) -> Path:
    node = field(1, b"x") * 3 * 10**6 + field(2, b"z") + field(4, b"Sum")
    return write(folder, raw_graph(field(1, node)))


@attack("read more than")
def half_a_million_inputs(folder: Path) -> Path:
    node = field(1, b"x") * 500_000 + field(2, b"z") + field(4, b"Sum")
    return write(folder, raw_graph(field(1, node)))


@attack("too many tensors")
def millions_of_tiny_initializers(folder: Path) -> Path:
    tensor = field(5, varint(2 << 3) + varint(1) + field(8, b"w") + field(9, b"\0\0\0\0"))
    return write(folder, raw_graph(tensor * 2 * 10**6))


@attack("")
def initializers_up_to_the_limit(folder: Path) -> Path:
    tensors = (
        field(5, varint(1 << 3) + varint(1) + varint(2 << 3) + varint(1) + field(8, b"w%d" % i)
              + field(9, b"\0\0\0\0"))
        for i in range(99_990)
    )  # fmt: skip
    return write(folder, raw_graph(*tensors))


@attack("too many fields")
def millions_of_outputs(folder: Path) -> Path:
    return write(folder, raw_graph(field(12, field(1, b"y")) * 3 * 10**6))


@attack("")
def documentation_of_100_megabytes(folder: Path) -> Path:
    return write(folder, raw_graph(field(10, b"d" * 10**8), field(13, b"v" * 1000) * 10_000))


@attack("too many fields")
def attribute_with_millions_of_numbers(folder: Path) -> Path:
    attribute = field(1, b"pads") + (varint(8 << 3) + b"\1") * 5 * 10**6
    node = field(1, b"x") + field(2, b"z") + field(4, b"MaxPool") + field(5, attribute)
    return write(folder, raw_graph(field(1, node)))


@attack("no attribute 'kernel_shape'")
def attribute_with_a_million_numbers(folder: Path) -> Path:
    attribute = field(1, b"kernel_shape") + (varint(8 << 3) + b"\1") * 10**6 + b"\xa0\x01\x07"
    node = field(1, b"x") + field(2, b"z") + field(4, b"MaxPool") + field(5, attribute)
    return write(folder, raw_graph(field(1, node)))


@attack("")
def structure_up_to_the_limit(folder: Path) -> Path:
    tensors = (
        field(5, varint(1 << 3) + varint(2000) + varint(2 << 3) + varint(1) + field(8, b"w%d" % i)
              + field(9, b"\0" * 8000))
        for i in range(8_000)
    )  # fmt: skip
    return write(folder, raw_graph(*tensors))


@attack("too much structure")
def structure_beyond_the_limit(folder: Path) -> Path:
    tensor = field(5, varint(1 << 3) + varint(2000) + varint(2 << 3) + varint(1)
                   + field(8, b"w") + field(9, b"\0" * 8000))  # fmt: skip
    return write(folder, raw_graph(tensor * 9_000))


@attack("MiB of memory")
def attributes_up_to_the_limit(folder: Path) -> Path:
    """Each takes two bytes of the file, and two hundred of the parser's memory."""
    unseen = field(1, field(1, b"x") + field(2, b"z") + field(4, b"Relu") + field(5, b"") * 480)
    node = field(1, b"x") + field(2, b"z") + field(4, b"Relu") + field(5, b"") * 1_100_000
    return write(folder, raw_graph(unseen, field(1, node)))


@attack("MiB of memory")
def small_nodes_full_of_attributes(folder: Path) -> Path:
    nodes = (
        field(1, field(1, b"x") + field(2, b"z%d" % i) + field(4, b"Relu") + field(5, b"") * 450)
        for i in range(3_000)
    )
    return write(folder, raw_graph(*nodes))


@attack("characters")
def names_of_60_megabytes(folder: Path) -> Path:
    node = field(1, b"x" * 2 * 10**7) + field(2, b"z" * 2 * 10**7) + field(4, b"R" * 2 * 10**7)
    return write(folder, raw_graph(field(1, node)))
