"""PyTorch modules and exported programs, by way of PyTorch's own exporter [extra ``torch``].

The exporter that builds on torch.export follows shapes only, so a module that was made under
``torch.device("meta")`` is read without its weights ever existing.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtra, UnreadableModel
from assay.formats import InputShapes, Model
from assay.formats._inputs import CHANNELS, IMAGE
from assay.graphs.operators import MOST_VALUES

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn
    from torch.export import ExportedProgram

EXTRA = "torch"  # imported only when a PyTorch model is read
_DEFAULT = (1, CHANNELS, IMAGE, IMAGE)


def trace(module: nn.Module, input_shapes: InputShapes) -> Model:
    """The layers of an ``nn.Module`` in evaluation mode.

    ``input_shapes`` gives its positional inputs in order (float; default: one 1×3×256×256 image).
    The module's training mode is put back.

    Raises:
        UnreadableModel: not a module, or the exporter cannot follow it.
        MissingExtra: PyTorch is not installed.
    """
    torch = _torch()
    if not isinstance(module, torch.nn.Module):
        raise UnreadableModel(f"expected a path or an nn.Module, got {type(module).__name__}")
    tensors = [*module.parameters(), *module.buffers()]
    device = tensors[0].device if tensors else "cpu"
    dtype = next((t.dtype for t in tensors if t.is_floating_point()), torch.float32)
    shapes = list(input_shapes.values()) or [_DEFAULT]
    inputs = tuple(torch.zeros(shape, device=device, dtype=dtype) for shape in shapes)
    training = module.training
    try:
        return _exported(module.eval(), inputs, "torch-module")
    finally:
        module.train(training)


def program_model(program: ExportedProgram) -> Model:
    """The layers of an exported program.  Raises UnreadableModel where it cannot be followed."""
    return _exported(program, (), "torch-export")


def _exported(source: nn.Module | ExportedProgram, inputs: tuple[Any, ...], name: str) -> Model:
    from assay.formats._onnx_graph import convert

    torch = _torch()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's own advice; errors are raised
        try:
            exported = torch.onnx.export(source, inputs, dynamo=True, optimize=False, verbose=False)
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            raise UnreadableModel(f"PyTorch cannot export it: {_reason(error)}") from error
    proto = _light_proto(exported.model)
    converted = convert(proto, {})
    producer = {"producer": f"pytorch {torch.__version__}"}
    return Model(name, converted.layers, (), {**producer, **converted.notes})


def _light_proto(model: Any) -> ModelProto:
    """The program's ONNX without weights: only small tensors that exist keep their values."""
    import onnx_ir

    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        missing = getattr(getattr(tensor, "raw", None), "is_meta", False)
        if tensor is not None and (missing or tensor.size > MOST_VALUES):
            value.const_value = onnx_ir.ExternalTensor(
                "weights", 0, 0, tensor.dtype, shape=tensor.shape, name=name
            )
    proto: ModelProto = onnx_ir.to_proto(model)
    return proto


def _reason(error: BaseException) -> str:
    """The first line of what went wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"


def _torch() -> Any:
    try:
        import onnxscript  # noqa: F401 - the exporter needs it
        import torch
        import torch.onnx
    except ImportError as error:
        raise MissingExtra(
            f"PyTorch models need PyTorch and onnxscript ({error}): pip install 'assay[torch]'"
        ) from error
    return torch
