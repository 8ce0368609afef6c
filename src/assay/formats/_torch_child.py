"""A child process that reads one ``.pt2`` file: limited, and lost without harm.

It writes one byte and then the program as an ONNX model without weights, or what is wrong.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from assay.errors import MissingExtra, UnreadableModel

DONE, WRONG, MISSING = b"+", b"-", b"?"
PATIENCE_S = 600  # by the clock; the limits below are of the child's own time
_CHECK_S, _CHECK_BYTES = 5, 400 * 2**20  # to check an archive
_FOLLOW_S, _FOLLOW_BYTES = 20, 2**30  # to import PyTorch and to follow a small program
_OPERATORS_A_SECOND, _BYTES_AN_OPERATOR = 40, 2**16  # for larger ones; both many times the usual


def main() -> None:
    """Reads the archive that ``sys.argv[1]`` names, writes the outcome to standard output."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever PyTorch prints is no part of the answer
    try:
        answer.write(DONE + _followed(Path(sys.argv[1])))
    except MissingExtra as error:
        answer.write(MISSING + str(error).encode())
    except UnreadableModel as error:
        answer.write(WRONG + str(error).encode())
    except MemoryError:
        answer.write(WRONG + b"it takes too much memory to read")
    answer.close()


def _followed(path: Path) -> bytes:
    _limit(_CHECK_S, _CHECK_BYTES)
    from assay.formats._torch_archive import rebuilt

    archive, operators = rebuilt(path)
    seconds = _CHECK_S + _FOLLOW_S + operators // _OPERATORS_A_SECOND
    _limit(seconds, _FOLLOW_BYTES + operators * _BYTES_AN_OPERATOR)
    from assay.formats._torch import import_torch, reason, to_onnx

    torch = import_torch()
    if b"torch.ops.quantized_decomposed." in archive.getvalue():
        import_module("torch.ao.quantization.fx._decomposed")  # defines them
    causes = _Causes()
    logging.getLogger("torch.export").addHandler(causes)
    try:
        program = torch.export.load(archive)
    except Exception as error:  # anything at all: the program is hostile, the loader trusting
        cause = reason(causes.last or error)
        raise UnreadableModel(f"PyTorch cannot load it: {cause}") from error
    _check_operators(program, torch)
    proto: bytes = to_onnx(program, ()).SerializeToString()
    return proto


class _Causes(logging.Handler):
    """The loader logs what is wrong, and then raises that something was."""

    last: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.exc_info[1] if record.exc_info else None


def _check_operators(program: Any, torch: Any) -> None:
    """Names were checked before; here, that they are tensor operators and open no files."""
    for module in program.graph_module.modules():
        for node in getattr(module, "graph", torch.fx.Graph()).nodes:
            target = node.target
            if node.op != "call_function" or not str(target).startswith(("aten", "prims")):
                continue
            is_operator = isinstance(target, torch._ops.OpOverload)
            if not is_operator or not torch._C._dispatch_has_kernel(target.name()):
                raise UnreadableModel(f"it calls {str(target)[:80]!r}, which is no ATen operator")
            if any(argument.name == "filename" for argument in target._schema.arguments):
                raise UnreadableModel(f"it calls {str(target)[:80]!r}, which opens files")


def _limit(seconds: int, data: int) -> None:
    """From now on, the process may take so much in all."""
    if sys.platform == "win32":
        return  # no limits there: the parent's patience remains
    import resource

    for kind, limit in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_DATA, data)):
        _, most = resource.getrlimit(kind)
        resource.setrlimit(kind, (limit if most < 0 else min(limit, most), most))
