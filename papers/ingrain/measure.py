"""What each job measures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plan import FURTHER, OWN, Job, method, sgd
from torch import nn

from assay.derivations import DERIVATIONS, Derivation
from assay.running.examples import Examples
from assay.running.modules import accuracy
from assay.running.predictors import Predictor, predictor
from assay.running.predictors.answers import Array
from assay.training import Optimizer, Training, train
from assay.values import Json
from assay.watermarks import WATERMARKS, Watermark, load_key, verify
from assay.watermarks._directions import features, readings
from assay.watermarks._key import Key
from assay.watermarks._remembering import Remembering
from assay.watermarks._signs import log10_signed_tail, sizes_of
from assay.watermarks.ingrain import RIDGE, probabilities, signs
from assay.zoo.families import load, records
from assay.zoo.grounds import Ground, in_bfloat16
from assay.zoo.networks import build

LEVELS = (-2, -3)


@dataclass(frozen=True)
class Place:
    """The owner's ground, more of his that nothing is trained on, and the thief's pictures."""

    owner: Ground
    asked: Examples
    thief: Examples


class LabelsAlone(Predictor):
    """A model that tells no scores."""

    def __init__(self, module: nn.Module) -> None:
        self._model = predictor(module)

    def run(self, inputs: Array) -> Array:
        found: Array = self._model.run(inputs).argmax(1)
        return found


def secret(*words: object) -> bytes:
    """The same in each run of the script: results can be made again."""
    return hashlib.sha256(" ".join(map(str, words)).encode()).digest()


def fresh(network: str, seed: int, job: Job, place: Place) -> nn.Module:
    """A network that has learned nothing."""
    shape = place.owner.test.inputs.shape[1:]
    made = build(network, shape, 10, seed, job.scope.width)
    return made.to(memory_format=torch.channels_last)


def percent(module: nn.Module, place: Place) -> float:
    """Its accuracy on pictures that neither the owner nor the thief has trained on."""
    return round(100 * accuracy(module, place.owner.test), 2)


def marked(job: Job, place: Place) -> Json:
    """Trains a network, makes a key for it, and marks it."""
    base, name = fresh(OWN, 100 + job.run, job, place), f"{job.run}.base"
    if place.owner.path(name).exists():
        place.owner.load(name, base)
    else:
        with in_bfloat16():
            train(base, place.owner.training, sgd(OWN, job.scope), seed=job.run)
        place.owner.save(name, base)
    made = method(job.scope)
    own = [references(job, place, base, network) for network in job.scope.students]
    key = made.new_key(base, job.scope.bits, secret("ingrain", job.run), place.asked, own)
    key = key.carrying(secret("payload", job.run)[: job.scope.bits // 8])
    place.owner.networks.mkdir(parents=True, exist_ok=True)
    key.save(_key_path(job, place))
    with in_bfloat16():
        module = made.mark(base, key, data=place.owner.training, seed=job.run).module
    assert module is not None
    place.owner.save(f"{job.run}.marked", module)
    before = percent(base, place)
    about = {"before": before, "lost": round(before - percent(module, place), 2)}
    return {**about, **read(module, key, job)}


def references(job: Job, place: Place, base: nn.Module, network: str) -> nn.Module:
    """The owner's own student of the network that is not marked yet, of labels alone."""
    name, student = f"{job.run}.reference.{network}", fresh(network, 900 + job.run, job, place)
    if place.owner.path(name).exists():
        return place.owner.load(name, student)
    make: Any = DERIVATIONS["extract"]
    made: Derivation = make(training=sgd(network, job.scope), answers="hard")
    own = place.owner.training
    with in_bfloat16():
        found = made.derive(base, data=own, student=student, seed=70 + job.run).module
    place.owner.save(name, found)
    return found


