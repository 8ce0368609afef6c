"""TorchScript archives [torch.jit.save].

A zip archive of the program (``code/``), of the modules' attributes (``data.pkl``) and of constants
(``constants.pkl``).  Tensors have the dotted names of their attributes.  The program is followed,
never run (``vocabularies.torchscript``); where it cannot be, the weights alone are read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from assay.containers.archives import member, members
from assay.containers.pickle_opcodes import Known, Pickled
from assay.containers.pickled_tensors import CONSTRUCTORS
from assay.containers.pickled_weights import Found, Walk, by_name, inert
from assay.containers.sources import Source
from assay.containers.strided import Strided
from assay.containers.torch_storages import Storages
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.graphs.operators import OperatorGraph
from assay.vocabularies.inputs import IMAGE
from assay.weights import Weight
from assay.weights.indices import without_indices
from assay.weights.layout import Stored, Weights


class Torchscript(Format):
    """The program of a TorchScript archive as a graph, and its tensors."""

    suffixes = (".jit", ".torchscript", ".ptl")
    beside = False

    def sniff(self, head: bytes) -> bool:
        return head.startswith(b"PK\x03\x04") and b"/data.pkl" in head and b"/code/" in head

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        listed = members(path)
        roots = [name.removesuffix("data.pkl") for name in listed if name.endswith("/data.pkl")]
        roots = [root for root in roots if root.count("/") == 1]
        if len(roots) != 1 or not any(name.startswith(f"{roots[0]}code/") for name in listed):
            raise UnreadableModel("not a TorchScript archive: it has no data.pkl, or no code")
        walk, classes = Walk(path.stat().st_size), set[str]()
        module = _value(path, listed, roots[0], "data", classes)
        found, constants = walk.find(module), ()
        if f"{roots[0]}constants.pkl" in listed:
            constants = _value(path, listed, roots[0], "constants", classes)
            found = _apart(found, walk.find(constants, "constants"))
        if not found:
            raise UnreadableModel("it holds no tensors")
        found, same = _once(found)
        weights = by_name(found)
        others = {name for name in classes if not name.startswith("__torch__.")}
        metadata: dict[str, Any] = {"producer": "TorchScript", **inert(others)}
        names = {id(tensor): name for (_, tensor), name in zip(found, weights, strict=True)}
        names |= {twin: names[tensor] for twin, tensor in same.items()}
        from assay.vocabularies.torchscript.inputs import Program
        from assay.vocabularies.torchscript.source import Source as Code
        from assay.vocabularies.torchscript.source import Unfollowable

        code = Code(_files(path, listed, f"{roots[0]}code/"))
        program = Program(code, module, constants, names, input_shapes)
        try:
            graph = program.graph()
        except Unfollowable as error:
            metadata["graph"] = f"not read: {error}"
            return Model("torchscript", None, (path,), metadata, without_indices(weights))
        if program.numbers:
            metadata["assumed_numbers"] = dict(program.numbers)
        if program.image not in (0, IMAGE):
            metadata["assumed_image_size"] = program.image
        return Model("torchscript", graph, (path,), metadata, _laid_out(graph, found, weights))


def _once(found: Found) -> tuple[Found, dict[int, int]]:
    """Without tensors that show the same numbers; which is which, by identity."""
    first: dict[Any, Any] = {}
    same = {}
    kept = []
    for name, tensor in found:
        seen: Any = id(tensor)
        if isinstance(tensor, Strided) and tensor.affine is None:
            place = id(tensor.storage), tensor.offset, tensor.shape, tensor.strides
            seen = (*place, tensor.dtype)
        if seen in first:
            same[id(tensor)] = id(first[seen])
        else:
            first[seen] = tensor
            kept.append((name, tensor))
    return kept, same


def _laid_out(graph: OperatorGraph, found: Found, weights: Mapping[str, Weight]) -> Weights:
    """In canonical layout; numbers that are quantized are read as what they stand for."""
    quantized = {
        name
        for (_, tensor), name in zip(found, weights, strict=True)
        if isinstance(tensor, Strided) and tensor.affine is not None
    }
    return Weights(
        graph,
        {
            name: Stored(weight.shape, weight.dtype, weight.read, real=name in quantized)
            for name, weight in weights.items()
        },
    )


def _files(
    path: Path, listed: Mapping[str, zipfile.ZipInfo], folder: str
) -> dict[str, Callable[[int], bytes]]:
    """What reads the files of the program, by their path in its folder."""

    def content(info: zipfile.ZipInfo, most: int) -> bytes:
        return member(path, info).read(0, min(info.file_size, most))

    return {
        name.removeprefix(folder): partial(content, info)
        for name, info in listed.items()
        if name.startswith(folder) and name.endswith(".py")
    }


def _value(
    path: Path, listed: Mapping[str, zipfile.ZipInfo], root: str, kind: str, classes: set[str]
) -> Any:
    """What ``data.pkl`` or ``constants.pkl`` gives; adds to ``classes`` those that stayed inert."""

    def open_storage(key: str) -> Source:
        info = listed.get(f"{root}{kind}/{key}")
        if info is None:
            raise UnreadableModel(f"storage {key!r:.100} is missing")
        return member(path, info)

    order = listed.get(f"{root}byteorder")
    is_big = order is not None and member(path, order).read(0, min(order.file_size, 8)) == b"big"
    known = Known(CONSTRUCTORS, Storages(open_storage, is_big), classes)
    return Pickled(member(path, listed[f"{root}{kind}.pkl"]), known).load()


def _apart(tensors: Found, constants: Found) -> Found:
    """Both; an attribute's name wins over a constant's."""
    names = {name for name, _ in tensors}
    return tensors + [(name if name not in names else f"{name}'", t) for name, t in constants]
