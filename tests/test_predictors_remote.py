"""A model behind a URL: asked in batches, again where that helps, never beyond its budget."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from small_servers import Reply, reply, served

from assay.errors import AssayError, Overspent, UnfitModel, Unreachable
from assay.running.predictors import predictor
from assay.running.predictors.answers import of_scores
from assay.running.predictors.limited import Limited
from assay.running.predictors.remote import LARGEST, Remote

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(3, 6)).astype(np.float32)
INPUTS = RNG.normal(size=(5, 6)).astype(np.float32)
LOGITS = INPUTS @ WEIGHT.T


def scores(inputs: NDArray[np.float32]) -> Reply:
    return reply(outputs=(inputs @ WEIGHT.T).tolist())


def test_a_remote_model_is_asked_in_batches() -> None:
    sizes: list[int] = []

    def answer(inputs: NDArray[np.float32]) -> Reply:
        sizes.append(len(inputs))
        return scores(inputs)

    with served(answer) as url:
        model = Remote(url, batch=2)
        answers = model.ask(INPUTS)
        labels = Limited(predictor(url)).ask(INPUTS)
    np.testing.assert_allclose(answers.values, of_scores(LOGITS).values, atol=1e-6)
    assert (sizes, answers.queries) == ([2, 2, 1, 5], 5)
    assert [*labels.labels] == [*LOGITS.argmax(1)]


def test_a_remote_model_may_tell_labels_alone() -> None:
    with served(lambda x: reply(labels=(x @ WEIGHT.T).argmax(1).tolist())) as url:
        answers = Remote(url).ask(INPUTS)
    assert answers.is_hard
    assert [*answers.labels] == [*LOGITS.argmax(1)]


def test_what_passes_is_tried_again_and_each_try_is_counted() -> None:
    failures = [503, 429]
    with served(lambda x: (failures.pop(), b"later") if failures else scores(x)) as url:
        model = Remote(url, wait_s=0.01)
        assert model.ask(INPUTS).queries == 15
    assert model.asked == 15


def test_no_more_is_asked_than_the_budget_allows() -> None:
    with served(scores) as url:
        model = Remote(url, batch=2, budget=4)
        with pytest.raises(Overspent, match="budget of 4; 4 are spent"):
            model.ask(INPUTS)
    assert model.asked == 4


@pytest.mark.parametrize(
    ("status", "content", "says", "asked"),
    [
        (404, b"no", "refuses", 5),
        (302, b"http://127.0.0.1:9/elsewhere", "refuses", 5),
        (302, b"file:///etc/passwd", "refuses", 5),
        (500, b"no", "did not answer in 2 tries", 10),
    ],
)
def test_a_server_that_refuses_is_unreachable(
    status: int, content: bytes, says: str, asked: int
) -> None:
    with served(lambda _: (status, content)) as url:
        model = Remote(url, tries=2, wait_s=0.01)
        with pytest.raises(Unreachable, match=says):
            model.ask(INPUTS)
    assert model.asked == asked


def test_a_server_that_sends_byte_by_byte_runs_into_the_time_limit() -> None:
    with served(scores, pause_s=0.05) as url:
        model = Remote(url, tries=1, timeout_s=0.2)
        with pytest.raises(Unreachable, match=r"no whole reply in 0\.2 s"):
            model.ask(INPUTS)


def test_where_nobody_listens_is_unreachable() -> None:
    with served(scores) as url:
        pass
    with pytest.raises(Unreachable, match="did not answer in 1 tries"):
        Remote(url, tries=1, timeout_s=1).ask(INPUTS)


NO_REPLIES: dict[str, tuple[Reply, str]] = {
    "a page": ((200, b"<html>"), "not JSON"),
    "too deep": ((200, b"[" * 100_000), "not JSON"),
    "too large": ((200, b" " * (LARGEST + 1)), "larger than"),
    "a list": ((200, b"[1]"), "neither outputs nor labels"),
    "both": (reply(outputs=[], labels=[]), "or both"),
    "rows of two lengths": (reply(outputs=[[1, 2], [1]]), "different lengths"),
    "words": (reply(labels=["cat"] * 5), "as numbers"),
    "nothing": (reply(outputs=None), "as numbers"),
    "huge": (reply(labels=[10**30] * 5), "as numbers"),
    "more": (reply(outputs=[[0.5, 0.5]] * 6), "6 answers to 5 inputs"),
    "a page with a form": ((200, b"<!doctype html><form>"), "not JSON"),
    "packed bytes": ((200, b"\x1f\x8b\x08\0" + bytes(20)), "not JSON"),
    "other rows": (reply(outputs=[[1, 2], [1, 2], [1, 2], [1, 2], 3]), "different lengths"),
    "probabilities of probabilities": (reply(outputs=[[[0.5, 0.5]]] * 5), "as numbers"),
    "fewer": (reply(labels=[1, 2]), "2 answers to 5 inputs"),
    "no number": ((200, b'{"outputs": [' + b"[NaN, 1]," * 4 + b"[1, 2]]}"), "4 of the model's 5"),
}


@pytest.mark.parametrize(("content", "says"), NO_REPLIES.values(), ids=NO_REPLIES)
def test_a_reply_that_does_not_keep_the_contract_is_refused(content: Reply, says: str) -> None:
    with served(lambda _: content) as url, pytest.raises(UnfitModel, match=says) as caught:
        Remote(url, tries=1).ask(INPUTS)
    assert isinstance(caught.value, AssayError)
    assert "\n" not in str(caught.value)
