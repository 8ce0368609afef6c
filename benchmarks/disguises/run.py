"""What ``assay check`` says of a disguised model: each disguise on each architecture.

    python benchmarks/disguises/run.py FAMILIES [--files FOLDER]   # writes results.json
    python benchmarks/disguises/run.py --small                     # seconds, nothing written

FAMILIES holds the trained networks of scripts/make_families.py, FOLDER real files, each family of
models in a folder of its own.  All of them are registered.  Three networks of each architecture,
and the real files that ``parents.REAL`` names, are disguised and checked: the parent must be found,
and no stranger may be taken for one.  Children are kept in --work, by default a folder among the
temporary ones, and not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from children import DISGUISES, Child, Parent
from parents import Ground, small, whole
from safetensors.numpy import save_file
from torch import nn

import assay
from assay.errors import BadData, UnfitModel
from assay.running.examples import Examples
from assay.running.modules import accuracy, on
from assay.running.to_onnx import export
from assay.values import Json, Relation, Report

HERE = Path(__file__).parent
TOLERANCE = -6.0  # log₁₀ of the false alarm, that of check by default
ALL = 10_000  # matches that are looked at
FEW = ("fp16", "pruned 50 %", "low-rank adapter merged", "neurons permuted", "batch norm folded")


@dataclass(frozen=True)
class Made:
    """A child as a file, or why there is none."""

    disguise: str
    parent: str
    file: str | None = None
    source: str | None = None  # the file that must be found, where it is not the parent's
    families: tuple[str, ...] = ()  # of further parents
    accuracy: float | None = None
    why: str | None = None


def children(ground: Ground, names: Iterable[str], work: Path) -> Iterator[tuple[Parent, Made]]:
    """All of them; what was made before is not made again."""
    for parent in ground.parents:
        for name in names:
            folder = work / "".join(c if c.isalnum() else "-" for c in parent.name) / name
            note = folder / "made.json"
            if note.exists():
                found = json.loads(note.read_text())
                yield parent, Made(**(found | {"families": tuple(found["families"])}))
                continue
            folder.mkdir(parents=True, exist_ok=True)
            started = monotonic()
            made = child_of(parent, name, folder, ground.test)
            note.write_text(json.dumps(vars(made)))
            took = f"{monotonic() - started:6.1f} s"
            print(took, parent.name, name, made.why or "", file=sys.stderr)
            yield parent, made


def child_of(parent: Parent, name: str, folder: Path, test: Examples) -> Made:
    """One child, written to a folder."""
    made = Made(name, parent.name)
    try:
        child = DISGUISES[name](parent)
        file = write(child, parent, folder)
    except (BadData, UnfitModel) as error:
        return replace(made, why=str(error))
    source = None
    if child.parent is not None:
        source = str(write(Child(child.parent), parent, folder / "source"))
    judged = None
    if isinstance(child.made, nn.Module) and parent.labeled:
        judged = round(accuracy(child.made, test), 4)
    return replace(made, file=str(file), source=source, families=child.families, accuracy=judged)


def write(child: Child, parent: Parent, folder: Path) -> Path:
    """A child as a thief would give it away."""
    folder.mkdir(exist_ok=True)
    if child.as_onnx and isinstance(child.made, nn.Module):
        assert parent.inputs is not None  # it was run
        export(child.made, on(child.made, parent.inputs.inputs[:1]), folder / "child.onnx")
        return folder / "child.onnx"
    state = child.made
    if isinstance(state, nn.Module):
        state = {name: value.detach().numpy() for name, value in state.state_dict().items()}
    file = folder / "child.safetensors"
    save_file({name: np.ascontiguousarray(value) for name, value in state.items()}, file)
    return file


def registered(registry: assay.Registry, known: Mapping[Path, str]) -> dict[Path, str]:
    """Each file's sha256; its owner is its family."""
    return {path: registry.add(path, owner=family).sha256 for path, family in known.items()}


