"""Jobs: queries are made with one model, and all whom they concern answer them at once.

A job's answers are one file, written whole; what was measured of it is its entry in the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from adversaries import DISGUISES, SETTINGS, disguised
from archive import Kept, save
from ground import Ground, Lineage, opened
from plan import LIMITS, Questions, Row, Scope

from assay.errors import BadData, UnfitModel
from assay.fingerprints import Fingerprint, Queries
from assay.running.predictors import Answers, Predictor
from assay.running.predictors.limited import limited

Json = dict[str, Any]
SEED = 0


@dataclass(frozen=True)
class Job:
    """All queries that are made with one model, or of a task."""

    made_on: str  # owner, task or suspect
    maker: str  # the model's name; of a task, one of its owners'
    scope: Scope
    digest: str  # of all models
    is_disguised: bool = False  # derived suspects answer in disguise; without, all as they are

    @property
    def key(self) -> str:
        """Its name in the ledger."""
        return f"{'disguised ' if self.is_disguised else ''}{self.made_on} {self.maker}"

    @property
    def behavior(self) -> str:
        """All that decides its answers."""
        made = [repr(each) for each in self.scope.questions if each.made_on == self.made_on]
        rows = [row.name for row in self.scope.rows if row.questions.made_on == self.made_on]
        changed = repr(self.scope.ablations) if self.made_on == "suspect" else ""
        hidden = f"{[*DISGUISES]} {SETTINGS}" if self.is_disguised else "[]"
        text = f"{made} {rows} {changed} {LIMITS} {hidden} {SEED} {self.digest}"
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def file(self) -> str:
        """The name of its answers' file."""
        return f"{'disguised.' if self.is_disguised else ''}{self.made_on}.{self.maker}.npz"


def jobs(scope: Scope, lineage: Lineage) -> Iterator[Job]:
    """Of every task, owner and suspect; and of the first two once more, for who is in disguise."""
    of_task = {lineage.tasks[owner]: owner for owner in reversed(lineage.owners)}
    suspects = dict.fromkeys(pair.suspect for pair in lineage.pairs)
    makers = {"task": of_task.values(), "owner": lineage.owners, "suspect": suspects}
    for made_on, names in makers.items():
        for name in names:
            yield Job(made_on, name, scope, lineage.digest)
    for made_on in ("task", "owner"):
        for name in makers[made_on]:
            if hiding(lineage, made_on, name):
                yield Job(made_on, name, scope, lineage.digest, is_disguised=True)


def hiding(lineage: Lineage, made_on: str, maker: str) -> list[str]:
    """Who has a reason to hide: what is derived of the maker's task, of an owner's from it."""
    found = {
        pair.suspect for pair in lineage.pairs
        if pair.is_derived and pair.same_task and lineage.tasks[pair.source] == lineage.tasks[maker]
        and (made_on == "task" or pair.source == maker)
    }  # fmt: skip
    return [name for name in lineage.by_name if name in found]


@lru_cache(maxsize=1)
def _ground(folder: Path, data: Path | None, edition: str | None) -> Ground:
    """Each worker loads a model once."""
    return opened(folder, data, edition)


def run(job: Job, folder: Path, data: Path | None, edition: str | None, work: Path) -> Json:
    """Does a job, and writes its answers; what it took."""
    ground = _ground(folder, data, edition)
    kept, started, computed = Kept(), perf_counter(), process_time()
    sets: Json = {}
    hidden = [*in_disguise(job, ground, work / "disguises")] if job.is_disguised else []
    for questions in (each for each in job.scope.questions if each.made_on == job.made_on):
        asked = hidden if job.is_disguised else asked_of(questions, job.maker, ground)
        sets[questions.name] = _asked(questions, job, ground, kept, asked)
    if job.made_on == "suspect":
        failed = _ablated(job, ground, kept)
        sets |= {name: {"failed": why} for name, why in failed.items()}
    save(kept, work / job.file)
    return {
        "seconds": round(perf_counter() - started, 2),
        "cpu_seconds": round(process_time() - computed, 2),
        "sets": sets,
    }


def _asked(
    questions: Questions,
    job: Job,
    ground: Ground,
    kept: Kept,
    asked: Iterable[tuple[str, Predictor]],
) -> Json:
    """Makes one set of queries, and keeps the answers of those asked; how long that took."""
    published = job.made_on == "suspect"
    maker_of(job.maker, ground)
    ground.seeds(job.maker, published=published)  # both are loaded before the clock is started
    started = perf_counter()
    try:
        queries = craft(questions.made_by, job.maker, ground, published=published)
    except (BadData, UnfitModel) as error:
        return {"failed": str(error)}
    crafted, seconds = perf_counter() - started, []
    method, rows = questions.made_by, rows_of(questions, job.scope)
    own, compared = method.ask(ground.model(job.maker), queries), dict[str, float]()
    for name, model in asked:
        started = perf_counter()
        try:
            answers = method.ask(model, queries)
        except (BadData, UnfitModel):  # no such layer: it cannot be compared
            continue
        seconds.append(perf_counter() - started)
        for label, array in compact(questions, rows, own, answers, queries):
            kept.add((questions.name, job.maker, label), name, array)
        compared = compared or timed(rows, own, answers, queries)
    if questions.kept == "scores":
        for note, array in queries.notes.items():
            kept.add((questions.name, job.maker, f"note {note}"), "", array)
    quartiles = [round(float(q), 5) for q in np.quantile(seconds or [0], (0.25, 0.5, 0.75))]
    return {"queries": len(queries), "sha256": queries.digest, "crafted": round(crafted, 4),
            "asked": quartiles, "models": len(seconds), "compared": compared}  # fmt: skip


