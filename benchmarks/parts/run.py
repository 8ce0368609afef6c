"""Which radius finds parts of other networks, and how many strangers it leads to.

python benchmarks/parts/run.py             # all that is missing, half an hour on one core
python benchmarks/parts/run.py --report    # the tables, of what is there
python benchmarks/parts/run.py --small     # a minute: few networks, nothing is written
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.comparisons.parts import WORK, Parts
from assay.examine import DEFAULT_HASHER
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.parts import VERSION, parts
from assay.hashers import HASHERS, Hasher, parted
from assay.values import Json, LayerGraph, Record
from assay.zoo import Architecture, architectures, changes
from assay.zoo.experiments import finished, hardware, work_through, write_report

HERE = Path(__file__).parent
RADII = (0, 1, 2, 3, 4, 6)  # bits of 64
HASHED_BY = (DEFAULT_HASHER, "weisfeiler-lehman")
SAMPLED = 100  # networks of which variants are made
FAR = 99
CHANGES = {
    name: changes.CHANGES[name]
    for name in (
        "another head",
        "first 60 %",
        "a stage removed",
        "adapters inserted",
        "a fifth of the blocks less",
        "other activations",
        "widths x 0.7",
        "a tenth contracted",
        "a tenth rewritten",
    )
}
# Networks of the zoo, and one that each was built upon, as its own configuration says.
BUILT_UPON = (
    ("transformers/detr-resnet-50", "resnet50"),
    ("transformers/conditional-detr-resnet-50", "resnet50"),
    ("transformers/dab-detr-resnet-50", "resnet50"),
    ("transformers/table-transformer", "resnet50"),
    ("transformers/upernet", "transformers/resnet-50"),
    ("transformers/rt-detr-r50", "timm/resnet50d"),
    ("transformers/deeplabv3-mobilenet-v2", "mobilenet_v2"),
    ("transformers/deeplabv3-mobilevit", "timm/mobilevit_s"),
    ("transformers/maskformer-swin-base", "swin_b"),
    ("transformers/mask2former-swin-small", "swin_s"),
    ("transformers/beit-upernet", "transformers/beit-base"),
    ("transformers/clipseg-rd64", "transformers/clip-vit-base-16"),
    ("transformers/chinese-clip-vit-base-16", "timm/vit_base_patch16_clip_224"),
    ("transformers/chinese-clip-vit-base-16", "transformers/bert-base"),
    ("transformers/lxmert-base", "transformers/bert-base"),
    ("timm/vit_small_resnet50d_s16_224", "timm/resnet50d"),
    ("transformers/align-base", "efficientnet_b7"),
    ("transformers/align-base", "transformers/bert-base"),
    ("transformers/bridgetower-base", "transformers/roberta-base"),
    ("transformers/flava-full", "transformers/vit-base"),
    ("transformers/whisper-distil-large-v2", "transformers/whisper-large"),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One hasher, asked one thing."""

    hasher: str
    asked: str
    behavior: str

    @property
    def key(self) -> str:
        return f"{self.hasher}, {self.asked}"


class Known:
    """The zoo's records with codes of parts, by one hasher."""

    def __init__(self, models: Sequence[Architecture], hasher: Hasher) -> None:
        self.models, self.hasher = models, hasher
        self.records = {model.name: recorded(model.graph, hasher) for model in models}


def recorded(graph: LayerGraph, hasher: Hasher) -> Record:
    """As a registry has a model."""
    record = Record("", "", code=hasher(graph), graph=graph, quality=1.0)
    return parted(record, hasher)


def nearest(suspect: Record, source: Record) -> tuple[int, int]:
    """Least distance of two parts that are large enough, and of two that are alike, too."""
    method = Parts(radius=RADII[-1])
    least, alike = FAR, FAR
    for pair in sorted(method.near(suspect, source), key=lambda pair: pair.distance):
        least = min(least, pair.distance)
        if method.alike(suspect, source, pair) >= method.overlap:
            alike = pair.distance
            break
    return least, alike


