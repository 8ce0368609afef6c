"""Groups of channels that a dependency graph proposes: to be tried, for they may be wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn

from assay.running.channels import Channels, Group, Member, Role
from assay.running.examples import Array
from assay.running.tensors import tensors
from assay.running.trial import all_answers

EXTRA = "torch"
Key = tuple[str, int, Role]  # tensor, axis, role
_CONVOLUTION = nn.modules.conv._ConvNd
_BATCH_NORM = nn.modules.batchnorm._BatchNorm
_NORM = nn.modules.batchnorm._NormBase


def candidates(module: nn.Module, example: Tensor) -> Channels:
    """Groups that may be groups; ``module`` is a copy, in evaluation mode, that may be spoilt."""
    names: dict[Any, str] = {part: name for name, part in module.named_modules()}
    names |= {parameter: name for name, parameter in module.named_parameters()}
    graph = _graph(module, example)
    found = [] if graph is None else [*_traced(graph, names)]
    return Channels(
        tuple(group for group in (*found, *_recurrent(module)) if _is_sound(group, module)),
        tuple(_normalized(module, example)),
    )


def _graph(module: nn.Module, example: Tensor) -> Any:
    """torch-pruning's dependency graph; None where it cannot follow the module."""

    def run(module: nn.Module, inputs: Tensor) -> list[Tensor]:
        return [each for each in all_answers(module, inputs) if each.requires_grad]

    all_answers(module, example)  # its own complaint where the inputs do not fit
    graph = torch_pruning.DependencyGraph()
    graph.REGISTERED_PRUNERS.pop(torch_pruning.ops.OPTYPE.LSTM)  # it cannot; see _recurrent
    with warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")  # of parameters outside layers: the trial decides on them
        try:
            return graph.build_dependency(module, example, forward_fn=run, verbose=False)
        except (AttributeError, KeyError, IndexError, TypeError, RecursionError):
            return None


def _traced(graph: Any, names: dict[Any, str]) -> Iterator[Group]:
    """Groups of the layers that the graph knows, each layer's once."""
    seen: set[Any] = set()
    for layer, node in graph.module2node.items():
        if layer in names and layer not in seen and "row" in _roles(_axes(node, gives=True)):
            pruner = graph.get_pruner_of_module(layer)
            whole = [*range(pruner.get_out_channels(layer))]
            items = graph.get_pruning_group(layer, pruner.prune_out_channels, whole)
            seen |= {item.dep.target.module for item in items if _gives(graph, item)}
            yield from _groups(graph, items, names)


def _gives(graph: Any, item: Any) -> bool:
    return bool(graph.is_out_channel_pruning_fn(item.dep.handler))


def _axes(node: Any, gives: bool) -> list[tuple[str, int, Role]] | None:
    """Tensors of a layer, axis and role, for its outputs or its inputs; None where not known."""
    part = node.module
    if isinstance(part, nn.Parameter):
        return [("", node.pruning_dim, "other")]
    axes: list[tuple[str, int, Role]] | None = None
    if isinstance(part, _CONVOLUTION | nn.Linear):
        axes = _weighted_axes(part, gives)
    elif isinstance(part, _NORM):
        axes = [(own, 0, "norm") for own in ("weight", "bias", "running_mean", "running_var")]
    elif isinstance(part, nn.LayerNorm) and len(part.normalized_shape) == 1:
        axes = [("weight", 0, "other"), ("bias", 0, "other")]
    elif isinstance(part, nn.PReLU):
        axes = [("weight", 0, "other")] if part.weight.numel() > 1 else []
    elif isinstance(part, nn.Embedding):
        axes = [("weight", 1, "row")]
    return axes and [axis for axis in axes if getattr(part, axis[0], None) is not None]


def _weighted_axes(part: Any, gives: bool) -> list[tuple[str, int, Role]] | None:
    groups = getattr(part, "groups", 1)
    rows, columns = (1, 0) if getattr(part, "transposed", False) else (0, 1)
    if groups > 1:
        depthwise = groups == part.in_channels == part.out_channels and not part.transposed
        return [("weight", 0, "other"), ("bias", 0, "bias")] if depthwise else None
    return (
        [("weight", rows, "row"), ("bias", 0, "bias")] if gives else [("weight", columns, "column")]
    )


def _roles(axes: list[tuple[str, int, Role]] | None) -> set[Role]:
    return {role for _, _, role in axes or ()}


