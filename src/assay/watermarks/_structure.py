"""Numbers of channels: which tensors tell them, and what a suspect's tensors say.

A group of channels has rows in the tensors that give it and columns in those that read it.  A
suspect's tensors are found by their names, else by their places, where it has as many with as many
axes and equal kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.values import Json
from assay.watermarks import Weights
from assay.watermarks._hosts import matrices
from assay.weights import Weight

EXTRA = "watermarks"


@dataclass(frozen=True, slots=True)
class Channels:
    """Channels that go together, and names of the tensors that have them."""

    rows: tuple[str, ...]  # output channels of these
    columns: tuple[tuple[str, int], ...] = ()  # input channels of these, so many for each channel


class Structure(dict[str, Weight]):
    """A network's weights, and which of their channels go together."""

    def __init__(self, weights: Weights, groups: Sequence[Channels]) -> None:
        super().__init__(weights)
        self.groups = tuple(groups)


def skeleton(weights: Weights) -> list[Json]:
    """What is known of each matrix but its channels: its name and its kernel."""
    return [
        {"name": name, "kernel": list(weight.shape[2:])}
        for name, weight in matrices(weights).items()
    ]


def counts(weights: Weights, template: Json) -> list[int | None]:
    """(n,) how many channels each marked layer has; None where its tensors are not there."""
    found = located(weights, template)
    return [agreed(found, layer) for layer in template["layers"]]


def located(weights: Weights, template: Json) -> dict[str, Weight]:
    """A suspect's tensors by the names that the template has for them."""
    there = matrices(weights)
    kernels = {each["name"]: each["kernel"] for each in template["skeleton"]}
    named = {
        name: there[name]
        for name, kernel in kernels.items()
        if name in there and list(there[name].shape[2:]) == kernel
    }
    if len(named) == len(kernels):
        return named
    if [list(weight.shape[2:]) for weight in there.values()] == [*kernels.values()]:
        return dict(zip(kernels, there.values(), strict=True))
    return named


def agreed(found: Weights, layer: Json) -> int | None:
    """How many channels the tensors of one layer have, if all say the same."""
    sizes = {found[row].shape[0] if row in found else None for row in layer["rows"]}
    return sizes.pop() if len(sizes) == 1 else None
