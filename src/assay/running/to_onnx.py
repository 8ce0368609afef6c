"""A torch module as an ONNX file: its weights inside, under the names that the module gives them.

The graph is what torch's exporter writes, without its optimizer, notes of source code or
anything else that depends on where and when it ran: the same module gives the same bytes.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay.durable import write_whole
from assay.errors import UnfitModel
from assay.running.modules import evaluating

EXTRA = "torch"


def export(module: nn.Module, example: Tensor, path: Path) -> None:
    """Write ``module`` as ``path``, whole or not at all; the module stays as it was.

    ``example`` is one input, (1, …).  The file takes batches of any size where torch can tell that
    the module does, else of one.

    Raises:
        UnfitModel: torch cannot export it.
        OSError: the file cannot be written.
    """
    with evaluating(module), _quiet():
        try:
            proto = _exported(module, torch.cat([example, example]), is_dynamic=True)
            is_fixed = _is_fixed(proto)
        except torch.onnx.OnnxExporterError:
            is_fixed = True
        try:
            proto = _exported(module, example, is_dynamic=False) if is_fixed else proto
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().partition("\n")[0]
            kind = type(module).__name__
            raise UnfitModel(f"torch cannot export this {kind} to ONNX: {reason}") from error
    write_whole(path, _plain(proto).SerializeToString(deterministic=True))


def _exported(module: nn.Module, example: Tensor, *, is_dynamic: bool) -> Any:
    shapes: Any = ({0: torch.export.Dim.AUTO},) if is_dynamic else None
    kinds = {each.kind for each in signature(module.forward).parameters.values()}
    if is_dynamic and Parameter.VAR_POSITIONAL in kinds:  # all inputs as one tuple
        shapes = (shapes,)
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        optimize=False,
        verbose=False,
        dynamic_shapes=shapes,
    )
    return program.model_proto


def _is_fixed(proto: Any) -> bool:
    return bool(proto.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value"))


def _plain(proto: Any) -> Any:
    """Without what says where and when it was made."""
    graph = proto.graph
    values = (*graph.input, *graph.output, *graph.value_info)
    for part in (proto, graph, *graph.node, *graph.initializer, *values):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of its own workings."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        nowhere = io.StringIO()
        with redirect_stdout(nowhere), redirect_stderr(nowhere), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
