"""Files of one model, named by an index beside them [Hugging Face, sharded checkpoints].

An index maps each tensor to the file that holds it.  All lie in the index's own folder: what links
out of it is refused, except into the ``blobs`` of a download cache, where snapshots link to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.containers.json_object import LONGEST, json_object
from assay.errors import UnreadableModel
from assay.weights import Weight
from assay.weights.numbers import region

MOST_TENSORS = 200_000  # of a model; the largest known has 140,000
MOST_SHARDS = 2000

Tensors = Callable[[Path], Mapping[str, Weight]]


@dataclass
class Set:
    """What the files of a set hold together."""

    weights: dict[str, Weight] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)  # the index first
    missing: list[str] = field(default_factory=list)  # files that are not there
    notes: Any = None  # what the index says of the whole


def indexed(index: Path, tensors: Tensors) -> Set:
    """The set that ``index`` names; ``tensors`` reads one of its files.

    Raises UnreadableModel where the index is none, or does not fit what the files hold.
    """
    content = object_in(index, "its index")
    places = content.get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(p, str) for p in places.values()):
        raise UnreadableModel("not an index of a set of files: it has no weight_map")
    if len(places) > MOST_TENSORS:
        raise UnreadableModel(f"more than {MOST_TENSORS:,} tensors")
    wanted: dict[str, list[str]] = {}
    for tensor, name in places.items():
        wanted.setdefault(name, []).append(tensor)
    if not wanted or len(wanted) > MOST_SHARDS:
        raise UnreadableModel(f"its index names {len(wanted):,} files")
    found = Set(files=[index], notes=content.get("metadata"))
    for name, path in located(index.parent, sorted(wanted)).items():
        if not path.is_file():
            found.missing.append(name)
            continue
        held = tensors(path)
        join(found.weights, held)
        absent = next((tensor for tensor in sorted(wanted[name]) if tensor not in held), None)
        if absent is not None:
            raise UnreadableModel(f"tensor {absent!r} is not in {name!r}, as its index says")
        found.files.append(path)
    return found


def join(weights: dict[str, Weight], held: Mapping[str, Weight]) -> None:
    """Adds what one more file holds.  Raises UnreadableModel where two files hold one tensor."""
    both = weights.keys() & held.keys()
    if both:
        raise UnreadableModel(f"tensor {min(both)!r} is in two of its files")
    weights.update(held)
    if len(weights) > MOST_TENSORS:
        raise UnreadableModel(f"more than {MOST_TENSORS:,} tensors")


def located(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Where the files of these names lie.  Raises UnreadableModel where that is elsewhere."""
    home = folder.resolve()
    allowed = {home, home.parent.parent / "blobs"}
    found = {}
    for name in names:
        plain = name not in ("", ".", "..") and not set("/\\:\0") & set(name)
        if not plain or (folder / name).resolve().parent not in allowed:
            raise UnreadableModel(f"its file {name!r} lies outside the folder")
        found[name] = folder / name
    return found


def object_in(path: Path, what: str) -> dict[str, Any]:
    """The JSON object that a file holds; its length is looked at first."""
    if not path.is_file():
        raise UnreadableModel(f"{what} is no regular file")
    size = path.stat().st_size
    if size > LONGEST:
        raise UnreadableModel(f"{what} is longer than {LONGEST // 2**20} MiB")
    return json_object(region(path, 0, size), what)
