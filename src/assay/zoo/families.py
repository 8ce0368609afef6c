"""Families: trained models of the same configuration whose lineage is known.

Every claim about descent is tested on them.  ``build`` trains what a folder lacks; a model's record
is written last, so that what was killed is made again, or goes on from its checkpoint.  Another
processor or version of torch rounds otherwise: weights, and their digests, are then others.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.durable import write_whole
from assay.errors import BadData, BadOption, UnknownModel
from assay.values import Json
from assay.zoo._members import EDITIONS, Edition, Member, members

if TYPE_CHECKING:
    from torch import nn

__all__ = ["EDITIONS", "Edition", "Failed", "Member", "build", "load", "members", "records"]

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class Failed(Exception):
    """Members that could not be made, and why; the others are there."""

    reasons: Mapping[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {reason}" for name, reason in self.reasons.items())


def build(
    folder: Path,
    edition: str = "full",
    *,
    jobs: int = 1,
    data: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
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
    if jobs < 1:
        raise BadOption(f"jobs must be 1 or more, not {jobs}")
    if data is not None and not data.is_dir():
        raise BadData(f"{data}: no such folder")
    _claim(folder, edition)
    everyone = {member.name: member for member in members(EDITIONS[edition])}
    done = {name for name in everyone if (folder / f"{name}.json").exists()}
    failures: dict[str, str] = {}

    def finished(name: str, error: BaseException | None) -> None:
        if error is None:
            done.add(name)
        else:
            failures[name] = f"{type(error).__name__}: {error}"
        if progress is not None:
            progress(name, len(done), len(everyone))

    _run(folder, edition, data, everyone, done, finished, jobs)
    if failures:
        raise Failed(failures)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return records(folder)


def records(folder: Path) -> list[Json]:
    """What is known of each model that ``folder`` has: in the order of the edition."""
    edition = EDITIONS[json.loads((folder / "edition.json").read_text())["edition"]]
    files = (folder / f"{member.name}.json" for member in members(edition))
    return [json.loads(file.read_text()) for file in files if file.exists()]


def load(folder: Path, name: str) -> nn.Module:
    """A trained model (extra ``torch``), in evaluation mode.  Raises UnknownModel."""
    from assay.zoo._making import read

    if not (folder / f"{name}.json").exists():
        raise UnknownModel(f"{folder}: has no model {name!r}")
    return read(folder, name)


def _claim(folder: Path, edition: str) -> None:
    """One folder holds one edition, made by one plan: models of two would be taken for each other.

    Raises BadOption where it holds another.
    """
    plan = hashlib.sha256(repr(members(EDITIONS[edition])).encode()).hexdigest()
    wanted = {"edition": edition, "plan": plan}
    file = folder / "edition.json"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        write_whole(file, (json.dumps(wanted) + "\n").encode())
    held = json.loads(file.read_text())
    if held["edition"] != edition:
        raise BadOption(f"{folder}: holds the edition {held['edition']!r}, not {edition!r}")
    if held != wanted:
        raise BadOption(f"{folder}: was made by another version's plan: give an empty folder")


def _run(
    folder: Path,
    edition: str,
    data: Path | None,
    everyone: Mapping[str, Member],
    done: set[str],
    finished: Callable[[str, BaseException | None], None],
    jobs: int,
) -> None:
    """Make what is missing, each after its parents; what has no parents to be had is left."""
    from assay.zoo._making import make

    waiting = [member for name, member in everyone.items() if name not in done]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        running: dict[Future[None], str] = {}
        while waiting or running:
            ready = [m for m in waiting if done.issuperset(m.parents)][: 2 * jobs - len(running)]
            for member in ready:
                waiting.remove(member)
                try:
                    future = pool.submit(make, folder, EDITIONS[edition], data, member)
                except BrokenProcessPool as error:  # a process was killed: no more can be made
                    finished(member.name, error)
                else:
                    running[future] = member.name
            if not running and not ready:
                break
            if not running:
                continue
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                finished(running.pop(future), future.exception())
    for member in waiting:
        missing = sorted({*member.parents} - done)
        finished(member.name, UnknownModel(f"its parents could not be made: {missing}"))
