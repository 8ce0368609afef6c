"""Copies with the function of the victim and other weights: what a check still says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import attacks
import freedoms
import numpy as np
import torch
from ground import SECRET, Ground, Row, state_of
from torch import nn

from assay.derivations import DERIVATIONS
from assay.errors import UnfitModel
from assay.running.modules import accuracy, copy_of, on


def freely(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """A copy with the same function and other weights."""
    for way, steps in ways_of(ground).items():
        yield f"free | {network} | {way} | 0", partial(_free, ground, network, steps)
    yield f"free | {network} | rows split | 0", partial(_split, ground, network)


def _free(ground: Ground, network: str, steps: tuple[Callable[[Any], Any], ...]) -> Row:
    parent = ground.module(network, 0)
    module = copy_of(parent)
    before = state_of(module)
    try:
        for step in steps:
            module = _changed(module, step)
    except UnfitModel as error:
        return {"unfit": str(error)}
    after = state_of(module)
    return {
        "change": round(attacks.change(before, after), 4),
        "before": round(accuracy(parent, ground.test), 4),
        "after": round(accuracy(module, ground.test), 4),
        "secret": attacks.said(after, attacks.sketched(before, SECRET[0]), SECRET[0]),
    }


def _changed(module: nn.Module, step: Callable[[Any], Any]) -> nn.Module:
    before = state_of(module)
    changed: nn.Module = step(module) or module
    after = state_of(changed)
    if all(np.array_equal(after.get(name), value) for name, value in before.items()):
        raise UnfitModel("the network has no such freedom")
    return changed


def _split(ground: Ground, network: str) -> Row:
    """Each tensor stored as two, of 3/5 and 2/5 of its rows."""
    before, after = ground.state(network, 0), {}
    for name, value in before.items():
        cut = len(value) * 3 // 5 if value.ndim > 1 else 0
        after |= {f"{name}.0": value[:cut], f"{name}.1": value[cut:]} if cut else {name: value}
    kept = ground.accuracy(network, before)
    told = attacks.said(after, attacks.sketched(before, SECRET[0]), SECRET[0])
    return {"change": 0.0, "before": kept, "after": kept, "secret": told}


def ways_of(ground: Ground) -> Mapping[str, tuple[Callable[[Any], Any], ...]]:
    """Names and steps; a step changes a module, or returns another one."""

    def derived(name: str, **options: Any) -> Callable[[Any], Any]:
        method: Any = DERIVATIONS[name]
        return lambda m: method(**options).derive(m, data=ground.some).module

    def signs(module: nn.Module) -> None:
        freedoms.signs_before_norms(module, on(module, ground.some.inputs[:8]), drawn())

    def heads(module: nn.Module) -> None:
        freedoms.mixed_heads(module, drawn())
        freedoms.scaled_norms(module, drawn())

    def noise(module: nn.Module) -> None:
        noisy = attacks.noisy(state_of(module), 0.1, 0)
        module.load_state_dict({n: torch.from_numpy(np.asarray(v)) for n, v in noisy.items()})

    def large(module: nn.Module) -> None:
        freedoms.large_columns(module, ground.some.inputs, drawn())

    drawn = partial(np.random.default_rng, 0)
    permuted, scaled = derived("permute-neurons"), derived("rescale-channels", strength=30.0)
    turned = partial(freedoms.signs_of_gru, random=drawn())
    return {
        "channels permuted": (permuted,),
        "channels scaled by 1/4 to 4": (derived("rescale-channels"),),
        "channels scaled by 1/30 to 30": (scaled,),
        "permuted, scaled by 1/30 to 30": (permuted, scaled),
        "permuted, noise of 0.1": (permuted, noise),
        "a dead channel in 20": (derived("dummy-neurons", kind="zero", share=0.05),),
        "signs before normalization": (signs,),
        "signs before normalization, permuted": (signs, permuted),
        "signs of hidden units": (turned,),
        "signs of hidden units, permuted": (turned, permuted),
        "heads mixed": (heads,),
        "heads mixed, permuted": (heads, permuted),
        "large columns at silent channels": (large,),
        "large columns at silent channels, permuted": (large, permuted),
    }
