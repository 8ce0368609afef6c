"""Marks networks with ingrain, steals them by asking, and writes what is left of the marks.

    python papers/ingrain/run.py --sets FOLDER --families FOLDER   # all that is missing
    python papers/ingrain/run.py --report     # only the files, of what is done
    python papers/ingrain/run.py --small --folder DIR   # seconds: narrow networks

A run that is killed goes on where it was: ledger.jsonl has a line for every finished job, the
folder work the networks.  ``--families`` names a folder of ``assay.zoo.families``, whose models
that were trained from scratch are asked for marks that they do not have.

Needs ``assay[torch,watermarks]``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from measure import Place, attack, baseline, clean_models, marked, student, wrong_keys
from page import results, tables
from plan import FULL, SMALL, Job, Scope, jobs

from assay.zoo.experiments import command_line, finished, work_through, write_report
from assay.zoo.grounds import Ground, pictures

HERE = Path(__file__).parent
Json = dict[str, Any]
Measure = Callable[[Job, Place], Json]


def make_all(scope: Scope, ledger: Path, place: Place, families: Path | None) -> None:
    """Does the jobs that are missing, or were made in another way."""
    measures: dict[str, Measure] = {
        "marked": marked,
        "student": student,
        "baseline": baseline,
        "attack": attack,
        "wrong keys": wrong_keys,
    }
    if families is not None:
        measures["clean models"] = clean_models(families)

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        for run in {job.run, 0 if job.kind in ("attack", "baseline") else job.run}:
            if job.kind != "marked" and not place.owner.path(f"{run}.marked").exists():
                marked(Job("marked", run, (), scope), place)  # the ledger came without it
        started = process_time()
        found = measures[job.kind](job, place)
        about = {"kind": job.kind, "run": job.run, "detail": [*job.detail]}
        return {**about, **found, "cpu_seconds": round(process_time() - started, 2)}

    for job, found in work_through([*jobs(scope, families is not None)], ledger, make):
        print(f"{job.key}: {found['cpu_seconds']:.0f} s", flush=True)


def split(order: Any, size: int) -> list[Any]:
    """Rows of three parts of that size."""
    return [order[start : start + size] for start in range(0, 3 * size, size)]


def main() -> None:
    """See above."""
    chosen = command_line(__doc__, HERE).parse_args()
    torch.set_num_threads(1)
    scope = SMALL if chosen.small else FULL
    ledger, work = chosen.folder / "ledger.jsonl", chosen.folder / "work"
    if not chosen.report:
        training, test = pictures(scope.data, chosen.sets)
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0)).numpy()
        own, other, more = (training.take(rows) for rows in split(order, scope.pictures))
        owner = Ground(own, test.take(slice(scope.judged)), work, work / "state", scope.width)
        make_all(scope, ledger, Place(owner, more, other), chosen.families)
    entries = [*finished(jobs(scope, families=True), ledger).values()]
    found = results(entries, scope)
    write_report(chosen.folder, found, tables(found))


if __name__ == "__main__":
    main()
