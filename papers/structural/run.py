"""Marks networks by their numbers of channels, attacks them, and writes what is left.

    python papers/structural/run.py --sets FOLDER --families FOLDER   # all that is missing
    python papers/structural/run.py --report     # only the files, of what is done
    python papers/structural/run.py --small --folder DIR   # seconds: a narrow network

A run that is killed goes on where it was: ledger.jsonl has a line for every finished job, the
folder work the networks.  ``--families`` names a folder of ``assay.zoo.families``, whose models
are asked for marks that they do not have; ``--others`` a folder of further model files.

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
from measure import accuracies, capacities, dense, derivations, removal, tolerance
from nulls import clean_models, forged, wrong_keys
from page import results, tables
from plan import FULL, SMALL, Job, Scope, jobs

from assay.zoo.experiments import command_line, finished, work_through, write_report
from assay.zoo.grounds import Ground, pictures

HERE = Path(__file__).parent
Json = dict[str, Any]
Measure = Callable[[Job, Ground], Json]


def make_all(
    scope: Scope, ledger: Path, place: Ground, families: Path | None, others: Path | None
) -> None:
    """Does the jobs that are missing, or were made in another way."""
    measures: dict[str, Measure] = {
        "capacity": capacities,
        "dense": dense,
        "accuracy": accuracies,
        "derivations": derivations,
        "tolerance": tolerance,
        "removal": removal,
        "wrong keys": wrong_keys,
        "forged templates": forged,
    }
    if families is not None:
        measures["clean models"] = clean_models(families, others)

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        known = place.path(job.network).exists()  # the ledger may have come without it
        needs = job.network in scope.networks and job.kind not in ("dense", "tolerance")
        if needs and not known:
            dense(Job("dense", job.network, (), scope), place)
        started = process_time()
        found = measures[job.kind](job, place)
        about = {"kind": job.kind, "network": job.network, "detail": [*job.detail]}
        return {**about, **found, "cpu_seconds": round(process_time() - started, 2)}

    for job, found in work_through([*jobs(scope, families is not None)], ledger, make):
        print(f"{job.key}: {found['cpu_seconds']:.0f} s", flush=True)


def main() -> None:
    """See above."""
    parser = command_line(__doc__, HERE)
    parser.add_argument("--others", type=Path, help="folder of other model files")
    chosen = parser.parse_args()
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
        make_all(scope, ledger, place, chosen.families, chosen.others)
    entries = [*finished(jobs(scope, families=True), ledger).values()]
    found = results(entries, scope)
    write_report(chosen.folder, found, tables(found))


if __name__ == "__main__":
    main()