def cell(report: Report, wanted: str) -> Json:
    """What is said of the parent."""
    for kin in report.matches:
        if kin.record.sha256 == wanted:
            found = [e for e in kin.evidence if e.log10_false_alarm is not None]
            alarm = found[0].log10_false_alarm if found else None
            return {"relation": str(kin.relation), "log10_false_alarm": alarm}
    return {"relation": str(Relation.UNRELATED), "log10_false_alarm": None}


def accused(report: Report, families: set[str]) -> list[str]:
    """Strangers that are said to be more than of the same architecture."""
    return sorted(
        f"{kin.record.name}: {kin.relation}"
        for kin in report.matches
        if kin.relation >= Relation.COMMON_ANCESTOR and kin.record.owner not in families
    )


def asked(ground: Ground, names: Iterable[str], work: Path) -> Iterator[Json]:
    """A row for each parent and disguise."""
    made = [*children(ground, names, work)]
    sources = {Path(m.source): p.family for p, m in made if m.source is not None}
    with tempfile.TemporaryDirectory() as folder, assay.Registry.open(folder) as registry:
        known = {**ground.known, **sources}
        digests = registered(registry, known)
        for parent, child in made:
            row = {"disguise": child.disguise, "column": parent.column, "parent": parent.name}
            if child.file is None:
                yield row | {"why": child.why}
                continue
            report = registry.check(child.file, top=ALL)
            kin = {parent.family, *child.families}
            strangers = [family for family in known.values() if family not in kin]
            yield row | {
                **cell(report, digests[Path(child.source) if child.source else parent.file]),
                "accuracy": child.accuracy,
                "strangers": len(strangers),
                "of_its_network": sum(f.split()[0] == parent.column for f in strangers),
                "accused": accused(report, kin),
            }


def is_found(row: Json) -> bool:
    """At least a common ancestor, at the tolerance."""
    alarm = row["log10_false_alarm"]
    related = Relation.parse(row["relation"]) >= Relation.COMMON_ANCESTOR
    return related and alarm is not None and alarm <= TOLERANCE


def shown(row: Json) -> str:
    """One row for the terminal."""
    said = row.get("why") or f"{row['relation']} {row['log10_false_alarm']} {row['accused'] or ''}"
    return f"{row['column']:12} {row['disguise']:28} {row['parent'][-40:]:40} {said}"


def main() -> int:
    """Make what is missing, ask, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("families", type=Path, nargs="?", help="folder of trained networks")
    parser.add_argument("--files", type=Path, help="folder of real files, by family")
    parser.add_argument("--data", type=Path, help="a folder for each dataset")
    parser.add_argument("--small", action="store_true", help="a few cells, nothing written")
    kept = Path(tempfile.gettempdir()) / "assay-disguises"
    parser.add_argument("--work", type=Path, default=kept, help="for the children")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.small:
        with tempfile.TemporaryDirectory() as folder:
            for row in asked(small(Path(folder)), FEW, Path(folder)):
                print(json.dumps(row))
        return 0
    if chosen.families is None:
        parser.error("give FAMILIES, or --small")
    chosen.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for row in asked(whole(chosen.families, chosen.files, chosen.data), DISGUISES, chosen.work):
        rows.append(row)
        print(shown(row), flush=True)
    tried = [row for row in rows if "why" not in row]
    about = {
        "command": "python benchmarks/disguises/run.py FAMILIES --files FOLDER",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "torch": torch.__version__,
        "assay": assay.__version__,
        "children": len(tried),
        "found": sum(map(is_found, tried)),
        "strangers": sum(row["strangers"] for row in tried),
        "strangers_of_its_network": sum(row["of_its_network"] for row in tried),
        "accused": sum(len(row["accused"]) for row in tried),
        "rows": rows,
    }
    (HERE / "results.json").write_text(json.dumps(about, indent=1) + "\n")
    print({key: value for key, value in about.items() if key != "rows"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
