"""How a holder tunes a level himself: what a key opens where he does, and what it leads to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self, TypeVar

from assay.errors import BadOption, UnreadableLicense, UnreadableProof
from assay.training import Training
from assay.transparency import _strict
from assay.values import Json

if TYPE_CHECKING:
    from torch import nn

    from assay.keys.wrapping import ReceivingKey
    from assay.licenses._grants import Grant
    from assay.running.examples import Examples

_KIND = "assay tuning"
_BEGIN = f'{{"{_KIND}": '.encode()  # of a file; no model's begins like that
_LARGEST = 2**16  # bytes of a file
# What an owner may ask of another's machine: with an hour of small networks in mind.
_MOST_STEPS = 200_000
_MOST_EXAMPLES = 20_000_000  # that are gone through: fifteen epochs of ImageNet
_MOST = {"epochs": 10_000, "batch": 4_096, "patience": 10_000, "threads": 256}

Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to tune a pruned model, in bounds: its holder's machine does what another has written.

    Making one raises BadOption where it asks for too much.
    """

    steps: float  # strength, from the pruned model on
    seed: int  # of the order of examples
    training: Training  # its epochs are those that the owner's examples took

    def __post_init__(self) -> None:
        wanted = {"steps": (self.steps, _MOST_STEPS)}
        for name, most in _MOST.items():
            wanted[f"training.{name}"] = getattr(self.training, name), most
        wanted["steps times training.batch"] = self.steps * self.training.batch, _MOST_EXAMPLES
        for what, (value, most) in wanted.items():
            _within(what, value, most)

    @property
    def text(self) -> str:
        """The file of what a key opens."""
        row = {
            _KIND: 1, "steps": repr(self.steps), "seed": self.seed,
            "training": _written(self.training),
        }  # fmt: skip
        return json.dumps(row) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises UnreadableLicense where it is none."""
        try:
            row = _strict.loads(text, "tuning")
            if isinstance(row, dict) and _strict.number(row.get(_KIND), _KIND) > 1:
                raise UnreadableLicense("is a tuning of a newer assay: upgrade")
            row = _strict.fields(row, (_KIND, "steps", "seed", "training"), "tuning")
            steps, seed = _real(row["steps"], "steps"), _strict.number(row["seed"], "seed")
            return cls(steps, seed, _read(Training(), row["training"], "training"))
        except (UnreadableProof, BadOption) as error:
            raise UnreadableLicense(f"is no tuning that can be read: {error}") from error

    @classmethod
    def of_file(cls, path: Path) -> Self | None:
        """The one in a file that a key has opened; None where that is a model.

        Raises UnreadableLicense where it is damaged, OSError.
        """
        with path.open("rb") as stream:
            content = stream.read(_LARGEST)
        if not content.startswith(_BEGIN):
            return None
        return cls.parse(content.decode("utf-8", "replace"))

    def follow(self, pruned: nn.Module, data: Examples) -> nn.Module:
        """The level: a model made of the pruned one (extra ``torch``).

        The same examples as the owner's give the same model, on one machine; with fewer, their
        epochs are repeated until there are as many steps.

        Raises BadData where they do not fit, BadOption where it asks for too much on so many,
        Diverged.
        """
        from assay.licenses._strengths import Strengths, long_enough
        from assay.running.modules import on_threads, seeded

        bounded(self.training, self.steps, len(data))
        epochs = long_enough(self.training, self.steps, len(data))
        with on_threads(1), seeded(self.seed):
            tuning = Strengths(pruned, data, replace(self.training, epochs=epochs), self.seed)
            (made,) = tuning.at([self.steps])
        return made.eval()


def bounded(training: Training, steps: float | None, examples: int) -> None:
    """Raises BadOption where a tuning on so many examples is more than a holder may be asked.

    Args:
        training: Within the bounds of a ``Recipe``.
        steps: Where it ends; None: after all of its epochs.
        examples: The holder's own.  Those that he holds out are gone through after each epoch.
    """
    from assay.licenses._strengths import steps_of

    each = steps_of(training, examples)
    epochs = training.epochs if steps is None else ceil(steps / each)
    held = round(training.held_out * examples) if training.patience else 0
    used = epochs * (examples - held) if steps is None else steps * training.batch
    _within("steps", epochs * each if steps is None else steps, _MOST_STEPS)
    _within("examples gone through", used + epochs * held, _MOST_EXAMPLES)


def _within(what: str, value: float, most: int) -> None:
    if not value <= most:
        raise BadOption(f"{what}: {value} is more than a holder may be asked: {most:,}")


def recipe_of(model: Path, grant: Grant, key: ReceivingKey, owner: str | None) -> Recipe | None:
    """What a license opens, where that is how to tune (extra ``crypto``); None where it is a model.

    Raises what ``_distributable.activate`` does.
    """
    from assay.licenses._distributable import activate, read_manifest

    levels = read_manifest(model, owner).levels
    if grant.level >= len(levels) or levels[grant.level].restored.size > _LARGEST:
        return None
    with TemporaryDirectory() as folder:
        opened = Path(folder) / "opened"
        activate(model, grant, key, opened, owner=owner)
        return Recipe.of_file(opened)


def _written(options: Any) -> Json:
    """Options as JSON without fractions: those are text."""
    found = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            value = _written(value)
        found[field.name] = repr(value) if isinstance(value, float) else value
    return found


def _read(like: Options, value: object, what: str) -> Options:
    """Options of the type of ``like``.  Raises UnreadableProof, BadOption."""
    names = [field.name for field in fields(like)]  # type: ignore[arg-type]
    row: Mapping[str, Any] = _strict.fields(value, names, what)
    found: dict[str, Any] = {}
    for name in names:
        default, each = getattr(like, name), row[name]
        if is_dataclass(default):
            found[name] = _read(default, each, name)
        elif isinstance(default, float):
            found[name] = _real(each, name)
        else:
            found[name] = _strict.number(each, name) if isinstance(default, int) else each
    return type(like)(**found)


def _real(value: object, what: str) -> float:
    """A number from 0 on that was written as text."""
    try:
        found = float(value) if isinstance(value, str) else -1.0
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e12:
        raise UnreadableProof(f"{what}: is not a number from 0 on, as text")
    return found
