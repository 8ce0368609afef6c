"""Other weights in the same ONNX graph [onnx.proto].

The file that a model was read from is the template: everything in it stays, but for the numbers
of weights that have changed, which are stored in their tensor's own type and layout; quantized
ones with the scale that the file has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from assay.durable import write_whole
from assay.errors import UnreadableModel
from assay.formats import Model
from assay.weights.layout import Weights
from assay.weights.numbers import encode


def rewrite(source: Model, changed: Model, path: Path) -> None:
    """The file of ``source`` with the weights of ``changed``, as ``path``; written whole or not.

    External data go into the file, which must not pass protobuf's two gigabytes.

    Raises:
        UnreadableModel: a changed weight is not in the file, has another shape there, or is of a
            type that cannot be written.
    """
    from onnx import SparseTensorProto, TensorProto, load_model

    from assay.vocabularies.onnx_graph import convert
    from assay.vocabularies.onnx_weights import DTYPES

    whole = load_model(str(source.files[0]))
    stored = convert(whole, {}).stored  # the tensors of ``whole`` itself, not copies
    weights = source.weights
    if not isinstance(weights, Weights):
        raise UnreadableModel("it was not read from an ONNX file")
    for name, weight in changed.weights.items():
        if name not in weights:
            raise UnreadableModel(f"it has no weight {name!r} to be replaced")
        values = np.asarray(weight.read(), np.float32)
        if values.shape != weights[name].shape:
            raise UnreadableModel(f"weight {name!r} has the shape {list(weights[name].shape)}")
        if np.array_equal(values, weights[name].read(), equal_nan=True):
            continue
        proto = stored[name]
        if isinstance(proto, SparseTensorProto):
            raise UnreadableModel(f"weight {name!r} is sparse: it cannot be replaced")
        raw = encode(weights.as_stored(name, values), DTYPES[proto.data_type])
        kept = TensorProto(name=proto.name, data_type=proto.data_type, dims=proto.dims)
        kept.raw_data = raw
        proto.CopyFrom(kept)
    write_whole(path, whole.SerializeToString())
