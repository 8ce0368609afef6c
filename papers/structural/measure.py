"""What each job measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from capacity import rows
from marks import cell, few, key_of, marked, network, percent, size, trained
from plan import Job, adam, marker, sgd
from torch import nn

from assay.derivations import DERIVATIONS, Derivation
from assay.running.channels import Group, narrow, widen
from assay.running.examples import Examples
from assay.running.find_channels import find_channels
from assay.running.modules import copy_of, on
from assay.running.removal import gammas, importance
from assay.running.removal import rows as givers
from assay.training import train
from assay.values import Json
from assay.watermarks import verify
from assay.watermarks._key import Key
from assay.watermarks._marking import weights_of
from assay.watermarks._quantizing import removed, wanted
from assay.zoo.grounds import Ground

FEW = 10  # wrong keys in an attack's cell; false alarms have jobs of their own


def dense(job: Job, place: Ground) -> Json:
    """Trains a network and keeps it."""
    module = network(job, place, job.scope.networks[job.network])
    train(module, place.training, adam(2e-3, job.scope.epochs), checkpoint=place.checkpoints)
    place.save(job.network, module)
    return {"accuracy": percent(module, place), "parameters": size(module)}


def capacities(job: Job, place: Ground) -> Json:
    """Of published networks."""
    method: Any = marker(1)
    return {"least": method.least, "most": method.most, "rows": rows(method.least, method.most)}


def accuracies(job: Job, place: Ground) -> Json:
    """A marked network, and its twin that lost as many channels in all, the same share each."""
    (number,) = job.detail
    key, module = marked(job, place, number)
    base = trained(job, place)
    twin = copy_of(base)
    layers = key.template["layers"]
    gone = [
        removed(each, symbol, key.template["step"])
        for each, symbol in zip(layers, wanted(key), strict=True)
    ]
    rate = sum(gone) / sum(each["channels"] for each in layers)
    marks = {row for each in layers for row in each["rows"]}
    kept = []
    for group in find_channels(twin, on(twin, few(place).inputs[:2])).groups:
        if marks & {member.tensor for member in givers(group)}:
            each = importance(twin, gammas(group) or givers(group))
            kept.append((group, np.sort(np.argsort(each)[round(rate * group.size) :])))
    narrow(twin, kept)
    train(twin, place.training, sgd(0.02, 1), seed=number)
    twin.eval()
    return {
        "rate": round(rate, 3),
        "accuracy": [percent(each, place) for each in (base, module, twin)],
        "parameters": [size(each) for each in (base, module, twin)],
        **cell(verify(module, key), key),
    }


KEEPING: dict[str, tuple[str, dict[str, Any]]] = {
    "tuned, SGD .01": ("fine-tune", {"training": sgd(0.01, 1)}),
    "tuned, Adam .01": ("fine-tune", {"training": adam(1e-2, 1)}),
    "int8": ("quantize", {"bits": 8, "activations": "none"}),
    "int4": ("quantize", {"bits": 4, "activations": "none"}),
    "16 values a layer": ("cluster", {}),
    "noise .2": ("noise", {"strength": 0.2}),
    "noise 1": ("noise", {"strength": 1.0}),
    "pruned .5, of the layer": ("magnitude-prune", {"rate": 0.5}),
    "pruned .99, of the layer": ("magnitude-prune", {"rate": 0.99}),
    "pruned .99, of the model": ("magnitude-prune", {"rate": 0.99, "scope": "global"}),
    "neurons permuted": ("permute-neurons", {}),
    "channels rescaled": ("rescale-channels", {}),
    "float16": ("convert", {"dtype": "float16"}),
    "through ONNX": ("convert", {"through": "onnx"}),
    "classes renumbered": ("relabel-head", {}),
    "a new head, all tuned": ("transfer", {"training": sgd(0.01, 1)}),
}
HIDING: dict[str, tuple[str, dict[str, Any]]] = {
    f"neurons added, {kind}": ("dummy-neurons", {"kind": kind})
    for kind in ("zero", "clique", "split")
}
CHANGING: dict[str, tuple[str, dict[str, Any]]] = {
    "channels removed, 5 %": ("channel-prune", {"rate": 0.05, "importance": "l1"}),
    "channels removed, 30 %": ("channel-prune", {"rate": 0.3, "importance": "l1"}),
    "distilled": ("distill", {"training": sgd(0.02, 1)}),
}


def derivations(job: Job, place: Ground) -> Json:
    """What is left in what thieves make of a marked network."""
    key, module = marked(job, place)
    found: dict[str, Json] = {}
    some = place.training.take(slice(1000))
    for group, attacks in (("keeps", KEEPING), ("hides", HIDING), ("changes", CHANGING)):
        for name, (method, options) in [*attacks.items()][:: job.scope.every]:
            student = network(job, place, 1.0) if method == "distill" else None
            suspect = derived(module, method, some, options, student)
            found[name] = attacked(suspect, group, key, place)
    tuning = {"training": sgd(0.01, 1)}
    tuned = derived(module, "fine-tune", some, tuning)
    make: Any = DERIVATIONS["average"]
    averaged = make().derive(module, tuned).module
    found["averaged with a tuned copy"] = attacked(averaged, "keeps", key, place)
    hidden = derived(module, "dummy-neurons", some, {"kind": "split"})
    hidden = derived(hidden, "fine-tune", some, tuning)
    found["neurons added, then tuned"] = attacked(hidden, "changes", key, place)
    return {"accuracy": percent(module, place), "attacks": found}


def removal(job: Job, place: Ground) -> Json:
    """A thief who removes channels and tunes what is left."""
    key, module = marked(job, place)
    found, some = {}, place.training.take(slice(1000))
    for rate in (0.05, 0.1):
        options = {"rate": rate, "importance": "l1", "training": sgd(0.01, 1)}
        suspect = derived(module, "channel-prune", some, options)
        found[f"channels removed, {rate:.0%}, tuned"] = attacked(suspect, "changes", key, place)
    return {"attacks": found}


def attacked(suspect: nn.Module, group: str, key: Key, place: Ground) -> Json:
    """What an attack left of accuracy and mark."""
    evidence = verify(suspect, key, controls=FEW)
    return {"group": group, "accuracy": percent(suspect, place), **cell(evidence, key)}


def derived(
    module: nn.Module,
    name: str,
    some: Examples,
    options: dict[str, Any],
    student: nn.Module | None = None,
) -> nn.Module:
    """What a derivation makes of it."""
    make: Any = DERIVATIONS[name]
    method: Derivation = make(**options)
    return method.derive(module, data=some, student=student).module


def tolerance(job: Job, place: Ground) -> Json:
    """A thief takes or adds channels in every layer, as many as are drawn up to a number."""
    (planned,) = job.detail
    method, scope = marker(planned), job.scope
    base = network(job, place, scope.wide[job.network]).eval()
    described = method.described(base, few(place))
    attacks = []
    key = key_of(method, described, scope.bits, planned)
    made = method.mark(base, key, data=few(place)).module
    assert made is not None
    names = [each["rows"][0] for each in key.template["layers"]]
    groups = find_channels(made, on(made, few(place).inputs[:2])).groups
    own = [next(g for g in groups if name in {m.tensor for m in givers(g)}) for name in names]
    random = np.random.default_rng(planned)
    for most in scope.moved:
        counts = {"recovered": 0, "lost": 0, "misread": 0}
        evidence = []
        for _ in range(scope.draws):
            moves = random.integers(-most, most + 1, len(own))
            moves[random.integers(len(own))] = most * random.choice([-1, 1])
            suspect = weights_of(moved(made, own, moves.tolist(), random))
            said, found = method.payload(suspect, key), method.detect(suspect, key)
            way = "lost" if said is None else "recovered" if said == key.payload else "misread"
            counts[way] += 1
            evidence.append(found.log10_tail or 0.0)
        attacks.append(
            {"up_to": most, **counts, "median_log10": round(float(np.median(evidence)), 2)}
        )
    return {"template": key.template["tag_bits"], "layers": len(own), "attacks": attacks}


def moved(
    module: nn.Module, groups: Sequence[Group], moves: Sequence[int], random: np.random.Generator
) -> nn.Module:
    """A copy with channels taken (below 0) or copies of channels added, which nothing reads."""
    made, left = copy_of(module), [*groups]
    kept = [
        (group, np.sort(random.permutation(group.size)[: group.size + min(move, 0)]))
        for group, move in zip(left, moves, strict=True)
    ]
    added = [(place, move) for place, move in enumerate(moves) if move > 0]
    for place, move in added:
        _, orders = widen(made, left[place], lambda m, v, n=move: _wider(m, v, n))  # type: ignore[misc]
        left = [group.moved(orders) for group in left]
    narrow(made, [(left[place], each[1]) for place, each in enumerate(kept) if moves[place] < 0])
    return made


def _wider(member: Any, values: torch.Tensor, count: int) -> torch.Tensor:
    new = values[:count] * (member.role != "column")
    return torch.cat([values, new])
