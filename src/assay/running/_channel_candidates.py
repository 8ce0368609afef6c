"""Groups that a dependency graph proposes: to be tried, for they may be wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.running.channels import Channels, Group, Member, Role, tensors
from assay.running.examples import Array
from assay.running.trial import all_answers

EXTRA = "torch"
Key = tuple[str, int, Role]  # tensor, axis, role
_BATCH_NORM = nn.modules.batchnorm._BatchNorm
_NORM = (*("weight", "bias"), *("running_mean", "running_var"))


def candidates(module: nn.Module, example: Tensor) -> Channels:
    """Groups that may be groups, largest first; ``module`` is a copy that may be spoilt."""
    graph = _graph(module, example)
    names = {part: name for name, part in module.named_modules()}
    names |= {parameter: name for name, parameter in module.named_parameters()}
    found: list[Group] = []
    seen: set[nn.Module] = set()
    for layer in graph.module2node:
        if layer in names and layer not in seen and "row" in _roles(layer, gives=True):
            pruner = graph.get_pruner_of_module(layer)
            whole = [*range(pruner.get_out_channels(layer))]
            items = graph.get_pruning_group(layer, pruner.prune_out_channels, whole)
            seen |= {item.dep.target.module for item in items if _gives(graph, item)}
            found += _groups(graph, items, names)
    found += _recurrent(module)
    sizes = dict(tensors(module))
    alone = _not_shared(module)
    return Channels(
        tuple(group for group in found if all(_fits(each, sizes, alone) for each in group.members)),
        tuple(_normalized(graph, names)),
    )


def _graph(module: nn.Module, example: Tensor) -> Any:
    def run(module: nn.Module, inputs: Tensor) -> list[Tensor]:
        return [each for each in all_answers(module, inputs) if each.requires_grad]

    all_answers(module, example)  # its own complaint where the inputs do not fit
    with warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")  # of parameters outside layers, which the trial decides on
        try:
            return torch_pruning.DependencyGraph().build_dependency(
                module, example, forward_fn=run, verbose=False
            )
        except (AttributeError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise UnfitModel(f"the model's channels cannot be followed: {error}") from error


def _groups(graph: Any, items: Any, names: dict[Any, str]) -> list[Group]:
    """What is proposed, cut into channels that lie in the same tensors equally often."""
    places: dict[int, dict[Key, list[int]]] = {}  # by channel of the first layer
    for item in items:
        part = item.dep.target.module
        if part not in names:
            if isinstance(part, torch_pruning.ops._OutputOp):
                return []
            continue
        roles = _roles(part, _gives(graph, item))
        if not roles or None in item.root_idxs:
            return []
        for slot, channel in zip(item.idxs, item.root_idxs, strict=True):
            for role, tensor, axis in _tensors(part, names[part], roles, item.dep.target):
                places.setdefault(channel, {}).setdefault((tensor, axis, role), []).append(slot)
    alike: dict[tuple[tuple[Key, int], ...], list[dict[Key, list[int]]]] = {}
    for _, each in sorted(places.items()):
        alike.setdefault(tuple(sorted((k, len(v)) for k, v in each.items())), []).append(each)
    return [
        Group(
            tuple(
                Member(tensor, axis, _slots([each[tensor, axis, role] for each in some]), role)
                for (tensor, axis, role), _ in kind
            )
        )
        for kind, some in alike.items()
    ]
