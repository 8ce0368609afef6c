"""ONNX files written: other weights in a file's own graph, or any model's graph [onnx.proto].

The file that an ONNX model was read from is the template: everything in it stays, but for the
numbers of weights that have changed, which are stored in their tensor's own type and layout.  A
model of another format gets its operators written out, with its weights as these read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.durable import write_whole, writing
from assay.errors import UnfitModel, UnreadableModel, UnwritableModel
from assay.formats import Model
from assay.weights import Array, Weight
from assay.weights.layout import Layout, Weights, layouts, reading
from assay.weights.numbers import Bytes, bytes_of, elements, encode
from assay.weights.steps import Lookup

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

LARGEST = 2**31 - 2**20  # bytes of a file: protobuf's limit; what is larger has its data outside
_SMALLEST = 1024  # bytes of a tensor that is put outside


@dataclass(frozen=True)
class Content:
    """The numbers of one tensor of the file, made when they are written."""

    tensor: TensorProto
    size: int  # bytes
    read: Callable[[], Bytes]


def rewrite(source: Model, changed: Model, path: Path) -> None:
    """The file of ``source`` with the weights of ``changed``, as ``path``; written whole or not.

    Raises:
        UnwritableModel: a changed weight is not in the file, has another shape there, or is of a
            type that cannot be written.
    """
    from onnx import SparseTensorProto, load_model

    from assay.vocabularies.onnx.graph import convert
    from assay.vocabularies.onnx.weights import DTYPES, external

    whole = load_model(str(source.files[0]), load_external_data=False)
    stored = convert(whole, {}).stored  # the tensors of ``whole`` itself, not copies
    weights = source.weights
    if not isinstance(weights, Weights):
        raise UnwritableModel("it was not read from an ONNX file")
    contents = []
    for name, weight in changed.weights.items():
        if name not in stored:
            contents.append(_filled(whole, weight, source))
        elif name not in weights:
            raise UnwritableModel(f"{name!r} is no weight of the file")
        elif _differs(weights[name], weight):
            proto = stored[name]
            if isinstance(proto, SparseTensorProto):
                raise UnwritableModel(f"weight {name!r} is sparse: it cannot be replaced")
            dtype = DTYPES[proto.data_type]
            contents.append(_replaced(proto, dtype, weight, weights))
    done = {id(content.tensor) for content in contents}
    for proto in stored.values():
        if isinstance(proto, SparseTensorProto) or proto.data_location != proto.EXTERNAL:
            continue
        if id(proto) not in done and proto.data_type in DTYPES:
            size = bytes_of(DTYPES[proto.data_type], elements(tuple(proto.dims)))
            read = partial(external, proto, source.files[0], size)
            contents.append(Content(proto, size, read))
    save(whole, contents, path)


def _differs(old: Weight, new: Weight) -> bool:
    """Whether the values do.  Raises UnwritableModel where the shapes do."""
    if old.shape != new.shape:
        raise UnwritableModel(f"weight {old.name!r} has the shape {list(old.shape)}")
    return old.read is not new.read and not np.array_equal(old.read(), new.read(), equal_nan=True)


def _replaced(proto: TensorProto, dtype: str, weight: Weight, weights: Weights) -> Content:
    """The weight in the type and the axes of the file's tensor."""
    _check_written(weight.name, dtype)

    def read() -> bytes:
        return encode(weights.as_stored(weight.name, np.asarray(weight.read(), np.float32)), dtype)

    return Content(proto, bytes_of(dtype, elements(tuple(proto.dims))), read)


def _check_written(name: str, dtype: str) -> str:
    """The type.  Raises UnwritableModel where there is no way to write numbers of it."""
    try:
        encode(np.zeros(0, np.float32), dtype)
    except UnreadableModel as error:
        raise UnwritableModel(f"weight {name!r}: {error}") from error
    return dtype


def _filled(whole: ModelProto, weight: Weight, source: Model) -> Content:
    """A weight where the file has one number repeated: a file without its weights."""
    from onnx import TensorProto

    places = [i for i, node in enumerate(whole.graph.node) if list(node.output) == [weight.name]]
    node = whole.graph.node[places[0]] if places else None
    if node is None or node.op_type != "ConstantOfShape" or source.layers is None:
        raise UnwritableModel(f"the file has no weight {weight.name!r} to be replaced")
    value = source.layers.tensor(node.input[0]).value
    shape = () if value is None else tuple(int(dim) for dim in value.reshape(-1))
    layout = layouts(source.layers, {weight.name: shape})[weight.name]
    if layout.shape(shape) != weight.shape:
        raise UnwritableModel(f"weight {weight.name!r} has the shape {list(layout.shape(shape))}")
    del whole.graph.node[places[0]]
    proto = whole.graph.initializer.add(name=weight.name, data_type=TensorProto.FLOAT, dims=shape)

    def read() -> bytes:
        return encode(layout.undo(weight.read(), shape, _no_scale), "float32")

    return Content(proto, 4 * elements(shape), read)


