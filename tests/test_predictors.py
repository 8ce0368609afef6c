"""One model, wherever it runs, gives one answer; what is no answer is an error that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save
from samples.tflite import INT8, Design, quantization

from assay.errors import (
    BadData,
    BadOption,
    UnfitModel,
    UnreadableModel,
)
from assay.running.predictors import Predictor, predictor
from assay.running.predictors.answers import alike, of_labels, of_scores
from assay.running.predictors.limited import Limited
from assay.running.predictors.remote import Remote

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(3, 6)).astype(np.float32)
INPUTS = RNG.normal(size=(5, 6)).astype(np.float32)
LOGITS = INPUTS @ WEIGHT.T


class Formula(Predictor):
    """A model that is a function."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def run(self, inputs: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = self._run(inputs)
        return found


def linear(inputs: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = inputs @ WEIGHT.T
    return found


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return found


def onnx_file(folder: Path, outputs: int = 1, rows: int | str = "n") -> Path:
    names = [f"y{i}" for i in range(outputs)]
    nodes = [helper.make_node("MatMul", ["x", "w"], [name]) for name in names]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 6])
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [rows, 3]) for n in names]
    weight = numpy_helper.from_array(np.ascontiguousarray(WEIGHT.T), "w")
    graph = helper.make_graph(nodes, "g", [x], given, [weight])
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "model.onnx")
    return folder / "model.onnx"


def tflite_file(folder: Path, outputs: int = 1) -> Path:
    design = Design()
    x, weight = design.tensor((1, 6), name="x"), design.constant(WEIGHT, name="w")
    given = [design.tensor((1, 3), name=f"y{i}") for i in range(outputs)]
    for y in given:
        design.operator("FULLY_CONNECTED", [x, weight], [y], {})
    return design.save(folder, [x], given)


def quantized_tflite_file(folder: Path) -> Path:
    """The identity of three numbers, stored as bytes with other scales before and behind."""
    design = Design()
    x = design.tensor((1, 3), INT8, name="x", quantization=quantization([0.02], [5]))
    y = design.tensor((1, 3), INT8, name="y", quantization=quantization([0.03], [-7]))
    design.operator("QUANTIZE", [x], [y])
    return design.save(folder, [x], [y])


# --- one form of answers --------------------------------------------------------------------------


def test_logits_and_probabilities_of_one_model_are_the_same_answers() -> None:
    logits, chances = of_scores(LOGITS), of_scores(softmax(LOGITS))
    np.testing.assert_allclose(chances.log_probabilities, logits.log_probabilities, atol=1e-5)
    np.testing.assert_allclose(logits.centered, LOGITS - LOGITS.mean(1, keepdims=True), atol=1e-5)
    np.testing.assert_allclose(logits.probabilities.sum(1), 1)
    assert (chances.labels == LOGITS.argmax(1)).all()
    assert (logits.classes, logits.floor, logits.is_hard) == (3, 0.0, False)


@pytest.mark.parametrize("digits", [1, 2, 4])
def test_rounded_probabilities_are_told_from_logits_and_from_others(digits: int) -> None:
    chances = softmax(4 * RNG.normal(size=(50, 10)))
    rounded, whole = of_scores(np.round(chances, digits)), of_scores(chances)
    assert (rounded.unit, rounded.floor) == (10.0**-digits, 10.0**-digits / 2)
    assert (whole.unit, whole.floor) == (0, 0)
    assert np.abs(rounded.probabilities - chances).max() < 10 * 10.0**-digits
    first, second = alike([whole, rounded])  # as if the other had rounded, too
    np.testing.assert_allclose(first.values, second.values, atol=1e-9)
    assert second is rounded


def test_sure_models_are_not_taken_for_rounded_ones() -> None:
    sure = of_scores(softmax(40 * RNG.normal(size=(50, 10))))
    assert sure.unit == 0
    zeros = of_scores(np.array([[1.0, 0, 1e-30], [0.5, 0.5, 0]]))
    assert (zeros.unit, zeros.floor) == (0, 0.5e-30)


def test_logits_between_0_and_1_are_logits() -> None:
    scores = RNG.random((50, 4))
    np.testing.assert_allclose(of_scores(scores).centered, scores - scores.mean(1)[:, None])


def test_only_labels_are_known_of_labels() -> None:
    answers = of_labels(np.array([2, 0]))
    assert (answers.is_hard, answers.classes, [*answers.labels]) == (True, None, [2, 0])
    with pytest.raises(BadData, match="labels alone"):
        _ = answers.centered
    assert [*answers.take(slice(0, 1)).labels] == [2]


def test_whoever_tells_less_than_he_knows_tells_the_same_labels() -> None:
    model = Formula(linear)
    whole = model.ask(INPUTS)
    top, rounded = Limited(model).ask(INPUTS), Limited(model, 2).ask(INPUTS)
    assert top.is_hard
    assert [*top.labels] == [*whole.labels]
    assert np.abs(rounded.probabilities - whole.probabilities).max() < 0.011
    with pytest.raises(BadOption, match="1 digit"):
        Limited(model, 0)


