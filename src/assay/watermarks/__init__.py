"""Watermarks: a model and a key in, a marked model out; later, evidence that a suspect is marked.

A mark lies in a model's weights, in its structure, or in how it behaves.  What finds it is its key,
a value in a file of its own, which is never inside the model.  Any key reads some word in any
model: evidence is how unlikely what was read is for a key that nobody aimed at the suspect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from assay.errors import BadData, BadOption, UnfitModel
from assay.methods import Methods, name_of
from assay.values import Evidence, Json
from assay.weights import Weight

if TYPE_CHECKING:
    from torch import nn

    from assay.running.examples import Examples
    from assay.running.predictors import Predictor
    from assay.training import Progress
    from assay.watermarks._key import Key

__all__ = [
    "BITS", "TAG", "WATERMARKS", "Detection", "Marked", "Needs", "Reads", "Subject", "Watermark",
    "Weights", "Work", "load_key", "verify",
]  # fmt: skip

# letters of shapes: h hosts, n blocks, w weights of a block, t bits, d values that are projected
Reads = Literal["weights", "structure", "behavior"]  # structure: the shapes of weights alone
Needs = Literal["nothing", "inputs", "labels"]
Weights: TypeAlias = Mapping[str, Weight]
Subject: TypeAlias = "Weights | Predictor | nn.Module"
BITS = 128  # of a payload, where nothing else is said
TAG = 4  # bytes behind a payload: what carries them is read with its key, but for one in 2³²
_LONGEST = 2**16  # bytes of a payload


@dataclass(slots=True)
class Work:
    """What a mark that is trained in is given, and where it notes what it found out."""

    module: nn.Module  # a copy, in evaluation mode: free to change
    key: Key
    data: Examples
    seed: int = 0
    checkpoint: Path | None = None
    progress: Callable[[Progress], None] | None = None
    notes: dict[str, Any] = field(default_factory=dict)  # goes into the record: JSON


@dataclass(frozen=True, slots=True)
class Marked:
    """A marked model, and what is known of its mark."""

    weights: Weights
    notes: Json  # what the method found out: levels, what the mark outlives, trainings
    module: nn.Module | None = None  # in evaluation mode, where a module was given


@dataclass(frozen=True, slots=True)
class Detection:
    """What a key finds in a suspect, before anything is read of it."""

    score: float  # larger is stronger; 1: all of the mark is there
    log10_tail: float | None  # exact, of as much for a key that nobody aimed; None: not known
    detail: Json = field(default_factory=dict)


class Watermark(ABC):
    """Marks models and finds marks; options are fields, and say how a mark is made.

    What reading needs to know is in the key, so a mark is found with the key alone.
    """

    reads: ClassVar[Reads]  # what of a suspect
    kept_apart: ClassVar[float] = 0.0  # share of examples that a key is made of, and not tuned on

    @property
    def method(self) -> str:
        """Its name, as on the command line."""
        return name_of(type(self))

    @property
    def needs(self) -> Needs:
        """What it asks of the data that a model is marked with."""
        return "nothing"

    def new_key(
        self,
        model: Weights | nn.Module,
        bits: int = BITS,
        secret: bytes = b"",
        data: Examples | None = None,
    ) -> Key:
        """A key for a mark of so many bits in ``model``, which tells nothing of its values.

        ``secret``: 32 bytes that nobody knows; by default they are drawn.  ``data``: some of the
        examples, for a mark in behavior: what is asked must look like them; and for one in
        structure, with a module that is run on them.

        Raises:
            UnfitModel: the model has no place for a mark like that.
            BadData: examples are missing, or do not fit.
            BadOption: the bits are not whole bytes, or more than an option allows.
        """
        from assay.watermarks._key import Key, new_secret

        if bits < 8 or bits % 8:
            raise BadOption(f"a payload of {bits} bits: whole bytes, one at least")
        message = bits // 8 + TAG
        if data is not None and not isinstance(model, Mapping):
            model = self.described(model, data)
        template = {**self.template(_weights(model), message), **self.asks(data, message)}
        template["payload_bytes"] = bits // 8
        return Key(self.method, template, secret or new_secret())

    def plan(self, model: Weights | nn.Module, bits: int = BITS) -> Json:
        """What a mark of so many bits would be, without making it.  Raises as ``new_key`` does."""
        return self.new_key(model, bits).template

    def mark(
        self,
        model: Weights | nn.Module,
        key: Key,
        *,
        data: Examples | None = None,
        seed: int = 0,
        checkpoint: Path | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Marked:
        """A marked copy of ``model``, which stays as it is.

        Args:
            model: Weights by name, or a module; to be marked with data it must be a module.
            key: One of this method's that carries a payload.
            data: Examples on which the model is tuned while it is marked.
            seed: Of the tuning.
            checkpoint: Folder for the tuning's state; a killed one goes on from there.
            progress: Called while something is trained.

        Raises:
            UnfitModel: the model has not what the key was made for.
            BadData: examples are missing, or do not fit; or the key is damaged.
            BadOption: the key is another method's, or carries nothing.
            Diverged: the loss of the tuning is no longer a number.
        """
        self.check(key)
        if isinstance(model, Mapping):
            if data is not None:
                raise UnfitModel(f"{self.method}: weights alone cannot be tuned: give a module")
            notes: dict[str, Any] = {}
            return Marked(self.embed(model, key, notes), notes)
        from assay.watermarks._marking import marked

        return marked(self, model, key, data, seed, checkpoint, progress)

    def described(self, module: nn.Module, data: Examples) -> Weights:
        """What a key is made of, and a mark planned on, where a network is at hand.

        Of a mark in structure more than weights: which channels go together.

        Raises:
            UnfitModel: the network has no place for a mark like that.
            BadData: it cannot be run on the examples.
        """
        return _weights(module)

    @abstractmethod
    def template(self, weights: Weights, message: int) -> Json:
        """What reading needs to know of a model and of a mark of so many bytes: JSON."""

    def asks(self, data: Examples | None, message: int) -> Json:
        """What more reading needs to know of inputs, for a mark in behavior.  Raises BadData."""
        return {}

    def embed(self, weights: Weights, key: Key, notes: dict[str, Any]) -> Weights:
        """``weights`` with the mark, where it takes no data.  Raises UnfitModel."""
        raise UnfitModel(f"{self.method} marks a model while it is trained: give a module and data")

    def tune(self, work: Work) -> nn.Module:
        """The model, trained with the mark.  Raises UnfitModel where there is no such way."""
        raise UnfitModel(f"{self.method} marks weights as they are, and takes no data")

    @abstractmethod
    def detect(self, subject: Any, key: Key) -> Detection:
        """How much of the key's mark is in ``subject``: weights, or what answers queries.

        Where the subject has not what it takes, the score is 0: a stranger is no error.
        """

    @abstractmethod
    def payload(self, subject: Any, key: Key) -> bytes | None:
        """What the mark says; None where no word of this key can be read."""

    def blinded(self, original: Weights, key: Key) -> Weights:
        """The marked original without what tells its mark: suspects are aligned with this.

        Aligned with the mark itself, a stranger would come to look a little marked.
        """
        return original

    def readings(self, subject: Any, key: Key) -> Mapping[str, Any]:
        """Other ways to look at a suspect, by name, which follow from it and the template alone."""
        return {}

    def log10_false_alarm(self, found: Detection, controls: Sequence[Detection]) -> float | None:
        """Of ``found``, given what wrong keys found in the same suspect; by default the exact tail.

        A method without one tells it from the controls.
        """
        return found.log10_tail

    def validate(self, key: Key) -> None:
        """Raise BadData where a key's template or arrays are none of this method's: damaged.

        The message names the field.  Methods check what they have put into a template.
        """
        from assay.watermarks._fields import whole

        if not isinstance(key.template, dict):
            raise BadData("its template is no table of fields")
        whole(key.template, "payload_bytes", most=_LONGEST)

    def check(self, key: Key) -> None:
        """Whether a key can be used.

        Raises BadOption where it is not of this method, or carries no payload; BadData where it is
        damaged.
        """
        if key.method != self.method:
            raise BadOption(f"the key is one of {key.method}, not of {self.method}")
        try:
            self.validate(key)
        except BadData as error:
            raise BadData(f"the key {key.digest[:12]} is damaged: {error}") from error
        if len(key.payload) != key.template["payload_bytes"]:
            raise BadOption(
                f"the key is for a payload of {8 * key.template['payload_bytes']} bits, and carries"
                f" {8 * len(key.payload) or 'nothing'}"
            )

    def at_least(self, option: str, least: float) -> None:
        """Raise BadOption where an option is smaller, or no number."""
        value = getattr(self, option)
        if not (isfinite(value) and value >= least):
            raise BadOption(f"{self.method}: {option} must be {least:g} or more, not {value}")

    def options(self) -> Json:
        """Its options as JSON."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]  # all are data classes


