"""The walk over an ONNX file: what is left behind, and that nothing else is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile import building
from hostile.building import of_nodes
from onnx import helper
from reading import names_of, operators_of

from assay.containers import protobuf as _protobuf
from assay.containers.protobuf import BYTES, Limits, Message, Slimmer, WireError
from assay.formats import onnx as reader


@pytest.mark.parametrize("name", ["resnet50", "shufflenet", "vgg19", "densenet121"])
def test_what_is_left_of_a_model_is_the_model_without_bulk(
    name: str, light_models: dict[str, Path]
) -> None:
    whole, slim = onnx.load(light_models[name]), reader.parse(light_models[name])
    assert [_without_notes(node) for node in whole.graph.node] == list(slim.graph.node)
    tensors = zip(whole.graph.initializer, slim.graph.initializer, strict=True)
    for before, after in tensors:
        assert (before.name, before.dims, before.data_type) == (
            after.name, after.dims, after.data_type)  # fmt: skip
    assert list(whole.graph.input) == list(slim.graph.input)
    assert list(whole.graph.output) == list(slim.graph.output)
    assert list(whole.opset_import) == list(slim.opset_import)


def _without_notes(node: onnx.NodeProto) -> onnx.NodeProto:
    """Nodes of more than a kilobyte lose their names and notes; none here has a longer tensor."""
    if node.ByteSize() > 1024:
        node.ClearField("name")
        node.ClearField("doc_string")
    return node


def test_values_of_short_tensors_are_kept_and_of_long_ones_left(tmp_path: Path) -> None:
    short, long = np.arange(1000, dtype=np.int64), np.zeros(5000, np.float32)
    tensors = [onnx.numpy_helper.from_array(a, n) for n, a in (("s", short), ("l", long))]
    nodes = [helper.make_node("Sum", ["x", "s", "l"], ["y"])]
    graph = operators_of(of_nodes(tmp_path, nodes, tensors))
    assert graph.tensor("s").value is not None
    np.testing.assert_array_equal(graph.tensor("s").value, short)
    assert graph.tensor("l").value is None
    assert graph.tensor("l").shape == (5000,)


def test_documentation_is_left_behind_at_any_length(tmp_path: Path) -> None:
    proto = building.model(building.RELU)
    plain = names_of(building.write(tmp_path, proto.SerializeToString()))
    proto.graph.doc_string = "d" * 10_000_000
    proto.doc_string = "d" * 10_000_000
    proto.graph.node[0].doc_string = "d" * 10_000_000
    path = building.write(tmp_path, proto.SerializeToString())
    assert names_of(path) == plain
    assert not reader.parse(path).graph.node[0].doc_string


def _slim(content: bytes, message: Message, **limits: int) -> bytes:
    usual = {"fields": 1000, "kept": 10**6, "unseen": 0}
    return Slimmer(io.BytesIO(content), Limits(**{**usual, **limits}, counted={"parts": 3})).slim(
        message, len(content)
    )


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1])
def test_numbers_are_written_as_they_are_read(value: int) -> None:
    written = _protobuf.write_varint(value)
    assert _protobuf.read_varint(written, 0, len(written)) == (value, len(written))
    with pytest.raises(WireError):
        _protobuf.read_varint(written[:-1], 0, len(written) - 1)


def test_every_wire_type_is_skipped_by_its_length() -> None:
    fields = [
        building.varint(1 << 3) + building.varint(10**6),
        building.varint(2 << 3 | 1) + b"8 bytes.",
        building.varint(3 << 3 | 5) + b"four",
        building.field(4, b"text" * 100),
    ]
    for kept in range(4):
        message = Message(keep=frozenset({kept + 1}))
        assert _slim(b"".join(fields), message) == fields[kept]


def test_a_message_inside_is_written_with_its_new_length() -> None:
    inner = Message(keep=frozenset({1}))
    content = building.field(7, building.field(1, b"kept") + building.field(2, b"d" * 500))
    expected = building.field(7, building.field(1, b"kept"))
    assert _slim(content, Message(enter={7: inner})) == expected


def test_a_message_beyond_the_block_in_memory_is_followed() -> None:
    inner = Message(keep=frozenset({1}))
    parts = [building.field(7, building.field(2, b"d" * 70_000) + building.field(1, b"%d" % i))
             for i in range(3)]  # fmt: skip
    expected = b"".join(building.field(7, building.field(1, b"%d" % i)) for i in range(3))
    assert _slim(b"".join(parts), Message(enter={7: inner})) == expected


def test_payloads_are_kept_up_to_the_longest_and_told_of_where_dropped() -> None:
    seen: list[Any] = []
    message = Message(
        keep=frozenset({1}),
        payloads=frozenset({9}),
        longest=10,
        check=lambda content, dropped: seen.append((content, list(dropped))),
    )
    short, long = building.field(9, b"d" * 10), building.field(9, b"d" * 11)
    assert _slim(short, message) == short
    assert not seen
    assert _slim(long + building.field(1, b"n"), message) == building.field(1, b"n")
    assert seen == [(building.field(1, b"n"), [(9, 11)])]


def test_a_short_message_is_copied_while_the_limit_of_the_unseen_lasts() -> None:
    inner = Message(keep=frozenset({1}), longest=100)
    part = building.field(7, building.field(2, b"unseen"))
    both = _slim(part * 2, Message(enter={7: inner}), unseen=10)
    assert both == part + building.field(7, b"")


def test_each_limit_ends_the_walk() -> None:
    many = building.field(7, b"") * 4
    with pytest.raises(WireError, match="too many parts"):
        _slim(many, Message(enter={7: Message()}, counted={7: "parts"}))
    with pytest.raises(WireError, match="too many fields"):
        _slim(many, Message(), fields=7)
    with pytest.raises(WireError, match="too much structure"):
        _slim(many, Message(keep=frozenset({7})), kept=7)
    assert _slim(many, Message(keep=frozenset({7})), kept=8, fields=8) == many


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    content = building.field(7, b"t" * 100_000)
    shrunk = io.BytesIO(content[:50_000])
    limits = Limits(100, 10**6, 0, {})
    with pytest.raises(WireError, match="shorter while it was read"):
        Slimmer(shrunk, limits).slim(Message(keep=frozenset({7})), len(content))


def test_wire_types_are_told_apart() -> None:
    for wire in (3, 4, 6, 7):
        with pytest.raises(WireError, match=f"wire type {wire}"):
            _protobuf.next_field(bytes([1 << 3 | wire, 0]), 0, 2)
    assert _protobuf.next_field(b"\x0a\x01a", 0, 3) == (1, BYTES, 2, 3)
