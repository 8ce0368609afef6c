"""Models of the ground, what they answer, and what methods say of suspects.

Answers are kept in the folder ``answers`` beside the models: none is asked the same twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from ground import EDITIONS, OWNER, plan

from assay.fingerprints import FINGERPRINTS, Calibrated, Fingerprint, Queries, Seeds
from assay.fingerprints import among_twins as by_twins
from assay.fingerprints import calibrate as by_references
from assay.running.examples import Examples
from assay.running.predictors import Answers, Predictor, predictor
from assay.values import Json
from assay.zoo import _building
from assay.zoo._making import read, task

ALARM = 0.05
# cheaper than their defaults, where these take minutes for one owner
CHEAPER: Mapping[str, dict[str, Any]] = {
    "ipguard": {"steps": 200},
    "teacher-fingerprint": {"pairs": 50, "steps": 150},
    "dataset-inference": {"samples": 20, "starts": 2, "steps": 8},
    "zest": {"masks": 32},
}


def rivals(whole: bool) -> dict[str, Fingerprint]:
    """Methods that can be used on a model that is only asked; one as it was without a cohort.

    Where not the whole is wanted, those that take minutes for each owner are left out.
    """
    found: dict[str, Any] = {n: FINGERPRINTS[n] for n in FINGERPRINTS if whole or n not in CHEAPER}
    made = {name: make(**CHEAPER.get(name, {})) for name, make in found.items()}
    plain = {"count": 200, "entries": "directions", "cohort": 0}
    made["partial-correlation, plain"] = found["partial-correlation"](**plain)
    return {name: each for name, each in made.items() if each.needs != "features"}


@dataclass(frozen=True)
class Crowd:
    """The models of one edition."""

    edition: str
    folder: Path
    data: Path | None

    @property
    def records(self) -> dict[str, Json]:
        """What is known of each that is there."""
        return _records(self.edition, self.folder)

    def owners(self) -> list[str]:
        """Victims, from whom something was stolen."""
        task_ = EDITIONS[self.edition].task
        names = [
            f"{network}.{task_.name}.{OWNER}.{seed}"
            for network, count in task_.owners.items()
            for seed in range(count)
        ]
        return [name for name in names if self.thieves(name)]

    def thieves(self, owner: str) -> list[str]:
        return [name for name, record in self.records.items() if record["parents"] == [owner]]

    def twins(self, owner: str) -> list[str]:
        """What differs from the owner's model in its seed alone."""
        return [
            name
            for name, record in self.records.items()
            if not record["parents"]
            and name != owner
            and name.rpartition(".")[0] == owner.rpartition(".")[0]
        ]

    def references(self, owner: str) -> list[str]:
        """The first of each network and half: as many of one kind as of another."""
        most = EDITIONS[self.edition].task.others
        return [
            name
            for name, record in self.records.items()
            if not record["parents"] and name != owner and int(name.rpartition(".")[2]) < most
        ]

    def seeds(self) -> Seeds:
        """Test examples, and the owners' own."""
        return _seeds(self.edition, self.data)

    def model(self, name: str) -> Predictor:
        return predictor(read(self.folder, name))

    def answers(self, name: str, method: Fingerprint, queries: Queries) -> Answers:
        """A model's answers, which are kept."""
        file = self.folder / "answers" / _digest(queries)[:16] / f"{name}.npy"
        if file.exists():
            return Answers(np.load(file), len(queries))
        found = method.ask(self.model(name), queries)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            np.save(stream, found.values.astype(np.float32))
        return Answers(np.load(file), len(queries))

    def crafted(self, owner: str, method: Fingerprint, seed: int) -> Queries:
        """A method's queries, which are kept where they take long to make."""
        if method.crafts != "gradients":
            return method.craft(self.model(owner), self.seeds(), seed)
        file = self.folder / "queries" / f"{owner}.{method.method}.{seed}.npz"
        about = json.dumps(repr(method))
        if file.exists():
            with np.load(file) as held:
                if str(held["about"]) == about:
                    notes = {n[5:]: held[n] for n in held.files if n.startswith("note.")}
                    return Queries(held["inputs"], notes)
        made = method.craft(self.model(owner), self.seeds(), seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        notes = {f"note.{name}": array for name, array in made.notes.items()}
        with file.open("wb") as stream:
            np.savez(stream, inputs=made.inputs, about=np.array(about), **notes)
        return made


@lru_cache(8)
def _digest(queries: Queries) -> str:
    return queries.digest


@lru_cache
def _records(edition: str, folder: Path) -> dict[str, Json]:
    found = _building.records(folder, plan(edition).members)
    return {record["name"]: record for record in found}


@lru_cache
def _seeds(edition: str, data: Path | None) -> Seeds:
    about = EDITIONS[edition]
    name, most = about.task.examples, about.setting.judged
    learned = task(f"{name}/{OWNER}", "train", about.setting.examples, data)
    return Seeds(Examples(*_of(task(name, "test", most, data))), learned)


def _of(examples: Examples) -> tuple[Any, Any]:
    return examples.inputs, examples.known_labels


def among_references(
    crowd: Crowd, owner: str, method: Fingerprint, suspects: Mapping[str, Answers], seed: int
) -> dict[str, Calibrated]:
    """What a method says of each suspect in the place of one more reference."""
    queries = crowd.crafted(owner, method, seed)
    own = crowd.answers(owner, method, queries)
    found = {}
    for name, answers in suspects.items():
        others = [n for n in crowd.references(owner) if n != name]
        references = [crowd.answers(n, method, queries) for n in others]
        judging = method.of_labels() if answers.is_hard else method
        found[name] = by_references([judging], own, answers, references, queries, alarm=ALARM)
    return found


def among_twins(
    crowd: Crowd, owner: str, method: Fingerprint, suspects: Mapping[str, Answers], seed: int
) -> dict[str, Calibrated]:
    """What a method says of the owner's place among its twins, for each suspect."""
    queries = crowd.crafted(owner, method, seed)
    own, *twins = (crowd.answers(n, method, queries) for n in (owner, *crowd.twins(owner)))
    strangers = [n for n in crowd.references(owner) if n not in crowd.twins(owner)]
    found = {}
    for name, answers in suspects.items():
        others = [crowd.answers(n, method, queries) for n in strangers if n != name]
        judging = method.of_labels() if answers.is_hard else method
        found[name] = by_twins(
            [judging], own, answers, twins, queries, references=others, alarm=ALARM
        )
    return found
