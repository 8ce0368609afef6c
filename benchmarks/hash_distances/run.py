"""What a Hamming distance means: how far graphs are apart, and how many strangers are as near.

python benchmarks/hash_distances/run.py             # all that is missing, half an hour on one core
python benchmarks/hash_distances/run.py --report    # the tables and the figure, of what is there
python benchmarks/hash_distances/run.py --small     # seconds: few networks, nothing is written
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import numpy as np
from counting import RETRIEVAL, held_out, strangers
from numpy.typing import NDArray
from page import LENGTHS, tables

from assay.durable import write_whole
from assay.graphs._drafts import Variant
from assay.graphs.edit_distance import edit_distance
from assay.graphs.neighborhoods import fingerprint
from assay.hashers.boosted_minhash import BoostedMinhash
from assay.values import Json
from assay.zoo import Architecture, architectures, changes
from assay.zoo.experiments import finished, hardware, work_through, write_report
from assay.zoo.plotting import Panel, Points, drawn

HERE = Path(__file__).parent
SEED = 4
LARGEST = 120  # layers of a network whose edit distances are bounded
NETWORKS = 80  # of them, each with a variant, one of its family and a stranger
COPIED = 150  # networks of which variants are made for the table
KINDS = {"variant": "#4477aa", "one family": "#228833", "stranger": "#cc6677"}
BINS = 6  # of a panel's line
CHANGES = {
    name: changes.CHANGES[name]
    for name in (
        "a tenth contracted",
        "first 60 %",
        "widths x 0.7",
        "channels pruned, up to half",
        "other activations",
        "a fifth of the blocks less",
        "a fifth of the blocks more",
        "another head",
        "adapters inserted",
        "spelled out",
        "a tenth rewritten",
    )
}
VERSION = 1  # raised where bounds could change that nothing else in ``behavior`` tells


@dataclass(frozen=True, slots=True)
class Job:
    """Edit distances of one network: to a variant, to one of its family, to a stranger."""

    name: str
    kin: str  # "" where the family has no other that is small enough
    stranger: str
    change: str
    behavior: str

    @property
    def key(self) -> str:
        return self.name


def jobs(models: Sequence[Architecture], count: int, largest: int) -> list[Job]:
    """Networks drawn by the seed, each with two others and a change."""
    rng = np.random.default_rng(SEED)
    small = [model for model in models if len(model.graph.layers) <= largest]
    made = []
    for place in rng.permutation(len(small))[:count].tolist():
        model = small[place]
        kin = [m.name for m in small if m.family == model.family and m is not model]
        strangers = [m.name for m in small if m.family != model.family]
        names = [str(rng.choice(some)) if some else "" for some in (kin, strangers)]
        change = str(rng.choice([*CHANGES]))
        behavior = f"{VERSION} {SEED} {change} {CHANGES[change][1]} {names}"
        made.append(Job(model.name, *names, change, behavior))
    return made


def variant_of(model: Architecture, change: str) -> Variant | None:
    """The same at every call."""
    made, strength = CHANGES[change]
    words = sha256(f"{SEED} {model.name} {change}".encode()).digest()
    return made(model.graph, strength, np.random.default_rng([*words]))


def bounded(job: Job, known: Mapping[str, Architecture]) -> Json:
    """Bounds of the edit distance to each, and the code's distances."""
    started, model = monotonic(), known[job.name]
    others = {"one family": job.kin, "stranger": job.stranger}
    found = {
        kind: edit_distance(known[name].graph, model.graph).normalized
        for kind, name in others.items()
        if name
    }
    if (variant := variant_of(model, job.change)) is not None:
        lineage = variant.lineage
        found["variant"] = edit_distance(variant.graph, model.graph, lineage=lineage).normalized
    bounds = {kind: [round(bound, 4) for bound in each] for kind, each in found.items()}
    return {"name": job.name, "bounds": bounds, "s": round(monotonic() - started, 1)}