def timed(rows: Sequence[Row], own: Answers, answers: Answers, queries: Queries) -> Json:
    """Seconds that each method takes over two models' answers."""
    found = {}
    for row in rows:
        started = perf_counter()
        row.method.between(own, answers, queries)
        found[row.name] = round(perf_counter() - started, 6)
    return found


def craft(method: Fingerprint, maker: str, ground: Ground, *, published: bool) -> Queries:
    """The queries of a method, made with a model."""
    return method.craft(maker_of(maker, ground), ground.seeds(maker, published=published), SEED)


def maker_of(name: str, ground: Ground) -> Predictor:
    """A model; of a quantized one the parent, for rounding has no gradients."""
    record = ground.lineage.by_name[name]
    return ground.model(record["parents"][0] if record["method"] == "quantize" else name)


def asked_of(questions: Questions, maker: str, ground: Ground) -> Iterator[tuple[str, Predictor]]:
    """Whose answers are needed: of suspects' queries those of owners and of the contest."""
    lineage = ground.lineage
    if questions.made_on == "suspect":
        names = {pair.source for pair in lineage.pairs if pair.suspect == maker}
        for contest in lineage.contests:
            if contest.suspect == maker:
                names |= {contest.parent, *contest.references}
        yield from ((name, ground.model(name)) for name in lineage.by_name if name in names)
        return
    mine = lineage.tasks[maker]
    for name in lineage.by_name:
        if questions.across or lineage.tasks[name] == mine:
            yield name, ground.model(name)


def in_disguise(job: Job, ground: Ground, folder: Path) -> Iterator[tuple[str, Predictor]]:
    """Who hides, in each disguise; what a disguise has learned is kept in ``folder``."""
    for name in hiding(ground.lineage, job.made_on, job.maker):
        for disguise, wear in DISGUISES.items():
            yield disguised(name, disguise), wear(ground, name, folder)


def rows_of(questions: Questions, scope: Scope) -> list[Row]:
    """The lines of the tables that read these."""
    return [row for row in scope.rows if row.questions == questions]


def compact(
    questions: Questions, rows: Sequence[Row], own: Answers, answers: Answers, queries: Queries
) -> Iterator[tuple[str, np.ndarray]]:
    """What is kept of one model's answers, by name."""
    if questions.kept == "scores":
        yield "scores", answers.log_probabilities.astype(np.float16)
    elif questions.kept == "labels":
        yield "labels", answers.labels.astype(np.uint8)
    elif questions.kept == "distances":
        for row in rows:
            found = row.method.between(own, answers, queries).distance
            yield row.name, np.float32(np.nan if found is None else found)
    else:
        for row in (row for row in rows if not row.kept_as):
            yield row.name, _small(row.method.represent(answers, queries))
            for limit, digits in LIMITS.items() if row.together else ():
                if row.method.needs == "labels" or digits is None:
                    continue
                told = limited(answers, digits)
                yield f"{row.name}, {limit}", _small(row.method.represent(told, queries))


def _small(array: np.ndarray) -> np.ndarray:
    """Whole numbers as bytes, others in half precision."""
    whole = array == np.rint(array)
    return array.astype(np.uint8 if whole.all() and array.max() < 256 else np.float16)


def _ablated(job: Job, ground: Ground, kept: Kept) -> Mapping[str, str]:
    """Distances of a contest's models by each changed ModelDiff; why some could not be made."""
    contests = [each for each in ground.lineage.ablated if each.suspect == job.maker]
    if not contests:
        return {}
    names = [contests[0].parent, *contests[0].references]
    failed, made = {}, {}
    for name, method in job.scope.ablations.items():
        try:
            made[name] = method, craft(method, job.maker, ground, published=True)
        except (BadData, UnfitModel) as error:
            failed[name] = str(error)
    inputs, rows = _once([queries.inputs for _, queries in made.values()])
    whole = Queries(inputs)
    known: dict[str, dict[str, np.ndarray]] = {}
    for model in (job.maker, *names):
        answers = ground.model(model).ask(whole.inputs)
        known[model] = {
            name: method.represent(answers.take(rows[place]), queries)
            for place, (name, (method, queries)) in enumerate(made.items())
        }
    for name, (method, _) in made.items():
        for model in names:
            apart = method.distance(known[job.maker][name], known[model][name])
            kept.add(("ablated", job.maker, name), model, np.float32(apart))
    return failed


def _once(several: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Distinct inputs, and where those of each are among them."""
    places: dict[bytes, int] = {}
    rows = [
        np.array([places.setdefault(each.tobytes(), len(places)) for each in inputs])
        for inputs in several
    ]
    distinct = np.stack([np.frombuffer(each, several[0].dtype) for each in places])
    return distinct.reshape(-1, *several[0].shape[1:]), rows
