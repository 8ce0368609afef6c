"""The stage that judges: each owner's pairs and contests, as they are and under each adversary.

What is found of an owner is one file, so that a kill costs one; with another archive, or other code
that judges, all of it is done again.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import ranks
from adversaries import worn
from archive import Kept, load
from contests import outcomes
from ground import Lineage
from judging import Court
from plan import ADVERSARIES, LIMITS, Scope

from assay.durable import write_whole
from assay.errors import BadData
from assay.zoo.workers import results

HERE = Path(__file__).parent
CODE = ("judging.py", "contests.py", "plan.py", "ranks.py")
Json = dict[str, Any]


@lru_cache(maxsize=1)
def archived(archive: Path) -> tuple[Kept, Lineage]:
    """Each worker reads it once.  Raises BadData where there is none."""
    if not archive.exists():
        raise BadData(f"{archive}: no answers to judge; give --models")
    kept, lineage = load(archive)
    if lineage is None:
        raise BadData(f"{archive}: has no models' records")
    return kept, lineage


def judge(archive: Path, scope: Scope, owner: str, adversary: str) -> Json:
    """What is said of an owner's pairs, in their order, and of its contests."""
    kept, lineage = archived(archive)
    court = Court(kept, lineage, scope, owner, adversary)
    rows: Json = {}
    for pair in lineage.pairs:
        if pair.source == owner and (pair.same_task or not adversary):
            for said in court.verdicts(pair):
                row = rows.setdefault(said.row, {"raw": [], "score": [], "chance": [], "roots": []})
                row["raw"].append(said.raw)
                row["score"].append(said.score)
                row["chance"].append(said.chance)
                row["roots"].append(said.references)
    contests = [] if adversary else outcomes(court, lineage.contests)
    placed = [] if adversary else ranks.placed(court)
    return {"owner": owner, "adversary": adversary, "rows": rows, "contests": contests,
            "ranks": placed}  # fmt: skip


def judge_all(folder: Path, scope: Scope, jobs: int) -> list[Json]:
    """The judgement of every owner, and under every adversary."""
    archive = folder / "archive.npz"
    kept, lineage = archived(archive)
    content = archive.read_bytes() + repr(scope.rows).encode()
    content += b"".join((HERE / name).read_bytes() for name in CODE)
    digest = hashlib.sha256(content).hexdigest()
    tasks, files = {}, {}
    asked = worn(kept)
    for adversary in ("", *(each for each in ADVERSARIES if each in LIMITS or each in asked)):
        for owner in lineage.owners:
            key = f"{owner} {adversary}".strip()
            files[key] = folder / "work" / "judged" / f"{key}.json"
            if not files[key].exists() or _read(files[key])["digest"] != digest:
                tasks[key] = judge, (archive, scope, owner, adversary)
    for key, found in results(tasks, jobs):
        files[key].parent.mkdir(parents=True, exist_ok=True)
        write_whole(files[key], json.dumps(found | {"digest": digest}).encode())
    return [_read(file) for file in files.values()]


def _read(file: Path) -> Json:
    found: Json = json.loads(file.read_text())
    return found
