"""Prunes LeNet-5 as ADMM-NN's tables do, and writes results.json, README.md's tables and plots.

    python papers/admm_nn/run.py --sets FOLDER          # all that is missing; hours
    python papers/admm_nn/run.py --data mnist           # one set of data
    python papers/admm_nn/run.py --small --folder DIR   # a minute: a narrow network, few digits

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
from pruning import Ground, ground, measure
from quantizing import quantize
from scope import DIGITS, FASHION, SMALL, VALUES, Job, Scope, jobs

HERE = Path(__file__).parent
Json = dict[str, Any]


def read_ledger(path: Path) -> dict[str, Json]:
    """Finished jobs by name; a line that a kill cut short is not one."""
    found: dict[str, Json] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[entry["key"]] = entry
    return found


def append(path: Path, entry: Json) -> None:
    """One more line, on the disk when this returns; a line cut short before it is ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.read_bytes() if path.exists() else b""
    with path.open("a") as file:
        file.write("\n" * (bool(written) and not written.endswith(b"\n")))
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def work_through(scope: Scope, ledger: Path, place: Ground) -> None:
    """Does the jobs that the ledger has not."""
    for job in jobs(scope):
        done = read_ledger(ledger)
        if job.key in done:
            continue
        found = done_by(job, place, done)
        append(ledger, {"key": job.key, **about(job), **found})
        print(f"{job.key}: {found['accuracy']:.2f} % of {found['dense']:.2f} %", flush=True)


def done_by(job: Job, place: Ground, done: dict[str, Json]) -> Json:
    """What came of a job; all but gradual pruning take the split that this has found."""
    if job.method in VALUES:
        return quantize(job, place)
    split = done.get(job.like("gradual", seed=job.scope.seeds[0]).key, {}).get("left")
    return measure(job, place, split)


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


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", choices=("mnist", "fashion-mnist"), help="by default both")
    parser.add_argument("--sets", type=Path, help="folder of the data sets' folders")
    parser.add_argument("--folder", type=Path, default=HERE, help="where all is written")
    parser.add_argument("--small", action="store_true", help="to see that it runs")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    scopes = (SMALL,) if chosen.small else (DIGITS, FASHION)
    for scope in scopes:
        if chosen.data in (None, scope.data):
            place = ground(scope, chosen.folder / "work", chosen.sets)
            work_through(scope, chosen.folder / "ledger.jsonl", place)


if __name__ == "__main__":
    main()
