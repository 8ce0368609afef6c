"""Fingerprints: an owner's model and a suspect are asked the same; how far their answers lie apart.

A method is queries × representation × distance [QuRD, AAAI 2025]: which inputs are asked, what is
kept of the answers, and how far apart it is.  Queries are made of the owner's model alone, so that
a suspect behind a URL is only asked.  A distance is no evidence by itself: strangers that learned
the same task answer alike, too.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np

from assay.errors import BadData, BadOption, UnfitModel
from assay.fingerprints._calibration import (
    Calibrated,
    among_twins,
    calibrate,
    fuse,
    references_needed,
)
from assay.fingerprints._commitment import Commitment
from assay.methods import Methods, name_of
from assay.running.examples import Examples
from assay.running.predictors import Answers, Predictor, predictor
from assay.running.predictors.answers import Array, alike

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "FINGERPRINTS", "Asks", "Calibrated", "Commitment", "Crafts", "Fingerprint", "Model", "Outcome",
    "Queries", "Seeds", "among_twins", "calibrate", "fuse", "references_needed",
]  # fmt: skip

# letters of shapes: n examples, q queries, c classes, f features of a layer
Model: TypeAlias = "Predictor | nn.Module"
Asks = Literal["labels", "scores", "features"]  # features: the suspect's layers must be open
Crafts = Literal["nothing", "answers", "gradients"]  # of the owner's model, to make the queries


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """What queries are made of."""

    examples: Examples  # that the owner's model was not trained on; labels where a method needs any
    trained_on: Examples | None = None  # some that it was trained on, where a method needs them

    @property
    def digest(self) -> str:
        """SHA-256 of all of them."""
        both = (self.examples, self.trained_on)
        text = " ".join("" if each is None else each.digest for each in both)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """What is asked, and what a method must know of it beside."""

    inputs: Array  # (q, …)
    notes: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def digest(self) -> str:
        """SHA-256 of the inputs and the notes."""
        found = hashlib.sha256()
        for name, array in (("", self.inputs), *sorted(self.notes.items())):
            found.update(f"{name} {array.dtype} {array.shape} ".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far apart a suspect's answers are from the owner's; or why that cannot be said."""

    method: str  # its repr: enough to run it again
    distance: float | None  # None: the method abstains
    why: str = ""  # … because of this
    queries: int = 0  # that the suspect was sent


