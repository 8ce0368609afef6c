"""An accuser who tries seeds until a stranger looks stolen; and one who is bound by what he logged.

[Liu et al., False Claims against Model Ownership Resolution, 2023.]
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import log10

import pytest
from small_reuse import SHAPE, digits, seeds

from assay.errors import BadData
from assay.fingerprints import FINGERPRINTS, Calibrated, Commitment, Fingerprint, calibrate
from assay.running.predictors import Predictor, predictor

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

ALARM = 0.25
PATIENCE = 20  # seeds that he tries


@cache
def model(number: int) -> Predictor:
    """The owner's at 0; others are strangers, trained apart on other digits."""
    from assay.training import Optimizer, Training, train
    from assay.zoo.networks import build

    module = build("mlp", SHAPE, 10, number, 1.0)
    training = Training(epochs=4, batch=32, optimizer=Optimizer("adam", rate=0.01))
    train(module, digits()[min(number, 1)], training, seed=number)
    return predictor(module)


def method() -> Fingerprint:
    return FINGERPRINTS["label-agreement"](count=16)  # type: ignore[call-arg]


def judged(seed: int, accused: int) -> Calibrated:
    """What is said of a stranger among three others, by the queries of a seed."""
    made = method()
    queries = made.craft(model(0), seeds(), seed)
    own, suspect, *others = (made.ask(model(n), queries) for n in (0, accused, 1, 2, 3))
    return calibrate([made], own, suspect, others, queries, alarm=ALARM)


def is_claimed(found: Calibrated) -> bool:
    return found.log10_false_alarm is not None and found.log10_false_alarm <= log10(ALARM) + 1e-9


def test_who_tries_seeds_makes_a_stranger_look_stolen_and_who_has_logged_one_way_does_not() -> None:
    log, accused = Commitment.to(method(), "0" * 64, seeds(), "a nonce"), 4
    tried = [seed for seed in range(PATIENCE) if is_claimed(judged(seed, accused))]
    assert tried, "no seed makes the stranger look stolen: the test needs another accuser"
    drawn = [log.seed(str(beacon)) for beacon in range(PATIENCE)]
    assert not {*tried} & {*drawn}
    bound = sum(is_claimed(judged(seed, accused)) for seed in drawn)
    assert bound <= ALARM * PATIENCE  # no more of his draws than what the evidence says
    # what he found follows from no beacon, and is seen not to be what was logged
    asked = log.verify(log.digest, "7", method(), model(0), seeds())
    assert asked.digest == method().craft(model(0), seeds(), drawn[7]).digest
    assert asked.digest != method().craft(model(0), seeds(), tried[0]).digest


def test_a_commitment_survives_text_and_says_what_is_broken() -> None:
    log = replace(Commitment.to(method(), "0" * 64, seeds(), "n"), references=("a", "b"))
    again = Commitment.parse(str(log))
    assert (again, again.digest) == (log, log.digest)
    assert log.broken(again) == ""
    other = replace(log, owner="1" * 64, references=())
    assert log.broken(other) == "the owner's model and the references"
    assert other.digest != log.digest
    for text in ("", "[]", "{}", str(log).replace('"a"', "1"), str(log).replace('"n"', "[]"),
                 str(log).replace("nonce", "once"), "[" * 100_000):  # fmt: skip
        with pytest.raises(BadData, match="not a commitment"):
            Commitment.parse(text)
