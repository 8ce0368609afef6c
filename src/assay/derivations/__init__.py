"""Derivations: a model in, a model made from it out, with a record of what was done.

What compresses or reuses a model is a tool of its owner and a disguise of a thief.  Methods work on
``torch.nn.Module``; a model file becomes one first (``assay.running.network``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from assay.errors import BadData, BadOption
from assay.methods import Methods, name_of
from assay.values import Json

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.derivations._record import Lineage
    from assay.running.examples import Examples
    from assay.training import History, Objective, Progress, Training


Needs = Literal["nothing", "inputs", "labels"]
FEW = 8  # examples that a model is run on to see how it is made


@dataclass(slots=True)
class Work:
    """What a derivation is given, and where it notes what it found out."""

    parents: tuple[nn.Module, ...]  # copies, in evaluation mode: free to change
    data: Examples | None
    student: nn.Module | None  # a copy, to be trained where a method trains another architecture
    seed: int = 0
    checkpoint: Path | None = None
    progress: Callable[[Progress], None] | None = None
    notes: dict[str, Any] = field(default_factory=dict)  # goes into the record: JSON

    @property
    def examples(self) -> Examples:
        """The data, where a method needs them."""
        assert self.data is not None  # the base has seen to it
        return self.data

    def example(self, count: int = 2) -> Tensor:
        """(count, …) inputs: what it takes to trace the first parent."""
        from assay.running.modules import on

        return on(self.parents[0], self.examples.inputs[:count])

    def train(
        self,
        module: nn.Module,
        examples: Examples,
        training: Training,
        *,
        objective: Objective | None = None,
        parameters: Iterable[str] | None = None,
        stage: str = "training",
    ) -> History:
        """Train ``module`` in place, with this work's seed, checkpoint and progress; noted."""
        from assay.training import train

        def show(progress: Progress) -> None:
            if self.progress is not None:
                self.progress(replace(progress, stage=stage))

        history = train(
            module,
            examples,
            training,
            objective=objective,
            parameters=parameters,
            seed=self.seed,
            checkpoint=self.checkpoint,
            progress=show,
        )
        self.notes.setdefault("trainings", []).append({"stage": stage, **history.to_json()})
        return history


@dataclass(frozen=True, slots=True)
class Derived:
    """A model and how it was made."""

    module: nn.Module  # in evaluation mode
    lineage: Lineage


class Derivation(ABC):
    """Makes a model from others; options are fields."""

    parents: ClassVar[int] = 1  # how many models it is made from: this many, of a merge also more
    keeps_outputs: ClassVar[bool] = True  # whether the outputs keep their shape
    takes_student: ClassVar[bool] = False  # whether it may train another architecture
    takes_teachers: ClassVar[bool] = False  # whether further models may give the soft answers

    def derive(
        self,
        *parents: nn.Module,
        data: Examples | None = None,
        student: nn.Module | None = None,
        judge: Examples | None = None,
        seed: int = 0,
        checkpoint: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Derived:
        """A model made from ``parents``, which stay as they are (extra ``torch``).

        Args:
            parents: One model; several where methods merge them, or where those after the first
                teach it: what is learned is the mean of their soft answers, not its own.
            data: What ``needs`` says: to tune on, to query with, or to trace the model with.
            student: Another architecture to be trained, for methods that train one.
            judge: Examples to measure the accuracy on, before and after, for the record.
            seed: Of all that is random: the same one gives the same model.
            checkpoint: Folder for the state of trainings; a killed run goes on from there.
            progress: Called while something is trained.

        Raises:
            UnfitModel: a parent has not what the method works on.
            BadData: examples are missing, or do not fit.
            BadOption: an option does not fit the parents.
            Diverged: the loss of a training is no longer a number.
        """
        from assay.derivations._record import derive

        work = Work(parents, data, student, seed, checkpoint, progress)
        return derive(self, work, judge)

    @property
    def needs(self) -> Needs:
        """What it asks of its data, as its options are: labels to tune on, inputs to trace with."""
        return "nothing"

    @abstractmethod
    def run(self, work: Work) -> nn.Module:
        """The derived model: a parent's copy that was changed, or a new one."""

    @property
    def method(self) -> str:
        """Its name, as on the command line."""
        return name_of(type(self))

    def within(self, option: str, low: float, high: float) -> None:
        """Raise BadOption unless an option lies between two bounds, which do not count."""
        value = getattr(self, option)
        if not low < value < high:
            raise BadOption(
                f"{self.method}: {option} must be above {low:g} and below {high:g}, not {value}"
            )

    def at_least(self, option: str, least: float) -> None:
        """Raise BadOption where an option is smaller, or no number."""
        value = getattr(self, option)
        if not least <= value < float("inf"):
            raise BadOption(f"{self.method}: {option} must be {least:g} or more, not {value}")

    def one_of(self, option: str, choices: Iterable[object]) -> None:
        """Raise BadOption where an option is none of ``choices``."""
        value, known = getattr(self, option), [*choices]
        if value not in known:
            raise BadOption(f"{self.method}: {option} must be one of {known}, not {value!r}")

    def check(self, work: Work) -> None:
        """Raise BadOption or BadData where what is given is not what it takes."""
        given, wanted = len(work.parents), type(self).parents
        if self.takes_teachers and given > wanted:
            if not getattr(self, "soft_answers", 0):
                raise BadOption(
                    f"{self.method} is made from {wanted} models, not {given}: further ones teach"
                    " soft_answers, which have no weight"
                )
        elif given != wanted and (wanted == 1 or given < wanted):
            more = "" if wanted == 1 else " or more"
            raise BadOption(f"{self.method} is made from {wanted}{more} models, not {given}")
        if work.student is not None and not self.takes_student:
            raise BadOption(f"{self.method} changes its parent: it takes no student")
        if self.needs == "nothing":
            return
        if work.data is None:
            what = "examples with labels" if self.needs == "labels" else "examples of inputs"
            raise BadData(f"{self.method} needs {what}: give some as data")
        if self.needs == "labels" and work.data.labels is None:
            raise BadData(f"{self.method} needs labels, and the examples have none")

    def options(self) -> Json:
        """Its options as JSON."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]  # all are data classes


DERIVATIONS = Methods(Derivation)
