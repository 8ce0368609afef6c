"""What each job measures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from naive import OneWord
from plan import DEFAULT, HINGE, NAIVE, ROBUST, Job, adam, scheme, sgd, weighted
from torch import nn

from assay.derivations import DERIVATIONS, Derivation
from assay.errors import UnfitModel
from assay.running.modules import accuracy
from assay.training import train
from assay.values import Json
from assay.watermarks import Marked, Watermark, Weights, verify
from assay.watermarks._code import decoded, encoded, number_of, picked, word_of
from assay.watermarks._key import Key
from assay.watermarks._marking import put, weights_of
from assay.zoo.families import records
from assay.zoo.grounds import Ground
from assay.zoo.networks import build

FEW = 4  # wrong keys in an attack's cell, as few as may test a null; alarms have own jobs
STEPS = 9  # of bisection: rates are told to 1/512


def secret(*words: object) -> bytes:
    """The same in each run: results can be made again."""
    return hashlib.sha256(" ".join(map(str, words)).encode()).digest()


def key_of(method: Watermark, model: Weights, bits: int, number: int) -> Key:
    """Key ``number`` with a payload of its own."""
    key = method.new_key(model, bits, secret(method.method, bits, number))
    return key.carrying(secret("payload", bits, number)[: bits // 8])


def network(job: Job, place: Ground, trained: bool = True) -> nn.Module:
    """The dense network of a job, or what it is trained from."""
    shape = place.test.inputs.shape[1:]
    module = build(job.network, shape, 10, 0, job.scope.width)
    return place.load(job.network, module) if trained else module


def dense(job: Job, place: Ground) -> Json:
    """Trains a network and keeps it."""
    module = network(job, place, trained=False)
    train(module, place.training, adam(1e-3, job.scope.epochs), checkpoint=place.checkpoints)
    place.save(job.network, module)
    return {"accuracy": percent(module, place)}


def percent(module: nn.Module, place: Ground) -> float:
    """Its accuracy."""
    return round(100 * accuracy(module, place.test), 2)


def cell(found: Any, key: Key) -> Json:
    """What an attacked model still says."""
    detail = found.detail
    return {
        "score": round(found.score, 4),
        "log10": found.log10_false_alarm,
        "payload": detail["payload"] == key.payload.hex(),
        "misread": detail["valid"] and detail["payload"] != key.payload.hex(),
    }


def derived(module: nn.Module, name: str, place: Ground, **options: Any) -> nn.Module:
    """What a derivation makes of it."""
    method: Any = DERIVATIONS[name]
    made: Derivation = method(**options)
    return made.derive(module, data=place.test.take(slice(64))).module


def pruning(job: Job, place: Ground) -> Json:
    """A key, each length of payload, each rate."""
    base, cells = network(job, place), []
    before = percent(base, place)
    method = weighted()
    for bits in job.scope.bits:
        key = key_of(method, weights_of(base), bits, job.detail[0])
        cells.append(pruned(method.mark(base, key), key, before, job, place))
    return {"accuracy": before, "cells": cells}


def pruned(marked: Marked, key: Key, before: float, job: Job, place: Ground) -> Json:
    """What a marked network lost against another accuracy, and its mark after each pruning."""
    module = marked.module
    assert module is not None
    return {
        "bits": 8 * len(key.payload),
        "lost": round(before - percent(module, place), 2),
        "outlives": marked.notes["hosts"][0]["outlives"],
        "attacks": [
            {"scope": scope, "rate": rate, **cell(verify(suspect, key, controls=FEW), key)}
            for scope in ("layer", "global")
            for rate in job.scope.rates
            for suspect in [derived(module, "magnitude-prune", place, rate=rate, scope=scope)]
        ],
    }


def law(job: Job, place: Ground) -> Json:
    """What pruning was predicted to be outlived, and what was."""
    base, points = network(job, place), []
    for survive in job.scope.survive:
        method = weighted(survive=survive, margin=1.0, code=low_code(survive))
        key = key_of(method, weights_of(base), 128, job.detail[0])
        marked = method.mark(base, key)
        predicted = marked.notes["hosts"][0]["outlives"]
        for scope, name in (("layer", "layer"), ("global", "model")):
            low, high = 0.0, 1.0
            for _ in range(STEPS):
                rate = (low + high) / 2
                pruned = derived(marked.module, "magnitude-prune", place, rate=rate, scope=scope)
                whole = method.detect(weights_of(pruned), key).score == 1.0
                low, high = (rate, high) if whole else (low, rate)
            points.append(
                {
                    "planned": survive,
                    "scope": scope,
                    "predicted": predicted[name],
                    "measured": round((low + high) / 2, 5),
                }
            )
    return {"points": points}


def low_code(survive: float) -> Any:
    """Zeros below the quantile that ones are above."""
    code: Any = weighted().options()["code"]
    return type(weighted().code)(**{**code, "quiet": min(0.5, survive / 2)})  # type: ignore[attr-defined]


def disguises(job: Job, place: Ground) -> Json:
    """What keeps the function or nearly so; read with the owner's original."""
    base, method = network(job, place), weighted()
    key = key_of(method, weights_of(base), 128, 0)
    marked = method.mark(base, key)
    assert marked.module is not None
    attacks: dict[str, tuple[str, dict[str, Any]]] = {
        "int8": ("quantize", {"bits": 8, "activations": "none"}),
        "int4": ("quantize", {"bits": 4, "activations": "none"}),
        "16 values a layer": ("cluster", {}),
        "noise .2": ("noise", {"strength": 0.2}),
        "noise 1": ("noise", {"strength": 1.0}),
        "neurons permuted": ("permute-neurons", {}),
        "channels rescaled": ("rescale-channels", {}),
        "neurons added": ("dummy-neurons", {}),
        "channels removed, 20 %": ("channel-prune", {"rate": 0.2, "importance": "l1"}),
    }
    found = {}
    for name, (method_name, options) in attacks.items():
        suspect = derived(marked.module, method_name, place, **options)
        plain = verify(suspect, key, controls=FEW)
        own = verify(suspect, key, original=marked.weights, controls=FEW)
        found[name] = {
            "accuracy": percent(suspect, place),
            "plain": cell(plain, key),
            "with original": cell(own, key),
        }
    return {"attacks": found}


