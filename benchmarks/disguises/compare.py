"""What ``assay compare`` says of a disguised model and its parent: found, and diagnosed.

    python benchmarks/disguises/compare.py FAMILIES --files FOLDER   # after run.py

Writes compare.json.  The children are those that run.py left in --work.  Each is compared with its
parent, and with a stranger of the same architecture.  A diagnosis is right where it names what was
done, by how much within the bounds below, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from children import DISGUISES, Child, Parent
from parents import FILES, Ground, whole
from run import Made, children, write

import assay
from assay.comparisons.aligned_weights import merge_of
from assay.formats import read
from assay.values import Json, Kin, Relation

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Expected:
    """What is to be named."""

    kinds: tuple[str, ...]
    also: tuple[str, ...] = ()  # may be named as well: what the disguise does beside
    amount: tuple[float, float] | None = None  # bounds of the first one's
    text: str = ""  # a part of what is said of the first one


EXPECTED = {
    "fp16": Expected(("half-precision",), text="float16"),
    "int8 per channel": Expected(("quantized",), text="int8"),
    "4-bit": Expected(("quantized",), text="int4"),
    "format round trip": Expected(("copied",)),
    "pruned 50 %": Expected(("pruned",), amount=(0.45, 0.55)),
    "pruned 80 %": Expected(("pruned",), amount=(0.75, 0.85)),
    "pruned 95 %": Expected(("pruned",), amount=(0.92, 0.97)),
    "channels pruned 30 %": Expected(("channels-pruned",), amount=(0.1, 0.6)),
    "fine-tuned to cosine .5": Expected(("fine-tuned",)),
    "head replaced": Expected(("head-replaced",)),
    "half of the layers kept": Expected(("layers-dropped", "layers-inserted")),  # or the head alone
    "backbone in a larger model": Expected(("part-of",), ("layers-dropped",), (0.5, 0.95)),
    "low-rank adapter merged": Expected(("adapter-merged",), amount=(8, 8)),
    "average, plain": Expected(("merged",), amount=(0.45, 0.55)),
    "average, SLERP": Expected(("merged",), amount=(0.45, 0.55)),
    "average, TIES": Expected(("merged",)),
    "average with a stranger": Expected(("merged",), amount=(0.45, 0.55)),
    "neurons permuted": Expected(("permuted",)),
    "channels rescaled": Expected(("rescaled",)),
    "dummy neurons, zero": Expected(("dummy-neurons",), ("permuted",), (0.05, 0.5)),
    "dummy neurons, clique": Expected(("dummy-neurons",), ("permuted",), (0.05, 0.5)),
    "dummy neurons, split": Expected(("split-neurons",), ("dummy-neurons", "permuted")),
    "batch norm folded": Expected(("rescaled",)),
    "residual stream rotated": Expected(("rotated",), ("permuted", "rescaled")),
    "layers duplicated": Expected(("layers-duplicated",)),
    "pruned, tuned and permuted": Expected(("pruned", "fine-tuned", "permuted"), amount=(0.4, 0.6)),
}


def compared(suspect: str | Path, source: str | Path) -> Kin:
    """As the command does it."""
    return assay.compare(suspect, source)


def diagnosis(found: Kin) -> list[Json]:
    """That of aligned weights."""
    told = [e.detail["diagnosis"] for e in found.evidence if "diagnosis" in e.detail]
    return told[0] if told else []


def parents_of(parent: Parent, made: Made, ground: Ground, work: Path) -> dict[str, Path]:
    """Of an average, the files of all models that it was made of; else none.

    The second one that was tuned from the parent is trained again, where it is not there.
    """
    if not made.disguise.startswith("average"):
        return {}
    if made.source is None:
        files = {each.family: each.file for each in ground.parents}
        return {"parent": parent.file, "stranger": files[made.families[0]]}
    other = work / "".join(c if c.isalnum() else "-" for c in parent.name) / "sibling"
    if not (other / "child.safetensors").exists():
        other.mkdir(exist_ok=True)
        write(Child(parent.siblings[1]), parent, other)
    both = {"first": Path(made.source), "second": other / "child.safetensors"}
    return both | ({"base": parent.file} if "TIES" in made.disguise else {})


def is_right(found: Sequence[Json], wanted: Expected) -> bool:
    """Whether all that was done is named, by its amount, and nothing else."""
    kinds = {finding["kind"]: finding for finding in found}
    if {*kinds} == {"head-replaced"} and "layers-inserted" in wanted.kinds:
        return True  # all that is behind the first half
    if not {*wanted.kinds} <= {*kinds} <= {*wanted.kinds, *wanted.also}:
        return False
    first = kinds[wanted.kinds[0]]
    low, high = wanted.amount or (0.0, float("inf"))
    return wanted.text in first["text"] and low <= first.get("amount", low) <= high


def rows(ground: Ground, work: Path) -> Iterator[Json]:
    """A row for each parent and disguise."""
    for parent, made in children(ground, EXPECTED, work):
        row = {"disguise": made.disguise, "column": parent.column, "parent": parent.name}
        if made.file is None:
            yield row | {"why": made.why}
            continue
        started = monotonic()
        found = compared(made.file, made.source or parent.file)
        took = monotonic() - started
        told = diagnosis(found)
        parents = parents_of(parent, made, ground, work)
        if parents:
            several = {name: read(path).weights for name, path in parents.items()}
            merge = merge_of(read(Path(made.file)).weights, several)
            told = [merge.to_json()] if merge else told
        alarms = [e.log10_false_alarm for e in found.evidence if e.log10_false_alarm is not None]
        yield row | {
            "relation": str(found.relation),
            "log10_false_alarm": min(alarms, default=None),
            "score": max(
                (e.score for e in found.evidence if "diagnosis" in e.detail), default=None
            ),
            "diagnosis": [
                {name: each[name] for name in ("kind", "text", "amount") if name in each}
                for each in told
            ],
            "right": is_right(told, EXPECTED[made.disguise]),
            "stranger": against_stranger(parent, made, ground),
            "seconds": round(took, 1),
        }


def against_stranger(parent: Parent, made: Made, ground: Ground) -> str | None:
    """What is said of a model of the same architecture that has no part in the child."""
    others = [
        each.file
        for each in ground.parents
        if each.column == parent.column != FILES
        and each.family not in (parent.family, *made.families)
    ]
    if not others or made.file is None:
        return None
    return str(compared(made.file, others[-1]).relation)


def is_found(row: Json) -> bool:
    """At least a common ancestor."""
    return Relation.parse(row["relation"]) >= Relation.COMMON_ANCESTOR


def main() -> int:
    """Compare all, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("families", type=Path, help="folder of trained networks")
    parser.add_argument("--files", type=Path, help="folder of real files, by family")
    parser.add_argument("--data", type=Path, help="a folder for each dataset")
    kept = Path(tempfile.gettempdir()) / "assay-disguises"
    parser.add_argument("--work", type=Path, default=kept, help="of run.py")
    parser.add_argument("--only", nargs="*", help="columns")
    chosen = parser.parse_args()
    assert {*EXPECTED} == {*DISGUISES}
    ground = whole(chosen.families, chosen.files, chosen.data)
    if chosen.only:
        few = tuple(each for each in ground.parents if each.column in chosen.only)
        ground = Ground(few, ground.known, ground.test)
    found = []
    for row in rows(ground, chosen.work):
        found.append(row)
        told = "; ".join(f"{d['kind']} {d.get('amount', '')}" for d in row.get("diagnosis", []))
        if "why" not in row:
            flag = "right" if row["right"] else "WRONG"
            said = row["relation"], row["log10_false_alarm"], row["stranger"], f"{row['seconds']} s"
            print(flag, row["column"], "|", row["disguise"], "|", *said, "|", told, flush=True)
    tried = [row for row in found if "why" not in row]
    strangers = [row["stranger"] for row in tried if row["stranger"]]
    about = {
        "command": "python benchmarks/disguises/compare.py FAMILIES --files FOLDER",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "cells": len(tried),
        "found": sum(map(is_found, tried)),
        "diagnosis_right": sum(row["right"] for row in tried),
        "strangers": len(strangers),
        "accused": sum(Relation.parse(s) >= Relation.COMMON_ANCESTOR for s in strangers),
        "rows": found,
    }
    if not chosen.only:
        (HERE / "compare.json").write_text(json.dumps(about, indent=1) + "\n")
    print({key: value for key, value in about.items() if key != "rows"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
