"""Attacks every watermark on three architectures, and writes what is left: a grid.

    python benchmarks/watermarks/run.py --sets FOLDER --families FOLDER   # all that is missing
    python benchmarks/watermarks/run.py --sets FOLDER --only adi cnn first   # jobs of these words
    python benchmarks/watermarks/run.py --report      # only the files, of what is done
    python benchmarks/watermarks/run.py --small       # seconds: digits, nothing is kept

A run that is killed goes on where it was: ledger.jsonl has a line for every finished job, the
folder work the networks.  ``--families`` names a folder of ``assay.zoo.families``: their networks
are marked, and those trained from scratch are asked for marks that they do not have.

Needs ``assay[torch,watermarks]``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import process_time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from grid_page import results, tables
from grinding import grinding
from measure import MEASURES, Bench
from plan import FIRST, FULL, SMALL, Job, Scope, jobs

from assay.values import Json
from assay.zoo.experiments import command_line, finished, work_through, write_report
from assay.zoo.grounds import Ground, pictures

HERE = Path(__file__).parent


def make_all(chosen: list[Job], ledger: Path, bench: Bench) -> None:
    """Does the jobs that are missing, or were made in another way."""
    measures = {**MEASURES, "grinding": grinding}

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        started = process_time()
        found = measures[job.kind](job, bench)
        about = {name: getattr(job, name) for name in ("kind", "network", "scheme", "attack")}
        return {**about, **found, "cpu_seconds": round(process_time() - started, 2)}

    for job, found in work_through(chosen, ledger, make):
        print(f"{job.key}: {found['cpu_seconds']:.0f} s", flush=True)


def run(
    scope: Scope, folder: Path, sets: Path | None, families: Path | None, only: set[str]
) -> None:
    """Does all that is missing."""
    training, test = pictures(scope.data, sets)
    work = folder / "work"
    place = Ground(
        training.take(slice(scope.pictures)), test.take(slice(scope.judged)), work, work / "state"
    )
    asked = training.take(slice(scope.pictures, scope.pictures + scope.asked))
    bench = Bench(place, asked, families)
    wanted = [each for each in jobs(scope, families is not None) if only <= words(each)]
    make_all(wanted, folder / "ledger.jsonl", bench)


def words(job: Job) -> set[str]:
    """What a job can be chosen by; the first ones are what a baseline owes."""
    is_first = job.kind != "attack" or job.scope.attacks()[job.attack].order == FIRST
    return {job.kind, job.network, job.scheme, job.attack, *(["first"] if is_first else [])}


def report(scope: Scope, folder: Path) -> Json:
    """Writes results.json and the tables, of what is finished."""
    entries = [*finished(jobs(scope, families=True), folder / "ledger.jsonl").values()]
    found = results(entries, scope)
    write_report(folder, found, tables(found))
    return found


def main() -> None:
    """See above."""
    parser = command_line(__doc__, HERE)
    parser.add_argument("--only", nargs="*", default=[], help="kinds, networks, schemes, attacks")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.small:
        with tempfile.TemporaryDirectory() as folder:
            run(SMALL, Path(folder), None, None, set())
            print(*tables(report(SMALL, Path(folder))).values(), sep="\n")
        return
    if not chosen.report:
        run(FULL, chosen.folder, chosen.sets, chosen.families, {*chosen.only})
    report(FULL, chosen.folder)


if __name__ == "__main__":
    main()
