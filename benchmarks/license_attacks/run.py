"""What attackers make of a license's files without the key that they would need.

    python benchmarks/license_attacks/run.py --sets FOLDER                # all that is missing
    python benchmarks/license_attacks/run.py --sets FOLDER --only vgg 0   # jobs of these words
    python benchmarks/license_attacks/run.py --report                     # pages, of what is done
    python benchmarks/license_attacks/run.py --small                      # seconds, nothing is kept

A run that is killed goes on where it was: ledger.jsonl has a line for every cell, the folder work
the networks.  FOLDER has Fashion-MNIST in a folder ``fashion-mnist``; without it the usual places
are searched.

Needs ``assay[torch,crypto]``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import colluders
import labelled
import unlabelled
from arena import FILES, Arena
from labelled import Attacker, Recipe
from page import DOCS, drawing, manual, results, tables
from plan import DIGITS, FOREIGN, GARMENTS, HARDENED, NO_KEY, SMALL, Job, Scope, jobs

from assay.durable import write_whole
from assay.licenses import LICENSES
from assay.licenses._hardening import hardened
from assay.running.modules import accuracy, on_threads
from assay.training import Optimizer, Training, train
from assay.values import Json
from assay.zoo.experiments import command_line, finished, with_tables, work_through, write_report

HERE = Path(__file__).parent
FULL = (DIGITS, GARMENTS)


@dataclass(frozen=True)
class Bench:
    """Where networks are kept, and data sets lie."""

    folder: Path
    sets: Path | None

    def measure(self, job: Job, done: Mapping[str, Json]) -> Json:
        """One cell."""
        started = process_time()
        arena = Arena(job, self.folder, self.sets)
        with on_threads(1):
            found = getattr(self, f"_{job.kind}")(job, arena, done)
        about = {"kind": job.kind, "network": job.network, "seed": job.seed}
        about |= {"scope": job.scope.name, "start": job.start, "given": job.given}
        return {**about, **found, "cpu_seconds": round(process_time() - started, 2)}

    def _owner(self, job: Job, arena: Arena, done: Mapping[str, Json]) -> Json:
        """The model, its levels, and what is given away: as it is, and hardened."""
        scope, whole = job.scope, arena.fresh("owner")
        training = Training(scope.owner_epochs, 64, Optimizer("adam", 0.003, weight_decay=0.0))
        train(whole, arena.examples, training, seed=arena.seed("owner"))
        own = accuracy(whole, arena.judge)
        levels = tuple(round(own - fall, 2) for fall in scope.falls)
        method: Any = LICENSES["pruning"]
        made = method(levels=levels, tolerance=0.02)
        grades = made.grades(whole, arena.examples, judge=arena.judge)
        for level, grade in enumerate(grades):
            arena.keep(str(level), grade.module)
        started = process_time()
        hard = hardened(grades[-1].module, arena.examples, scope.hardening, arena.seed("hard"))
        arena.keep(FILES[HARDENED], hard)
        return {
            "wanted": levels,
            "accuracy": [arena.judged(grade.module) for grade in grades],
            "channels": [grade.notes.get("channels", "all") for grade in grades],
            "hardened": arena.judged(hard),
            "hardening_s": round(process_time() - started, 1),
        }

    def _colluders(self, job: Job, arena: Arena, done: Mapping[str, Json]) -> Json:
        files = [arena.path(str(level)) for level in range(5)]
        with tempfile.TemporaryDirectory() as folder:
            found = colluders.collusion(files, Path(folder), arena.start("0"), arena.judged)
            prices = {f"bytes of level 3's part, {NO_KEY}": colluders.price(files, Path(folder))}
            files[-1] = arena.path(FILES[HARDENED])
            prices[f"bytes of level 3's part, {HARDENED}"] = colluders.price(files, Path(folder))
            return found | {"part bytes": prices | {"bytes of a model": files[0].stat().st_size}}

    def _labels(self, job: Job, arena: Arena, done: Mapping[str, Json]) -> Json:
        """So many examples, and the options that are chosen on them, or on a tenth of many."""
        count, counts = int(job.given), job.scope.counts
        known = None
        if count == counts[-1]:
            known = self._recipe(replace(job, given=str(counts[-2])), done)
        some, epochs = arena.some(count), job.scope.epochs[counts.index(count)]
        return labelled.attack(
            self._attacker(job, arena), job.start, some, epochs, known, arena.judged
        )

    def _unlabelled(self, job: Job, arena: Arena, done: Mapping[str, Json]) -> Json:
        inputs = (arena.foreign if job.given == FOREIGN else arena.examples).inputs
        some = inputs[: job.scope.unlabelled]
        return unlabelled.attack(self._attacker(job, arena), some, arena.judged)

    def _answers(self, job: Job, arena: Arena, done: Mapping[str, Json]) -> Json:
        """Answers of the whole model, learned as labels of so many examples would be."""
        counts = job.scope.counts
        count = counts[-1] if job.given == FOREIGN else int(job.given)
        recipe = self._recipe(replace(job, kind="labels", given=str(count)), done)
        recipe = replace(recipe, rate=recipe.rate or labelled.NAIVE.rate)
        inputs = arena.foreign.inputs if job.given == FOREIGN else arena.some(count).inputs
        attacker, epochs = self._attacker(job, arena), job.scope.epochs[counts.index(count)]
        return unlabelled.asked(attacker, recipe, arena.start("0"), inputs, epochs, arena.judged)

    def _attacker(self, job: Job, arena: Arena) -> Attacker:
        fresh = arena.fresh("attacker")
        return Attacker(arena.start(job.start), fresh, arena.seed(job.start, job.given))

    def _recipe(self, job: Job, done: Mapping[str, Json]) -> Recipe:
        return Recipe(**done[job.key]["recipe"])


def run(scopes: Sequence[Scope], folder: Path, sets: Path | None, only: set[str]) -> None:
    """Does all that is missing."""
    bench = Bench(folder / "work", sets)
    wanted = [each for scope in scopes for each in jobs(scope) if only <= each.words]
    for job, found in work_through(wanted, folder / "ledger.jsonl", bench.measure):
        print(f"{job.key}: {found['cpu_seconds']:.0f} s", flush=True)


def report(scopes: Sequence[Scope], folder: Path) -> Json:
    """Writes results.json, pages and the plot, of what is finished."""
    ledger = folder / "ledger.jsonl"
    found = {
        scope.name: results(list(finished(jobs(scope), ledger).values()), scope) for scope in scopes
    }
    found = {name: each for name, each in found.items() if each}
    write_report(folder, found, tables(found))
    write_whole(folder / "attackers.svg", drawing(found).encode())
    if folder == HERE:
        write_whole(DOCS, with_tables(DOCS.read_text(), manual(found)).encode())
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """See above."""
    parser = command_line(__doc__, HERE)
    parser.add_argument("--only", nargs="*", default=[], help="task, network, seed, kind")
    given = parser.parse_args(arguments)
    if given.small:
        with tempfile.TemporaryDirectory() as folder:
            run([SMALL], Path(folder), None, set())
            print(*tables(report([SMALL], Path(folder))).values(), sep="\n")
        return
    if not given.report:
        run(FULL, given.folder, given.sets, {*given.only})
    report(FULL, given.folder)


if __name__ == "__main__":
    main()
