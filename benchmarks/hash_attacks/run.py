"""How many edits take a network's code away, or to that of another network.

python benchmarks/hash_attacks/run.py             # all that is missing, half an hour on one core
python benchmarks/hash_attacks/run.py --report    # the tables, of what is there
python benchmarks/hash_attacks/run.py --small     # seconds: few networks, nothing is written
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

import numpy as np
from adversary import NEAR, RADII, TRIED, Reach, imitate, leave
from canonical import REWRITES, undone
from edits import EDITS, HIDDEN

from assay.examine import DEFAULT_HASHER
from assay.hashers import HASHERS
from assay.values import Json
from assay.zoo import Architecture, architectures
from assay.zoo.experiments import finished, hardware, work_through, write_report

HERE = Path(__file__).parent
SEED = 12
HASHED_BY = (DEFAULT_HASHER, "weisfeiler-lehman")
WAYS = {  # of how many edits one is taken, and which there are
    "greedy": (TRIED, [*EDITS]),
    "greedy, by weights": (TRIED, [*HIDDEN]),
    "random": (1, [*EDITS]),
}
NETWORKS, PAIRS = 20, 10
LARGEST = {"leave": 200, "imitate": 120}  # layers
MOST = {"leave": 200, "imitate": 200}  # edits
SAID_AT = (0, 50, 100, 200)  # edits at which the table says how near an imitation is
VERSION = 1  # raised where a figure could change that nothing else in ``behavior`` tells


@dataclass(frozen=True, slots=True)
class Job:
    """One adversary with one network, or one rewrite of files."""

    asked: str  # one of WAYS, "imitate", "rewrite"
    name: str
    target: str
    hasher: str
    behavior: str

    @property
    def key(self) -> str:
        return " / ".join(filter(None, (self.asked, self.name, self.target, self.hasher)))


def chosen(models: Sequence[Architecture], count: int, largest: int, word: str) -> list[str]:
    """Names of networks of different families, drawn by the seed."""
    rng = np.random.default_rng([SEED, *word.encode()])
    found: dict[str, str] = {}
    for place in rng.permutation(len(models)).tolist():
        model = models[place]
        if 8 <= len(model.graph.layers) <= largest:
            found.setdefault(model.family, model.name)
    return [*found.values()][:count]


def jobs(models: Sequence[Architecture], small: bool) -> list[Job]:
    """All, or few of them."""
    networks, pairs = (1, 1) if small else (NETWORKS, PAIRS)
    largest = dict.fromkeys(LARGEST, 30) if small else LARGEST
    most = dict.fromkeys(MOST, 3) if small else MOST
    own = DEFAULT_HASHER
    behavior = {
        name: f"{VERSION} {HASHERS[name]().scheme} {TRIED} {SEED} {[*EDITS]}" for name in HASHED_BY
    }
    made = [Job("rewrite", name, "", own, behavior[own]) for name in REWRITES]
    leaving = chosen(models, networks, largest["leave"], "leave")
    for hasher in HASHED_BY:
        for asked in WAYS:
            way = f"{behavior[hasher]} {most['leave']}"
            made += [Job(asked, name, "", hasher, way) for name in leaving]
    both = chosen(models, 2 * pairs, largest["imitate"], "imitate")
    for name, target in zip(both[:pairs], both[pairs:], strict=True):
        made.append(Job("imitate", name, target, own, f"{behavior[own]} {most['imitate']}"))
    return made


def made(job: Job, graphs: Mapping[str, Architecture]) -> Json:
    """What came of a job."""
    started, hasher = monotonic(), HASHERS[job.hasher]()
    rng = np.random.default_rng([*sha256(f"{SEED} {job.key}".encode()).digest()])
    edits = int(job.behavior.split()[-1]) if job.asked != "rewrite" else 0
    if job.asked == "rewrite":
        found = undone(job.name)
    elif job.asked == "imitate":
        both = graphs[job.name].graph, graphs[job.target].graph
        found = imitate(*both, hasher, Reach(edits), rng)
    else:
        found = leave(graphs[job.name].graph, hasher, Reach(edits, *WAYS[job.asked]), rng)
    seconds = round(monotonic() - started, 1)
    told = {"asked": job.asked, "name": job.name, "target": job.target, "hasher": job.hasher}
    return {**told, **found, "s": seconds}


def report(folder: Path, entries: Mapping[str, Json]) -> None:
    """Writes results.json, and the tables of README.md."""
    kept = [{k: v for k, v in e.items() if k not in ("key", "behavior")} for e in entries.values()]
    results: Json = {
        "command": "python benchmarks/hash_attacks/run.py",
        "seed": SEED,
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "schemes": [HASHERS[name]().scheme for name in HASHED_BY],
        "tried": TRIED,
        "minutes": round(sum(e["s"] for e in kept) / 60, 1),
        "runs": kept,
    }
    own = [e for e in kept if e["hasher"] == DEFAULT_HASHER]
    by = {asked: [e for e in own if e["asked"] == asked]
          for asked in (*WAYS, "imitate", "rewrite")}  # fmt: skip
    tables = {
        "leaving": leaving_table(kept),
        "networks": networks_table(by),
        "kinds": kinds_table(by["greedy"]),
        "imitation": imitation_table(by["imitate"]),
        "rewrites": rewrites_table(by["rewrite"]),
    }
    write_report(folder, results, tables)


def leaving_table(runs: Sequence[Json]) -> str:
    """A row for each hasher, adversary and radius."""
    lines = ["| hasher | adversary | radius, bits | median edits | least | most | not left"
             " | median share of the layers |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for hasher, asked, (place, radius) in product(HASHED_BY, WAYS, enumerate(RADII)):
        rows = [e for e in runs if e["hasher"] == hasher and e["asked"] == asked]
        if not rows:
            continue
        done = [e["edits"][place] for e in rows]
        counts = [MOST["leave"] + 1 if n is None else n for n in done]
        shares = [n / e["layers"][1] for n, e in zip(counts, rows, strict=True)]
        known = [n for n in done if n is not None] or [0]
        lines.append(
            f"| {hasher} | {asked} | {radius} | {median(counts):g} | {min(known)} | {max(known)} |"
            f" {done.count(None)} of {len(done)} | {median(shares):.0%} |"
        )
    return "\n".join(lines) + "\n"


def networks_table(by: Mapping[str, Sequence[Json]]) -> str:
    """A row for each network."""
    random = {e["name"]: e for e in by["random"]}
    lines = [f"| network | layers | {' | '.join(f'greedy, > {r}' for r in RADII)} |"
             f" {' | '.join(f'random, > {r}' for r in RADII)} | overlap left |"]  # fmt: skip
    lines.append("|---" * (3 + 2 * len(RADII)) + "|")
    for e in sorted(by["greedy"], key=lambda e: e["layers"][1]):
        others = random.get(e["name"], {"edits": [None] * len(RADII)})
        counts = " | ".join("–" if n is None else str(n) for n in (*e["edits"], *others["edits"]))
        lines.append(f"| {e['name']} | {e['layers'][1]} | {counts} | {e['score']:.2f} |")
    return "\n".join(lines) + "\n"


def kinds_table(rows: Sequence[Json]) -> str:
    """How often the greedy adversary took each kind of edit."""
    total = sum(sum(e["kinds"].values()) for e in rows)
    lines = ["| edit | share of the greedy adversary's |", "|---|---|"]
    counts = {kind: sum(e["kinds"].get(kind, 0) for e in rows) for kind in EDITS}
    for kind, count in sorted(counts.items(), key=lambda item: -item[1]):
        lines.append(f"| {kind} | {count / max(total, 1):.0%} |")
    return "\n".join(lines) + "\n"


def imitation_table(rows: Sequence[Json]) -> str:
    """A row for each pair."""
    at = " | ".join(f"{n} edits" for n in SAID_AT)
    lines = [f"| network | target | {at} | {' | '.join(f'edits to {r}' for r in NEAR)} |"
             " overlap before | after | what it supports |"]  # fmt: skip
    lines.append("|---" * (5 + len(SAID_AT) + len(NEAR)) + "|")
    for e in rows:
        found = e["distances"]
        bits = " | ".join(str(found[min(n, len(found) - 1)]) for n in SAID_AT)
        counts = " | ".join("–" if n is None else str(n) for n in e["edits"])
        lines.append(
            f"| {e['name']} | {e['target']} | {bits} | {counts} | {e['before']['score']:.3f} |"
            f" {e['score']:.3f} | {e['relation']} |"
        )
    return "\n".join(lines) + "\n"


def rewrites_table(rows: Sequence[Json]) -> str:
    """A row for each rewrite of a file."""
    lines = ["| rewrite of the file | the graph is the same | bits that differ |", "|---|---|---|"]
    for e in rows:
        lines.append(f"| {e['name']} | {'yes' if e['same'] else 'no'} | {e['bits']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=HERE, help="where all is written")
    parser.add_argument("--small", action="store_true", help="to see that it runs")
    parser.add_argument("--report", action="store_true", help="only of what is finished")
    options = parser.parse_args()
    models = architectures()
    graphs = {model.name: model for model in models}
    asked = jobs(models, options.small)

    def make(job: Job, done: Mapping[str, Json]) -> Json:
        return made(job, graphs)

    with TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.small else options.folder
        if not options.report:
            for job, entry in work_through(asked, folder / "ledger.jsonl", make):
                print(job.key, entry.get("edits", entry.get("same")), entry["s"], flush=True)
        report(folder, finished(asked, folder / "ledger.jsonl"))


if __name__ == "__main__":
    main()
