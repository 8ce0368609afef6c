"""What a claimant reaches who looks for a key or a payload once he has seen a model."""

from __future__ import annotations

from math import log10
from typing import Any

from measure import Bench, secret, subject_of, tail
from plan import Job

from assay.values import Json
from assay.watermarks import Watermark
from assay.watermarks._key import Key

FIRST = 50_000  # number of his first key: no other measurement has drawn these


def grinding(job: Job, bench: Bench) -> Json:
    """The best of many keys, and the best payload of one key, in the network before it was marked.

    A key that is logged fixes neither what others were tried, which the log's length bounds, nor
    the payload, which is fixed where its file is logged.
    """
    method, key, _ = bench.made(job)
    subject, count = subject_of(method, bench.dense(job)), job.scope.wrong_keys
    keys = [key.wrong(FIRST + number) for number in range(count)]
    tails = [tail(method, subject, each) for each in keys]
    return {
        "keys": count,
        "best": round(min(tails), 2),
        "corrected": round(min(0.0, min(tails) + log10(count)), 2),
        **fitted(method, subject, keys[0]),
    }


def fitted(method: Watermark, subject: Any, key: Key) -> Json:
    """One key, whose payload is turned bit by bit as long as more of it is found."""
    payload = bytearray(secret("grinder")[: len(key.payload)])
    best, tries, turned = tail(method, subject, key.carrying(bytes(payload))), 1, True
    while turned:
        turned = False
        for bit in range(8 * len(payload)):
            payload[bit // 8] ^= 1 << bit % 8
            found = tail(method, subject, key.carrying(bytes(payload)))
            tries += 1
            if found < best:
                best, turned = found, True
            else:
                payload[bit // 8] ^= 1 << bit % 8
    return {"payloads": tries, "fitted": round(best, 2)}
