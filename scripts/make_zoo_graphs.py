"""Make the zoo: the layer graphs of published networks, without their weights.

Each network of ``_zoo_families.py`` is made on the device "meta" and traced in a process of its
own: those of torchvision and timm for one image of 3×256×256 (or of their own size, where they take
no other), those of transformers and diffusers for the inputs that their tables name.  Each is kept
as one line of ``WORK/ledger.jsonl``, with the reason where it failed, and a later call goes on
where this one ended; what the package holds by the same versions counts as made.  At the end all is
packed into ``src/assay/zoo``: ``graphs.jsonl.xz``, and ``contents.json`` with its checksum, the
families, the failures, and which names are left out for having the graph of another.  Needs this
package, torch, onnxscript, torchvision, timm, transformers and diffusers::

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
from collections import Counter
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from _zoo_families import families, source_of
from _zoo_processes import Entry, make_all

from assay.durable import read_ledger, write_whole
from assay.examine import quality
from assay.graphs.neighborhoods import fingerprint
from assay.values import LayerGraph
from assay.zoo import GRAPHS
from assay.zoo._stored import Architecture, pack, unpack

ROOT = Path(__file__).resolve().parent.parent
LEAST_QUALITY = 0.95  # of a graph that is kept: below, too many operators are not understood
NOT_MADE = "not made yet"


def by_turns() -> list[str]:
    """All names: the first of each family, then the second of each, and so on."""
    places: dict[str, int] = {}
    seen: Counter[str] = Counter()
    for name, family in families().items():
        places[name] = seen[family]
        seen[family] += 1
    return sorted(places, key=places.__getitem__)


@dataclass
class Contents:
    """What the zoo holds, by name, and what it does not."""

    kept: dict[str, Architecture] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # the reason why it is not held
    same: dict[str, str] = field(default_factory=dict)  # the kept one that has the same graph


def packed(folder: Path) -> Contents:
    """What the package holds and says, of the sources and the torch that are installed."""
    listing = json.loads((folder / "contents.json").read_text())
    if listing["traced_with"] != [f"torch {version('torch').partition('+')[0]}"]:
        return Contents()
    known = {s for s in listing["sources"] if s == f"{s.split()[0]} {version(s.split()[0])}"}
    names = {source.split()[0] for source in known}
    return Contents(
        {a.name: a for a in unpack((folder / GRAPHS.name).read_bytes()) if a.source in known},
        {name: why for name, why in listing["failed"].items() if source_of(name) in names},
        {name: other for name, other in listing["same"].items() if source_of(name) in names},
    )


def contents(entries: dict[str, Entry], before: Contents) -> Contents:
    """What the zoo holds of the ledger, and of what the package held where that has nothing."""
    result = Contents()
    first: dict[str, str] = {}
    for name, family in families().items():
        entry = entries.get(name)
        if entry is None and before.same.get(name) in result.kept:
            result.same[name] = before.same[name]
            continue
        made = _architecture(name, entry) if entry else before.kept.get(name)
        if not isinstance(made, Architecture):
            result.failed[name] = made or before.failed.get(name, NOT_MADE)
            continue
        original = first.setdefault(fingerprint(made.graph), name)
        if original == name:
            result.kept[name] = replace(made, family=family)
        else:
            result.same[name] = original
    return result


def _architecture(name: str, entry: Entry) -> Architecture | str:
    """What the ledger says of a network, or why it is not to be kept."""
    if "failed" in entry:
        return str(entry["failed"])
    graph, raw = LayerGraph.from_json(entry["graph"]), LayerGraph.from_json(entry["raw"])
    understood = min(quality(graph), quality(raw))
    if understood < LEAST_QUALITY:
        return f"only {understood:.0%} of it is understood"
    shapes = tuple(map(tuple, entry["inputs"]))
    return Architecture(name, families()[name], entry["source"], shapes, graph, raw)


def write(found: Contents, folder: Path) -> None:
    """Pack what is kept into the package, and say what it holds."""
    content = pack(found.kept.values())
    by_family: dict[str, list[str]] = {}
    for architecture in sorted(found.kept.values(), key=lambda a: (a.family, a.name)):
        by_family.setdefault(architecture.family, []).append(architecture.name)
    listing = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "networks": len(found.kept),
        "sources": sorted({architecture.source for architecture in found.kept.values()}),
        "traced_with": [f"torch {version('torch').partition('+')[0]}"],
        "families": by_family,
        "same": dict(sorted(found.same.items())),
        "failed": dict(sorted(found.failed.items())),
    }
    write_whole(folder / GRAPHS.name, content)
    write_whole(folder / "contents.json", (json.dumps(listing, indent=1) + "\n").encode())
    print(
        f"{len(found.kept)} networks of {len(by_family)} families in {len(content):,} bytes;"
        f" {len(found.same)} are like another, {len(found.failed)} failed"
    )


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
    before = packed(GRAPHS.parent)
    if not arguments.pack:
        done = contents(read_ledger(ledger, by="name"), before)
        missing = {name for name, why in done.failed.items() if why == NOT_MADE}
        patterns = arguments.names or ["*"]
        names = list(dict.fromkeys(n for p in patterns for n in fnmatch.filter(by_turns(), p)))
        if not arguments.again:
            names = [name for name in names if name in missing]
        elif not arguments.names:
            names = [name for name in names if name in done.failed]
        if names:
            from _zoo_networks import entry, prepare

            prepare(names)
            make_all(entry, names, ledger, arguments.limit)
    write(contents(read_ledger(ledger, by="name"), before), GRAPHS.parent)


if __name__ == "__main__":
    main()