def measured_pairs(
    asked: Sequence[Job],
    entries: Mapping[str, Json],
    known: Mapping[str, Architecture],
    hasher: BoostedMinhash,
) -> list[Json]:
    """Each pair with its bounds and the distance of its codes."""
    rows = []
    for job in asked:
        model = known[job.name]
        variant = variant_of(model, job.change)
        graphs = {"variant": variant.graph if variant else None}
        graphs |= {
            kind: known[name].graph if name else None
            for kind, name in (("one family", job.kin), ("stranger", job.stranger))
        }
        for kind, bounds in entries.get(job.key, {"bounds": {}})["bounds"].items():
            graph = graphs[kind]
            if graph is not None:
                bits = hasher(graph) - hasher(model.graph)
                rows.append({"kind": kind, "bounds": bounds, "bits": bits})
    return rows


def copies(models: Sequence[Architecture], hasher: BoostedMinhash) -> Json:
    """Variants by how many bits differ, for each change: (bits + 1) counts."""
    found: Json = {}
    for change in CHANGES:
        bits = [
            hasher(variant.graph) - hasher(model.graph)
            for model in models
            if (variant := variant_of(model, change)) is not None
        ]
        found[change] = np.bincount(bits, minlength=LENGTHS[0] + 1).tolist()
    return found


def figure(rows: Sequence[Json]) -> str:
    """Hamming distances over both bounds, a dot for each pair; lines are medians."""
    panels = []
    for place, bound in enumerate(("lower", "upper")):
        dots: dict[str, Points] = {}
        lines: dict[str, Points] = {}
        for kind in KINDS:
            points = sorted((r["bounds"][place], r["bits"]) for r in rows if r["kind"] == kind)
            dots[kind] = points
            lines[kind] = medians(np.array(points).reshape(-1, 2))
        title = f"by the {bound} bound of the edit distance"
        panels.append(Panel(title, "edits / layers and edges", "bits of 64", lines, dots))
    return drawn(panels, KINDS)


def medians(points: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Of bins (BINS) of as many points each."""
    parts = np.array_split(points, min(BINS, max(len(points) // 5, 1))) if len(points) else []
    found = [np.median(part, 0) for part in parts]
    return [(round(float(x), 3), float(y)) for x, y in found]


def apart_from_training(models: Sequence[Architecture], networks: Path, before: Path) -> list[Json]:
    """Strangers that the networks never saw; what is known of them, where those are gone."""
    found = held_out(models, networks)
    if found or not before.exists():
        return found
    known: list[Json] = json.loads(before.read_text())["held out"]
    return known


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument(
        "--networks",
        type=Path,
        default=RETRIEVAL / "work",
        help="folder of what benchmarks/retrieval trained; without it, figures of before stay",
    )
    options = parser.parse_args()
    some = architectures()[:: 120 if options.small else 1]
    models = list({fingerprint(each.graph): each for each in some}.values())
    known = {model.name: model for model in models}
    asked = jobs(models, 2 if options.small else NETWORKS, 60 if options.small else LARGEST)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.small else HERE
        ledger = folder / "ledger.jsonl"
        if not options.report:
            for job, entry in work_through(asked, ledger, lambda job, _: bounded(job, known)):
                print(job.key, entry["bounds"], entry["s"], flush=True)
        started, hashers = monotonic(), [BoostedMinhash(bits=bits) for bits in LENGTHS]
        entries = finished(asked, ledger)
        step = max(len(models) // COPIED, 1)
        results: Json = {
            "command": "python benchmarks/hash_distances/run.py",
            "seed": SEED,
            "hardware": hardware(),
            "versions": {"python": platform.python_version(), "numpy": np.__version__},
            "schemes": [hasher.scheme for hasher in hashers],
            "networks": len(models),
            "strangers": strangers(models, hashers),
            "held out": apart_from_training(models, options.networks, folder / "results.json"),
            "copies": copies(models[::step], hashers[0]),
            "pairs": measured_pairs(asked, entries, known, hashers[0]),
        }
        seconds = monotonic() - started + sum(entry["s"] for entry in entries.values())
        results["minutes"] = round(seconds / 60, 1)
        write_report(folder, results, tables(results))
        write_whole(folder / "distances.svg", figure(results["pairs"]).encode())


if __name__ == "__main__":
    main()