def strangers(known: Known) -> Json:
    """Pairs of networks of different families with near parts, for each radius."""
    names = [model.name for model in known.models]
    families = [model.family for model in known.models]
    close = candidates([known.records[name] for name in names])
    led, alike = np.zeros(len(RADII), int), np.zeros(len(RADII), int)
    pairs = 0
    for i, family in enumerate(families):
        for j in range(i):
            pairs += families[j] != family
    for i, j in np.argwhere(np.tril(close, -1)).tolist():
        if families[i] != families[j]:
            found = nearest(known.records[names[i]], known.records[names[j]])
            led += [found[0] <= radius for radius in RADII]
            alike += [found[1] <= radius for radius in RADII]
    return {"pairs": pairs, "led": led.tolist(), "alike": alike.tolist()}


def candidates(records: Sequence[Record]) -> NDArray[np.bool_]:
    """Which pairs (n, n) have any parts within the largest radius."""
    owner = np.array([i for i, r in enumerate(records) for _ in r.parts or ()])
    digests = b"".join(part.digest for r in records for part in r.parts or ())
    words = np.frombuffer(digests, np.uint64)  # codes of 64 bits
    close = np.zeros((len(records), len(records)), bool)
    for start in range(0, len(words), 256):
        near = np.bitwise_count(words[start : start + 256, None] ^ words) <= RADII[-1]
        rows, columns = np.nonzero(near)
        close[owner[start + rows], owner[columns]] = True
    return close


