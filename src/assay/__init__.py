"""Whose model is it?  Hash, register and search neural networks, with evidence for every answer.

A model file becomes a layer graph, the graph becomes a code, and near codes are near models:

>>> import assay
>>> h = assay.hash("resnet50.onnx")
>>> h - assay.hash("renamed.onnx")  # Hamming distance in bits
0
>>> h - assay.hash("vgg19.onnx") > 0
True

A code says what a model is made of.  It survives text, so it can be kept anywhere:

>>> assay.HashCode.parse(str(h)) == h
True

Two files are compared by what is in them, not by their codes:

>>> kin = assay.compare("renamed.onnx", "resnet50.onnx")
>>> print(kin.relation)
same-architecture

A registry remembers models and their owners, and says whom a suspect looks like:

>>> with assay.Registry.open("registry") as registry:
...     added = registry.add("resnet50.onnx", owner="alice")
...     report = registry.check("renamed.onnx")
>>> print(report.verdict, report.matches[0].record.owner)
same-architecture alice

A match is a lead.  Equal layer graphs mean "same architecture", never "derived": two networks
trained apart with one configuration are independent.  docs/threat-model.md says what a verdict
can and cannot say.

Importing this package imports neither NumPy nor onnx: a name's module is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch.nn import Module

    from assay.errors import AssayError
    from assay.hashers import Hasher
    from assay.registry import Registry
    from assay.values import (
        Evidence,
        HashCode,
        Kin,
        Layer,
        LayerGraph,
        Match,
        Record,
        Relation,
        Report,
    )

__version__ = "0.1.0.dev0"

__all__ = [
    "AssayError",
    "Evidence",
    "HashCode",
    "Kin",
    "Layer",
    "LayerGraph",
    "Match",
    "Record",
    "Registry",
    "Relation",
    "Report",
    "compare",
    "hash",
]

_HOMES = {"AssayError": "assay.errors", "Registry": "assay.registry"}  # the others: assay.values


def hash(
    source: str | Path | Module,
    input_shape: Mapping[str, tuple[int, ...]] | None = None,
    hasher: str | None = None,
    bits: int | None = None,
) -> HashCode | None:
    """The code of a model file, or of a ``torch.nn.Module``; None where it has no graph.

    ``input_shape`` makes inputs with open dimensions concrete, by name ("" for the only one).
    ``hasher`` and ``bits`` are the default's where they are not given.  The weights are not read.

    Raises:
        UnreadableModel: it is not a model; the message begins with the path.
        MissingExtra: reading it needs PyTorch.
        UnknownMethod: there is no such hasher.
        BadOption: the hasher has no codes of so many bits.
    """
    from assay.examine import DEFAULT_HASHER, examine
    from assay.hashers import HASHERS

    method: Callable[..., Hasher] = HASHERS[hasher or DEFAULT_HASHER]
    made = method() if bits is None else method(bits=bits)
    return examine(source, input_shape=input_shape, hasher=made, digest=False).code


def compare(suspect: str | Path, source: str | Path) -> Kin:
    """How the file ``suspect`` is related to the file ``source``, and the evidence for it.

    ``assay.comparing`` compares with several sources, and says what bases explain.

    Raises UnreadableModel where one of them is not a model.
    """
    from assay.comparing import Comparing
    from assay.examine import Opened

    opened = Opened()
    opened.open(suspect)
    opened.open(source)
    (found,) = Comparing(opened).report().matches
    return found


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "assay.values")), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
