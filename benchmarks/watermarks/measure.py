"""What each job of the grid measures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from plan import Attack, Job, adam
from torch import nn

import assay
from assay.derivations import DERIVATIONS, Derivation
from assay.errors import AssayError, BadData, UnfitModel
from assay.running.examples import Examples
from assay.running.modules import accuracy, copy_of, on
from assay.running.predictors import predictor
from assay.running.to_onnx import export
from assay.training import Training, train
from assay.values import Json
from assay.watermarks import Watermark, load_key, verify
from assay.watermarks._key import Key
from assay.watermarks._marking import weights_as_run, weights_of
from assay.watermarks._remembering import Remembering
from assay.zoo.families import load, records
from assay.zoo.grounds import Ground
from assay.zoo.networks import build

CONTROLS = 4  # wrong keys in an attack's cell, as few as may test a null; alarms have own jobs
LEVELS = (-2, -3)


def secret(*words: object) -> bytes:
    """The same in each run: results can be made again."""
    return hashlib.sha256(" ".join(map(str, words)).encode()).digest()


def key_of(method: Watermark, module: nn.Module, bits: int, number: int, data: Examples) -> Key:
    """Key ``number`` with a payload of its own."""
    key = method.new_key(module, bits, secret(method.method, bits, number), data)
    return key.carrying(secret("payload", bits, number)[: bits // 8])


class Bench:
    """The ground, pictures of the owner's that nobody trains on, and networks that are kept."""

    def __init__(self, place: Ground, asked: Examples, families: Path | None) -> None:
        self.place, self.asked, self.families = place, asked, families

    def percent(self, module: nn.Module) -> float:
        return round(100 * accuracy(module, self.place.test), 2)

    def dense(self, job: Job) -> nn.Module:
        """The owner's network, unmarked: a family's first, else trained here."""
        name = f"{job.scope.data}-{job.network}"
        module = self.blank(job, job.network)
        if self.place.path(name).exists():
            return self.place.load(name, module)
        if self.families is not None:
            module = load(self.families, f"{job.network}.{job.scope.data}.0")
        else:
            train(module, self.place.training, adam(1e-3, 3), checkpoint=self.place.checkpoints)
        self.place.save(name, module)
        return module

    def blank(self, job: Job, network: str, seed: int = 0) -> nn.Module:
        return build(network, self.place.test.inputs.shape[1:], 10, seed, job.scope.width)

    def made(self, job: Job) -> tuple[Watermark, Key, nn.Module]:
        """The method, its key, and the marked network, which is kept."""
        row = job.scope.schemes[job.scheme]
        method, base = row.method(job.scheme), self.dense(job)
        key = self.key(job, method, base)
        how = replace(job, kind="mark", attack="").behavior
        name = f"{job.scope.data}-{job.network}-{job.scheme}-{secret(how).hex()[:8]}"
        if self.place.path(name).exists():
            return method, key, self.place.load(name, self.blank(job, job.network))
        data = self.place.training if row.tuned else None
        marked = method.mark(base, key, data=data, checkpoint=self.place.checkpoints).module
        assert marked is not None
        if not row.reshapes:
            self.place.save(name, marked)
        return method, key, marked

    def key(self, job: Job, method: Watermark, base: nn.Module) -> Key:
        """The owner's, kept: one that holds answers would be another on another machine."""
        how = replace(job, kind="mark", attack="").behavior
        path = self.place.networks / f"{secret(job.network, job.scheme, how).hex()[:16]}.key"
        if path.exists():
            return load_key(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        key = key_of(method, base, job.scope.bits_of(job.scheme), 0, self.asked)
        key.save(path)
        return key

    def twin(self, job: Job) -> nn.Module:
        """The network as it would be without the mark: tuned alike, where the mark is tuned in."""
        row, base = job.scope.schemes[job.scheme], self.dense(job)
        if row.tuned:
            training: Training = getattr(row.method(job.scheme), "training")  # noqa: B009
            train(base, self.place.training, training, checkpoint=self.place.checkpoints)
        return base

    def attacked(self, job: Job, module: nn.Module, attack: Attack) -> nn.Module:
        """What a thief makes of a marked network."""
        scope, place = job.scope, self.place
        thief = {
            "few": place.test.take(slice(64)),
            "some": place.training.take(slice(scope.thief)),
            "all": place.training,
        }[attack.data]
        if attack.derivation == "overwrite":
            row = scope.schemes[job.scheme]
            method = row.method(job.scheme)
            other = key_of(method, module, scope.bits_of(job.scheme), 1, self.asked)
            data = place.training.take(slice(scope.thief)) if row.tuned else None
            over = method.mark(module, other, data=data, seed=1).module
            assert over is not None
            return over
        if attack.derivation == "shrink":
            found = shrunk(module, **attack.options)
        else:
            make: Any = DERIVATIONS[attack.derivation]
            derivation: Derivation = make(**attack.options)
            parents = [module, *([self.twin(job)] if attack.derivation == "average" else [])]
            student = self.blank(job, job.student, 1) if attack.student else None
            found = derivation.derive(*parents, data=thief, student=student, seed=1).module
        for each in attack.then:
            found = self.attacked(job, found, each)
        return found


def shrunk(module: nn.Module, rate: float) -> nn.Module:
    """A copy, that share of each matrix's largest weights cut down to the next one's size."""
    made = copy_of(module)
    with torch.no_grad():
        for weights in (each for each in made.parameters() if each.dim() > 1):
            most = float(
                weights.abs().flatten().kthvalue(ceil((1 - rate) * weights.numel())).values
            )
            weights.clamp_(-most, most)
    return made


def cell(suspect: nn.Module, key: Key, marked: nn.Module) -> Json:
    """What a network says of a mark, with the owner's marked original where weights are read."""
    found = verify(suspect, key, original=weights_of(marked), controls=CONTROLS)
    detail = found.detail
    return {
        "score": round(found.score, 4),
        "log10": found.log10_false_alarm,
        "null": detail["controls"]["null"],
        "payload": detail["payload"] == key.payload.hex(),
        "misread": detail["valid"] and detail["payload"] != key.payload.hex(),
    }


def dense(job: Job, bench: Bench) -> Json:
    """The networks that are marked."""
    return {"accuracy": bench.percent(bench.dense(job))}


def mark(job: Job, bench: Bench) -> Json:
    """The mark, and what it costs beside the unmarked twin."""
    _, key, marked = bench.made(job)
    twin = bench.percent(bench.twin(job))
    own = bench.percent(marked)
    return {"twin": twin, "accuracy": own, **cell(marked, key, marked)}


def kin(job: Job, bench: Bench) -> Json:
    """What files say of the marked network and its original; the mark is not looked for."""
    _, _, marked = bench.made(job)
    with TemporaryDirectory() as folder:
        original, suspect = Path(folder) / "original.onnx", Path(folder) / "marked.onnx"
        for module, path in ((bench.dense(job), original), (marked, suspect)):
            export(module, on(module, bench.place.test.inputs[:1]), path)
        with assay.Registry.open(Path(folder) / "registry") as registry:
            registry.add(original)
            verdict = registry.check(suspect).verdict
        return {"check": str(verdict), "compare": str(assay.compare(suspect, original).relation)}


def attack(job: Job, bench: Bench) -> Json:
    """What is left of a mark, and of the network."""
    _, key, marked = bench.made(job)
    try:
        done = job.scope.attacks()[job.attack]
        suspect = bench.attacked(job, marked, done)
    except UnfitModel as error:  # an attack that this network does not allow
        return {"unfit": str(error)}
    same = done.derivation != "relabel-head" and suspect_answers(suspect, bench.place.test)
    found = cell(suspect, key, marked)
    return {"accuracy": bench.percent(suspect) if same else None, **found}


def suspect_answers(suspect: nn.Module, test: Examples) -> bool:
    """Whether a suspect can be judged by these pictures; another head may be on it, or classes."""
    try:
        accuracy(suspect, test.take(slice(2)))
    except AssayError:
        return False
    return True


def wrong_keys(job: Job, bench: Bench) -> Json:
    """How often wrong keys are found in a network that carries a mark."""
    method, key, marked = bench.made(job)
    subject = subject_of(method, marked)
    wrong = [key.wrong(number) for number in range(job.scope.wrong_keys)]
    return alarms([tail(method, subject, each) for each in wrong])


def subject_of(method: Watermark, module: nn.Module) -> Any:
    """What a method looks at."""
    behaves = method.reads == "behavior"
    return Remembering(predictor(module)) if behaves else weights_as_run(module)


def tail(method: Watermark, subject: Any, key: Key) -> float:
    """log₁₀ of the false alarm that one key states; a method without one states none."""
    return method.detect(subject, key).log10_tail or 0.0


def clean_models(job: Job, bench: Bench) -> Json:
    """How often keys are found in models that were trained apart; each has a key of its own.

    A key that holds what a model answered is another of the first marked network's.
    """
    assert bench.families is not None
    row, bits = job.scope.schemes[job.scheme], job.scope.bits_of(job.scheme)
    method, tails, small = row.method(job.scheme), list[float](), 0
    first = replace(job, kind="mark", network=job.scope.of(job.scheme)[0])
    answered = bench.made(first)[1] if row.keeps_answers else None
    for number, record in enumerate(records(bench.families)):
        if record["parents"] or not record["file"].endswith(".safetensors"):
            continue
        module = load(bench.families, record["name"])
        try:
            if answered is None:
                key = key_of(method, module, bits, 100 + number, bench.asked)
            else:
                key = answered.wrong(10_000 + number)
            found = method.detect(subject_of(method, module), key)
        except (UnfitModel, BadData):  # too small for a mark of this kind, or of other inputs
            small += 1
            continue
        if "why" in found.detail:  # it cannot be read there
            small += 1
        else:
            tails.append(found.log10_tail or 0.0)
    return {"too_small": small, **alarms(tails)}


def alarms(tails: Sequence[float]) -> Json:
    """How many are at or below each level."""
    counts = {f"1e{level}": sum(tail <= level for tail in tails) for level in LEVELS}
    return {"keys": len(tails), **counts, "lowest": round(min(tails), 2)}


MEASURES: dict[str, Callable[[Job, Bench], Json]] = {
    "dense": dense,
    "mark": mark,
    "kin": kin,
    "attack": attack,
    "wrong keys": wrong_keys,
    "clean models": clean_models,
}