def unforeseen(module: nn.Module, key: Key, job: Job, place: Place) -> Json:
    """What would be read, had the owner no student of this network among his references."""
    base = place.owner.load(f"{job.run}.base", fresh(OWN, 0, job, place))
    known = [base] + [
        references(job, place, base, each) for each in job.scope.students if each != job.detail[0]
    ]
    queries = key.arrays["queries"]
    expected = np.mean([predictor(each).ask(queries).probabilities for each in known], axis=0)
    looked = features(queries, key.arrays["center"], key.arrays["directions"])
    found: Json = {}
    for name, suspect in (("scores", predictor(module)), ("labels", LabelsAlone(module))):
        given = probabilities(suspect.ask(queries), expected.shape[1])
        leaning = readings(looked, expected, given, RIDGE)
        sizes, agreed = sizes_of(leaning), np.sign(leaning) == signs(key)
        found[name] = round(log10_signed_tail(sizes, int(sizes[agreed].sum())), 2)
    return found


def read(module: nn.Module, key: Key, job: Job) -> Json:
    """What verification says of a suspect that gives scores, and of one that gives labels alone."""
    found: Json = {}
    for name, suspect in (("scores", predictor(module)), ("labels", LabelsAlone(module))):
        evidence = verify(suspect, key, controls=job.scope.controls)
        wrong = evidence.detail["controls"]
        found[name] = {
            "score": round(evidence.score, 4),
            "log10": evidence.log10_false_alarm,
            "as_high": wrong["as_high"],
            "best_wrong": wrong["scores"][0],
            "null": wrong["null"],
            "payload": evidence.detail["payload"] == key.payload.hex(),
            "misread": evidence.detail["valid"] and evidence.detail["payload"] != key.payload.hex(),
        }
    return found


def known(job: Job, place: Place) -> tuple[nn.Module, Key]:
    """The marked network of a run, and its key."""
    module = place.owner.load(f"{job.run}.marked", fresh(OWN, 0, job, place))
    return module, load_key(_key_path(job, place))


def _key_path(job: Job, place: Place) -> Path:
    return place.owner.networks / f"{job.run}.key"


def stolen(
    name: str, parent: nn.Module, network: str, job: Job, place: Place, **options: Any
) -> nn.Module:
    """A student of the thief's, trained from nothing."""
    make: Any = DERIVATIONS[name]
    made: Derivation = make(training=sgd(network, job.scope), **options)
    student = fresh(network, 500 + job.run, job, place)
    with in_bfloat16():
        return made.derive(parent, data=place.thief, student=student, seed=50 + job.run).module


def student(job: Job, place: Place) -> Json:
    """A thief asks the marked network for answers to his own pictures, and learns them."""
    network, answers = job.detail
    parent, key = known(job, place)
    module = stolen("extract", parent, network, job, place, answers=answers)
    if job.run == 0:
        place.owner.save(f"0.{network}.{answers}", module)
    about = {"accuracy": percent(module, place), **read(module, key, job)}
    return about | {"unforeseen": unforeseen(module, key, job, place)}


