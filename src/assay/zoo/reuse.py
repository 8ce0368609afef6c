"""The reuse benchmark: models reused in every known way, and strangers that are as good.

[ModelDiff, ISSTA 2021, §5, at the size of two CPU cores.]  Roots are adapted by owners to tasks of
other classes, and owners' models pruned, quantized, distilled and stolen by thieves.  The ground is
harder than the paper's: several roots of one architecture, which therefore tells nothing; whole
int8 networks; thieves with pictures of their own, who may see labels alone; strangers as accurate.
"""

from __future__ import annotations

from pathlib import Path

from assay.errors import BadOption
from assay.values import Json
from assay.zoo import _building
from assay.zoo._building import Failed, Shown, load
from assay.zoo._reuse_pairs import HARD, Contest, Pair, contests, pairs
from assay.zoo._reused import EDITIONS, Edition, plan, subset

__all__ = [
    "EDITIONS", "HARD", "Contest", "Edition", "Failed", "Pair", "build", "contests", "load",
    "pairs", "plan", "records", "subset",
]  # fmt: skip


def build(
    folder: Path,
    edition: str = "reuse",
    *,
    first: bool = False,
    jobs: int = 1,
    data: Path | None = None,
    progress: Shown | None = None,
) -> list[Json]:
    """Make the models of an edition that ``folder`` lacks; the records of those that are there.

    Args:
        folder: For ``<name>.safetensors``, or ``.onnx`` where a method changed the layers, and
            ``<name>.json``, the record.  A folder holds one edition.
        edition: Name of one of ``EDITIONS``.
        first: Whether to make the edition's subset alone; the same folder can be gone on with.
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
    only = {member.name for member in subset(EDITIONS[edition])} if first else None
    return _building.build(
        folder, plan(edition), only=only, jobs=jobs, data=data, progress=progress
    )


def records(folder: Path) -> list[Json]:
    """What is known of each model that ``folder`` has: in the order of the plan."""
    return _building.records(folder, plan(_building.held(folder, EDITIONS)).members)
