"""Make the zoo's second exports: the same networks by PyTorch's older exporter, over TorchScript.

Of each family of torchvision and timm, the two networks of the fewest parameters, made with random
weights on the CPU and traced for the input that the zoo's graph was traced for.  What is done is
kept in ``WORK/exports.jsonl``; at the end all is packed into ``benchmarks/retrieval``:
``exports.jsonl.xz`` in the zoo's own format, and ``exports.json`` with the failures.  Needs what
``make_zoo_graphs.py`` needs for these two sources::

    python scripts/make_zoo_exports.py         # make all that is missing, then pack
    python scripts/make_zoo_exports.py --pack  # make nothing, only pack
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

from _zoo_families import source_of
from _zoo_processes import Entry, make_all

from assay.durable import read_ledger, write_whole
from assay.values import LayerGraph
from assay.zoo import architectures
from assay.zoo._stored import Architecture, pack

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks" / "retrieval"
OF_A_FAMILY = 2
MOST_PARAMETERS = 120_000_000  # they are all there, and torch keeps several copies


def chosen() -> dict[str, Architecture]:
    """The networks to export, by name: the first of each family, then the second of each."""
    by_family: dict[str, list[Architecture]] = {}
    for each in sorted(architectures(), key=lambda a: (a.graph.parameters, a.name)):
        if "transformers" not in each.source and "diffusers" not in each.source:
            by_family.setdefault(each.family, []).append(each)
    turns = [of[turn] for turn in range(OF_A_FAMILY) for of in by_family.values() if turn < len(of)]
    return {a.name: a for a in turns if a.graph.parameters <= MOST_PARAMETERS}


def entry(wanted: dict[str, Architecture], name: str) -> Entry:
    """The graphs of one of ``wanted`` by the older exporter, ready for JSON.

    Raises:
        UnreadableModel: assay cannot read what the exporter wrote.
    """
    from _zoo_networks import by_torchscript

    from assay.graphs import layer_graph

    started = time.monotonic()
    layers = by_torchscript(name, wanted[name].inputs[0])
    return {
        "graph": layer_graph(layers).to_json(),
        "raw": layer_graph(layers, ()).to_json(),
        "seconds": round(time.monotonic() - started, 1),
    }


def write(entries: dict[str, Entry], wanted: dict[str, Architecture]) -> None:
    """Pack what the ledger has of them, and say what failed."""
    made, failed = [], {}
    for name, each in wanted.items():
        found = entries.get(name, {"failed": "not made yet"})
        if "failed" in found:
            failed[name] = found["failed"]
            continue
        graph, raw = LayerGraph.from_json(found["graph"]), LayerGraph.from_json(found["raw"])
        made.append(Architecture(name, each.family, each.source, each.inputs, graph, raw))
    write_whole(FOLDER / "exports.jsonl.xz", pack(made))
    equal = sum(each.graph == wanted[each.name].graph for each in made)
    said = {
        "exporter": "torch.onnx.export(dynamo=False), constants folded, evaluation mode",
        "networks": len(made),
        "families": len({each.family for each in made}),
        "of equal layer graphs": equal,
        "failed": dict(sorted(failed.items())),
    }
    write_whole(FOLDER / "exports.json", (json.dumps(said, indent=1) + "\n").encode())
    print(f"{len(made)} networks, {equal} of them with the zoo's own graph; {len(failed)} failed")


def main() -> None:
    """Make what is missing, then pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "zoo", help="%(default)s")
    parser.add_argument("--limit", type=int, default=120, help="seconds of one: %(default)s")
    parser.add_argument("--pack", action="store_true", help="make nothing, only pack")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    ledger, wanted = arguments.work / "exports.jsonl", chosen()
    if not arguments.pack:
        done = read_ledger(ledger, by="name")
        names = [name for name in wanted if name not in done]
        if names:
            from _zoo_networks import prepare

            prepare([name for name in names if source_of(name) == "timm"])
            make_all(partial(entry, wanted), names, ledger, arguments.limit)
    write(read_ledger(ledger, by="name"), wanted)


if __name__ == "__main__":
    main()
