"""Groups of channels: which go together, and how they are reordered, scaled, added and removed.

A hidden channel (a neuron) is a row of the layers that give it, a column of those that read it, and
a number in every normalization between.  Where a sum or a concatenation joins layers, their
channels are one.  ``find_channels`` finds the groups of a module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from assay.running.examples import Array
from assay.running.modules import WEIGHTED
from assay.running.tensors import put, take, tensor_of

EXTRA = "torch"
Role = Literal["row", "bias", "column", "norm", "other"]
Orders = Mapping[tuple[str, int], Array]  # by tensor and axis: the old index of each new one


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One axis of one tensor, and where on it the channels are."""

    tensor: str  # its name in the module's state: "stage1.0.weight"
    axis: int
    slots: Array  # (channels, k) indices; k > 1 behind a flattening, and for a cell's gates
    role: Role  # row, bias: of a layer that gives the channel; column: of one that reads it

    @property
    def layer(self) -> str:
        """Name of the part that the tensor belongs to."""
        return self.tensor.rpartition(".")[0]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Channels that may take each other's places, and all that goes with them."""

    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """How many channels they are."""
        return len(self.members[0].slots)

    @property
    def between(self) -> tuple[str, ...]:
        """Names of the layers that give the channels, and of those that hand them on."""
        return tuple(dict.fromkeys(each.layer for each in self.members if each.role != "column"))

    @property
    def is_flattened(self) -> bool:
        """Whether something reads several values of one channel."""
        return any(m.role == "column" and m.slots.shape[1] > 1 for m in self.members)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that give the channels."""
        return tuple(dict.fromkeys(each.layer for each in self.members if each.role == "row"))

    def pixel_by_pixel(self) -> Group:
        """The same where a flattening puts one pixel's channels side by side, not one channel's."""
        return Group(
            tuple(
                replace(m, slots=np.sort(m.slots, axis=None).reshape(-1, self.size).T)
                if m.role == "column"
                else m
                for m in self.members
            )
        )

    def block(self, first: int, last: int) -> Group:
        """The channels from ``first`` until before ``last`` alone."""
        return Group(tuple(replace(m, slots=m.slots[first:last]) for m in self.members))

    def moved(self, orders: Orders) -> Group:
        """The same channels after axes that other groups share were changed."""
        return Group(
            tuple(
                replace(m, slots=np.argsort(orders[m.tensor, m.axis], kind="stable")[m.slots])
                if (m.tensor, m.axis) in orders
                else m
                for m in self.members
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """The groups of a module, and layers that a batch normalization reads."""

    groups: tuple[Group, ...]
    normalized: tuple[tuple[str, str], ...]  # (layer, its batch normalization)


def by_layer(sizes: Iterable[tuple[Group, int]]) -> dict[str, int]:
    """Numbers of channels of groups as those of their layers, for a record."""
    found: dict[str, int] = {}
    for group, size in sizes:
        for layer in group.layers:
            found[layer] = found.get(layer, 0) + size
    return found


def others(module: nn.Module, changed: Iterable[str]) -> list[str]:
    """Convolutions and linear layers, but the last, that are not among ``changed``."""
    known = {*changed}
    names = [name for name, part in module.named_modules() if isinstance(part, WEIGHTED)]
    return [name for name in names[:-1] if name not in known]


def reordering(size: int, random: np.random.Generator) -> Array:
    """(size,) a random order in which no channel stays where it was: one cycle."""
    cycle = random.permutation(size)
    order = np.empty(size, np.int64)
    order[cycle] = np.roll(cycle, 1)
    return order


def permute(module: nn.Module, group: Group, order: Array) -> None:
    """Put channel ``order[i]`` where channel i was; the answers stay."""
    for member in group.members:
        index = np.arange(tensor_of(module, member.tensor).shape[member.axis])
        index[member.slots] = member.slots[order]
        take(module, member.tensor, member.axis, index)


def scale(module: nn.Module, group: Group, factors: Array) -> None:
    """Multiply channels by ``factors`` (size,) where they are made, divide where they are read.

    The answers stay where all that lies between is positively homogeneous, as ReLU and pooling are.
    """
    norms = {member.layer: member for member in group.members if member.role == "norm"}
    for layer, member in norms.items():
        _scale_norm(module.get_submodule(layer), _along(module, member, factors), 1)
    for member in group.members:
        if member.role in ("row", "bias", "column"):
            _multiply(module, member, 1 / factors if member.role == "column" else factors)


def absorb(module: nn.Module, layer: str, norm: str, factors: Array) -> None:
    """Multiply a layer's outputs; the batch normalization that alone reads them takes it back."""
    part = module.get_submodule(layer)
    each = torch.from_numpy(factors).to(part.weight)
    axis = 1 if isinstance(part, nn.modules.conv._ConvTransposeNd) else 0
    rows = each.reshape(-1, *(1,) * (part.weight.dim() - axis - 1))
    put(module, f"{layer}.weight", part.weight * rows)
    if part.bias is not None:
        put(module, f"{layer}.bias", part.bias * each)
    _scale_norm(module.get_submodule(norm), each, 1 / each)


