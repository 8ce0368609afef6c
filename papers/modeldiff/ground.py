"""The models of the reuse benchmark as they are asked: who made which, and what of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from assay.errors import BadData
from assay.fingerprints import Seeds
from assay.running.predictors import Predictor, predictor
from assay.zoo import reuse
from assay.zoo._building import held
from assay.zoo._making import task
from assay.zoo._members import Setting
from assay.zoo._reused import EDITIONS, answered

Json = dict[str, Any]
KEPT = ("name", "network", "task", "method", "parents", "queries", "accuracy", "classes", "weights",
    "sha256", "parents_sha256")  # fmt: skip
NAMES = ("reuse-small", "reuse-subset", "reuse")


@dataclass(frozen=True)
class Lineage:
    """Records of models, without the models."""

    records: tuple[Json, ...]

    @cached_property
    def by_name(self) -> dict[str, Json]:
        """Each record."""
        return {record["name"]: record for record in self.records}

    @cached_property
    def origins(self) -> dict[str, str]:
        """The name of what each was made of at last, trained from scratch."""
        found: dict[str, str] = {}
        for record in self.records:  # each comes after its parents
            parents = record["parents"]
            found[record["name"]] = found[parents[0]] if parents else record["name"]
        return found

    @cached_property
    def tasks(self) -> dict[str, str]:
        """What each answers, whatever half of the examples it learned that from."""
        return {record["name"]: answered(record["task"]) for record in self.records}

    @cached_property
    def pairs(self) -> list[reuse.Pair]:
        """Owners with suspects."""
        return reuse.pairs(self.records)

    @cached_property
    def contests(self) -> list[reuse.Contest]:
        """The paper's protocol, of all roots."""
        return reuse.contests(self.records)

    @property
    def ablated(self) -> list[reuse.Contest]:
        """Direct contests of the first two roots, of what was tuned whole: a third of all."""
        return [
            contest
            for contest in self.contests
            if not contest.is_combined
            and self.origins[contest.suspect] in self.two_roots
            and ".transfer-100" in contest.suspect
        ]

    @property
    def owners(self) -> list[str]:
        """In the order of the records."""
        return [*dict.fromkeys(pair.source for pair in self.pairs)]

    @property
    def two_roots(self) -> set[str]:
        """The first root of each of the first two networks: the paper's 144 pairs."""
        roots = [name for name, record in self.by_name.items()
                 if ".root." in name and not record["parents"]]  # fmt: skip
        networks = [self.by_name[name]["network"] for name in roots]
        first = [name for name, one in zip(roots, networks, strict=True)
                 if name == roots[networks.index(one)]]  # fmt: skip
        return {*(first if len(first) > 1 else roots)[:2]}

    @property
    def digest(self) -> str:
        """SHA-256 of all weights: with others all is asked again."""
        text = "\n".join(f"{record['name']} {record['weights']}" for record in self.records)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Ground:
    """A folder of models, and examples of their tasks."""

    folder: Path
    data: Path | None
    lineage: Lineage
    setting: Setting
    _loaded: dict[str, Predictor] = field(default_factory=dict, compare=False, repr=False)

    def model(self, name: str) -> Predictor:
        """A model, kept for the next time."""
        if name not in self._loaded:
            self._loaded[name] = predictor(reuse.load(self.folder, name))
        return self._loaded[name]

    def seeds(self, name: str, *, published: bool = False) -> Seeds:
        """What queries are made of: of a model's task, held out; published: it was trained on."""
        about, most = self.lineage.by_name[name], self.setting
        trained_on = task(about["task"], "train", most.examples, self.data)
        if published:
            return Seeds(trained_on)
        return Seeds(task(about["task"], "test", most.judged, self.data), trained_on)


def opened(folder: Path, data: Path | None, edition: str | None = None) -> Ground:
    """The models that a folder has, or those of an edition.

    Raises BadData where it lacks some of these, UnknownModel where it holds none.
    """
    whole = held(folder, EDITIONS)
    about, found = EDITIONS[whole], reuse.records(folder)
    first = {member.name for member in reuse.subset(about)}
    if edition is not None:
        named = {member.name for member in reuse.plan(whole).members}
        wanted = first if edition.endswith("-subset") else named
        if edition.removesuffix("-subset") != whole:
            raise BadData(f"{folder}: holds models of {whole}, not of {edition}")
        if missing := wanted - {record["name"] for record in found}:
            raise BadData(f"{folder}: lacks {len(missing)} models of {edition}: make_families.py")
        found = [record for record in found if record["name"] in wanted]
    kept = tuple({key: record[key] for key in KEPT} for record in found)
    return Ground(folder, data, Lineage(kept), about.setting)


def edition(lineage: Lineage) -> str:
    """The name of the edition that these models are; "some models" where they are none."""
    names = {*lineage.by_name}
    for whole, about in EDITIONS.items():
        if names == {member.name for member in reuse.plan(whole).members}:
            return whole
        if names == {member.name for member in reuse.subset(about)}:
            return f"{whole}-subset"
    return "some models"
