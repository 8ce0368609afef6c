"""PyTorch modules and exported programs, by way of PyTorch's own exporter [extra ``torch``].

The exporter that builds on torch.export follows shapes only, so a module that was made under
``torch.device("meta")`` is read without its weights ever existing.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from assay.errors import MissingExtra, UnreadableModel
from assay.formats import InputShapes, Model
from assay.graphs.operators import MOST_VALUES, Shape
from assay.vocabularies.inputs import CHANNELS, IMAGE, SEQUENCE
from assay.weights.shapes import shape_of

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, nn
    from torch.export import ExportedProgram

EXTRA = "torch"  # what these imports need, made when a PyTorch model is read


def trace(module: nn.Module, input_shapes: InputShapes) -> Model:
    """The layers of an ``nn.Module`` in evaluation mode.

    ``input_shapes`` gives its positional inputs in order.  Without it: one 1×3×256×256 image, or
    one sequence of 128 token ids where the module begins with an embedding.  Every submodule's
    training mode is put back.

    Raises:
        UnreadableModel: not a module, or the exporter cannot follow it.
        MissingExtra: PyTorch is not installed.
    """
    torch = import_torch()
    from assay.vocabularies.onnx.graph import convert

    if not isinstance(module, torch.nn.Module):
        raise UnreadableModel(f"expected a path or an nn.Module, got {type(module).__name__}")
    with _evaluating(module):
        proto = to_onnx(module, _examples(module, list(input_shapes.values()), torch))
    converted = convert(proto, {})
    producer = {"producer": f"pytorch {torch.__version__}"}
    return Model("torch-module", converted.layers, (), {**producer, **converted.notes})


def to_onnx(source: nn.Module | ExportedProgram, inputs: tuple[Tensor, ...]) -> ModelProto:
    """The ONNX model, without weights.  Raises UnreadableModel where it cannot be followed."""
    torch = import_torch()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's own advice; errors are raised
        try:
            exported = torch.onnx.export(source, inputs, dynamo=True, optimize=False, verbose=False)
        except Exception as error:  # the module's own code runs in it, and may raise anything
            raise UnreadableModel(f"PyTorch cannot export it: {reason(error)}") from error
    return _light_proto(exported.model)


def import_torch() -> Any:
    """The module ``torch``.  Raises MissingExtra where PyTorch or its exporter is missing."""
    try:
        import onnxscript  # noqa: F401 - the exporter needs it
        import torch
        import torch.onnx
    except ImportError as error:
        raise MissingExtra(
            f"PyTorch models need PyTorch and onnxscript ({error}): pip install 'assay[torch]'"
        ) from error
    return torch


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Modes are put back one by one: a frozen part of a module in training stays frozen."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        yield
    finally:
        for part, training in modes:
            part.training = training


def _examples(module: nn.Module, shapes: list[Shape], torch: Any) -> tuple[Tensor, ...]:
    """Inputs of these shapes, where the module's weights are and of their type."""
    tensors = [*module.parameters(), *module.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    dtype = next((t.dtype for t in tensors if t.is_floating_point()), torch.float32)
    reads_ids = isinstance(_first_layer(module), torch.nn.Embedding)
    if not shapes:
        shapes = [(1, SEQUENCE) if reads_ids else (1, CHANNELS, IMAGE, IMAGE)]
    return tuple(
        torch.zeros(
            shape_of("an input", shape),
            device=device,
            dtype=torch.int64 if reads_ids and len(shape) < 3 else dtype,
        )
        for shape in shapes
    )


def _first_layer(module: nn.Module) -> nn.Module | None:
    """The first part that has weights of its own, in the order in which they were made."""
    for part in module.modules():
        if next(part.parameters(recurse=False), None) is not None:
            return part
    return None


def _light_proto(model: Any) -> ModelProto:
    """The program's ONNX without weights: only small tensors that exist keep their values."""
    import onnx_ir

    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        missing = getattr(getattr(tensor, "raw", None), "is_meta", False)
        if tensor is not None and (missing or tensor.size > MOST_VALUES):
            value.const_value = onnx_ir.ExternalTensor(
                "weights", None, None, tensor.dtype, shape=tensor.shape, name=name
            )
    proto: ModelProto = onnx_ir.to_proto(model)
    return proto


def reason(error: BaseException) -> str:
    """The first line of what went wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
