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
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from plots import write
from pruning import Ground, ground, measure
from quantizing import quantize
from scope import DIGITS, FASHION, SMALL, VALUES, Job, Scope, jobs
from tables import results, with_tables

from assay.durable import append_entry, read_ledger

HERE = Path(__file__).parent
Json = dict[str, Any]


def work_through(scope: Scope, ledger: Path, place: Ground) -> None:
    """Does the jobs that the ledger has not."""
    for job in jobs(scope):
        done = read_ledger(ledger)
        if job.key in done:
            continue
        found = done_by(job, place, done)
        append_entry(ledger, {"key": job.key, **about(job), **found})
        print(f"{job.key}: {found['accuracy']:.2f} % of {found['dense']:.2f} %", flush=True)


def done_by(job: Job, place: Ground, done: dict[str, Json]) -> Json:
    """What came of a job; all but gradual pruning take the split that this has found."""
    split = done.get(job.like("gradual", seed=job.scope.seeds[0]).key, {}).get("left")
    if job.method not in VALUES:
        return measure(job, place, split)
    parent = job.like("progressive")
    if not place.path(parent).exists():  # the ledger may have come without it
        measure(parent, place, split)
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


def report(ledger: Path, folder: Path) -> None:
    """Writes results.json and the plots, and the tables of README.md where there is one."""
    found = results(read_ledger(ledger).values())
    (folder / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    write(found, folder)
    page = folder / "README.md"
    if page.exists():
        page.write_text(with_tables(page.read_text(), found))


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
    scopes = () if chosen.report else (SMALL,) if chosen.small else (DIGITS, FASHION)
    for scope in scopes:
        if chosen.data in (None, scope.data):
            place = ground(scope, chosen.folder / "work", chosen.sets)
            work_through(scope, chosen.folder / "ledger.jsonl", place)
    report(chosen.folder / "ledger.jsonl", chosen.folder)


if __name__ == "__main__":
    main()
