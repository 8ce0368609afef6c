"""Who must not be found: wrong keys, forged templates, models that nobody marked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from marks import few, key_of, marked, secret, trained
from plan import Job, marker

from assay.errors import AssayError, UnfitModel
from assay.formats import read
from assay.values import Json
from assay.watermarks import Weights
from assay.watermarks._hosts import matrices
from assay.watermarks._key import Key
from assay.watermarks._marking import weights_of
from assay.watermarks._quantizing import removed, symbol_of, wanted
from assay.watermarks._structure import counts
from assay.weights import Weight
from assay.zoo.families import records
from assay.zoo.grounds import Ground

LEVELS = (-2, -3)


def wrong_keys(job: Job, place: Ground) -> Json:
    """How often wrong keys are found in a network that carries a mark, and read something."""
    method = marker(job.scope.tolerance)
    key, module = marked(job, place, tuned=False)
    suspect = weights_of(module)
    wrong = [key.wrong(number) for number in range(job.scope.wrong_keys)]
    tails = [method.detect(suspect, each).log10_tail or 0.0 for each in wrong]
    valid = sum(method.payload(suspect, each) is not None for each in wrong)
    return {**alarms(tails), "valid": valid}


def forged(job: Job, place: Ground) -> Json:
    """A claimant fits the template's numbers of channels to a network that was never marked.

    Each try has another secret.  The naive scheme, of which nothing that is drawn follows from the
    template, is held against the words that were drawn before.
    """
    method = marker(job.scope.tolerance)
    base = trained(job, place)
    half = key_of(method, method.described(base, few(place)), job.scope.bits, 0)
    suspect, step = weights_of(base), half.template["step"]
    tails, whole, naive = [], 0, 0
    for number in range(job.scope.forged):
        key = replace(half, secret=secret("forger", number))
        template = json.loads(json.dumps(key.template))
        for each, symbol in zip(template["layers"], wanted(key), strict=True):
            each["channels"] += removed(each, symbol, step)  # as if it had lost just these
        there = zip(template["layers"], counts(suspect, template), strict=True)
        naive += [symbol_of(each, count, step) for each, count in there] == wanted(key)
        found = method.detect(suspect, replace(key, template=template))
        whole += found.score == 1.0
        tails.append(found.log10_tail or 0.0)
    return {"tries": len(tails), "naive": naive, "whole": whole, **alarms(tails)}


def clean_models(families: Path, others: Path | None) -> Callable[[Job, Ground], Json]:
    """How often keys made for one model are found in others that nobody marked."""

    def measured(job: Job, place: Ground) -> Json:
        own: list[float] = []
        larger: list[float] = []
        payloads, looked_at, small = 0, 0, 0
        files = [families / record["file"] for record in records(families)]
        files += sorted(p for p in others.rglob("*") if p.is_file()) if others else []
        for number, file in enumerate(files):
            try:
                weights = read(file).weights
                matrices(weights)
            except AssayError:
                continue
            looked_at += 1
            # of the model's own architecture; and as if it had lost half of each layer's channels
            method = marker(0)
            for tails, times in ((own, 1), (larger, 2)):
                try:
                    key = key_for(weights, times, job.scope.bits, number)
                except UnfitModel:
                    small += times == 2
                    continue
                tails.append(method.detect(weights, key).log10_tail or 0.0)
                payloads += method.payload(weights, key) is not None
        found = {"own template": alarms(own), "twice the channels": alarms(larger)}
        return {"models": looked_at, "too_small": small, "payloads": payloads, "templates": found}

    return measured


def key_for(weights: Weights, times: int, bits: int, number: int) -> Key:
    """A key of the numbers of channels of a model, or so many times as many."""
    known = matrices(weights)
    grown = {
        name: Weight(name, (times * w.shape[0], *w.shape[1:]), w.dtype, w.read, w.canonical)
        for name, w in known.items()
    }
    make: Any = type(marker(0))
    return key_of(make(tolerance=0, layers=tuple([*known][:-1])), grown, bits, number)


def alarms(tails: Sequence[float]) -> Json:
    """How many are at or below each level."""
    counts = {f"1e{level}": sum(tail <= level for tail in tails) for level in LEVELS}
    return {"keys": len(tails), **counts, "lowest": round(min(tails, default=0.0), 2)}
