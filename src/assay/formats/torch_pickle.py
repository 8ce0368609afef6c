"""PyTorch ``.pt`` and ``.pth`` files: state dicts, checkpoints, whole modules [torch.save].

The pickle in them is read, never run: of a whole module the tensors are found where its objects
would have kept them, by the names that its ``state_dict`` would have.
"""

from __future__ import annotations

from pathlib import Path

from assay.containers.archives import ZIP
from assay.containers.pickled_weights import weights
from assay.containers.sources import source_of
from assay.containers.torch_files import is_pickled, saved
from assay.formats import Format, InputShapes, Model
from assay.weights.indices import without_indices

_OTHERS = (b"/code/", b"/constants.pkl", b"/archive_format", b"/model.json")


class TorchPickle(Format):
    """The weights of a file that ``torch.save`` has written.  It has no graph."""

    suffixes = (".pt", ".pth", ".ckpt", ".bin", ".pth.tar")
    beside = False
    guesses = True

    def sniff(self, head: bytes) -> bool:
        if head.startswith(ZIP):
            return b"/data.pkl" in head and not any(name in head for name in _OTHERS)
        return is_pickled(head)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        value, notes = saved(source_of(path))
        found, more = weights(value, path.stat().st_size, "tensor")
        return Model("torch-pickle", None, (path,), {**notes, **more}, without_indices(found))
