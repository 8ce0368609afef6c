"""Trains every row of the reproduction of ADMM pruning, and writes results.json and README.md.

    python papers/admm_pruning/run.py            # all that is missing; ends with both files
    python papers/admm_pruning/run.py --only mnist
    python papers/admm_pruning/run.py --report   # only the files, from what is finished
    python papers/admm_pruning/run.py --small    # half a minute: digits of 8 x 8, two epochs

A run that is killed goes on where it was: ledger.jsonl has a line for every finished network, work
the dense twins and the state of the training at hand.  Needs ``assay[torch]`` and the data sets
``mnist`` and ``fashion-mnist`` (docs/data.md).

Multiplications are done in bfloat16 while a network learns, everything else in float32; networks
are judged in float32.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from page import results, tables
from plan import PAPER, SMALL, Run, Scope, runs

from assay.running.modules import accuracy
from assay.zoo.experiments import finished, work_through, write_report
from assay.zoo.grounds import Ground, pictures

HERE = Path(__file__).parent
Json = dict[str, Any]


def make(run: Run, work: Path, sets: Path | None) -> Json:
    """One network: trained or derived, judged, and kept in ``work``."""
    started, computed = time.monotonic(), time.process_time()
    checkpoints = work / "checkpoints" / run.data / str(run.seed)  # rows have a stage in common
    examples = pictures(run.data, sets, run.schedule.copies)
    place = Ground(*examples, work / "networks", checkpoints)
    if run.twin is None:
        module = run.network(place)
        found: Json = {"losses": place.train(module, run.training, run.seed).losses}
    else:
        for needed in (run.twin, *run.teachers):
            if not place.path(needed.file).exists():  # the ledger may have come without it
                make(needed, work, sets)
        parent = place.load(run.twin.file, run.network(place))
        teachers = [place.load(each.file, each.network(place)) for each in run.teachers]
        derived = place.derive(run.method, parent, *teachers, seed=run.seed)
        module, found = derived.module, dict(derived.lineage.notes)
    place.save(run.file, module)
    return {
        "data": run.data,
        "row": run.row,
        "seed": run.seed,
        **found,
        "accuracy": accuracy(module, place.test),
        "on_training": accuracy(module, place.training),
        "seconds": round(time.monotonic() - started),
        "cpu_seconds": round(time.process_time() - computed),
    }


def make_all(scope: Scope, ledger: Path, work: Path, sets: Path | None, only: str | None) -> None:
    """Those that are missing, or were made in another way."""
    wanted = [run for run in runs(scope) if only in (None, run.data)]
    for run, found in work_through(wanted, ledger, lambda run, done: make(run, work, sets)):
        print(f"{run.key}: {found['accuracy']:.4f} in {found['seconds']} s", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="digits of 8 x 8 and two epochs")
    parser.add_argument("--report", action="store_true", help="only write the files")
    parser.add_argument("--only", choices=PAPER.schedules, help="one data set")
    parser.add_argument("--folder", type=Path, help="of the ledger, the results and work")
    parser.add_argument("--data", type=Path, help="a folder with one for each data set")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scope = SMALL if options.small else PAPER
    folder = options.folder or (HERE / "work" / "small" if options.small else HERE)
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / "ledger.jsonl"
    if not options.report:
        make_all(scope, ledger, folder / "work", options.data, options.only)
    found = results([*finished(runs(scope), ledger).values()])
    write_report(folder, found, tables(found))


if __name__ == "__main__":
    main()
