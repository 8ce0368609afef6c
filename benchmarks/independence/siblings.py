"""Children of one base: each must be found to come from it, and none from another one.

Asked of a registry, as `assay check` does: once with the base registered as a public base, and once
without it, when siblings look as if one had come from the other.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.registry import Registry
from assay.values import Relation, Report

TRAINED_ANEW = ("distill", "extract")  # they learned a model's answers, not its weights
_ALL = 1000  # matches


def families(folder: Path, task: str = "fashion-mnist") -> dict[str, dict[str, dict[str, Any]]]:
    """Models that have children, with the records of themselves and of all that came of them."""
    records = {
        record["name"]: record
        for file in sorted(folder.glob("*.json"))
        if "name" in (record := json.loads(file.read_text()))
    }
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for base in records:
        _, of, *rest = base.split(".")
        members = {name: row for name, row in records.items() if f"{name}.".startswith(f"{base}.")}
        if of == task and len(rest) == 1 and len(members) > 1:
            found[base] = members
    return found


def judged(folder: Path, task: str = "fashion-mnist") -> dict[str, Any]:
    """What is said of children and their base, and of children and one another."""
    of_base: dict[str, Counter[str]] = defaultdict(Counter)
    among: dict[str, Counter[str]] = {"base registered": Counter(), "base unknown": Counter()}
    accused: list[str] = []
    lineages = families(folder, task)
    for base, members in lineages.items():
        for name, kept in among.items():
            reports = _checked(folder, base, members, is_known=name == "base registered")
            for suspect, report in reports.items():
                said = {match.record.name: match.relation for match in report.matches}
                if name == "base registered":
                    of_base[suspect.removeprefix(f"{base}.")][str(said.get(base, "unrelated"))] += 1
                for other in members:
                    if other not in (base, suspect) and not _descends(members, suspect, other):
                        relation = said.get(other, Relation.UNRELATED)
                        kept[_word(relation)] += 1
                        if name == "base registered" and relation >= Relation.DERIVED:
                            accused.append(f"{suspect} of {other}: {relation}")
        print(base, {name: dict(kept) for name, kept in among.items()}, flush=True)
    return {
        "bases": len(lineages),
        "children": sum(len(members) - 1 for members in lineages.values()),
        "child_and_base": {method: dict(counts) for method, counts in sorted(of_base.items())},
        "siblings": {name: dict(counts) for name, counts in among.items()},
        "siblings_accused": accused,
    }


def _checked(
    folder: Path, base: str, members: Mapping[str, Any], *, is_known: bool
) -> dict[str, Report]:
    """What a registry with all members, or all but the base, says of each child."""
    with tempfile.TemporaryDirectory() as place:
        registry = Registry.open(place)
        try:
            for name, record in members.items():
                if name != base or is_known:
                    registry.add(folder / record["file"], name=name, base=name == base)
            return {
                name: registry.check(folder / record["file"], top=_ALL)
                for name, record in members.items()
                if name != base
            }
        finally:
            registry.close()


def _descends(members: Mapping[str, Any], one: str, other: str) -> bool:
    """Whether one of the two was made from the other; then it may be called derived."""

    def ancestors(name: str) -> set[str]:
        parents = members[name]["parents"] if name in members else []
        return {*parents}.union(*(ancestors(parent) for parent in parents))

    return one in ancestors(other) or other in ancestors(one)


def _word(relation: Relation) -> str:
    """The relation's name; what layer graphs alone say is all one here."""
    return str(relation) if relation >= Relation.COMMON_ANCESTOR else "nothing of weights"
