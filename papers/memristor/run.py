"""Re-runs the tables of Yuan et al. 2019 that data here allow: accuracy, power, area.

    python papers/memristor/run.py --sets FOLDER         # MNIST digits, then Fashion-MNIST
    python papers/memristor/run.py --data mnist          # one set of data
    python papers/memristor/run.py --only report         # power and area, results.json, README.md
    python papers/memristor/run.py --small --folder DIR  # a minute: a narrow network, 300 digits

A run that was killed goes on where it was: ledger.jsonl has a line for each finished network, the
folder work has the networks and the state of the training at hand.  Needs ``assay[torch]``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy
import torch
from measure import ground, measured
from page import write_page
from plan import SMALL, Scope, jobs
from reductions import hardware
from summary import summary

import assay
from assay.durable import append_entry, read_ledger, write_whole

HERE = Path(__file__).parent


def work_through(scope: Scope, ledger: Path, folder: Path, sets: Path | None) -> None:
    """Does the jobs that the ledger has not."""
    place = ground(scope, folder, sets)
    for job in jobs(scope):
        done = read_ledger(ledger)
        if job.key in done:
            continue
        parent = done.get(job.parent.key, {})
        found = measured(job, place, parent)
        about = {"data": job.data, "seed": job.seed, "ratio": job.ratio, "group": job.group}
        append_entry(ledger, {"key": job.key, **about, "bits": job.bits, **found})
        print(f"{job.key}: {found['accuracy']:.2f} %, {found['seconds']:.0f} s", flush=True)


def report(ledger: Path, folder: Path) -> None:
    """results.json, and the tables of README.md where there is one."""
    results = {
        "command": "python papers/memristor/run.py",
        "hardware": "AMD EPYC, 2 cores, no GPU; one thread, bfloat16 products where trained",
        "versions": {
            "assay": assay.__version__,
            "numpy": numpy.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "expected": json.loads((HERE / "expected.json").read_text()),
        **hardware(),
        **summary([*read_ledger(ledger).values()]),
    }
    write_whole(folder / "results.json", (json.dumps(results, indent=1) + "\n").encode())
    if (folder / "README.md").exists():
        write_page(folder / "README.md", results)


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
    fashion = Scope("fashion-mnist", copies=0)
    scopes = [SMALL] if options.small else [Scope(), fashion]
    for scope in scopes:
        if options.only != "report" and options.data in (None, scope.data):
            work_through(scope, ledger, options.folder / "work", options.sets)
    report(ledger, options.folder)


if __name__ == "__main__":
    main()
