"""How well codes find architectures of families that nothing was trained on.

python benchmarks/retrieval/run.py                              # all that is missing
python benchmarks/retrieval/run.py "weisfeiler-lehman, 64 bits"  # only this one
python benchmarks/retrieval/run.py --report                     # the tables, of what is there
python benchmarks/retrieval/run.py --small                      # a minute: few networks and epochs
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import numpy as np
from rankers import Codes, Ranker, untrained
from ranking_tables import report
from suites import CHANGES, database, side, suites

from assay.graphs.neighborhoods import fingerprint
from assay.hashers import HASHERS
from assay.trainers import TRAINERS, Sample, train
from assay.trainers._folder import Source, samples
from assay.values import Json
from assay.zoo import Architecture
from assay.zoo.experiments import finished, work_through
from assay.zoo.retrieval import average_precision

HERE = Path(__file__).parent
SEEDS = (0, 1, 2, 3, 4)
LEARNED = {"contrastive-gin": (64,), "hnn-net": (64,), "ghashing": (64,)}
VERSION = 1  # raised where a figure could change that nothing else in ``behavior`` tells


@dataclass(frozen=True, slots=True)
class Job:
    """One ranker, asked all of one seed."""

    ranker: str
    seed: int
    behavior: str
    method: str | None = None  # that is trained before
    bits: int = 64
    small: bool = False

    @property
    def key(self) -> str:
        return f"{self.ranker}, seed {self.seed}"


def jobs(zoo: str, names: Sequence[str], small: bool) -> list[Job]:
    """All, or those rankers of ``names``; ``zoo`` says which architectures are asked."""
    changes = {name: strength for name, (_, strength) in CHANGES.items()}
    behavior = f"{VERSION} {zoo} {sorted(changes.items())}"
    seeds = SEEDS[:1] if small else SEEDS
    made = [Job(name, seed, behavior) for name in untrained() for seed in seeds]
    made += [
        Job(f"{method}, {bits} bits", seed, behavior, method, bits, small)
        for method, lengths in LEARNED.items()
        for bits in lengths
        for seed in seeds
    ]
    return [job for job in made if not names or job.ranker in names]


def measured(job: Job, models: Sequence[Architecture], work: Path) -> Json:
    """Mean average precision of each suite, and what a code costs."""
    started = monotonic()
    ranker = untrained()[job.ranker] if job.method is None else trained(job, models, work)
    learning = monotonic() - started
    started = monotonic()
    kept = ranker.features([model.graph for model in models])
    seconds = monotonic() - started
    found: Json = {"ranker": job.ranker, "seed": job.seed, "bits": ranker.bits}
    found["trained_s"] = round(learning, 1) if job.method else None
    found["ms_per_graph"] = round(1000 * seconds / len(models), 2)
    for suite in suites(models, job.seed):
        distances = ranker.distances(ranker.features(suite.queries), kept).astype(float)
        distances[suite.left_out] = np.inf
        right = average_precision(distances, suite.relevant)
        found.setdefault("map", {})[suite.name] = round(float(right.mean()), 4)
        found.setdefault("queries", {})[suite.name] = len(right)
    return found


def trained(job: Job, models: Sequence[Architecture], work: Path) -> Ranker:
    """A hasher of networks that it has learned on this seed's side."""
    trainer: Any = TRAINERS[job.method or ""]
    hasher: Any = HASHERS[job.method or ""]
    own = [model for model in models if side(model.family, job.seed) == "trained"]
    sources = [Source(model.name, model.family, model.graph) for model in own]
    made: Any = trainer(bits=job.bits, **({"epochs": 1} if job.small else {}))
    learned = (
        samples(sources, job.seed)
        if made.distances != "none"
        else [Sample(each.path, each.category, each.graph) for each in sources]
    )
    folder = work / job.key.replace(",", "").replace(" ", "-")
    network = train(made, learned, seed=job.seed, checkpoint=folder, progress=say)
    file = folder / "network.safetensors"
    network.save(file)
    loaded = hasher(weights=str(file))
    return Codes(loaded, job.bits)


def say(progress: Any) -> None:
    """A line now and then."""
    if progress.done % 20 == 0 or progress.done == progress.total:
        print(f"  {progress}", flush=True)


def chosen(models: list[Architecture], small: bool) -> list[Architecture]:
    """All, or some forty."""
    return models[:: max(len(models) // 40, 1)] if small else models


def told(found: Iterator[tuple[Job, Json]]) -> None:
    """A line for each job as it ends."""
    for job, entry in found:
        print(f"{job.key}: mean of all suites {np.mean([*entry['map'].values()]):.3f}", flush=True)


def main() -> None:
    """Ask, and write the result file and the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rankers", nargs="*", metavar="RANKER", help="by default all")
    parser.add_argument("--folder", type=Path, default=HERE, help="where all is written")
    parser.add_argument("--small", action="store_true", help="a minute, and nothing is written")
    parser.add_argument("--report", action="store_true", help="only of what is finished")
    options = parser.parse_args()
    models = chosen(database(), options.small)
    zoo = f"{len(models)} {fingerprints(models)}"
    if options.small:
        with TemporaryDirectory() as folder:
            work = Path(folder)
            some = jobs(zoo, options.rankers, small=True)
            told(work_through(some, work / "ledger.jsonl", lambda j, _: measured(j, models, work)))
        return
    ledger, work = options.folder / "ledger.jsonl", options.folder / "work"
    if not options.report:
        some = jobs(zoo, options.rankers, small=False)
        told(work_through(some, ledger, lambda job, _: measured(job, models, work)))
    report(options.folder, models, finished(jobs(zoo, (), small=False), ledger))


def fingerprints(models: Sequence[Architecture]) -> str:
    """Changes where a graph does."""
    return sha256("".join(fingerprint(model.graph) for model in models).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
