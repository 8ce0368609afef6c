"""Make the zoo's second exports: the same networks, written in other ways than the zoo's own.

Of each family of torchvision and timm, the networks of the fewest parameters, made with random
weights on the CPU and traced for the input that the zoo's graph was traced for.  The ways are
those of ``_zoo_networks.WAYS``; TorchScript archives, whose program assay follows by itself; and
the files of Keras, of those designs that ``keras.applications`` has, too.  What is done is kept in
``WORK/exports.jsonl``; at the end all is packed into ``benchmarks/retrieval``:
``exports.jsonl.xz`` in the zoo's own format, each with its way as its source, and ``exports.json``
with counts and failures.  Needs what ``make_zoo_graphs.py`` needs for these two sources, and
Keras, which runs on torch with ``KERAS_BACKEND=torch``::

    python scripts/make_zoo_exports.py               # make all that is missing, then pack
    python scripts/make_zoo_exports.py --ways Keras  # only of this way
    python scripts/make_zoo_exports.py --again       # also what failed
    python scripts/make_zoo_exports.py --pack        # make nothing, only pack
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

from _zoo_families import SAME_IN_KERAS, source_of
from _zoo_processes import Entry, make_all

from assay.durable import read_ledger, write_whole
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.operators import OperatorGraph, Shape
from assay.values import Json, LayerGraph
from assay.zoo import architectures
from assay.zoo._stored import Architecture, pack

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks" / "retrieval"
KERAS = "Keras"
WAYS = (  # of _zoo_networks, which needs torch
    "TorchScript exporter",
    "TorchScript archive",
    "torch.export, optimized",
    "TorchScript exporter, opset 11",
    KERAS,
)
OF_A_FAMILY = 2
MOST_PARAMETERS = 120_000_000  # they are all there, and torch keeps several copies


def chosen() -> dict[str, dict[str, Architecture]]:
    """The networks to export, by way and name: the first of each family, then the second."""
    by_family: dict[str, list[Architecture]] = {}
    for each in sorted(architectures(), key=lambda a: (a.graph.parameters, a.name)):
        if "transformers" not in each.source and "diffusers" not in each.source:
            by_family.setdefault(each.family, []).append(each)
    turns = [of[turn] for turn in range(OF_A_FAMILY) for of in by_family.values() if turn < len(of)]
    some = {a.name: a for a in turns if a.graph.parameters <= MOST_PARAMETERS}
    every = {a.name: a for a in architectures()}
    return {way: {n: every[n] for n in SAME_IN_KERAS} if way == KERAS else some for way in WAYS}


def entry(wanted: dict[str, dict[str, Architecture]], name: str) -> Entry:
    """The graphs of one of ``wanted`` by one way, ready for JSON; ``name`` is of both.

    Raises:
        UnreadableModel: assay cannot read what was written.
    """
    from assay.graphs import layer_graph

    started = time.monotonic()
    way, network = name.split(": ")
    layers = _exported(network, wanted[way][network].inputs[0], way)
    return {
        "graph": layer_graph(layers).to_json(),
        "raw": layer_graph(layers, ()).to_json(),
        "seconds": round(time.monotonic() - started, 1),
    }


def _exported(name: str, shape: Shape, way: str) -> OperatorGraph:
    if way == KERAS:
        from _zoo_keras import exported as from_keras

        return from_keras(name, shape)
    from _zoo_networks import exported

    return exported(name, shape, way)


def write(entries: dict[str, Entry], wanted: dict[str, dict[str, Architecture]]) -> None:
    """Pack what the ledger has of them, and say what failed."""
    made: list[Architecture] = []
    ways: Json = {}
    for way in WAYS:
        own, failed = [], {}
        for name, each in wanted[way].items():
            found = entries.get(f"{way}: {name}", {"failed": "not made yet"})
            if "failed" in found:
                failed[name] = found["failed"]
                continue
            graph, raw = LayerGraph.from_json(found["graph"]), LayerGraph.from_json(found["raw"])
            own.append(Architecture(name, each.family, way, each.inputs, graph, raw))
        equal = sum(fingerprint(e.graph) == fingerprint(wanted[way][e.name].graph) for e in own)
        ways[way] = {
            "networks": len(own),
            "families": len({each.family for each in own}),
            "with the zoo's own layer graph": equal,
            "failed": dict(sorted(failed.items())),
        }
        made += own
        print(f"{way}: {len(own)}, {equal} with the zoo's own graph; {len(failed)} failed")
    write_whole(FOLDER / "exports.jsonl.xz", pack(made))
    write_whole(FOLDER / "exports.json", (json.dumps(ways, indent=1) + "\n").encode())


def main() -> None:
    """Make what is missing, then pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "zoo", help="%(default)s")
    parser.add_argument("--limit", type=int, default=120, help="seconds of one: %(default)s")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, metavar="WAY")
    parser.add_argument("--again", action="store_true", help="also what failed")
    parser.add_argument("--pack", action="store_true", help="make nothing, only pack")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    ledger, wanted = arguments.work / "exports.jsonl", chosen()
    if not arguments.pack:
        entries = read_ledger(ledger, by="name")
        done = {n for n, e in entries.items() if not (arguments.again and "failed" in e)}
        both = [f"{way}: {name}" for way in arguments.ways for name in wanted[way]]
        names = [name for name in both if name not in done]
        if {*arguments.ways} - {KERAS}:
            from _zoo_networks import prepare

            prepare([name for name in wanted[WAYS[0]] if source_of(name) == "timm"])
        if names:
            make_all(partial(entry, wanted), names, ledger, arguments.limit)
    write(read_ledger(ledger, by="name"), wanted)


if __name__ == "__main__":
    main()
