"""Trains every row of HNN-Net's Table 2 and Figure 7 and writes results.json and README.md.

    python papers/hnn_net/run.py                  # all that is missing; ends with both files
    python papers/hnn_net/run.py --only table2    # or figure7, search, report
    python papers/hnn_net/run.py --small          # a minute: three models, two epochs
    python papers/hnn_net/figures.py              # the plots, from results.json

A run that is killed goes on where it was: ledger.jsonl has a line for every finished training,
work the edit distances, which are computed again where that folder is gone.

Needs ``assay[torch]``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: each worker has one core
# glibc in the workers keeps what a step frees for the next one: a fifth less time, the same bits.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**30))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**32))
os.environ.setdefault("MALLOC_TOP_PAD_", str(2**26))

from ghashing_search import measure_bounds, measure_search
from measure import measure, measure_distances, network_path
from page import with_tables
from plan import PAPER, SMALL, Run, Scope, figure7, named, table2
from summary import summary

from assay.durable import append_entry, read_ledger
from assay.zoo.workers import Task, results

HERE = Path(__file__).parent
PARTS = ("table2", "figure7", "search", "report")
Tasks = dict[str, Task]


def prepare(runs: list[Run], ledger: Path, work: Path, jobs: int) -> None:
    """Fills the cache of edit distances of each data set that these runs train on.

    Before any training, so that no two compute the same table at once.  The cache alone says what
    is missing: the ledger may have come without it.  Some trainings ask for no more than 11, but
    one table, of any distance, serves all.
    """
    needed = [run for run in runs if run.trainer and run.trainer.distances != "none"]
    tasks: Tasks = {
        f"distances, {named(run.data, run.models)}": (
            measure_distances,
            (run.data, run.models, work),
        )
        for run in needed
    }
    done = read_ledger(ledger)
    for key, result in results(tasks, jobs):
        if key not in done:
            append_entry(ledger, {"key": key} | result)
            print(key, flush=True)


def train_all(runs: list[Run], ledger: Path, work: Path, jobs: int) -> None:
    """Does the runs that the ledger has not, or has of a method that has changed since.

    Says what came out and how long is left.
    """
    done = read_ledger(ledger)
    to_do = {run.key: run for run in runs if not run.fits(done.get(run.key))}
    prepare(list(to_do.values()), ledger, work, jobs)
    tasks: Tasks = {key: (measure, (run, work)) for key, run in to_do.items()}
    start = time.monotonic()
    for number, (key, result) in enumerate(results(tasks, jobs), 1):
        run = to_do[key]
        entry = {"key": key, "row": run.row, "method": run.made_by, "data": run.data}
        entry |= {"bits": run.bits, "seed": run.seed, **result, "behavior": run.behavior}
        append_entry(ledger, entry)
        left = (time.monotonic() - start) / number * (len(to_do) - number) / 60
        print(
            f"[{number}/{len(to_do)}] {run.row} {dict(run.options)}, {run.bits} bits, {run.data},"
            f" seed {run.seed}: F1 {result['f1']:.3f}, model mAP {result['model_map']:.3f},"
            f" {result['seconds']:.0f} s; about {left:.0f} min left",
            flush=True,
        )


def search_all(runs: list[Run], ledger: Path, work: Path, jobs: int) -> None:
    """GHashing's search with every network that has been trained, again if its file is gone."""
    done = read_ledger(ledger)
    to_do = {
        f"search {run.key}": run
        for run in runs
        if run.fits(done.get(run.key)) and not run.fits(done.get(f"search {run.key}"))
    }
    prepare([r for r in to_do.values() if not network_path(r, work).exists()], ledger, work, jobs)
    # The edit distances between queries and database that a search is judged by, each table once.
    bounds: Tasks = {
        named(run.data, run.models): (measure_bounds, (run.data, run.models, work))
        for run in to_do.values()
    }
    for _ in results(bounds, jobs):
        pass
    tasks: Tasks = {key: (measure_search, (run, work)) for key, run in to_do.items()}
    for key, result in results(tasks, jobs):
        append_entry(ledger, {"key": key, **result, "behavior": to_do[key].behavior})
        print(key, flush=True)


def report(ledger: Path, scope: Scope, folder: Path) -> None:
    """Writes results.json, and the tables of README.md where there is one."""
    found = summary(read_ledger(ledger), scope)
    (folder / "results.json").write_text(text_of(found))
    page = folder / "README.md"
    if page.exists():
        expected = json.loads((HERE / "expected.json").read_text())
        page.write_text(with_tables(page.read_text(), found, expected))


def text_of(found: dict[str, Any]) -> str:
    """JSON with a line for each run: a change of one shows as one line."""
    text = json.dumps(found, indent=1) + "\n"
    return re.sub(r"\{[^{}]*\}", lambda inner: re.sub(r"\n\s*", " ", inner[0]), text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=PARTS, help="one part; report only writes the files")
    parser.add_argument("--small", action="store_true", help="three models and two epochs")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes of one thread each")
    parser.add_argument("--folder", type=Path, help="of the ledger, the results and the caches")
    options = parser.parse_args()
    scope = SMALL if options.small else PAPER
    folder = options.folder or (HERE / "work" / "small" if options.small else HERE)
    ledger, work, jobs = folder / "ledger.jsonl", folder / "work", options.jobs
    wanted = [options.only] if options.only else list(PARTS)
    runs = list(table2(scope)) if "table2" in wanted else []
    runs += [run for _, _, run in figure7(scope)] if "figure7" in wanted else []
    runs.sort(key=lambda run: run.seed)  # everything with one seed before anything with another
    if runs:
        train_all(runs, ledger, work, jobs)
    if "search" in wanted:
        ghashing = [run for run in table2(scope) if run.method == "ghashing"]
        search_all(ghashing, ledger, work, jobs)
    report(ledger, scope, folder)


if __name__ == "__main__":
    main()
