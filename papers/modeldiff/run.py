"""Judges ModelDiff and its rivals on the reuse benchmark; writes results.json, tables and plots.

    python papers/modeldiff/run.py --models FOLDER --data SETS --jobs 2   # all that is missing
    python papers/modeldiff/run.py --report               # tables and plots, of the archive alone
    python papers/modeldiff/run.py --small --models FOLDER --folder DIR   # few queries

FOLDER is what scripts/make_families.py wrote, of --edition reuse, reuse-subset or reuse-small.  A
run that is killed goes on where it was, in every stage: ledger.jsonl has a line for each finished
job, the folder work its answers, and for each owner what was judged of them; archive.npz has all
answers that the tables need.

Needs ``assay[torch]``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: each worker has one core

import asking
from archive import joined, save
from ground import NAMES, opened
from page import tables
from plan import PAPER, SMALL, Scope
from plots import write
from summary import results as summed
from verdicts import archived, judge_all

from assay.durable import append_entry
from assay.errors import AssayError
from assay.zoo.experiments import finished, write_report
from assay.zoo.workers import results

HERE = Path(__file__).parent


def ask_all(chosen: argparse.Namespace, scope: Scope) -> None:
    """Does the jobs that are missing, or were done in another way; packs the archive."""
    lineage = opened(chosen.models, chosen.data, chosen.edition).lineage
    ledger, work = chosen.folder / "ledger.jsonl", chosen.folder / "work"
    jobs = {job.key: job for job in asking.jobs(scope, lineage)}
    known = finished(jobs.values(), ledger)
    missing = [
        job for job in jobs.values() if job.key not in known or not (work / job.file).exists()
    ]
    where = (chosen.models, chosen.data, chosen.edition, work)
    tasks = {job.key: (asking.run, (job, *where)) for job in missing}
    for number, (key, found) in enumerate(results(tasks, chosen.jobs), 1):
        append_entry(ledger, {"key": key, **found, "behavior": jobs[key].behavior})
        print(f"[{number}/{len(missing)}] {key}: {found['seconds']:.1f} s", flush=True)
    answers = joined(work / job.file for job in jobs.values())
    save(answers, chosen.folder / "archive.npz", lineage)


def report(folder: Path, scope: Scope, jobs: int) -> None:
    """Writes results.json and the plots, and the tables of README.md where there is one."""
    judged = judge_all(folder, scope, jobs)
    kept, lineage = archived(folder / "archive.npz")
    entries = finished(asking.jobs(scope, lineage), folder / "ledger.jsonl")
    found = summed(kept, lineage, scope, judged, entries)
    write(found, folder)
    write_report(folder, found, tables(found))


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", type=Path, help="what make_families.py wrote")
    parser.add_argument("--data", type=Path, help="folder of the data sets' folders")
    parser.add_argument("--edition", choices=NAMES, help="by default all models of the folder")
    parser.add_argument("--folder", type=Path, default=HERE, help="where all is written")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes of one thread each")
    parser.add_argument("--small", action="store_true", help="few queries, to see that it runs")
    parser.add_argument("--report", action="store_true", help="of the archive; ask nobody")
    chosen = parser.parse_args()
    if not chosen.report and chosen.models is None:
        parser.error("give --models, or --report")
    scope = SMALL if chosen.small else PAPER
    try:
        if not chosen.report:
            ask_all(chosen, scope)
        report(chosen.folder, scope, chosen.jobs)
    except AssayError as error:
        print(f"run: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
