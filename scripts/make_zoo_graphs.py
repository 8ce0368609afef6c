"""Make the zoo: the layer graphs of torchvision's and timm's networks, without their weights.

Each network of ``_zoo_families.py`` is made on the device "meta", traced for one image of 3×256×256
(or of its own size, where it takes no other) in a process of its own, and kept as one line of
``WORK/ledger.jsonl``, with the reason where it failed. A later call goes on where this one ended.
At the end all that is in the ledger is packed into ``src/assay/zoo``: ``graphs.jsonl.xz``, and
``contents.json`` with its checksum, the families and the failures. Needs this package, torch,
onnxscript, torchvision and timm::

    python scripts/make_zoo_graphs.py                       # make all that is missing, then pack
    python scripts/make_zoo_graphs.py resnet18 'timm/dla*'  # only these
    python scripts/make_zoo_graphs.py --again               # those that failed or were left out
    python scripts/make_zoo_graphs.py --again 'timm/coat*'  # these, also if they are made
    python scripts/make_zoo_graphs.py --pack                # make nothing, only pack
    python scripts/make_zoo_graphs.py --list                # the names and their families

A family is one published design; ``_zoo_families.py`` says the rule and lists them all.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import multiprocessing
import resource
import signal
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from _zoo_families import families

from assay.durable import append_entry, read_ledger
from assay.examine import quality
from assay.values import LayerGraph
from assay.zoo import GRAPHS
from assay.zoo._stored import Architecture, pack

ROOT = Path(__file__).resolve().parent.parent
LEAST_QUALITY = 0.95  # of a graph that is kept: below, too many operators are not understood
Entry = dict[str, Any]


def by_turns() -> list[str]:
    """All names: the first of each family, then the second of each, and so on."""
    places: dict[str, int] = {}
    seen: Counter[str] = Counter()
    for name, family in families().items():
        places[name] = seen[family]
        seen[family] += 1
    return sorted(places, key=places.__getitem__)


def make(name: str, limit: int) -> Entry:
    """The ledger's entry of a network, made in a process that may fail or be ended alone."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_entry, args=(name, limit, sender))
    process.start()
    sender.close()
    try:
        made: Entry = receiver.recv()
    except EOFError:  # the process was ended before it sent anything
        process.join()
        slow = process.exitcode == -signal.SIGXCPU
        made = {"failed": f"took over {limit} s" if slow else f"ended with {process.exitcode}"}
    process.join()
    return {"name": name, **made}


def _send_entry(name: str, limit: int, sender: Connection) -> None:
    from _zoo_networks import entry

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    try:
        sender.send(entry(name))
    except Exception as error:  # a network's own code may raise anything; the ledger says what
        lines = str(error).strip().splitlines() or [""]
        sender.send({"failed": f"{type(error).__name__}: {lines[0]}"[:300]})


def make_all(names: list[str], ledger: Path, limit: int) -> None:
    """Make these networks, one after the other, and keep each as soon as it is done."""
    if not names:
        return
    from _zoo_networks import prepare

    prepare(names)
    for count, name in enumerate(names, start=1):
        entry = make(name, limit)
        append_entry(ledger, entry)
        told = (
            entry.get("failed") or f"{len(entry['graph']['layers'])} layers, {entry['seconds']} s"
        )
        print(f"{count} of {len(names)}: {name}: {told}", flush=True)


def contents(entries: dict[str, Entry]) -> tuple[list[Architecture], dict[str, str]]:
    """The architectures to keep, and by name the reason why another is left out."""
    kept, failed = [], {}
    for name, family in families().items():
        entry = entries.get(name, {"failed": "not made yet"})
        if "failed" in entry:
            failed[name] = entry["failed"]
            continue
        graph = LayerGraph.from_json(entry["graph"])
        raw = LayerGraph.from_json(entry["raw"])
        if min(quality(graph), quality(raw)) < LEAST_QUALITY:
            failed[name] = f"only {min(quality(graph), quality(raw)):.0%} of it is understood"
            continue
        shape = tuple(entry["input"])
        kept.append(Architecture(name, family, entry["source"], shape, graph, raw))
    return kept, failed


def write(entries: dict[str, Entry], folder: Path) -> None:
    """Pack what is in the ledger into the package, and say what it holds."""
    kept, failed = contents(entries)
    content = pack(kept)
    by_family: dict[str, list[str]] = {}
    for architecture in sorted(kept, key=lambda a: (a.family, a.name)):
        by_family.setdefault(architecture.family, []).append(architecture.name)
    listing = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "networks": len(kept),
        "sources": sorted({architecture.source for architecture in kept}),
        "traced_with": sorted({f"torch {entries[a.name]['torch']}" for a in kept}),
        "families": by_family,
        "failed": dict(sorted(failed.items())),
    }
    _replace(folder / GRAPHS.name, content)
    _replace(folder / "contents.json", (json.dumps(listing, indent=1) + "\n").encode())
    print(
        f"{len(kept)} networks of {len(by_family)} families in {len(content):,} bytes;"
        f" {len(failed)} failed"
    )


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)


def main() -> None:
    """Make what is asked for, then pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a network, * for any letters")
    parser.add_argument(
        "--work",
        type=Path,
        default=ROOT / "build" / "zoo",
        help="folder of the ledger: %(default)s",
    )
    parser.add_argument(
        "--limit", type=int, default=60, help="seconds of computing a network: %(default)s"
    )
    parser.add_argument(
        "--again", action="store_true", help="also what is in the ledger, if left out or named"
    )
    parser.add_argument("--pack", action="store_true", help="make nothing, only pack")
    parser.add_argument("--list", action="store_true", help="print each name and family, and end")
    arguments = parser.parse_args()
    if arguments.list:
        print(*(f"{name}\t{family}" for name, family in families().items()), sep="\n")
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    ledger = arguments.work / "ledger.jsonl"
    if not arguments.pack:
        done = read_ledger(ledger, by="name")
        patterns = arguments.names or ["*"]
        names = [n for n in by_turns() if any(fnmatch.fnmatch(n, p) for p in patterns)]
        if not arguments.again:
            names = [name for name in names if name not in done]
        elif not arguments.names:
            left_out = contents(done)[1]
            names = [name for name in names if name in left_out]
        make_all(names, ledger, arguments.limit)
    write(read_ledger(ledger, by="name"), GRAPHS.parent)


if __name__ == "__main__":
    main()
