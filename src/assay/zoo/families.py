"""Families: trained models of the same configuration whose lineage is known.

Every claim about descent is tested on them.  ``build`` trains what a folder lacks.
"""

from __future__ import annotations

from pathlib import Path

from assay.errors import BadOption
from assay.values import Json
from assay.zoo import _building
from assay.zoo._building import Failed, Shown, load
from assay.zoo._families import EDITIONS, Edition, members, plan
from assay.zoo._members import Member

__all__ = ["EDITIONS", "Edition", "Failed", "Member", "build", "load", "members", "records"]


def build(
    folder: Path,
    edition: str = "full",
    *,
    jobs: int = 1,
    data: Path | None = None,
    progress: Shown | None = None,
) -> list[Json]:
    """Make the members of an edition that ``folder`` lacks; the records of all, in their order.

    Args:
        folder: For ``<name>.safetensors``, or ``.onnx`` where a method changed the layers, and
            ``<name>.json``, the record.  A folder holds one edition.
        edition: Name of one of ``EDITIONS``.
        jobs: Processes, each on one thread; the files do not depend on it.
        data: Folder with the datasets, as ``assay.zoo.datasets`` looks for them.
        progress: Called with a name when it is done, how many are, and of how many.

    Raises:
        Failed: some could not be made, for want of a dataset for example; the others are there.
        BadOption: there is no such edition, or the folder holds another one.
        BadData: ``data`` is no folder.
    """
    if edition not in EDITIONS:
        raise BadOption(f"no edition {edition!r}: choose from {[*EDITIONS]}")
    return _building.build(folder, plan(edition), jobs=jobs, data=data, progress=progress)


def records(folder: Path) -> list[Json]:
    """What is known of each model that ``folder`` has: in the order of the edition."""
    return _building.records(folder, members(EDITIONS[_building.held(folder, EDITIONS)]))
