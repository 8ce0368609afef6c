"""What ``compare --method`` cannot do is said in one line, or in the evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
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
        (["copy.onnx", "mine.onnx", "--method", "akh", *ON, "--timeout", "9"], "--timeout"),
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


@pytest.mark.usefixtures("asked")
def test_a_url_is_waited_for_as_long_as_is_said_and_asked_again(run: Run) -> None:
    held, again, requests = predictor("copy.onnx"), Event(), list[int]()

    def answered(inputs: Any) -> Reply:
        requests.append(len(inputs))
        if len(requests) == 1:
            again.wait(20)  # not answered before it is asked once more
        again.set()
        return reply(outputs=held.run(inputs).tolist())

    with served(answered) as url:
        given = ("compare", "--json", url, "mine.onnx", *ON, "--method", "label-agreement")
        answer = run(*given, "--queries", "40", "--timeout", "0.3")
    evidence = answer.json[0]["matches"][0]["evidence"][-1]
    assert requests == [40, 40]
    assert evidence["detail"]["queries"] == 80  # each request counts
    assert evidence["detail"]["distance"] == 0


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


def ended(model: str, operator: str, file: str, **attributes: object) -> None:
    """Write a model with one operator more behind its output."""
    held = onnx.load(model)
    last = held.graph.output[0].name
    held.graph.node.append(onnx.helper.make_node(operator, [last], ["end"], **attributes))
    held.graph.output[0].name = "end"
    if operator == "ArgMax":
        shape = onnx.helper.make_tensor_value_info("end", onnx.TensorProto.INT64, ["n"])
        held.graph.output[0].CopyFrom(shape)
    onnx.save(held, file)


def linear(
    file: str, shape: list[int], kind: int = onnx.TensorProto.FLOAT, inputs: int = 1
) -> None:
    """Write a model of inputs of some shape, whose answers are the first four of their numbers."""
    helper, names = onnx.helper, [f"x{number}" for number in range(inputs)]
    size, count = int(np.prod(shape)), "n"
    weight = onnx.numpy_helper.from_array(np.eye(size, 4, dtype="f"), "w")
    nodes = [helper.make_node("Cast", ["x0"], ["real"], to=onnx.TensorProto.FLOAT)]
    nodes += [helper.make_node("Flatten", ["real"], ["flat"])]
    nodes += [helper.make_node("MatMul", ["flat", "w"], ["y"])]
    taken = [helper.make_tensor_value_info(name, kind, [count, *shape]) for name in names]
    given = [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [count, 4])]
    graph = helper.make_graph(nodes, "g", taken, given, [weight])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), file)


@pytest.mark.usefixtures("asked")
def test_probabilities_are_compared_as_the_logits_behind_them(run: Run) -> None:
    ended("copy.onnx", "Softmax", "chances.onnx", axis=1)
    given = ("mine.onnx", "--method", "modeldiff", *ON, "--queries", "40")
    found = []
    for suspect in ("copy.onnx", "chances.onnx"):
        evidence = run("compare", "--json", suspect, *given).json[0]["matches"][0]["evidence"]
        found += [e["detail"]["distance"] for e in evidence if "access" in e["detail"]]
    assert found[0] == pytest.approx(found[1], abs=1e-3)


@pytest.mark.usefixtures("asked")
def test_files_that_answer_nothing_or_take_other_inputs_are_errors(run: Run) -> None:
    ended("copy.onnx", "Sqrt", "nan.onnx")  # of what is below 0
    ended("copy.onnx", "ArgMax", "hard.onnx", axis=1, keepdims=0)
    linear("sound.onnx", [400])
    linear("tokens.onnx", [64], onnx.TensorProto.INT64)
    linear("two.onnx", [400], inputs=2)
    linear("video.onnx", [1, 2, 8, 8])
    given = ("mine.onnx", "--method", "label-agreement", *ON)
    for suspect, reason in (
        ("nan.onnx", "not finite numbers"),
        ("sound.onnx", "takes inputs of shape [400], not [1, "),
        ("tokens.onnx", "takes inputs of shape [64], not [1, "),
        ("two.onnx", "2 inputs and 1 outputs"),
        ("video.onnx", "takes inputs of shape [1, 2, 8, 8]"),
    ):
        answer = run("compare", "--json", suspect, *given)
        assert answer.status == 2
        assert reason in answer.error
        assert answer.json[0]["verdict"] is None
        by_reference = run("compare", "copy.onnx", *given, "--references", suspect)
        assert (by_reference.status, reason in by_reference.error) == (2, True)
    labels = run("compare", "hard.onnx", *given)
    assert labels.status == 1, labels.err  # asked as any other; the weights are a noisy copy's
    words = np.random.default_rng(0).integers(0, 9, (20, 64))
    np.savez("words.npz", inputs=words)
    asked = ("tokens.onnx", "tokens.onnx", "--method", "modeldiff", "--inputs", "words.npz")
    whole = run("compare", *asked)
    assert whole.status in (1, 2)
    assert whole.status == 1 or "whole numbers" in whole.error


@pytest.mark.usefixtures("asked")
def test_suspects_of_constant_answers_are_an_abstention(run: Run) -> None:
    ended("stranger.onnx", "Sign", "signs.onnx")
    held = onnx.load("signs.onnx")
    held.graph.node.append(onnx.helper.make_node("Abs", ["end"], ["same"]))
    held.graph.output[0].name = "same"
    onnx.save(held, "ones.onnx")
    given = ("--json", "ones.onnx", "mine.onnx", "--method", "modeldiff", *ON, "--queries", "40")
    answer = run("compare", *given)
    (evidence,) = [
        each for each in answer.json[0]["matches"][0]["evidence"] if "access" in each["detail"]
    ]
    assert answer.status == 0
    assert evidence["detail"]["why"] == "the answers do not vary"
