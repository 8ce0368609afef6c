"""A folder of trained models made by a plan: each after its parents, its record written last.

What was killed is made again, or goes on from its checkpoint.  Another processor or version of
torch rounds otherwise: weights, and their digests, are then others.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.durable import write_whole
from assay.errors import BadData, BadOption, UnknownModel
from assay.values import Json
from assay.zoo._members import Member, Plan

if TYPE_CHECKING:
    from torch import nn

CHECKPOINTS = "checkpoints"

Shown = Callable[[str, int, int], None]  # a name when it is done, how many are, and of how many


@dataclass(frozen=True, slots=True)
class Failed(Exception):
    """Members that could not be made, and why; the others are there."""

    reasons: Mapping[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {reason}" for name, reason in self.reasons.items())


def build(
    folder: Path,
    plan: Plan,
    *,
    only: Collection[str] | None = None,
    jobs: int = 1,
    data: Path | None = None,
    progress: Shown | None = None,
) -> list[Json]:
    """Make what ``folder`` lacks of a plan, or of some of its members whose parents are among them.

    Raises Failed, BadOption where the folder was made by another plan, BadData where ``data`` is
    no folder.
    """
    if jobs < 1:
        raise BadOption(f"jobs must be 1 or more, not {jobs}")
    if data is not None and not data.is_dir():
        raise BadData(f"{data}: no such folder")
    _claim(folder, plan)
    everyone = {m.name: m for m in plan.members if only is None or m.name in only}
    done = {name for name in everyone if (folder / f"{name}.json").exists()}
    failures: dict[str, str] = {}

    def finished(name: str, error: BaseException | None) -> None:
        if error is None:
            done.add(name)
        else:
            failures[name] = f"{type(error).__name__}: {error}"
        if progress is not None:
            progress(name, len(done), len(everyone))

    _run(_Workshop(folder, plan, data, jobs), everyone, done, finished)
    if failures:
        raise Failed(failures)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return records(folder, plan.members)


def held(folder: Path, editions: Collection[str]) -> str:
    """Which of the editions a folder was made for.  Raises UnknownModel where for none of them."""
    file = folder / "edition.json"
    edition = str(json.loads(file.read_text())["edition"]) if file.exists() else "none"
    if edition not in editions:
        raise UnknownModel(f"{folder}: holds the edition {edition!r}, not one of {[*editions]}")
    return edition


def records(folder: Path, members: Iterable[Member]) -> list[Json]:
    """What is known of each of them that ``folder`` has, in their order."""
    files = (folder / f"{member.name}.json" for member in members)
    return [json.loads(file.read_text()) for file in files if file.exists()]


def load(folder: Path, name: str) -> nn.Module:
    """A trained model (extra ``torch``), in evaluation mode.  Raises UnknownModel."""
    from assay.zoo._making import read

    if not (folder / f"{name}.json").exists():
        raise UnknownModel(f"{folder}: has no model {name!r}")
    return read(folder, name)


def _claim(folder: Path, plan: Plan) -> None:
    """One folder holds one edition, made by one plan: models of two would be taken for each other.

    Raises BadOption where it holds another.
    """
    wanted = {
        "edition": plan.edition,
        "plan": hashlib.sha256(repr(plan.members).encode()).hexdigest(),
    }
    file = folder / "edition.json"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        write_whole(file, (json.dumps(wanted) + "\n").encode())
    found = json.loads(file.read_text())
    if found["edition"] != plan.edition:
        raise BadOption(f"{folder}: holds the edition {found['edition']!r}, not {plan.edition!r}")
    if found != wanted:
        raise BadOption(f"{folder}: was made by another version's plan: give an empty folder")


@dataclass(frozen=True, slots=True)
class _Workshop:
    """Where members are made, of what, and by how many processes."""

    folder: Path
    plan: Plan
    data: Path | None
    jobs: int


def _run(
    shop: _Workshop,
    everyone: Mapping[str, Member],
    done: set[str],
    finished: Callable[[str, BaseException | None], None],
) -> None:
    """Make what is missing, each after its parents; what has no parents to be had is left."""
    from assay.zoo._making import make

    waiting = [member for name, member in everyone.items() if name not in done]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(shop.jobs, mp_context=context) as pool:
        running: dict[Future[None], str] = {}
        while waiting or running:
            most = 2 * shop.jobs - len(running)
            ready = [m for m in waiting if done.issuperset(m.parents)][:most]
            for member in ready:
                waiting.remove(member)
                try:
                    future = pool.submit(make, shop.folder, shop.plan.setting, shop.data, member)
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