def _no_scale(name: str) -> Array:
    raise UnwritableModel(f"a weight that is scaled by {name!r} cannot be made of real numbers")


def compose(model: Model, path: Path) -> None:
    """The model's operators with its weights, as ``path``; written whole or not.

    Raises:
        UnwritableModel: it has no graph, or does not tell what one of its constants holds.
    """
    from assay.vocabularies.onnx.messages import message, raw
    from assay.vocabularies.onnx.weights import DTYPES

    if model.layers is None:
        raise UnwritableModel("it has no graph: its weights alone make no ONNX file")
    whole, initializers = message(model.layers)
    shapes = {name: tuple(proto.dims) for name, (proto, _) in initializers.items()}
    found = layouts(model.layers, shapes)  # with the scales, that what they scale is seen

    def lookup(name: str) -> Array:
        value = initializers[name][1].value
        return _no_scale(name) if value is None else np.asarray(value, np.float32)

    contents = []
    for name, (proto, tensor) in initializers.items():
        dtype = _check_written(name, DTYPES.get(proto.data_type, "text"))
        if name in model.weights:
            read = _as_read(model.weights[name], found[name], proto, lookup)
        elif tensor.value is not None:
            read = partial(raw, proto.data_type, tensor.value)
        else:
            raise UnwritableModel(f"what the constant {name!r} holds is not known")
        contents.append(Content(proto, bytes_of(dtype, elements(shapes[name])), read))
    taken = {name for node in whole.graph.node for name in node.output}
    taken |= {value.name for value in whole.graph.input}
    for name, weight in model.weights.items():
        if name in taken:
            raise UnwritableModel(f"weight {name!r} has the name of what is computed")
        if name not in initializers:  # no operator reads it
            contents.append(_unread(whole, weight))
    save(whole, contents, path)


def _unread(whole: ModelProto, weight: Weight) -> Content:
    from onnx import TensorProto

    proto = whole.graph.initializer.add(
        name=weight.name, data_type=TensorProto.FLOAT, dims=weight.shape
    )
    return Content(proto, 4 * weight.size, lambda: encode(weight.read(), "float32"))


def _as_read(
    weight: Weight, layout: Layout, proto: TensorProto, lookup: Lookup
) -> Callable[[], bytes]:
    """The weight in the axes in which the graph's operators read it."""
    from assay.vocabularies.onnx.weights import DTYPES

    try:
        read = reading(weight, layout, tuple(proto.dims))
    except UnfitModel as error:
        raise UnwritableModel(str(error)) from error
    return lambda: encode(read(lookup), DTYPES[proto.data_type])


def save(whole: ModelProto, contents: Iterable[Content], path: Path) -> None:
    """The model with the contents of its tensors, which go into a file of their own if too large.

    That is named like the model, with ``.data`` behind; it is written first.
    """
    contents = list(contents)
    inside = whole.ByteSize() + sum(content.size for content in contents) <= LARGEST
    large = [] if inside else [each for each in contents if each.size >= _SMALLEST]
    for content in contents:
        if not any(content is each for each in large):
            _take_in(content.tensor, content.read())
    if large:
        _put_outside(large, path.with_name(f"{path.name}.data"))
    try:
        text = whole.SerializeToString()
    except ValueError as error:
        raise UnwritableModel(f"its graph alone is too large for a file: {error}") from error
    write_whole(path, text)


def _take_in(tensor: TensorProto, content: Bytes) -> None:
    kept = type(tensor)(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    kept.raw_data = bytes(content)
    tensor.CopyFrom(kept)


def _put_outside(contents: Iterable[Content], path: Path) -> None:
    """Writes the tensors' contents one behind the other, and tells the tensors their places."""
    with writing(path) as file:
        for content in contents:
            place = {"location": path.name, "offset": file.tell(), "length": content.size}
            file.write(content.read())
            tensor = content.tensor
            kept = type(tensor)(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
            kept.data_location = kept.EXTERNAL
            for key, value in place.items():
                kept.external_data.add(key=key, value=str(value))
            tensor.CopyFrom(kept)