def baseline(job: Job, place: Place) -> Json:
    """Another scheme's mark in the same network, and what becomes of it in students."""
    scheme: Any = WATERMARKS[job.detail[0]]
    made: Watermark = scheme(training=Training(3, 64, Optimizer(rate=0.01)))
    base = place.owner.load("0.base", fresh(OWN, 0, job, place))
    own, mine = place.owner.training, secret(job.detail[0])
    asks = {"data": own} if made.reads == "behavior" else {}
    key = made.new_key(base, job.scope.bits, mine, **asks)
    key = key.carrying(mine[: job.scope.bits // 8])
    module = made.mark(base, key, data=own).module
    assert module is not None
    found = {"lost": round(percent(base, place) - percent(module, place), 2)}
    found["marked"] = _cell(module, key, job)
    for network in job.scope.students:
        for answers in ("soft", "hard"):
            suspect = stolen("extract", module, network, job, place, answers=answers)
            found[f"{network}, {answers}"] = _cell(suspect, key, job)
    return found


def _cell(module: nn.Module, key: Key, job: Job) -> Json:
    evidence = verify(module, key, controls=min(20, job.scope.controls))
    return {"score": round(evidence.score, 4), "log10": evidence.log10_false_alarm}


def attack(job: Job, place: Place) -> Json:
    """What a thief who has the marked network's file makes of it, or one who asks otherwise."""
    parent, key = known(job, place)
    (name,) = job.detail
    module = _attacked(name, parent, job, place)
    return {"accuracy": percent(module, place), **read(module, key, job)}


def _attacked(name: str, parent: nn.Module, job: Job, place: Place) -> nn.Module:
    def derived(derivation: str, **options: Any) -> nn.Module:
        make: Any = DERIVATIONS[derivation]
        with in_bfloat16():
            made: Derivation = make(**options)
            return made.derive(parent, data=place.thief, seed=9).module

    epochs = job.scope.epochs
    if name == "pruned, 80 %":
        return derived("magnitude-prune", rate=0.8)
    if name == "int8":
        return derived("quantize", bits=8, activations="none")
    if name == "tuned, SGD .01":
        return derived("fine-tune", training=Training(epochs, 64, Optimizer(rate=0.01)))
    if name == "tuned, Adam 1e-3":
        return derived("fine-tune", training=Training(epochs, 64, Optimizer("adam", 1e-3)))
    if name.startswith("four wrong keys"):
        unlearned = _overwritten(parent, job, place)
        if name == "four wrong keys on top":
            return unlearned
        return stolen("extract", unlearned, "cnn", job, place)
    if name == "distilled with half true labels":
        return stolen("distill", parent, "cnn", job, place, label_share=0.5)
    return stolen("extract", parent, "cnn", job, place, budget=job.scope.few)


def _overwritten(module: nn.Module, job: Job, place: Place) -> nn.Module:
    """Marked again and again, with keys of the thief's, who knows all of the scheme but the key."""
    made = method(job.scope)
    for number in range(4):
        key = made.new_key(module, job.scope.bits, secret("thief", number), place.thief)
        key = key.carrying(bytes(job.scope.bits // 8))
        with in_bfloat16():
            found = made.mark(module, key, data=place.thief, seed=number).module
        assert found is not None
        module = found
    return module


def wrong_keys(job: Job, place: Place) -> Json:
    """How often wrong keys are found in the marked network, in a student, and before the mark."""
    parent, key = known(job, place)
    network = job.scope.students[-1]
    suspects = {
        "marked": parent,
        "not yet marked": place.owner.load("0.base", fresh(OWN, 0, job, place)),
        f"student, {network}": place.owner.load(f"0.{network}.hard", fresh(network, 0, job, place)),
    }
    first, count = 0, job.scope.wrong_keys
    if job.detail == (FURTHER,):
        first, count = count, 5 * count
    wrong = [key.wrong(number) for number in range(first, first + count)]
    return {"suspects": {n: _alarms_of(m, wrong, job) for n, m in suspects.items()}}


def _alarms_of(module: nn.Module, keys: Sequence[Key], job: Job) -> Json:
    subject, made = Remembering(predictor(module)), method(job.scope)
    return alarms([made.detect(subject, key).log10_tail or 0.0 for key in keys])


def clean_models(families: Path) -> Callable[[Job, Place], Json]:
    """How often keys are found in models that were trained apart and never marked."""

    def measured(job: Job, place: Place) -> Json:
        made, (_, key), found = method(job.scope), known(job, place), dict[str, list[float]]()
        for number, record in enumerate(records(families)):
            if record["parents"] or record["classes"] != 10 or "file" not in record:
                continue
            detected = made.detect(
                Remembering(predictor(load(families, record["name"]))), key.wrong(10_000 + number)
            )
            if "why" not in detected.detail:
                found.setdefault(record["task"], []).append(detected.log10_tail or 0.0)
        every = [tail for tails in found.values() for tail in tails]
        return {"tasks": {n: len(t) for n, t in found.items()}, **alarms(every)}

    return measured


def alarms(tails: list[float]) -> Json:
    """How many are at or below each level."""
    counts = {f"1e{level}": sum(tail <= level for tail in tails) for level in LEVELS}
    return {"keys": len(tails), **counts, "lowest": round(min(tails), 2)}
