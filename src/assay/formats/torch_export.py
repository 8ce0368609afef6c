"""PyTorch ``.pt2`` archives [extra ``torch``]: rebuilt without what could execute, then followed.

PyTorch was not made to read hostile files, so its loader and its exporter run in a child process,
which may take only so much memory and time (``_torch_child``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from assay.errors import MissingExtra, UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.formats._torch_child import DONE, MISSING, PATIENCE_S

# The child finds its modules where this process does, and nowhere else.
_CHILD = (
    "import sys; sys.path[:] = sys.argv[2:];"
    " from assay.formats import _torch_child; _torch_child.main()"
)

EXTRA = "torch"  # what these imports need, made when a PyTorch model is read


class TorchExport(Format):
    """The program of a ``.pt2`` file, as ``torch.export.save`` writes it since PyTorch 2.8."""

    suffixes = (".pt2",)

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"PK\x03\x04") and b"archive_format" in head

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        if not zipfile.is_zipfile(path):
            raise UnreadableModel("not a .pt2 archive: it is no zip file, or cut")
        proto = _in_child(path)
        from onnx import ModelProto

        from assay.vocabularies.onnx_graph import convert

        program = ModelProto.FromString(proto)
        converted = convert(program, input_shapes)
        producer = f"{program.producer_name} {program.producer_version}".strip()
        metadata = {"producer": producer, **converted.notes}
        return Model("torch-export", converted.layers, (path,), metadata)


def _in_child(path: Path) -> bytes:
    """The program as a serialized ONNX model without weights.

    Raises:
        UnreadableModel: the archive is none, cannot be followed, or takes too much to follow.
        MissingExtra: PyTorch is not installed.
    """
    command = [sys.executable, "-P", "-c", _CHILD, str(path.absolute()), *filter(None, sys.path)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        child = subprocess.run(
            command,
            env={**os.environ, **threads},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableModel(f"PyTorch did not follow it within {PATIENCE_S} s") from error
    kind, content = child.stdout[:1], child.stdout[1:]
    if child.returncode == 0 and kind == DONE:
        return content
    if not kind or kind == DONE:
        raise UnreadableModel(
            "PyTorch took too much time or memory to follow it, or crashed"
            f" (status {child.returncode})"
        )
    text = content.decode("utf-8", "replace")
    raise MissingExtra(text) if kind == MISSING else UnreadableModel(text)
