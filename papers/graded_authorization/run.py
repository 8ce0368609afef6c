"""Prunes the largest channels, tunes what is left to levels of accuracy, and writes what came out.

    python papers/graded_authorization/run.py --sets FOLDER   # all that is missing
    python papers/graded_authorization/run.py --report        # only the files, of what is done
    python papers/graded_authorization/run.py --full --data cifar-10 --device cuda --folder DIR
    python papers/graded_authorization/run.py --small --folder DIR   # seconds: narrow networks

A run that is killed goes on where it was: ledger.jsonl has a line for every finished cell, the
folder work the trained networks and the state of the training at hand.

Needs ``assay[torch]``; docs/data.md tells how to get the data sets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from time import process_time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from measure import Place, levels, trained, tuned
from page import results, tables
from plan import FULL, HERE, SMALL, Job, Scope, jobs

from assay.running.examples import Examples
from assay.values import Json
from assay.zoo.datasets import DATASETS
from assay.zoo.experiments import command_line, finished, work_through, write_report
from assay.zoo.grounds import Ground, pictures

HOME = Path(__file__).parent
MEASURES: Mapping[str, Callable[[Job, Place], Json]] = {
    "trained": trained,
    "tuned": tuned,
    "levels": levels,
}


def ground(data: str, scope: Scope, sets: Path | None, work: Path, device: str) -> Place:
    """A data set's pictures in three parts; those of 8 x 8 are enlarged, to outlast four halvings.

    Those to be learned, and those to choose by, a fifth at most, are of the data set's pictures
    for training.
    """
    training, test = pictures(data, sets)
    if training.inputs.shape[-1] < 16:
        training, test = (_doubled(each) for each in (training, test))
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0)).numpy()
    most = max(each.pictures for each in scope.networks.values())
    some = min(scope.chosen_by, len(order) // 5)
    learned = training.take(order[some : some + most])
    kept = Ground(learned, test.take(slice(scope.judged)), work, work / "state")
    return Place(kept, training.take(order[:some]), device)


def _doubled(examples: Examples) -> Examples:
    return replace(examples, inputs=examples.inputs.repeat(2, axis=2).repeat(2, axis=3))


def make_all(wanted: list[Job], ledger: Path, place: Callable[[str], Place]) -> None:
    """Does the cells that are missing, or were made in another way."""

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        started = process_time()
        found = MEASURES[job.kind](job, place(job.data))
        about = {"kind": job.kind, "data": job.data, "network": job.network, "seed": job.seed}
        about |= {"penalty": job.penalty, "rate": job.rate, "step": job.step}
        return {**about, **found, "cpu_seconds": round(process_time() - started, 1)}

    for job, found in work_through(wanted, ledger, make):
        print(f"{job.key}: {found['cpu_seconds']:.0f} s", flush=True)


def main() -> None:
    """See above."""
    parser = command_line(__doc__, HOME)
    parser.add_argument("--full", action="store_true", help="whole networks, all pictures, long")
    parser.add_argument("--width", type=float, help="factor of the networks' widths")
    parser.add_argument("--data", action="append", choices=DATASETS, help="may be given twice")
    parser.add_argument("--device", default="cpu", help="on which networks are trained: cuda")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    scope = SMALL if chosen.small else FULL if chosen.full else HERE
    scope = replace(scope, width=chosen.width or scope.width)
    if chosen.data:
        everywhere = {name: replace(about, on=()) for name, about in scope.networks.items()}
        scope = replace(scope, data=tuple(chosen.data), networks=everywhere)
    ledger, work = chosen.folder / "ledger.jsonl", chosen.folder / "work"

    @lru_cache(maxsize=1)
    def place(data: str) -> Place:
        return ground(data, scope, chosen.sets, work, chosen.device)

    wanted = [*jobs(scope)]
    if not chosen.report:
        make_all(wanted, ledger, place)
    found = results([*finished(wanted, ledger).values()], scope, chosen.device)
    write_report(chosen.folder, found, tables(found))


if __name__ == "__main__":
    main()
