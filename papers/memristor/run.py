"""Re-runs the tables of Yuan et al. 2019 that data here allow: accuracy, power, area.

    python papers/memristor/run.py --sets FOLDER         # MNIST digits, then Fashion-MNIST
    python papers/memristor/run.py --data mnist          # one set of data
    python papers/memristor/run.py --only report         # power and area, results.json, README.md
    python papers/memristor/run.py --small --folder DIR  # a minute: a narrow network

A run that was killed goes on where it was: ledger.jsonl has a line for each finished network, the
folder work has the networks and the state of the training at hand.  Needs ``assay[torch]``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy
import reductions
import torch
from measure import ground, measured
from page import tables
from plan import DIGITS, FASHION, SMALL, Job, Scope, jobs
from summary import summary

import assay
from assay.zoo.experiments import finished, hardware, work_through, write_report

HERE = Path(__file__).parent
Json = dict[str, Any]


def make_all(scope: Scope, ledger: Path, folder: Path, sets: Path | None) -> None:
    """Does the jobs that are missing, or were made in another way."""
    place = ground(scope, folder, sets)

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        about = {"data": scope.data, "seed": job.seed, "ratio": job.ratio, "group": job.group}
        found = measured(job, place, done.get(job.parent.key, {}))
        return {**about, "bits": job.bits, **found}

    for job, found in work_through([*jobs(scope)], ledger, make):
        print(f"{job.key}: {found['accuracy']:.2f} %, {found['seconds']:.0f} s", flush=True)


def report(scopes: Sequence[Scope], ledger: Path, folder: Path) -> None:
    """results.json, and the tables of README.md where there is one."""
    results = {
        "command": "python papers/memristor/run.py",
        "hardware": f"{hardware()}; one thread, bfloat16 products where trained",
        "versions": {
            "assay": assay.__version__,
            "numpy": numpy.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "expected": json.loads((HERE / "expected.json").read_text()),
        **reductions.hardware(),
        **summary([e for scope in scopes for e in finished(jobs(scope), ledger).values()]),
    }
    write_report(folder, results, tables(results))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sets", type=Path, help="folder of data, each in a folder of its name")
    parser.add_argument("--folder", type=Path, default=HERE, help="where everything is written")
    parser.add_argument("--data", choices=["mnist", "fashion-mnist"])
    parser.add_argument("--only", choices=["report"])
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ledger = options.folder / "ledger.jsonl"
    scopes = [SMALL] if options.small else [DIGITS, FASHION]
    for scope in scopes:
        if options.only != "report" and options.data in (None, scope.data):
            make_all(scope, ledger, options.folder / "work", options.sets)
    report(scopes, ledger, options.folder)


if __name__ == "__main__":
    main()