def _groups(graph: Any, items: Any, names: dict[Any, str]) -> list[Group]:
    """What is proposed, cut into channels that lie in the same tensors equally often."""
    places: dict[int, dict[Key, list[int]]] = {}  # by channel of the first layer
    for item in items:
        part = item.dep.target.module
        if isinstance(part, torch_pruning.ops._OutputOp):
            return []
        if part not in names:  # a sum, a concatenation …
            continue
        axes = _axes(item.dep.target, _gives(graph, item))
        if axes is None or None in item.root_idxs:
            return []
        for slot, channel in zip(item.idxs, item.root_idxs, strict=True):
            for own, axis, role in axes:
                name = ".".join(filter(None, (names[part], own)))
                places.setdefault(channel, {}).setdefault((name, axis, role), []).append(slot)
    alike: dict[tuple[tuple[Key, int], ...], list[dict[Key, list[int]]]] = {}
    for _, place in sorted(places.items()):
        kind = tuple(sorted((key, len(slots)) for key, slots in place.items()))
        alike.setdefault(kind, []).append(place)
    return [
        Group(tuple(_member(key, [place[key] for place in some]) for key, _ in kind))
        for kind, some in alike.items()
    ]


def _member(key: Key, slots: list[list[int]]) -> Member:
    tensor, axis, role = key
    return Member(tensor, axis, np.sort(np.array(slots, np.int64), axis=1), role)


def _is_sound(group: Group, module: nn.Module) -> bool:
    """Whether there are two channels that a layer gives, in tensors that are nowhere else used."""
    known = dict(tensors(module))
    alone = [id(tensor) for tensor in known.values()]
    return (
        group.size > 1
        and any(each.role == "row" for each in group.members)
        and all(
            each.tensor in known
            and alone.count(id(known[each.tensor])) == 1
            and known[each.tensor].dim() > each.axis
            and known[each.tensor].shape[each.axis] > each.slots.max()
            and len(np.unique(each.slots)) == each.slots.size
            for each in group.members
        )
    )


def _normalized(module: nn.Module, example: Tensor) -> list[tuple[str, str]]:
    """Layers, and the batch normalization that reads what they give."""
    found: list[tuple[str, str]] = []
    given: list[tuple[Tensor, str]] = []

    def gives(name: str, output: Any) -> None:
        if isinstance(output, Tensor):
            given.append((output, name))

    def reads(name: str, inputs: tuple[Any, ...]) -> None:
        found.extend((layer, name) for output, layer in given if output is inputs[0])

    hooks = []
    for name, part in module.named_modules():
        if isinstance(part, _CONVOLUTION | nn.Linear):
            hooks.append(part.register_forward_hook(lambda _, __, out, n=name: gives(n, out)))
        elif isinstance(part, _BATCH_NORM) and part.affine and part.running_var is not None:
            hooks.append(part.register_forward_pre_hook(lambda _, args, n=name: reads(n, args)))
    with torch.no_grad():
        module(example)
    for hook in hooks:
        hook.remove()
    return found


def _recurrent(module: nn.Module) -> Iterator[Group]:
    """Hidden units of recurrent layers; a linear layer behind may be who reads the last ones."""
    linear = [(name, part) for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    for name, part in module.named_modules():
        if isinstance(part, nn.RNNBase) and not part.proj_size:
            width = part.hidden_size * (2 if part.bidirectional else 1)
            readers = [f"{each}.weight" for each, other in linear if other.in_features == width]
            for layer in range(part.num_layers):
                last = layer == part.num_layers - 1
                above = [f"{name}.weight_ih_l{layer + 1}{suffix}" for suffix in _directions(part)]
                for tensors_above in [[reader] for reader in readers] if last else [above]:
                    yield from _hidden_units(name, part, layer, tensors_above)


def _directions(part: nn.RNNBase) -> tuple[str, ...]:
    return ("", "_reverse") if part.bidirectional else ("",)


def _hidden_units(name: str, part: nn.RNNBase, layer: int, above: list[str]) -> Iterator[Group]:
    units: Array = np.arange(part.hidden_size)[:, None]
    for place, suffix in enumerate(_directions(part)):
        own = f"_l{layer}{suffix}"
        gates = len(getattr(part, f"weight_hh{own}")) // part.hidden_size
        rows = units + part.hidden_size * np.arange(gates)  # (units, gates)
        members = [
            Member(f"{name}.weight_ih{own}", 0, rows, "row"),
            Member(f"{name}.weight_hh{own}", 0, rows, "row"),
            Member(f"{name}.weight_hh{own}", 1, units, "column"),
        ]
        if part.bias:
            members += [
                Member(f"{name}.bias_{kind}{own}", 0, rows, "bias") for kind in ("ih", "hh")
            ]
        read = units + place * part.hidden_size
        yield Group((*members, *(Member(each, 1, read, "column") for each in above)))
