"""A torchvision network exported to ONNX, stripped of its weights, and what torch says of it.

The half of ``make_zoo_fixtures.py`` that needs torch, torchvision, onnx and onnxscript.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir
import torch
from torch.utils.flop_counter import FlopCounterMode

SEED = 0
NO_AUXILIARY_HEADS = {"googlenet", "inception_v3"}  # not exported in evaluation mode, so not made
PAYLOAD_LIMIT = 2048  # bytes; larger tensors keep their name, type and shape only
FLOAT_LIMIT = 64  # elements; the same for floating-point tensors: longer ones are weights


@dataclass(frozen=True)
class Variant:
    """One way to export a network."""

    name: str
    dynamo: bool  # the exporter over torch.export; otherwise the legacy one over TorchScript
    optimize: bool  # fold constants and fuse batch norms; legacy's False: TrainingMode.PRESERVE
    opset: int | None = None  # None: the exporter's default
    device: str = "cpu"
    untrained: bool = False  # equal initial values stay equal; see ``randomize``


VARIANTS = (
    Variant("legacy-folded", dynamo=False, optimize=True),
    Variant("legacy-unfolded", dynamo=False, optimize=False),
    Variant("legacy-untrained", dynamo=False, optimize=True, untrained=True),
    Variant("legacy-opset11", dynamo=False, optimize=True, opset=11),
    Variant("legacy-opset7", dynamo=False, optimize=True, opset=7),
    Variant("dynamo", dynamo=True, optimize=False),
    Variant("dynamo-meta", dynamo=True, optimize=False, device="meta"),
    Variant("dynamo-optimized", dynamo=True, optimize=True),
    Variant("dynamo-opset23", dynamo=True, optimize=True, opset=23),
)


def _torchvision() -> Any:
    """The module ``torchvision``, also where its compiled operators do not fit this torch."""
    try:
        import torchvision
    except RuntimeError:  # "operator torchvision::nms does not exist": only detection needs it
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

        torchvision.schemas = library  # the schemas live as long as this object
    return torchvision


def randomize(model: torch.nn.Module) -> None:
    """Move every value a little, as training does.

    Fresh networks are full of zeros, ones and equal vectors, which the legacy exporter merges into
    one initializer and an optimizer may simplify away. No trained network looks like that.
    """
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():  # positive, for the variances
                tensor += 0.01 + 0.01 * torch.rand_like(tensor)


def build(architecture: str, device: str = "cpu", untrained: bool = False) -> torch.nn.Module:
    """The network with random weights, in evaluation mode, without auxiliary heads."""
    options = {}
    if architecture in NO_AUXILIARY_HEADS:
        options = {"aux_logits": False, "init_weights": False}
    get_model = _torchvision().models.get_model
    torch.manual_seed(SEED)
    try:
        with torch.device(device):
            model = get_model(architecture, weights=None, **options)
    except NotImplementedError:  # RegNet computes its widths with tensors, so not on "meta"
        model = get_model(architecture, weights=None, **options).to(device)
    model.eval()
    if device == "cpu" and not untrained:
        randomize(model)
    return model


def export(model: torch.nn.Module, variant: Variant, size: int) -> onnx.ModelProto:
    """Export the model for one image of 3×size×size."""
    image = torch.zeros(1, 3, size, size, device=variant.device)
    if not variant.dynamo:
        mode = torch.onnx.TrainingMode
        file = io.BytesIO()
        torch.onnx.export(
            model,
            (image,),
            file,
            dynamo=False,
            opset_version=variant.opset,
            do_constant_folding=variant.optimize,
            training=mode.EVAL if variant.optimize else mode.PRESERVE,
        )
        return onnx.load_from_string(file.getvalue())
    program = torch.onnx.export(
        model,
        (image,),
        dynamo=True,
        opset_version=variant.opset,
        optimize=variant.optimize,
        verbose=False,
    )
    assert program is not None  # it is for dynamo=True
    unknown = _fill_meta_tensors(program.model)
    proto: onnx.ModelProto = program.model_proto
    for tensor in proto.graph.initializer:
        if tensor.name in unknown:
            _drop_payload(tensor)
    return proto


def _fill_meta_tensors(model: onnx_ir.Model) -> set[str]:
    """Give initializers on the meta device zeros, which can be serialized; return their names."""
    filled = set()
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and isinstance(tensor.raw, torch.Tensor) and tensor.raw.is_meta:
            zeros = np.zeros(tuple(tensor.raw.shape), tensor.dtype.numpy())
            value.const_value = onnx_ir.tensor(zeros, name=name)
            filled.add(name)
    return filled


def _drop_payload(tensor: onnx.TensorProto) -> None:
    fields = ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data")
    for field in (*fields, "external_data", "data_location"):
        tensor.ClearField(field)


def _is_weight(tensor: onnx.TensorProto) -> bool:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    elements = int(np.prod(tensor.dims, dtype=np.int64))
    is_float = np.issubdtype(dtype, np.floating)
    return elements * dtype.itemsize > PAYLOAD_LIMIT or (is_float and elements > FLOAT_LIMIT)


def _messages(message: Any) -> Iterator[Any]:
    """The protobuf message and all inside it, to any depth."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in value if field.is_repeated else (value,):
                yield from _messages(child)


def _shapes(model: onnx.ModelProto) -> dict[str, bytes]:
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    return {value.name: value.SerializeToString() for value in inferred.graph.value_info}


def strip(model: onnx.ModelProto) -> None:
    """Take weights, documentation, stack traces and stored shapes out, in place.

    Raises:
        ValueError: shape inference finds less in the stripped model than in the whole one.
    """
    for message in _messages(model):
        for field in ("doc_string", "metadata_props", "value_info"):
            if field in message.DESCRIPTOR.fields_by_name:
                message.ClearField(field)
    before = _shapes(model)
    for message in _messages(model):
        if isinstance(message, onnx.TensorProto) and _is_weight(message):
            _drop_payload(message)
    after = _shapes(model)
    if after != before:
        changed = [name for name in before if after.get(name) != before[name]]
        raise ValueError(f"stripping changed the inferred shapes of {changed[:5]}")


def parameters(architecture: str) -> dict[str, Any]:
    """What the network consists of: elements, and modules that own parameters, by class."""
    model = build(architecture, device="meta")
    owners = [m for m in model.modules() if any(True for _ in m.parameters(recurse=False))]
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "buffers": sum(b.numel() for b in model.buffers() if b.is_floating_point()),
        "modules": dict(sorted(Counter(type(module).__name__ for module in owners).items())),
    }


def macs(architecture: str, size: int) -> dict[str, Any]:
    """Multiply-accumulates of one image of 3×size×size, as torch counts them, by operator."""
    model = build(architecture, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, size, size, device="meta"))
    flops = counter.get_flop_counts()["Global"]
    counts = {str(operator): count // 2 for operator, count in flops.items()}
    return {"macs": sum(counts.values()), "macs_by_operator": dict(sorted(counts.items()))}