def changed(known: Known, name: str) -> Json:
    """In how many variants the original is found by a part."""
    change, strength = CHANGES[name]
    step = max(len(known.models) // SAMPLED, 1)
    distances = []
    for number, model in enumerate(known.models[::step]):
        rng = np.random.default_rng([sorted(CHANGES).index(name), number])
        made = change(model.graph, strength, rng)
        if made is not None:
            suspect = recorded(made.graph, known.hasher)
            distances.append(nearest(suspect, known.records[model.name])[1])
    found = [sum(d <= radius for d in distances) for radius in RADII]
    return {"variants": len(distances), "found": found}


def built(known: Known) -> Json:
    """How near the parts of networks are to those of what they were built upon."""
    rows = []
    for name, upon in BUILT_UPON:
        if name in known.records and upon in known.records:
            both = known.records[name], known.records[upon]
            evidence = Parts().compare(*both)
            score = None if evidence is None else evidence.score
            rows.append([name, upon, nearest(*both)[1], score])
    return {"built": rows}


def cost(known: Known) -> Json:
    """Parts of a network, and what it takes to cut them and to hash them, in ms."""
    sizes, cutting, hashing = [], [], []
    for model in known.models:
        started = perf_counter()
        found = parts(model.graph)
        cutting.append(1000 * (perf_counter() - started))
        started = perf_counter()
        known.hasher.parts(model.graph)
        hashing.append(1000 * (perf_counter() - started) - cutting[-1])
        sizes.append(len(found))
    layers = np.array([len(model.graph.layers) for model in known.models])
    some = np.abs(layers - 200) <= 50
    return {
        "parts": round(float(np.mean(sizes)), 1),
        "most": max(sizes),
        "none": sizes.count(0),
        "cutting_200_ms": round(float(np.median(np.array(cutting)[some])), 1),
        "hashing_200_ms": round(float(np.median(np.array(hashing)[some])), 1),
        "cutting_per_1000_layers_ms": round(1000 * sum(cutting) / int(layers.sum()), 1),
    }


def made(job: Job, known: Known) -> Json:
    """What came of a job."""
    asked: Mapping[str, Any] = {"strangers": strangers, "built upon": built, "cost": cost}
    said = asked[job.asked](known) if job.asked in asked else changed(known, job.asked)
    return {"hasher": job.hasher, "asked": job.asked, **said}


def report(folder: Path, models: Sequence[Architecture], entries: Mapping[str, Json]) -> None:
    """Writes results.json, and the tables of README.md."""
    kept = [{k: v for k, v in e.items() if k not in ("key", "behavior")} for e in entries.values()]
    results: Json = {
        "command": "python benchmarks/parts/run.py",
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "schemes": [HASHERS[name]().scheme for name in HASHED_BY],
        "networks": len(models),
        "radii": RADII,
        "runs": kept,
    }
    by = {(e["hasher"], e["asked"]): e for e in kept}
    text = "".join(table(name, {asked: e for (h, asked), e in by.items() if h == name})
                   for name in HASHED_BY)  # fmt: skip
    write_report(folder, results, {"radii": text, "built": built_table(by)})


def table(name: str, entries: Mapping[str, Json]) -> str:
    """A row for each kind of pair, a column for each radius."""
    if "strangers" not in entries:
        return ""
    lines = [f"\n`{HASHERS[name]().scheme}`\n", f"| | {' | '.join(map(str, RADII))} |"]
    lines.append("|---" * (len(RADII) + 1) + "|")
    of = entries["strangers"]
    for key, said in (("led", "near"), ("alike", "near, and alike")):
        cells = [f"{1e6 * count / of['pairs']:,.0f}" for count in of[key]]
        lines.append(f"| different families: {said}, per million pairs | {' | '.join(cells)} |")
    for change in CHANGES:
        if change in entries:
            each = entries[change]
            cells = [f"{count / max(each['variants'], 1):.2f}" for count in each["found"]]
            lines.append(f"| {change}: found, of {each['variants']} | {' | '.join(cells)} |")
    if "cost" in entries:
        c = entries["cost"]
        lines += ["", f"{c['parts']} parts on average, {c['most']} at most; {c['none']} networks"
                  f" have none. A network of about 200 layers: cut in {c['cutting_200_ms']} ms,"
                  f" hashed in {c['hashing_200_ms']} ms more."]  # fmt: skip
    return "\n".join(lines) + "\n"


def built_table(by: Mapping[tuple[str, str], Json]) -> str:
    """A row for each network that was built upon another."""
    found = by.get((DEFAULT_HASHER, "built upon"))
    if found is None:
        return ""
    lines = ["| network | built upon | score | distance, bits |", "|---|---|---|---|"]
    for name, upon, distance, score in found["built"]:
        said = ("not found", "") if score is None else (f"{score:.3f}", str(distance))
        lines.append(f"| {name} | {upon} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def parts_rules() -> str:
    """What decides which parts count, beside the radius."""
    method = Parts()
    alike = f"overlap={method.overlap} share={method.share} work={WORK} rounds={method.rounds}"
    return f"p{VERSION} {alike}"


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    models = list({fingerprint(each.graph): each for each in architectures()}.values())
    if options.small:
        wanted = {name for pair in BUILT_UPON[:1] for name in pair}
        models = [m for i, m in enumerate(models) if m.name in wanted or i % 300 == 0]
    zoo = sha256("".join(model.name for model in models).encode()).hexdigest()[:8]
    asked = ("strangers", "built upon", "cost", *[*CHANGES][: 2 if options.small else None])
    jobs = [
        Job(name, each, f"{HASHERS[name]().scheme} {zoo} {parts_rules()} {SAMPLED}")
        for name in (HASHED_BY[:1] if options.small else HASHED_BY)
        for each in asked
    ]
    known: dict[str, Known] = {}

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        if job.hasher not in known:
            known.clear()
            known[job.hasher] = Known(models, HASHERS[job.hasher]())
        return made(job, known[job.hasher])

    with TemporaryDirectory() as temporary:
        ledger = Path(temporary if options.small else HERE) / "ledger.jsonl"
        if not options.report:
            for job, entry in work_through(jobs, ledger, make):
                print(job.key, {k: v for k, v in entry.items() if k != "behavior"}, flush=True)
        if not options.small:
            report(HERE, models, finished(jobs, ledger))


if __name__ == "__main__":
    main()
