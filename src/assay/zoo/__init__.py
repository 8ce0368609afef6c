"""The zoo: layer graphs of published architectures, each with its family, without any weights.

They are what hash networks are trained on and judged by.  A family is one design, so its members
differ in size and in detail; no two networks have the same graph.  21 of torchvision stand for the
paper's dataset [HNN-Net, Table 1].  ``contents.json`` beside this file lists the families, the
names that have another's graph, and what could not be read, with the reason;
``scripts/make_zoo_graphs.py`` makes both files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from assay.durable import write_whole
from assay.errors import BadData
from assay.zoo._stored import LARGEST, SUFFIX, Architecture, pack, unpack

__all__ = [
    "GRAPHS", "HNN_NET", "SUFFIX", "Architecture", "architectures", "paper_architectures",
    "read_zoo", "write_zoo",
]  # fmt: skip

GRAPHS = Path(__file__).with_name("graphs.jsonl.xz")

# The name and the category of each model of HNN-Net's Table 1.  The table prints a 22nd,
# "squeezenet v2_x0_5", which is ShuffleNet's and stands there by mistake.
HNN_NET = (
    ("vgg11", "vgg"),
    ("vgg13", "vgg"),
    ("vgg16", "vgg"),
    ("resnet18", "resnet"),
    ("resnet34", "resnet"),
    ("resnet101", "resnet"),
    ("mnasnet0_75", "mnasnet"),
    ("mnasnet1_0", "mnasnet"),
    ("mnasnet1_3", "mnasnet"),
    ("densenet121", "densenet"),
    ("densenet161", "densenet"),
    ("densenet201", "densenet"),
    ("squeezenet1_0", "squeezenet"),
    ("squeezenet1_1", "squeezenet"),
    ("shufflenet_v2_x0_5", "shufflenet"),
    ("shufflenet_v2_x1_5", "shufflenet"),
    ("shufflenet_v2_x2_0", "shufflenet"),
    ("alexnet", "alexnet"),
    ("inception_v3", "inception"),
    ("mobilenet_v2", "mobilenet"),
    ("googlenet", "googlenet"),
)


def architectures(source: str | None = None) -> tuple[Architecture, ...]:
    """All of the zoo, or those of one source, by name.

    ``source`` is a package with or without its version: "timm" or "timm 1.0.31".
    The file is read at the first call.
    """
    if source is None:
        return _all()
    return tuple(a for a in _all() if source in (a.source, a.source.partition(" ")[0]))


def paper_architectures() -> tuple[Architecture, ...]:
    """The 21 models of HNN-Net's Table 1 in its order, each with the paper's category as family."""
    by_name = {architecture.name: architecture for architecture in _all()}
    return tuple(replace(by_name[name], family=category) for name, category in HNN_NET)


def read_zoo(file: str | Path) -> tuple[Architecture, ...]:
    """The architectures of another zoo, which ``write_zoo`` wrote.

    Raises BadData where the file is none, OSError where it cannot be read.
    """
    try:
        return unpack(Path(file).read_bytes())
    except BadData as error:
        raise BadData(f"{file}: {error}") from error


def write_zoo(file: str | Path, found: Iterable[Architecture], largest: int = LARGEST) -> None:
    """Write a zoo of one's own, whole or not at all.

    Raises OSError, and BadData where it would be larger than what ``read_zoo`` accepts: more than
    ``largest`` bytes before it is compressed.
    """
    try:
        content = pack(found, largest)
    except BadData as error:
        raise BadData(f"{file}: {error}") from error
    write_whole(Path(file), content)


@cache
def _all() -> tuple[Architecture, ...]:
    return unpack(GRAPHS.read_bytes())
