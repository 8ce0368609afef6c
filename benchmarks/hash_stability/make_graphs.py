"""Trace networks of the zoo once more: for smaller images, and for four images at once.

Of each family that takes images of any size one network, then the next of each.  The zoo has them
for one image of 256.  Needs what ``scripts/make_zoo_graphs.py`` needs.  ``ledger.jsonl`` in
``--work`` has what was made, and a later call goes on::

    python benchmarks/hash_stability/make_graphs.py --most 200   # then pack
    python benchmarks/hash_stability/make_graphs.py --pack       # only pack
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from _zoo_networks import SHAPE, _layers, build, prepare  # noqa: E402
from _zoo_processes import Entry, make_all  # noqa: E402
from make_zoo_graphs import by_turns  # noqa: E402

from assay.durable import read_ledger, write_whole  # noqa: E402
from assay.graphs import layer_graph  # noqa: E402
from assay.values import LayerGraph  # noqa: E402
from assay.zoo import Architecture, architectures, write_zoo  # noqa: E402

OTHERS = {"images of 224": (1, 3, 224, 224), "four images": (4, 3, 256, 256)}
BATCHES = 20  # networks of which the batch is changed, too
SECONDS = 60


def entry(name: str) -> Entry:
    """Its graph for another input.  ``name`` is the network's, " / " and the input's.

    Raises UnreadableModel where the network or the exporter does not take that.
    """
    network, _, asked = name.partition(" / ")
    graph = layer_graph(_layers(build(network), OTHERS[asked]))
    return {"graph": graph.to_json(), "seconds": 0}


def candidates() -> list[Architecture]:
    """Networks that the zoo has for images of any size, of other versions than these none."""
    own = {f"{package} {version(package)}" for package in ("torchvision", "timm")}
    known = {a.name: a for a in architectures() if a.source in own and a.inputs == (SHAPE,)}
    return [known[name] for name in by_turns() if name in known]


def pack(models: list[Architecture], entries: dict[str, Entry]) -> None:
    """What was made, in one file beside this one, and what failed in another."""
    kept: list[Architecture] = []
    failed: dict[str, str] = {}
    for model in models:
        for asked, shape in OTHERS.items():
            name = f"{model.name} / {asked}"
            said = entries.get(name, {})
            if "failed" in said:
                failed[name] = said["failed"]
            elif said:
                graph = LayerGraph.from_json(said["graph"])
                new = Architecture(name, model.family, model.source, (shape,), graph, graph)
                kept.append(new)
    write_zoo(HERE / "graphs.jsonl.xz", kept)
    write_whole(HERE / "failed.json", (json.dumps(failed, indent=1) + "\n").encode())
    print(f"{len(kept)} made, {len(failed)} failed")


def main() -> None:
    """Make what is missing, and pack all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "stability")
    parser.add_argument("--most", type=int, default=60, help="networks: %(default)s")
    parser.add_argument("--pack", action="store_true", help="only of what is made")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    ledger, models = options.work / "ledger.jsonl", candidates()
    print(f"{len(models)} networks take images of any size")
    if not options.pack:
        smaller, batch = OTHERS
        names = [f"{m.name} / {asked}" for m in models[:BATCHES] for asked in (smaller, batch)]
        names += [f"{m.name} / {smaller}" for m in models[BATCHES : options.most]]
        done = read_ledger(ledger, by="name")
        names = [name for name in names if name not in done]
        if names:
            prepare([name.partition(" / ")[0] for name in names])
            make_all(entry, names, ledger, SECONDS)
    pack(models, read_ledger(ledger, by="name"))


if __name__ == "__main__":
    main()
