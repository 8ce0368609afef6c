"""What experiments share that take hours: a ledger, paired differences, tables in a page.

A job is finished where the ledger has it with the behavior that it has now.  Intervals are of
Student's t [Student, 1908].
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Protocol, TypeVar

from assay.durable import append_entry, read_ledger, write_whole
from assay.errors import BadData
from assay.values import Json

EXTRA = "torch"  # has SciPy, for intervals; the rest does without


class Job(Protocol):
    """Something that is done once."""

    @property
    def key(self) -> str:
        """Its name in the ledger."""
        ...

    @property
    def behavior(self) -> str:
        """All that decides its result: with another one it is done again."""
        ...


AnyJob = TypeVar("AnyJob", bound=Job)
Make = Callable[[AnyJob, Mapping[str, Json]], Json]


def command_line(doc: str | None, folder: Path) -> argparse.ArgumentParser:
    """Options of a script of experiments; its docstring's first line says what it does."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--sets", type=Path, help="folder of the data sets' folders")
    parser.add_argument("--families", type=Path, help="folder of trained families")
    parser.add_argument("--folder", type=Path, default=folder, help="where all is written")
    parser.add_argument("--small", action="store_true", help="to see that it runs")
    parser.add_argument("--report", action="store_true", help="only of what is finished")
    return parser


def finished(jobs: Iterable[Job], ledger: Path) -> dict[str, Json]:
    """The entries of those that are, by key, in the order of the jobs."""
    known = read_ledger(ledger)
    return {
        job.key: known[job.key]
        for job in jobs
        if known.get(job.key, {}).get("behavior") == job.behavior
    }


def work_through(
    jobs: Sequence[AnyJob], ledger: Path, make: Make[AnyJob]
) -> Iterator[tuple[AnyJob, Json]]:
    """Does what is not finished; each job and its entry, once that is in the ledger.

    ``make`` gives what came of a job; it is told the entries of those that are finished.
    """
    done = finished(jobs, ledger)
    for job in jobs:
        if job.key in done:
            continue
        entry = {"key": job.key, **make(job, done), "behavior": job.behavior}
        append_entry(ledger, entry)
        done[job.key] = entry
        yield job, entry


def half_width(values: Sequence[float]) -> float | None:
    """Half of the 95 % interval of the mean; None for a single value."""
    from scipy.stats import t

    if len(values) < 2:
        return None
    return float(t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))


def paired(differences: Sequence[float]) -> Json:
    """The mean of paired differences, how many there are, and the interval of several."""
    found: Json = {"mean": round(mean(differences), 3), "pairs": len(differences)}
    if (half := half_width(differences)) is not None:
        found["interval"] = [round(found["mean"] - half, 3), round(found["mean"] + half, 3)]
    return found


def hardware() -> str:
    """The processor, and how many cores of it there are."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, no GPU"


def with_tables(page: str, tables: Mapping[str, str]) -> str:
    """A page with the text between the marks of each name written anew.

    Raises BadData where it has not one place for each.
    """
    for name, text in tables.items():
        block = f"<!-- {name}: written by run.py -->\n{text}<!-- end -->"
        mark = rf"<!-- {re.escape(name)}: written by run\.py -->\n.*?<!-- end -->"
        page, places = re.subn(mark, block.replace("\\", r"\\"), page, flags=re.DOTALL)
        if places != 1:
            raise BadData(f"the page has {places} places for {name!r}, not one")
    return page


def write_report(folder: Path, results: Json, tables: Mapping[str, str]) -> None:
    """Writes results.json, and the tables of README.md where the folder has one."""
    write_whole(folder / "results.json", (json.dumps(results, indent=1) + "\n").encode())
    page = folder / "README.md"
    if page.exists():
        write_whole(page, with_tables(page.read_text(), tables).encode())
