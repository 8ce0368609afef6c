"""What ``compare --method`` cannot do is said in one line, or in the evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from small_servers import Reply, reply, served

from assay.running.predictors import predictor

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

Run = Callable[..., Any]
ON = ("--inputs", "held.npz")


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["copy.onnx", "mine.onnx", "--method", "modeldiff"], "needs --inputs"),
        (["copy.onnx", "mine.onnx", *ON], "name one"),
        (["copy.onnx", "mine.onnx", "stranger.onnx", "--method", "akh", *ON], "one source"),
        (["http://127.0.0.1:9/", "mine.onnx"], "say how by --method"),
        (["copy.onnx", "http://127.0.0.1:9/", "--method", "akh", *ON], "owner's"),
        (["copy.onnx", "mine.onnx", "--method", "akh", *ON, "--budget", "9"], "--budget"),
        (["copy.onnx", "mine.onnx", "--method", "akh", *ON, "--plot", "no/a.svg"], "--plot"),
        (["copy.onnx", "mine.onnx", "--method", "none", *ON], "is not one of"),
        (["copy.onnx", "mine.onnx", "--method", "akh", "--inputs", "noise"], "no labels"),
        (["copy.onnx", "mine.onnx", "--method", "zest", *ON, "--queries", "9"], "zest: a grid"),
        (["copy.onnx", "mine.onnx", "--method", "akh", *ON, "--references", "."], "is one of"),
        (["copy.onnx", "mine.onnx", "--method", "zest", *ON, "--twins", "."], "is one of"),
        (["copy.onnx", "mine.onnx", "--method", "akh", "--inputs", "gone.npz"], "no data"),
    ],
)
def test_mistakes_are_one_line(run: Run, arguments: list[str], reason: str) -> None:
    answer = run("compare", *arguments)
    assert answer.status == 2
    assert reason in answer.error


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("answered", "reason"),
    [
        (lambda x: reply(outputs=[[0.5, float("nan")]] * len(x)), "not finite"),
        (lambda x: reply(outputs=[[1.0]] * len(x)), "no classes"),
        (lambda x: (403, b""), "refuses"),
        (lambda x: reply(outputs=[[0.1, 0.9]] * (len(x) - 1)), "answers to"),
        (lambda x: (200, b"hello"), "not JSON"),
    ],
)
def test_a_remote_that_answers_nothing_is_an_error(
    run: Run, answered: Callable[[Any], Reply], reason: str
) -> None:
    with served(answered) as url:
        answer = run("compare", "--json", url, "mine.onnx", "--method", "label-agreement", *ON)
    assert (answer.status, reason in answer.error) == (2, True)
    (line,) = answer.json
    assert (line["verdict"], line["matches"]) == (None, [])


@pytest.mark.usefixtures("asked")
def test_a_budget_holds_and_labels_alone_are_an_abstention(run: Run) -> None:
    held = predictor("copy.onnx")

    def answered(inputs: Any) -> Reply:
        return reply(labels=held.run(inputs).argmax(1).tolist())

    with served(answered) as url:
        given = ("compare", "--json", url, "mine.onnx", *ON, "--method")
        short = run(*given, "label-agreement", "--budget", "70")
        assert (short.status, "budget of 70" in short.error) == (2, True)
        hard = run(*given, "modeldiff", "--budget", "200")
    evidence = hard.json[0]["matches"][0]["evidence"][-1]
    assert hard.status == 0
    assert "answers labels alone" in evidence["detail"]["why"]
    assert "distance" not in evidence["detail"]


def test_files_that_cannot_be_asked_are_errors(run: Run, asked: Path) -> None:
    held = onnx.load("mine.onnx")
    last = held.graph.output[0].name
    held.graph.node.append(onnx.helper.make_node("Relu", [last], ["second"]))
    held.graph.output.append(
        onnx.helper.make_tensor_value_info("second", onnx.TensorProto.FLOAT, ["n", 4])
    )
    onnx.save(held, "two.onnx")
    np.savez("large.npz", inputs=np.zeros((20, 1, 9, 9), np.float32))
    np.savez("words.npz", inputs=np.zeros((20, 5), np.int64))
    given = ("copy.onnx", "mine.onnx", "--method", "label-agreement", "--inputs")
    for arguments, reason in (
        (("two.onnx", "mine.onnx", "--method", "modeldiff", *ON), "2 outputs"),
        ((*given, "large.npz"), "[1, 9, 9]"),
        ((*given, "words.npz"), "[5]"),
    ):
        answer = run("compare", *arguments)
        assert (answer.status, reason in answer.error) == (2, True), answer.err
