"""Marks networks with constant-weight codes, attacks them, and writes what is left.

    python papers/constant_weight/run.py --sets FOLDER --families FOLDER   # all that is missing
    python papers/constant_weight/run.py --report     # only the files, of what is done
    python papers/constant_weight/run.py --small --folder DIR   # seconds: a narrow network

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
from measure import (
    clean_models,
    codes,
    dense,
    disguises,
    law,
    marked_in_tuning,
    pruning,
    tuning,
    wrong_keys,
)
from page import results, tables, write_plot
from plan import FULL, SMALL, Job, Scope, jobs

from assay.zoo.experiments import command_line, finished, work_through, write_report
from assay.zoo.grounds import Ground, pictures

HERE = Path(__file__).parent
Json = dict[str, Any]
Measure = Callable[[Job, Ground], Json]


def make_all(scope: Scope, ledger: Path, place: Ground, families: Path | None) -> None:
    """Does the jobs that are missing, or were made in another way."""
    measures: dict[str, Measure] = {
        "dense": dense,
        "pruning": pruning,
        "law": law,
        "disguises": disguises,
        "wrong keys": wrong_keys,
        "tuning": tuning,
        "marked in tuning": marked_in_tuning,
        "codes": codes,
    }
    if families is not None:
        measures["clean models"] = clean_models(families)

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        known = place.path(job.network).exists()  # the ledger may have come without it
        if job.network in scope.networks and job.kind != "dense" and not known:
            dense(Job("dense", job.network, (), scope), place)
        started = process_time()
        found = measures[job.kind](job, place)
        about = {"kind": job.kind, "network": job.network, "detail": [*job.detail]}
        return {**about, **found, "cpu_seconds": round(process_time() - started, 2)}

    for job, found in work_through([*jobs(scope, families is not None)], ledger, make):
        print(f"{job.key}: {found['cpu_seconds']:.0f} s", flush=True)


def main() -> None:
    """See above."""
    chosen = command_line(__doc__, HERE).parse_args()
    torch.set_num_threads(1)
    scope = SMALL if chosen.small else FULL
    ledger, work = chosen.folder / "ledger.jsonl", chosen.folder / "work"
    if not chosen.report:
        training, test = pictures(scope.data, chosen.sets)
        place = Ground(
            training.take(slice(scope.pictures)),
            test.take(slice(scope.judged)),
            work,
            work / "state",
        )
        make_all(scope, ledger, place, chosen.families)
    entries = [*finished(jobs(scope, families=True), ledger).values()]
    found = results(entries, scope)
    write_plot(found, chosen.folder)
    write_report(chosen.folder, found, tables(found))


if __name__ == "__main__":
    main()
