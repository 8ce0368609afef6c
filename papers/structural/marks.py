"""Networks and keys that all measurements share."""

from __future__ import annotations

import hashlib
from typing import Any

from plan import Job, marker, sgd
from torch import nn

from assay.running.examples import Examples
from assay.running.modules import accuracy
from assay.values import Json
from assay.watermarks import Watermark, Weights
from assay.watermarks._key import Key
from assay.zoo.grounds import Ground
from assay.zoo.networks import build


def secret(*words: object) -> bytes:
    """The same in each run: results can be made again."""
    return hashlib.sha256(" ".join(map(str, words)).encode()).digest()


def key_of(method: Watermark, described: Weights, bits: int, number: int) -> Key:
    """Key ``number`` with a payload of its own."""
    key = method.new_key(described, bits, secret(method.method, bits, number))
    return key.carrying(secret("payload", bits, number)[: bits // 8])


def network(job: Job, place: Ground, width: float) -> nn.Module:
    """A network of the zoo, new."""
    return build(job.network, place.test.inputs.shape[1:], 10, 0, width)


def trained(job: Job, place: Ground) -> nn.Module:
    """The network of a job as it was trained."""
    return place.load(job.network, network(job, place, job.scope.networks[job.network]))


def few(place: Ground) -> Examples:
    """Enough to run a network on."""
    return place.test.take(slice(64))


def percent(module: nn.Module, place: Ground) -> float:
    """Its accuracy."""
    return round(100 * accuracy(module, place.test), 2)


def size(module: nn.Module) -> int:
    """How many parameters it has."""
    return sum(each.numel() for each in module.parameters())


def cell(found: Any, key: Key) -> Json:
    """What an attacked model still says."""
    detail = found.detail
    return {
        "score": round(found.score, 4),
        "log10": found.log10_false_alarm,
        "payload": detail["payload"] == key.payload.hex(),
        "misread": detail["valid"] and detail["payload"] != key.payload.hex(),
        "read": detail["read"],
    }


def marked(job: Job, place: Ground, number: int = 0, tuned: bool = True) -> tuple[Key, nn.Module]:
    """A key, and the network that carries it, tuned afterwards or not."""
    method = marker(job.scope.tolerance, sgd(0.02, 1) if tuned else None)
    base = trained(job, place)
    key = key_of(method, method.described(base, few(place)), job.scope.bits, number)
    module = method.mark(base, key, data=place.training, seed=number).module
    assert module is not None
    return key, module