def _scale_norm(norm: nn.Module, inputs: Tensor, ratio: Tensor | int) -> None:
    """Let a batch normalization read inputs × ``inputs`` and give outputs × inputs × ratio."""
    mean, variance = norm.running_mean, norm.running_var
    outputs = inputs * ratio
    if norm.weight is not None:
        wider = (
            outputs
            if variance is None
            else outputs
            / inputs
            * (((inputs**2 * variance + norm.eps) / (variance + norm.eps)).sqrt())
        )
        put(norm, "weight", norm.weight * wider)
        put(norm, "bias", norm.bias * outputs)
    if mean is not None:
        put(norm, "running_mean", mean * inputs)
        put(norm, "running_var", variance * inputs**2)


def narrow(module: nn.Module, kept: Sequence[tuple[Group, Array]]) -> None:
    """Leave of each group the channels of the given numbers, and remove the others."""
    dropped: dict[tuple[str, int], list[Array]] = {}
    for group, numbers in kept:
        gone = np.setdiff1d(np.arange(group.size), numbers)
        for member in group.members:
            dropped.setdefault((member.tensor, member.axis), []).append(member.slots[gone].ravel())
    for (name, axis), slots in dropped.items():
        length = tensor_of(module, name).shape[axis]
        take(module, name, axis, np.setdiff1d(np.arange(length), np.concatenate(slots)))


def silence(module: nn.Module, kept: Sequence[tuple[Group, Array]]) -> None:
    """Let nothing read the channels that ``narrow`` would remove."""
    for group, numbers in kept:
        for member in group.members:
            if member.role == "column":
                heard = np.isin(np.arange(group.size), numbers).astype(np.float64)
                _multiply(module, member, heard)


def hollow(module: nn.Module, kept: Sequence[tuple[Group, Array]]) -> None:
    """Let everything of the channels that ``narrow`` would remove be zero, whatever it was.

    The sizes stay, and nothing of these channels is left: a product with zero would keep signs.
    """
    for group, numbers in kept:
        gone = np.setdiff1d(np.arange(group.size), numbers)
        for member in group.members:
            tensor = tensor_of(module, member.tensor).detach()
            places = torch.from_numpy(member.slots[gone].ravel()).to(tensor.device)
            put(module, member.tensor, tensor.index_fill(member.axis, places, 0))


def widen(
    module: nn.Module, group: Group, wider: Callable[[Member, Tensor], Tensor]
) -> tuple[Group, Orders]:
    """Add channels behind the last one of a group.

    Args:
        module: Is changed.
        group: Of this module.
        wider: Makes of a member's (size, k, …) values the (size + added, k, …) that take their
            place.  Columns are asked for first, so rows that lie in one tensor with them have them.

    Returns:
        The group as it is now, and what has moved, for other groups' ``moved``.
    """
    orders: dict[tuple[str, int], Array] = {}
    members: list[Member] = []
    for member in sorted(group.members, key=lambda each: each.role != "column"):
        tensor = tensor_of(module, member.tensor).detach().movedim(member.axis, 0)
        length, (size, width) = len(tensor), member.slots.shape
        slots = torch.from_numpy(member.slots)
        values = wider(member, tensor[slots])  # (size + added, k, …)
        whole = torch.cat([tensor, values[size:].flatten(0, 1)])
        whole[slots] = values[:size]
        order = _behind(member.slots[-1], length, len(values) - size)
        put(module, member.tensor, whole[torch.from_numpy(order)].movedim(0, member.axis))
        added = np.arange(length, len(order)).reshape(-1, width)
        places = np.argsort(order)[np.concatenate([member.slots, added])]
        members.append(replace(member, slots=places))
        orders[member.tensor, member.axis] = order
    return Group(tuple(members)), orders


def _behind(last: Array, length: int, added: int) -> Array:
    """(length + added · k,) the order in which added slots stand behind the ``last`` channel's k.

    Neighboring slots stay together: behind a flattening they are one channel's pixels.
    """
    order: list[int] = []
    begin = 0
    for run in np.split(np.arange(len(last)), np.flatnonzero(np.diff(last) != 1) + 1):
        end = int(last[run[-1]]) + 1
        order += range(begin, end)
        order += [length + new * len(last) + int(slot) for new in range(added) for slot in run]
        begin = end
    return np.array([*order, *range(begin, length)], np.int64)


def _multiply(module: nn.Module, member: Member, factors: Array) -> None:
    tensor = tensor_of(module, member.tensor)
    each = _along(module, member, factors).reshape(-1, *(1,) * (tensor.dim() - member.axis - 1))
    put(module, member.tensor, tensor * each)


def _along(module: nn.Module, member: Member, factors: Array) -> Tensor:
    """(length of the axis,) the channels' factors, and 1 for all that is not theirs."""
    tensor = tensor_of(module, member.tensor)
    each = np.ones(tensor.shape[member.axis])
    each[member.slots] = factors[:, None]
    return torch.from_numpy(each).to(tensor)
