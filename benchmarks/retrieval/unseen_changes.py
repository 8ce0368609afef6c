"""Whether bits hold for changes that they were not chosen by: each kind is left out in turn.

python benchmarks/retrieval/unseen_changes.py            # half an hour of one core, goes on
python benchmarks/retrieval/unseen_changes.py --small    # one kind, few views; nothing is written

For each kind of change one training of ``boosted-minhash`` (64 bits, seed 0) without it, asked it
alone, beside one with all kinds.  Of what is done twice to a network, neither is that kind.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from questions import side
from rankers import Codes
from suites import suites

from assay.durable import write_whole
from assay.hashers import HASHERS
from assay.trainers import TRAINERS, Sample, _views, train
from assay.values import Json
from assay.zoo import Architecture, architectures
from assay.zoo.changes import CHANGES
from assay.zoo.experiments import finished, hardware, with_tables, work_through
from assay.zoo.retrieval import average_precision

HERE = Path(__file__).parent
SEED = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A training without one kind of change, or with all."""

    left_out: str  # "": none
    behavior: str

    @property
    def key(self) -> str:
        return f"without {self.left_out}" if self.left_out else "with all"


def jobs(behavior: str, small: bool = False) -> list[Job]:
    """All of them; with ``small`` two."""
    names = [*CHANGES][:1] if small else [*CHANGES]
    return [Job(name, behavior) for name in ("", *names)]


@contextmanager
def without(name: str) -> Iterator[None]:
    """Views without a kind of change."""
    known = _views.CHANGES
    change = CHANGES[name][0] if name else None
    _views.CHANGES = tuple(row for row in known if row[0] is not change)
    try:
        yield
    finally:
        _views.CHANGES = known


def measured(job: Job, models: tuple[Architecture, ...], options: Json, folder: Path) -> Json:
    """Mean average precision of what was left out; of all where nothing was."""
    method: Any = TRAINERS["boosted-minhash"]
    hasher: Any = HASHERS["boosted-minhash"]
    own = [m for m in models if side(m.family, SEED) == "trained"]
    with without(job.left_out):
        learned = [Sample(each.name, each.family, each.graph) for each in own]
        network = train(method(**options), learned, seed=SEED)
    file = folder / "network.safetensors"
    network.save(file)
    ranker = Codes(hasher(weights=str(file)), 64)
    kept = ranker.features([model.graph for model in models])
    found = {}
    for suite in suites(models, SEED):
        if suite.name == job.left_out or (not job.left_out and suite.name in CHANGES):
            distances = ranker.distances(ranker.features(suite.queries), kept).astype(float)
            distances[suite.left_out] = float("inf")
            right = average_precision(distances, suite.relevant)
            found[suite.name] = round(float(right.mean()), 4)
    return {"left_out": job.left_out, "map": found}


def tables(entries: Sequence[Json]) -> dict[str, str]:
    """Rows of kinds: with all, and without it."""
    by = {entry["left_out"]: entry["map"] for entry in entries}
    rows = ["| | learned with it | without |", "|---|---|---|"]
    for name in CHANGES:
        pair = [by.get("", {}).get(name), by.get(name, {}).get(name)]
        shown = " | ".join("" if value is None else f"{value:.3f}" for value in pair)
        rows.append(f"| {name} | {shown} |")
    return {"unseen changes": "\n".join(rows) + "\n"}


def main() -> None:
    """Ask, and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--small", action="store_true", help="one kind, and nothing is written")
    parser.add_argument("--folder", type=Path, default=HERE, help="where all is written")
    options = parser.parse_args()
    models = architectures()
    models = models[:: max(len(models) // 40, 1)] if options.small else models
    quick = {"views": 100, "functions": 2} if options.small else {}
    listed = jobs(f"1 {len(models)} {quick}", options.small)
    with TemporaryDirectory() as scratch:
        ledger = (Path(scratch) if options.small else options.folder) / "unseen_changes.jsonl"

        def make(job: Job, _: object) -> Json:
            return measured(job, models, quick, Path(scratch))

        for job, entry in work_through(listed, ledger, make):
            print(f"{job.key}: {entry['map']}", flush=True)
        entries = [*finished(listed, ledger).values()]
    if not options.small:
        results = {
            "command": "python benchmarks/retrieval/unseen_changes.py",
            "hardware": hardware(),
            "seed": SEED,
            "entries": entries,
        }
        text = json.dumps(results, indent=1) + "\n"
        write_whole(options.folder / "unseen_changes.json", text.encode())
        page = HERE / "README.md"
        write_whole(page, with_tables(page.read_text(), tables(entries)).encode())


if __name__ == "__main__":
    main()