def tuning(job: Job, place: Ground) -> Json:
    """A thief tunes the marked model with Adam."""
    name, rate = job.detail
    base = network(job, place)
    before = percent(base, place)
    key = key_of(scheme(DEFAULT if name == NAIVE else name), weights_of(base), 128, 0)
    word = OneWord(key, key.template["hosts"][0]["name"])
    if name == NAIVE:
        put(base, word.embed(weights_of(base)))
    else:
        made = scheme(name).mark(base, key).module
        assert made is not None
        base = made
    pictures, epochs = job.scope.attack
    marked = percent(base, place)
    some = place.training.take(slice(pictures))
    train(base, some, adam(rate, epochs), seed=1)
    if name == NAIVE:
        score, tail, says = word.read(weights_of(base))
        after = {"score": round(score, 4), "log10": round(tail, 2), "payload": says}
    else:
        after = cell(verify(base, key, controls=FEW), key)
    return {"lost": round(before - marked, 2), "after": percent(base, place), **after}


def marked_in_tuning(job: Job, place: Ground) -> Json:
    """A model tuned under a mark, and its twin tuned without from the same seed."""
    way, number = job.detail
    base, twin = network(job, place), network(job, place)
    some, training = place.training.take(slice(job.scope.attack[0] * 2)), sgd(0.01, 2)
    train(twin, some, training, seed=number)
    before, cells = percent(twin, place), []
    method = weighted(hinge=10.0 if way == HINGE else 0.0, training=training)
    for bits in job.scope.bits if way == ROBUST else (128,):
        key = key_of(method, weights_of(base), bits, number)
        marked = method.mark(base, key, data=some, seed=number)
        cells.append(pruned(marked, key, before, job, place))
    return {"accuracy": before, "cells": cells}


def wrong_keys(job: Job, place: Ground) -> Json:
    """How often wrong keys are found in a model that carries a mark."""
    base, found = network(job, place), {}
    for name in (DEFAULT, "uchida"):
        method = scheme(name)
        key = key_of(method, weights_of(base), 128, 0)
        marked = method.mark(base, key)
        tails = [
            method.detect(marked.weights, key.wrong(number)).log10_tail
            for number in range(job.scope.wrong_keys)
        ]
        found[name] = alarms([tail or 0.0 for tail in tails])
    return {"schemes": found}


def clean_models(families: Path) -> Callable[[Job, Ground], Json]:
    """How often keys made for one model are found in others that were trained apart."""

    def measured(job: Job, place: Ground) -> Json:
        from assay.formats import read

        found: dict[str, list[float]] = {DEFAULT: [], "uchida": []}
        models = 0
        for record in records(families):
            file = families / record["file"]
            if record["parents"] or file.suffix != ".safetensors":
                continue
            weights = read(file).weights
            models += 1
            for name, tails in found.items():
                method = scheme(name)
                try:  # a key for each model: none is used twice
                    key = key_of(method, weights, 64, models)
                except UnfitModel:  # too small for a mark of this kind
                    continue
                tails.append(method.detect(weights, key).log10_tail or 0.0)
        return {"models": models, "schemes": {n: alarms(tails) for n, tails in found.items()}}

    return measured


def alarms(tails: Sequence[float]) -> Json:
    """How many are at or below each level."""
    counts = {f"1e{level}": sum(tail <= level for tail in tails) for level in (-2, -3)}
    return {"keys": len(tails), **counts, "lowest": round(min(tails), 2)}


CODES = {(256, 1): 3.0, (24, 2): 3.0, (13, 3): 3.0, (11, 4): 3.0}


def codes(job: Job, place: Ground) -> Json:
    """Codes for 128 bits under noise, in standard deviations of the host: how many are read.

    Ones are at 4, zeros evenly up to .67: what margin 2 gives on normal weights.
    """
    message, tried = secret("codes")[:20], 4 * job.scope.keys
    rng = np.random.default_rng(0)
    rows = []
    for noise in (0.5, 1.0, 1.25, 1.5, 1.75, 2.0):
        row: Json = {"noise": noise}
        for (length, ones), redundancy in CODES.items():
            words = encoded(message, length, ones, round(redundancy * len(message)))
            noisy = [_noisy(words, noise, rng) for _ in range(tried)]
            right = sum(decoded(n, ones, 20, message.__eq__) == message for n in noisy)
            row[f"{ones} of {length}"] = round(right / tried, 3)
        word = word_of(int.from_bytes(message), 1024, 40)[None]
        read = (picked(_noisy(word, noise, rng), 40)[0] for _ in range(tried))
        right = sum(number_of(each) == int.from_bytes(message) for each in read)
        row["one word"] = round(right / tried, 3)
        rows.append(row)
    return {"rows": rows}


def _noisy(words: Any, noise: float, rng: np.random.Generator) -> Any:
    clean = np.where(words, 4.0, 0.67 * rng.uniform(-1, 1, words.shape))
    return np.abs(clean + rng.normal(0, noise, words.shape))