WATERMARKS = Methods(Watermark)


def verify(
    suspect: Subject, key: Key, *, original: Weights | None = None, controls: int = 200
) -> Evidence:
    """Evidence of a key's mark in a suspect.

    Args:
        suspect: Weights by name or a module; for a mark that is asked for, what answers.
        key: Whose mark is looked for.  It must have been fixed before the suspect was seen: the
            false alarm is that of one key, and whoever tries a million finds one in a million.
        original: The marked model as its owner has it.  With it, channels that were permuted,
            rescaled, added or removed are put back first.
        controls: How many wrong keys are tried on the same suspect; the evidence shows their
            scores, and where they contradict the null that a method states, they are the null.

    Raises:
        UnreadableModel: a weight is damaged.
        BadData: the key is damaged.
        BadOption: the key carries no payload, or there are no controls.
    """
    from assay.watermarks._verifying import verified

    return verified(suspect, key, original, controls)


def load_key(path: Path, passphrase: str | None = None) -> Key:
    """See ``assay.watermarks._key.load_key``."""
    from assay.watermarks import _key

    return _key.load_key(path, passphrase)


def _weights(model: Weights | nn.Module) -> Weights:
    if isinstance(model, Mapping):
        return model
    from assay.watermarks._marking import weights_of

    return weights_of(model)
