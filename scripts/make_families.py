"""Trains models whose lineage is known: the families of the zoo, or those of the reuse benchmark.

usage: make_families.py FOLDER [--edition small|full|reuse-small|reuse-subset|reuse] [--jobs N]
                               [--data FOLDER] [--results FILE]

A run that was stopped or killed goes on with the same command, and ``reuse`` goes on where
``reuse-subset`` has ended.  FOLDER then has a file and a record for each model; the table of the
families is benchmarks/families/results.json, which --results writes anew.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from functools import partial
from pathlib import Path
from time import monotonic

from assay.errors import AssayError
from assay.values import Json
from assay.zoo import families, reuse
from assay.zoo.families import Failed

EDITIONS = {
    **{name: partial(families.build, edition=name) for name in families.EDITIONS},
    **{name: partial(reuse.build, edition=name) for name in reuse.EDITIONS},
    "reuse-subset": partial(reuse.build, edition="reuse", first=True),
}
KEPT = (
    "name", "network", "task", "seed", "parents", "method", "accuracy", "weights", "file",
    "cpu_seconds",
)  # fmt: skip


def main() -> int:
    """Build, show each model, and keep the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--edition", choices=[*EDITIONS], default="full")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="a folder for each dataset")
    parser.add_argument("--results", type=Path, metavar="FILE", help="write the records' table")
    chosen = parser.parse_args()
    started = monotonic()

    def show(name: str, done: int, total: int) -> None:
        print(f"{monotonic() - started:7.0f} s  {done}/{total}  {name}", flush=True)

    try:
        build = EDITIONS[chosen.edition]
        found = build(chosen.folder, jobs=chosen.jobs, data=chosen.data, progress=show)
    except (AssayError, Failed) as error:
        print(f"make_families: {error}", file=sys.stderr)
        return 2
    if chosen.results is not None:
        chosen.results.write_text(table(found, chosen.edition, monotonic() - started))
    return 0


def table(records: list[Json], edition: str, seconds: float) -> str:
    """The records without their trainings: a line each, so that changes can be seen."""
    about = {
        "command": f"scripts/make_families.py FOLDER --edition {edition}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "seconds_of_this_run": round(seconds),
        "seconds_of_models": round(sum(record["seconds"] for record in records)),
        "cpu_seconds_of_models": round(sum(record["cpu_seconds"] for record in records)),
        "models": len(records),
    }
    rows = ",\n  ".join(json.dumps({key: record[key] for key in KEPT}) for record in records)
    return f'{json.dumps(about, indent=1)[:-2]},\n "records": [\n  {rows}\n ]\n}}\n'


if __name__ == "__main__":
    sys.exit(main())