# --- what is no answer ----------------------------------------------------------------------------

NO_ANSWERS = {
    "not a number": (lambda x: linear(x) * np.where(np.arange(len(x)) < 2, np.nan, 1)[:, None],
                     "2 of the model's 5 answers are not finite"),
    "infinite": (lambda x: linear(x) + np.inf, "not finite"),
    "too few": (lambda x: linear(x)[1:], "4 answers to 5 inputs"),
    "one number each": (lambda x: linear(x)[:, 0], "tells no classes apart"),
    "one class": (lambda x: linear(x)[:, :1], "tells no classes apart"),
    "maps": (lambda x: np.zeros((len(x), 3, 2, 2)), r"\[5, 3, 2, 2\], not \(n, classes\)"),
    "text": (lambda x: np.full((len(x), 3), "cat"), "not \\(n, classes\\)"),
    "labels below 0": (lambda x: np.full(len(x), -1), "whole numbers from 0"),
    "a single number": (lambda _: np.float32(3), "1 answers to 5 inputs"),
}  # fmt: skip


@pytest.mark.parametrize(("run", "says"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_is_refused(run: Any, says: str) -> None:
    with pytest.raises(UnfitModel, match=says):
        Formula(run).ask(INPUTS)


def test_answers_that_change_their_shape_are_refused() -> None:
    model = Formula(lambda x: np.zeros((len(x), 3 if x[0, 0] == INPUTS[0, 0] else 4)))
    model.batch = 2
    with pytest.raises(UnfitModel, match="change their shape"):
        model.ask(INPUTS)


@pytest.mark.parametrize("inputs", [np.zeros((0, 6)), np.zeros(6), np.full((1, 6), np.nan)])
def test_inputs_that_are_none_are_refused(inputs: NDArray[Any]) -> None:
    with pytest.raises(BadData):
        Formula(linear).ask(inputs)


# --- where models run -----------------------------------------------------------------------------


@pytest.mark.torch
def test_a_module_and_its_onnx_file_give_one_answer(tmp_path: Path) -> None:
    from small_tasks import squares, trained

    from assay.running.modules import on
    from assay.running.to_onnx import export

    module, inputs = trained("cnn"), squares(9, 3).inputs
    export(module, on(module, inputs[:1]), tmp_path / "model.onnx")
    of_module, of_file = predictor(module), predictor(tmp_path / "model.onnx")
    first, second = of_module.ask(inputs), of_file.ask(inputs)
    np.testing.assert_allclose(first.values, second.values, atol=1e-4)
    assert (first.queries, of_file.asked) == (9, 9)
    assert predictor(of_file) is of_file
    with pytest.raises(BadData, match="resize"):
        of_file.ask(inputs[..., 1:])


@pytest.mark.parametrize("rows", ["n", 1, 4])
def test_an_onnx_file_answers_batches_of_any_size(rows: int | str, tmp_path: Path) -> None:
    model = predictor(onnx_file(tmp_path, rows=rows))
    np.testing.assert_allclose(model.ask(INPUTS).values, of_scores(LOGITS).values, atol=1e-5)
    assert model.asked == (8 if rows == 4 else 5)  # what a batch is filled up with is asked, too


def test_a_tflite_file_is_asked(tmp_path: Path) -> None:
    model = predictor(tflite_file(tmp_path))
    np.testing.assert_allclose(model.ask(INPUTS).values, of_scores(LOGITS).values, atol=1e-5)


def test_a_quantized_tflite_file_takes_and_gives_real_values(tmp_path: Path) -> None:
    values = RNG.uniform(-2, 2, (4, 3)).astype(np.float32)
    answers = predictor(quantized_tflite_file(tmp_path)).ask(values)
    wanted = values - values.mean(1, keepdims=True)
    assert np.abs(answers.centered - wanted).max() < 0.06


def test_pictures_are_turned_where_a_model_takes_their_channels_last() -> None:
    model = Formula(lambda x: x[:, 0, 0, :])
    model.shape = (4, 4, 3)
    given = RNG.normal(size=(2, 3, 4, 4))
    np.testing.assert_allclose(model.ask(given).values, of_scores(given[:, :, 0, 0]).values)
    with pytest.raises(BadData, match=r"takes inputs of shape \[4, 4, 3\], not \[3, 5, 4\]"):
        model.ask(np.zeros((2, 3, 5, 4)))


@pytest.mark.parametrize("made", [onnx_file, tflite_file])
def test_a_file_with_several_outputs_is_refused(made: Any, tmp_path: Path) -> None:
    with pytest.raises(UnfitModel, match="1 inputs and 2 outputs"):
        predictor(made(tmp_path, outputs=2))


@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
@pytest.mark.parametrize("content", [b"", b"no model at all", None])
def test_a_file_that_is_no_model_is_refused(
    suffix: str, content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / f"model{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableModel, match="model"):
        predictor(path)


def test_what_cannot_be_run_is_said() -> None:
    with pytest.raises(BadOption, match=r"model\.pdf cannot be run"):
        predictor("model.pdf")
    with pytest.raises(BadOption, match="only http"):
        Remote("file:///etc/passwd")