class Fingerprint(ABC):
    """Compares what two models answer; options are fields.

    Distances of one method are compared with one another and with nothing else; small is near.
    """

    asks: ClassVar[Asks]  # what the suspect must tell, with the options that are the default
    crafts: ClassVar[Crafts]  # what is needed of the owner's model
    across_tasks: ClassVar[bool]  # whether the two may tell other classes apart
    needs_labels: ClassVar[bool] = False  # of the seeds
    needs_trained_on: ClassVar[bool] = False  # seeds that the owner's model was trained on
    needs_twins: ClassVar[bool] = False  # a stranger of the owner's own network stands out by it
    sized_by: ClassVar[str] = "count"  # the option that says how much is asked
    entry: ClassVar[str] = ""  # what each number kept is, where these make a vector to look at

    @property
    def method(self) -> str:
        """Its name, as on the command line."""
        return name_of(type(self))

    @property
    def needs(self) -> Asks:
        """What the suspect must tell, as the options are."""
        return type(self).asks

    @property
    def queries_each(self) -> int:
        """How many inputs are asked for each of what ``sized_by`` counts."""
        return 1

    def within(self, queries: int) -> Self:
        """The same, asking so many inputs at most.  Raises BadOption where it needs more."""
        made: Any = self
        found: Self = replace(made, **{self.sized_by: queries // self.queries_each})
        return found

    @property
    def is_neutral(self) -> bool:
        """Whether queries are made of the seeds alone, whatever the owner's model is."""
        return type(self).crafts == "nothing"

    def of_labels(self) -> Fingerprint:
        """The same, of a suspect that tells labels alone: itself, where that changes nothing."""
        return self

    def without_gradients(self) -> Fingerprint:
        """The same, of an owner's model that can only be asked.  Raises UnfitModel."""
        if self.crafts == "gradients":
            raise UnfitModel(f"{self.method} needs gradients of the owner's model")
        return self

    @abstractmethod
    def queries(self, owner: Model, seeds: Seeds, rng: np.random.Generator) -> Queries:
        """What to ask, made with the owner's model of ``seeds``.

        Raises:
            UnfitModel: the owner's model has not what is needed, such as gradients.
            BadData: the seeds are too few, or do not fit.
        """

    def ask(self, model: Predictor, queries: Queries) -> Answers:
        """What a model answers.  Raises what ``Predictor.ask`` does."""
        return model.ask(queries.inputs)

    @abstractmethod
    def represent(self, answers: Answers, queries: Queries) -> Array:
        """What is kept of one model's answers."""

    @abstractmethod
    def distance(self, owner: Array, suspect: Array) -> float:
        """How far two representations lie apart; not a number where nothing can be said."""

    def closeness(
        self, owner: Array, pool: Sequence[Array], origins: Sequence[object] = ()
    ) -> Array:
        """(p,) how near each representation of a pool is to the owner's; larger is nearer.

        A method may look at the rest of the pool, in the same way for each: what all have in common
        tells nothing.  Those of one origin are no rest for one another (see ``_origins.rests``).
        """
        return np.array([-self.distance(owner, each) for each in pool])

    def comparable(self, owner: Answers, suspect: Answers) -> str:
        """Why two models' answers cannot be compared by this method; empty where they can."""
        for who, answers in (("owner's model", owner), ("suspect", suspect)):
            if self.needs == "features" and answers.features is None:
                return f"{self.method} looks into layers, and the {who} can only be asked"
            if self.needs == "scores" and answers.is_hard:
                return f"{self.method} compares scores, and the {who} answers labels alone"
        if self.across_tasks or self.needs == "features":
            return ""
        classes = owner.classes
        if None not in (classes, suspect.classes) and classes != suspect.classes:
            return f"{self.method} compares equal classes: {classes} are not {suspect.classes}"
        if classes is not None and len(suspect) and (most := suspect.labels.max()) >= classes:
            return f"{self.method} compares equal classes: {classes} are not {most + 1} or more"
        return ""

    def craft(self, owner: Model, seeds: Seeds, seed: int = 0) -> Queries:
        """What to ask, the same for the same seed (see ``queries``)."""
        if self.needs_labels:
            _ = seeds.examples.known_labels
        if self.needs_trained_on and seeds.trained_on is None:
            raise BadOption(f"{self.method} needs examples that the owner's model was trained on")
        shapes = {each.inputs.shape[1:] for each in (seeds.examples, seeds.trained_on) if each}
        if len(shapes) > 1:
            raise BadData(f"the seeds have several shapes: {sorted(shapes)}")
        return self.queries(owner, seeds, np.random.default_rng(seed))

    def between(self, owner: Answers, suspect: Answers, queries: Queries) -> Outcome:
        """How far two models' answers to the same queries lie apart."""
        if why := self.comparable(owner, suspect):
            return Outcome(repr(self), None, why, suspect.queries)
        # what one does not tell, the other has not told either
        first, second = (self.represent(answers, queries) for answers in alike([owner, suspect]))
        distance = self.distance(first, second)
        if not np.isfinite(distance):
            return Outcome(repr(self), None, "the answers do not vary", suspect.queries)
        return Outcome(repr(self), float(distance), "", suspect.queries)

    def compare(self, owner: Model, suspect: Model, seeds: Seeds, seed: int = 0) -> Outcome:
        """Make the queries, ask both models, measure.

        Raises:
            UnfitModel: a model's answers are no answers, or the owner's is not open enough.
            BadData: the seeds are too few, or a model does not take them.
            BadOption: something that the method needs is not given.
        """
        queries = self.craft(self.crafted_with(owner, suspect), seeds, seed)
        first, second = (self.ask(predictor(model), queries) for model in (owner, suspect))
        return self.between(first, second, queries)

    def crafted_with(self, owner: Model, suspect: Model) -> Model:
        """The model that the queries are made with: the owner's."""
        return owner


FINGERPRINTS = Methods(Fingerprint)
