"""Prunes LeNet-5 as ADMM-NN's tables do, and writes results.json, README.md's tables and plots.

    python papers/admm_nn/run.py --sets FOLDER          # all that is missing; hours
    python papers/admm_nn/run.py --data mnist           # one set of data
    python papers/admm_nn/run.py --report               # only the files, of what is finished
    python papers/admm_nn/run.py --small --folder DIR   # a minute: narrow networks

A run that is killed goes on where it was: ledger.jsonl has a line for every finished job, the
folder work the networks and the state of the one at hand.

Needs ``assay[torch]``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from plots import write
from pruning import Place, dense, measure, place_of
from quantizing import quantize
from scope import DIGITS, FASHION, SMALL, VALUES, Job, Scope, jobs
from tables import results, tables

from assay.zoo.experiments import finished, work_through, write_report

HERE = Path(__file__).parent
Json = dict[str, Any]


def make_all(scope: Scope, ledger: Path, place: Place) -> None:
    """Does the jobs that are missing, or were made in another way."""

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        return {**about(job), **made(job, place, done)}

    for job, found in work_through([*jobs(scope)], ledger, make):
        print(f"{job.key}: {found['accuracy']:.2f} % of {found['dense']:.2f} %", flush=True)


def made(job: Job, place: Place, done: Mapping[str, Json]) -> Json:
    """What came of a job; all but gradual pruning take the split that this has found."""
    if job.method == "dense":
        return dense(job, place)
    split = done.get(job.like("gradual", seed=job.scope.seeds[0]).key, {}).get("left")
    if job.method not in VALUES:
        return measure(job, place, split)
    for parent in (job.twin, job.like("gradual")):
        if not place.ground.path(parent.file).exists():  # the ledger may have come without it
            made(parent, place, done)
    return quantize(job, place)


def about(job: Job) -> Json:
    """What tells its line from others."""
    return {
        "data": job.scope.data,
        "method": job.method,
        "wanted": job.ratio,
        "seed": job.seed,
        "epochs": job.scope.epochs,
        "copies": job.scope.copies,
    }


def report(scopes: tuple[Scope, ...], ledger: Path, folder: Path) -> None:
    """Writes results.json and the plots, and the tables of README.md where there is one."""
    entries = [entry for scope in scopes for entry in finished(jobs(scope), ledger).values()]
    found = results(entry for entry in entries if entry["method"] != "dense")
    write(found, folder)
    write_report(folder, found, tables(found))


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=("mnist", "fashion-mnist"), help="by default both")
    parser.add_argument("--sets", type=Path, help="folder of the data sets' folders")
    parser.add_argument("--folder", type=Path, default=HERE, help="where all is written")
    parser.add_argument("--small", action="store_true", help="to see that it runs")
    parser.add_argument("--report", action="store_true", help="of what is finished; train nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    scopes = (SMALL,) if chosen.small else (DIGITS, FASHION)
    ledger = chosen.folder / "ledger.jsonl"
    for scope in scopes:
        if not chosen.report and chosen.data in (None, scope.data):
            make_all(scope, ledger, place_of(scope, chosen.folder / "work", chosen.sets))
    report(scopes, ledger, chosen.folder)


if __name__ == "__main__":
    main()
