"""PyTorch ``.pt2`` archives [extra ``torch``]: rebuilt without what could execute, then followed.

PyTorch was not made to read hostile files, so its loader and its exporter run in a child process,
which may take only so much memory and time (``_torch_child``).  They never see the weights: those
are read from the archive itself, named as the program's parameters, buffers and constants.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from assay.containers.archives import ZIP
from assay.containers.torch_payloads import OLD_PROGRAM
from assay.errors import MissingExtra, UnreadableModel, UnwritableModel
from assay.formats import Format, InputShapes, Model
from assay.formats._torch_child import DONE, MISSING, PATIENCE_S

# The child finds its modules where this process does, and nowhere else.
_CHILD = (
    "import sys; sys.path[:] = sys.argv[2:];"
    " from assay.formats import _torch_child; _torch_child.main()"
)

EXTRA = "torch"  # what these imports need, made when a PyTorch model is read


class TorchExport(Format):
    """The program of a ``.pt2`` file, as ``torch.export.save`` writes it."""

    suffixes = (".pt2",)

    def sniff(self, head: bytes) -> bool:
        return head.startswith(ZIP) and (b"archive_format" in head or OLD_PROGRAM.encode() in head)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        if not zipfile.is_zipfile(path):
            raise UnreadableModel("not a .pt2 archive: it is no zip file, or cut")
        proto = _in_child(path)
        from onnx import ModelProto

        from assay.formats._torch_weights import weights
        from assay.vocabularies.onnx.graph import convert

        program = ModelProto.FromString(proto)
        converted = convert(program, input_shapes)
        producer = f"{program.producer_name} {program.producer_version}".strip()
        metadata = {"producer": producer, **converted.notes}
        found = weights(converted, path)
        return Model("torch-export", converted.layers, (path,), metadata, found)

    def write(self, model: Model, path: Path) -> None:
        """The file that ``model`` was read from, with the weights that ``model`` has.

        Raises UnwritableModel where it was read from a file of another format, or where they do
        not fit its tensors.
        """
        if model.format != "torch-export":
            raise UnwritableModel(
                "a .pt2 file is written only from one, with other weights: export the model by"
                " torch.export.save, or write it as .onnx or .safetensors"
            )
        from assay.formats._torch_write import rewrite

        rewrite(self.read(model.files[0], {}), model, path)


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
