"""Licenses: a model in, a distributable out that anybody may have, and keys to levels of it.

Without a key the distributable answers near chance.  Each level's key opens that level and all that
are less; level 0 is the original.  A method says what the levels are; files, keys and signatures
are the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import BadOption
from assay.methods import Methods, name_of
from assay.values import Json

if TYPE_CHECKING:
    from torch import nn

    from assay.keys.signing import SigningKey
    from assay.licenses._manifest import Manifest
    from assay.licenses._recipes import Recipe
    from assay.running.examples import Examples
    from assay.weights.sites import Marks

# Writes a module's tensors as a model file; gives the module of the file, where that is another.
Write = Callable[["nn.Module", Path], "nn.Module | None"]


@dataclass(slots=True)
class Work:
    """What levels are made of."""

    module: nn.Module  # a copy, in evaluation mode: free to change
    data: Examples  # to run it on, and to take statistics of
    judge: Examples  # what accuracies are measured on
    seed: int = 0
    progress: Callable[[str], None] | None = None
    copies: Callable[[nn.Module], Iterator[nn.Module]] | None = None  # of a level: what some get

    def accuracy(self, module: nn.Module) -> float:
        """Of a level, 0 … 1; where every licensee's copy is another, the mean of some."""
        from assay.running.modules import accuracy

        given = [module] if self.copies is None else self.copies(module)
        found = [accuracy(each, self.judge) for each in given]
        return sum(found) / len(found)

    def say(self, stage: str) -> None:
        """Tell what is being done."""
        if self.progress is not None:
            self.progress(stage)


@dataclass(frozen=True, slots=True)
class Grade:
    """The model at a level."""

    module: nn.Module  # in evaluation mode
    accuracy: float  # 0 … 1, on the examples to judge on
    notes: Json  # what else is known of it


class License(ABC):
    """Makes levels of a model; options are fields."""

    @property
    def method(self) -> str:
        """Its name, as on the command line."""
        return name_of(type(self))

    def grades(
        self,
        model: nn.Module,
        data: Examples,
        *,
        judge: Examples | None = None,
        hardening: int | None = None,
        seed: int = 0,
        progress: Callable[[str], None] | None = None,
    ) -> tuple[Grade, ...]:
        """The model at every level: as it is, less and less; the last is what all may have.

        Args:
            model: Stays as it is.
            data: Examples of the owner's.
            judge: With labels, to measure accuracies on, which the model has not learned from; by
                default ``data``.
            hardening: What needs no key is drawn anew, and in so many steps made slow to tune; by
                default it is what the method leaves of the model.
            seed: Of all that is random.
            progress: Called with what is being done.

        Raises:
            UnfitModel: the model has no such levels; the message says what is lacking.
            BadData: examples do not fit the model, or have no labels.
            BadOption: an option does not fit the model.
        """
        from assay.licenses._grading import graded

        return graded(self, Work(model, data, judge or data, seed, progress), hardening)

    def issue(
        self,
        model: nn.Module,
        output: Path,
        owner: SigningKey,
        data: Examples,
        *,
        judge: Examples | None = None,
        original: Path | None = None,
        write: Write | None = None,
        expires: str | None = None,
        licensee: str | None = None,
        trace: Marks | None = None,
        hardening: int | None = None,
        seed: int = 0,
        progress: Callable[[str], None] | None = None,
    ) -> Manifest:
        """Write a distributable with a part for each level (extras ``torch`` and ``crypto``).

        Args:
            model: Stays as it is.
            output: The distributable's model; manifest and parts lie beside it.
            owner: Signs, and can make all keys.
            data: As of ``grades``.
            judge: As of ``grades``.
            original: The file that level 0 is to be, byte for byte; by default the model written.
            write: Writes a module as a file; by default its tensors, as safetensors.
            expires: The last day on which it may be activated, as ``2027-01-31``.
            licensee: The only one whom it is for.
            trace: A watermark, such as ``WATERMARKS["constant-weight"]()``: every copy says whose
                it is, and has other values than the original at the mark's places.
            hardening: As of ``grades``; the lowest level's part then is as large as the model.
            seed: As of ``grades``.
            progress: As of ``grades``.

        Raises:
            UnreadableLicense: the day, the name or all options cannot be written; known before the
                long work.
            UnfitModel: as of ``grades``, and where a level cannot be written, copies cannot be told
                apart by such a mark, or ``original`` was changed meanwhile.
            BadData: as of ``grades``.
            BadOption: as of ``grades``.
            OSError: a file cannot be written.
        """
        from assay.licenses._grading import graded
        from assay.licenses._issuing import checked, issued

        before = checked(self, original, expires, licensee, trace, hardening)
        work, copies = Work(model, data, judge or data, seed, progress), None
        if trace is not None:
            from assay.licenses._copying import Copies

            copies = Copies.planned(trace, graded(self, work, None), owner, original)
            work = replace(work, module=copies.base(), copies=copies.searched)
        found = graded(self, work, hardening)
        return issued(
            self, found, output, owner, judge=judge or data, seed=seed, before=before,
            original=original, write=write, expires=expires, licensee=licensee, copies=copies,
        )  # fmt: skip

    @abstractmethod
    def run(self, work: Work) -> Iterable[tuple[nn.Module, Json]]:
        """The model at level 1, 2 …, at last without a key; and notes on each."""

    @property
    def targets(self) -> tuple[float, ...]:
        """The accuracies that levels 1, 2 … are searched for; none where options say otherwise."""
        return ()

    @property
    def holder_tunes(self) -> bool:
        """Whether ``opened`` has something to open."""
        return False

    def opened(self, grade: Grade, seed: int) -> Recipe | None:
        """What a level's key opens instead of its model: how its holder makes that himself."""
        return None

    def within(self, option: str, low: float, high: float) -> None:
        """Raise BadOption unless an option, or each of several, lies between, or at, two bounds."""
        value = getattr(self, option)
        for each in value if isinstance(value, tuple) else (value,):
            if not low <= each <= high:
                raise BadOption(
                    f"{self.method}: {option} must be from {low:g} to {high:g}, not {each}"
                )

    def falling(self, *options: str) -> None:
        """Raise BadOption where the values of an option do not fall."""
        for option in options:
            values = getattr(self, option)
            if any(one <= two for one, two in pairwise(values)):
                raise BadOption(f"{self.method}: {option} must be falling, not {values}")

    def options(self) -> Json:
        """Its options as JSON."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]  # all are data classes


LICENSES = Methods(License)
