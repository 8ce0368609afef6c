"""A suspect brought into its owner's order, read, and read again with keys that are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, log10
from typing import Any

import numpy as np

from assay.alignment import align
from assay.errors import BadOption, UnfitModel
from assay.values import Evidence, Json
from assay.watermarks import WATERMARKS, Detection, Subject, Watermark, Weights
from assay.watermarks._hosts import matrices
from assay.watermarks._key import Key
from assay.watermarks._tails import log10_binomial
from assay.weights import Weight

EXTRA = "watermarks"
_LEVEL = -2.0  # log₁₀ of the tail at which wrong keys are counted …
_REFUTED = -6.0  # … and of so many of them, at which the null that a method states is wrong
_SHOWN = 4  # digits of a score


def verified(suspect: Subject, key: Key, original: Weights | None, controls: int) -> Evidence:
    """See ``assay.watermarks.verify``."""
    if controls < 1:
        raise BadOption(f"{controls} wrong keys: verification needs one at least")
    method = WATERMARKS[key.method]()
    method.check(key)
    plain = _subject(method, suspect)
    ways = {"as it is": plain, **method.readings(plain, key)}
    if original is not None and method.reads == "weights":
        ways["aligned with the original"] = aligned(plain, method.blinded(original, key))
    tried = {way: method.detect(subject, key) for way, subject in ways.items()}
    way = max(tried, key=lambda each: tried[each].score)
    found, subject = tried[way], ways[way]
    wrong = [method.detect(subject, key.wrong(number)) for number in range(controls)]
    stated = method.log10_false_alarm(found, wrong)
    alarm, null = _judged(found, stated, wrong)
    said = method.payload(subject, key)
    scores = sorted((round(each.score, _SHOWN) for each in wrong), reverse=True)
    detail: Json = {
        "key": key.digest,
        **found.detail,
        **_about(said, key),
        "read": way,
        "readings": len(ways),
        "controls": {"scores": scores, "as_high": _as_high(found, wrong), "null": null},
    }
    detail["in_words"] = _in_words(found, detail)
    tried_all = min(alarm + log10(len(ways)), 0.0) + 0.0  # no negative zero
    return Evidence(
        f"{key.method}(key={key.digest[:12]})", round(found.score, 6), _rounded(tried_all), detail
    )


def aligned(suspect: Weights, original: Weights) -> Weights:
    """A suspect's matrices under the original's names, with its channels in the original's order.

    Where one was removed there are zeros.  Raises UnreadableModel.
    """
    ours, theirs = (
        {name: np.asarray(weight.read(), np.float32) for name, weight in matrices(each).items()}
        for each in (suspect, original)
    )
    moved = align(ours, theirs).applied(ours)
    return {
        name: Weight(name, values.shape, "float32", lambda v=values: v)  # type: ignore[misc]
        for name, values in moved.items()
    }


def _judged(
    found: Detection, stated: float | None, wrong: Sequence[Detection]
) -> tuple[float, str]:
    """log₁₀ of the false alarm, and what it rests on: the stated null, or the rank among controls.

    Wrong keys that are found far too often show that a null does not hold for this suspect.
    """
    rank = log10((_as_high(found, wrong) + 1) / (len(wrong) + 1))
    if stated is None:
        return rank, "measured"
    if len(wrong) * _LEVEL >= _REFUTED:  # if all were found, it would not be refuted
        return rank, "measured: too few wrong keys to test the exact one"
    tails = [each.log10_tail for each in wrong if each.log10_tail is not None]
    often = sum(tail <= _LEVEL for tail in tails)
    if tails and log10_binomial(often, len(tails), round(10**-_LEVEL)) <= _REFUTED:
        return rank, "measured: wrong keys refute the exact one"
    return stated, "exact" if found.log10_tail is not None else "measured"


def _rounded(log10_alarm: float) -> float:
    """To two digits, and never to less."""
    return ceil(100 * log10_alarm) / 100


def _as_high(found: Detection, wrong: Sequence[Detection]) -> int:
    return sum(each.score >= found.score for each in wrong)


def _subject(method: Watermark, suspect: Any) -> Any:
    """What the method reads, of a module."""
    if method.reads == "behavior":
        from assay.running.predictors import predictor
        from assay.watermarks._remembering import Remembering

        if isinstance(suspect, Mapping):
            raise UnfitModel(f"{method.method} asks a model, and weights alone do not answer")
        return Remembering(predictor(suspect))
    if isinstance(suspect, Mapping) or not hasattr(suspect, "state_dict"):
        return suspect
    from assay.watermarks._marking import weights_as_run

    return weights_as_run(suspect)


def _about(said: bytes | None, key: Key) -> Json:
    """What the mark says, beside what it should."""
    return {
        "payload": None if said is None else said.hex(),
        "expected": key.payload.hex(),
        "valid": said is not None,
    }


def _in_words(found: Detection, detail: Json) -> str:
    """What was found, for a person."""
    scores, high = detail["controls"]["scores"], detail["controls"]["as_high"]
    if not detail["valid"]:
        said = "no valid payload can be read"
    elif detail["payload"] == detail["expected"]:
        said = "the payload reads without an error"
    else:
        said = "a payload reads that is not the one expected"
    return (
        f"{found.score:.1%} of the mark is there; of {len(scores)} wrong keys {high} find as much,"
        f" the best {scores[0]:.1%}; {said}"
    )
