"""Designs of transformers and diffusers, each with a table of its sizes.

Neither package lists networks as timm does: a class is made from numbers.  So a ``Design`` says the
class, what is given to it, and for each size one row of numbers, which come from the paper or the
model card that published it; a row without numbers is the class's own default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Size:
    """One network: what its class is made with, and what it is given."""

    name: str  # "transformers/bert-base"
    family: str
    made: str  # the class
    options: Mapping[str, Any]  # of the configuration, those of its parts as mappings
    inputs: Mapping[str, tuple[int, ...]]  # shapes by the names of the class, dots as in options


@dataclass(frozen=True)
class Design:
    """A class and its sizes.

    ``inputs`` are words ``name:1x3x224x224``; {size} in them is that option.  ``columns`` names the
    options of the rows, with dots for those of a part; each row begins with its network's name.
    """

    family: str
    made: str
    inputs: str
    columns: str
    rows: str
    options: Mapping[str, Any] = field(default_factory=dict)  # of all rows

    def sizes(self, package: str) -> Iterator[Size]:
        """All of them.  Raises ValueError where a row has more or fewer numbers than columns."""
        for row in filter(None, map(str.strip, self.rows.splitlines())):
            name, *values = row.split()
            if values and len(values) != len(self.columns.split()):
                raise ValueError(f"{name}: {len(values)} numbers for {self.columns}")
            named = dict(zip(self.columns.split(), map(_value, values), strict=False))
            given = {**self.options, **named}
            inputs = dict(_input(word.format_map(given)) for word in self.inputs.split())
            yield Size(f"{package}/{name}", self.family, self.made, nested(given), inputs)


def _value(word: str) -> Any:
    """A number, a list, true, false or null as JSON has them; else the word."""
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return word


def _input(word: str) -> tuple[str, tuple[int, ...]]:
    name, _, shape = word.partition(":")
    return name, tuple(map(int, filter(None, shape.split("x"))))


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """``{"vision.depth": 2}`` as ``{"vision": {"depth": 2}}``."""
    result: dict[str, Any] = {}
    for name, value in options.items():
        *parts, last = name.split(".")
        place = result
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = value
    return result
