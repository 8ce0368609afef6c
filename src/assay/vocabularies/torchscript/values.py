"""What a TorchScript program computes with, where only types are known [torch.jit].

Numbers, texts, lists and dictionaries are Python's own and exact.  A tensor is a handle: an
operator that works in place gives the handle another tensor, and all who hold it see that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from assay.vocabularies.torchscript.source import Unfollowable

Value = Any  # None, bool, int, float, str, list, tuple, dict, or one of the classes below


@dataclass(eq=False, slots=True)
class Traced:
    """A tensor, or a number that depends on one, by its name in the graph."""

    name: str
    number: bool = False  # a Python number that is only known when the program runs
    part: tuple[Traced, int, int, int, int] | None = None  # of which: axis, start, end, step


@dataclass(eq=False, slots=True)
class Object:
    """A module, or another object of a class of the program."""

    kind: str
    attributes: dict[str, Value] = field(default_factory=dict)
    state: Value = None  # what its own method ``__setstate__`` would make it from


@dataclass(frozen=True, slots=True)
class Reference:
    """A dotted name that is called: ``torch.add``, ``ops.prim.device``, ``__torch__.f``."""

    name: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A method of an object."""

    target: Object
    method: str


class Uninitialized:
    """What a variable holds that no branch has set."""


UNSET = Uninitialized()


class Budget:
    """What following a program may still take."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def spend(self, steps: int = 1) -> None:
        """Raises Unfollowable where that is more than is left."""
        self.steps -= steps
        if self.steps < 0:
            raise Unfollowable("following it takes too many steps")


class Journal:
    """What branches of unknown condition change is kept, so that both can be followed."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._levels: list[dict[int, tuple[Value, Value]]] = []

    def touch(self, target: Value) -> None:
        """To be called before ``target`` is changed."""
        for level in self._levels:
            self.budget.spend(1 if isinstance(target, Traced) else 1 + len(target) // 10)
            level.setdefault(id(target), (target, state_of(target)))

    @contextmanager
    def recording(self) -> Iterator[dict[int, tuple[Value, Value]]]:
        """Everything that is changed within, and what it was before."""
        level: dict[int, tuple[Value, Value]] = {}
        self._levels.append(level)
        try:
            yield level
        finally:
            self._levels.pop()


def state_of(target: Value) -> Value:
    """What can change of a tensor's handle, a list or a dictionary."""
    return target.name if isinstance(target, Traced) else target.copy()


def set_state(target: Value, state: Value) -> None:
    """The inverse of ``state_of``."""
    if isinstance(target, Traced):
        target.name = state
    elif isinstance(target, list):
        target[:] = state
    else:
        target.clear()
        target.update(state)


def key_of(value: Value) -> str | int | float:
    """A dictionary's key.  Raises TypeError where a value cannot be one."""
    if isinstance(value, str | int | float):
        return value
    raise TypeError("a dictionary's key is no text and no number")


class Raised(Exception):
    """A branch that is not always taken raises an error."""


@dataclass
class Frame:
    """A call's variables."""

    variables: dict[str, Value] = field(default_factory=dict)
    done: bool = False
    result: Value = None
