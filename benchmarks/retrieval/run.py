"""How well codes find architectures of families that nothing was trained on.

python benchmarks/retrieval/run.py                              # all that is missing
python benchmarks/retrieval/run.py "weisfeiler-lehman, 64 bits"  # only this one
python benchmarks/retrieval/run.py --report                     # the tables, of what is there
python benchmarks/retrieval/run.py --small                      # few networks and epochs
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
from measuring import Ground, measured
from other_ways import EXPORTS
from questions import side
from rankers import Codes, Parts, Ranker, pieces, untrained
from ranking_tables import report

from assay.graphs.label_kinds import VERSION as LABELS
from assay.hashers import HASHERS
from assay.hashers._network_file import HashNetwork
from assay.hashers.boosted_minhash import beginning
from assay.trainers import TRAINERS, Sample, train
from assay.trainers._folder import Source, samples
from assay.values import Json
from assay.zoo import GRAPHS, Architecture, architectures
from assay.zoo.changes import CHANGES
from assay.zoo.experiments import finished, work_through

HERE = Path(__file__).parent
SEEDS = (0, 1, 2, 3, 4)
LEARNED = {
    "boosted-minhash": (64, 128, 256),
    "contrastive-gin": (64,),
}
QUICK = {"boosted-minhash": {"views": 200, "functions": 4}}  # with --small; else one epoch
VERSION = 2  # raised where a figure could change that nothing else in ``behavior`` tells


@dataclass(frozen=True, slots=True)
class Job:
    """One ranker, asked all of one seed."""

    ranker: str
    seed: int
    behavior: str
    method: str | None = None  # that is trained before
    bits: int = 64
    parts: bool = False  # codes of parts, too
    small: bool = False

    @property
    def key(self) -> str:
        return f"{self.ranker}, seed {self.seed}"


def jobs(zoo: str, names: Sequence[str], small: bool) -> list[Job]:
    """All, or those rankers of ``names``; ``zoo`` says which architectures are asked.

    One seed after the other, so that what is asked of a seed is made once for all rankers.
    """
    changes = {name: strength for name, (_, strength) in CHANGES.items()}
    behavior = f"{VERSION} {zoo} {sorted(changes.items())}"
    by_labels = {"boosted-minhash": f"{behavior} labels {LABELS}"}
    made = []
    for seed in SEEDS[:1] if small else SEEDS:
        made += [Job(name, seed, behavior) for name in untrained()]
        made += [
            Job(
                f"{method}, {bits} bits",
                seed,
                by_labels.get(method, behavior),
                method,
                bits,
                small=small,
            )
            for method, lengths in LEARNED.items()
            for bits in lengths
        ]
        split = "boosted-minhash, 64 bits, and of parts"
        way = by_labels["boosted-minhash"]
        made.append(Job(split, seed, way, "boosted-minhash", parts=True, small=small))
    return [job for job in made if not names or job.ranker in names]


def answered(job: Job, ground: Ground, work: Path) -> Json:
    """What is measured of a job's ranker, once it has learned."""
    started = monotonic()
    ranker = untrained()[job.ranker] if job.method is None else trained(job, ground.models, work)
    learning = round(monotonic() - started, 1) if job.method else None
    found = {"ranker": job.ranker, "seed": job.seed, "trained_s": learning}
    return found | measured(ranker, ground, job.seed)


def trained(job: Job, models: Sequence[Architecture], work: Path) -> Ranker:
    """A hasher of what it has learned on this seed's side."""
    method, lengths = job.method or "", LEARNED[job.method or ""]
    hasher: Any = HASHERS[method]
    folder = work / f"{method}-{max(lengths)}-bits-seed-{job.seed}"
    whole = folder / "network.safetensors"
    if not whole.exists():
        _learned(job, max(lengths), models, folder).save(whole)
    file = folder / f"{job.bits}.safetensors"
    network = HashNetwork.load(whole)
    (network if job.bits == network.bits else beginning(network, job.bits)).save(file)
    codes = Codes(hasher(weights=str(file)), job.bits)
    return Parts(codes, pieces) if job.parts else codes


def _learned(job: Job, bits: int, models: Sequence[Architecture], folder: Path) -> HashNetwork:
    trainer: Any = TRAINERS[job.method or ""]
    own = [model for model in models if side(model.family, job.seed) == "trained"]
    sources = [Source(model.name, model.family, model.graph) for model in own]
    quick: dict[str, int] = QUICK.get(job.method or "", {"epochs": 1}) if job.small else {}
    made: Any = trainer(bits=bits, **quick)
    learned = (
        samples(sources, job.seed)
        if made.distances != "none"
        else [Sample(each.path, each.category, each.graph) for each in sources]
    )
    return train(made, learned, seed=job.seed, checkpoint=folder, progress=say)


def say(progress: Any) -> None:
    """A line now and then."""
    if progress.done % 20 == 0 or progress.done == progress.total:
        print(f"  {progress}", flush=True)


def ground(small: bool) -> Ground:
    """All of the zoo, or some forty networks and as many made up."""
    models = architectures()
    return Ground(models[:: max(len(models) // 40, 1)], 40) if small else Ground(models)


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
    parser.add_argument("--small", action="store_true", help="few networks; nothing is written")
    parser.add_argument("--report", action="store_true", help="only of what is finished")
    options = parser.parse_args()
    asked = ground(options.small)
    zoo = f"{len(asked.models)} {contents()}"
    if options.small:
        with TemporaryDirectory() as folder:
            work = Path(folder)
            some = jobs(zoo, options.rankers, small=True)
            told(work_through(some, work / "ledger.jsonl", lambda j, _: answered(j, asked, work)))
        return
    ledger, work = options.folder / "ledger.jsonl", options.folder / "work"
    if not options.report:
        some = jobs(zoo, options.rankers, small=False)
        told(work_through(some, ledger, lambda job, _: answered(job, asked, work)))
    report(options.folder, asked.models, finished(jobs(zoo, (), small=False), ledger))


def contents() -> str:
    """Changes where a graph of the zoo, or of the second exports, does."""
    return sha256(GRAPHS.read_bytes() + EXPORTS.read_bytes()).hexdigest()[:16]


if __name__ == "__main__":
    main()
