"""Channels of a module: found, ranked and removed, as many as a key says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.running.channels import Group, narrow
from assay.running.examples import Array, Examples
from assay.running.find_channels import find_channels
from assay.running.modules import on
from assay.running.removal import can_go, gammas, importance, removable, rows
from assay.running.tensors import tensor_of
from assay.running.trial import Trial, sift
from assay.watermarks import Work
from assay.watermarks._key import Key
from assay.watermarks._marking import trained, weights_of
from assay.watermarks._quantizing import removed, wanted
from assay.watermarks._structure import Channels, Structure

if TYPE_CHECKING:
    from assay.watermarks.structural import Structural

EXTRA = "torch"
_TRACED = 2  # examples


def structure(module: nn.Module, data: Examples) -> Structure:
    """A module's weights, and those of its channels that can go.  Raises UnfitModel, BadData."""
    groups = _groups(module, on(module, data.inputs[:_TRACED]))
    return Structure(weights_of(module), [_channels(module, group) for group in groups])


def tuned(method: Structural, work: Work) -> nn.Module:
    """The module without the channels that the key takes, tuned where there is a training."""
    module, key = work.module, work.key
    example = on(module, work.data.inputs[:_TRACED])
    groups = {_channels(module, group).rows: group for group in _groups(module, example)}
    step, kept, hosts = int(key.template["step"]), [], []
    for number, (layer, symbol) in enumerate(zip(key.template["layers"], wanted(key), strict=True)):
        group = groups.get(tuple(layer["rows"]))
        if group is None or group.size != layer["channels"]:
            raise UnfitModel(
                f"the key marks {layer['rows'][0]} with {layer['channels']} channels, and the model"
                " has no such channels that can go"
            )
        left = group.size - removed(layer, symbol, step)
        kept.append((group, _most_important(module, group, left, key, number)))
        hosts.append({"name": layer["rows"][0], "channels": group.size, "left": left})
    if sift(kept, partial(can_go, Trial(module, example))) != kept:
        raise UnfitModel("the channels that the key takes cannot be removed together")
    narrow(module, kept)
    work.notes["hosts"] = hosts
    if method.training is not None:
        trained(work, method.training)
    return module


def _groups(module: nn.Module, example: Tensor) -> list[Group]:
    """Those whose channels can go, and whose number a tensor's shape tells; as they are run."""
    found = removable(module, example, find_channels(module, example).groups)
    told = [g for g in found if all(_is_whole(module, m.tensor, m.slots) for m in rows(g))]
    order = {name: place for place, name in enumerate(module.state_dict())}
    return sorted(told, key=lambda group: min(order[m.tensor] for m in rows(group)))


def _is_whole(module: nn.Module, tensor: str, slots: Array) -> bool:
    """Whether channels are all of a tensor's outputs, one for each."""
    values = tensor_of(module, tensor)
    return values.dim() > 1 and slots.shape == (len(values), 1)


def _channels(module: nn.Module, group: Group) -> Channels:
    """Names of the tensors that tell a group's channels, in the order of the module's."""
    order = {name: place for place, name in enumerate(module.state_dict())}
    columns = [
        (m.tensor, m.slots.shape[1])
        for m in group.members
        if m.role == "column" and m.axis == 1
        if np.array_equal(m.slots.ravel(), np.arange(tensor_of(module, m.tensor).shape[1]))
    ]
    if len(columns) < sum(m.role == "column" for m in group.members):
        columns = []  # what reads them is not known by shape alone
    names = sorted((m.tensor for m in rows(group)), key=lambda name: order[name])
    return Channels(tuple(names), tuple(sorted(columns)))


def _most_important(module: nn.Module, group: Group, left: int, key: Key, number: int) -> Array:
    """(left,) the numbers of those that stay; of equal ones the key chooses."""
    each = importance(module, gammas(group) or rows(group))
    ties = key.places(f"ties {number}", group.size, group.size)
    kept: Array = np.sort(np.lexsort((ties, each))[group.size - left :])
    return kept
