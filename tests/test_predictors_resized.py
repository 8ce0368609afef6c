"""Pictures of one size and range, as models of other ones take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples.tflite import INT8, UINT8, Design, flatbuffer, quantization, u8, u32
from small_apps import classifier

from assay.errors import BadData
from assay.formats import read
from assay.running.predictors import Predictor, predictor
from assay.running.predictors.answers import Array, of_scores
from assay.running.predictors.resized import fitted

RNG = np.random.default_rng(0)
PICTURES = RNG.random((5, 1, 8, 8)).astype(np.float32)


class Looks(Predictor):
    """What it is shown, at some size: its answers are the pixels."""

    def __init__(self, shape: tuple[int | None, ...] | None, span: Any = None) -> None:
        self.shape, self.span = shape, span
        self.shown = np.zeros(0)

    def run(self, inputs: Array) -> Array:
        self.shown = inputs
        return inputs.reshape(len(inputs), -1)


def shown(model: Looks, inputs: Array, span: Any = None) -> tuple[Array, str]:
    """What a model is shown of inputs, and what is said of it."""
    made = fitted(model, inputs, span)
    answers = made.ask(inputs)
    assert (answers.queries, made.asked) == (len(inputs), len(inputs))
    return model.shown, made.fitting


def test_who_takes_the_inputs_as_they_are_is_left() -> None:
    for shape in (None, (1, 8, 8), (8, 8, 1), (1, None, None)):
        model = Looks(shape)
        assert fitted(model, PICTURES, None) is model
    found, said = shown(Looks(None, (-1, 1)), PICTURES)  # of any size, and of another range
    assert said == "values 0 … 1 given as -1 … 1, as its file says"
    np.testing.assert_allclose(found, 2 * PICTURES - 1, atol=1e-6)
    exact = Looks((1, 8, 8), (0.02, 0.98))  # calibrated: but for rounding the same range
    assert fitted(exact, PICTURES, None) is exact


@pytest.mark.parametrize(("size", "wanted"), [(4, 4), (12, 12), (8, 20), (3, 8)])
def test_pictures_are_interpolated_as_pillow_does(size: int, wanted: int) -> None:
    image = pytest.importorskip("PIL.Image")
    found, said = shown(Looks((1, size, wanted)), PICTURES)
    for ours, given in zip(found[:, 0], PICTURES[:, 0], strict=True):
        theirs = image.fromarray(given).resize((wanted, size), image.Resampling.BILINEAR)
        np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-5)
    assert said == f"pictures of 8×8×1 resized to {size}×{wanted}×1; values given as they are," \
        " for its file tells no range"  # fmt: skip


def test_a_constant_picture_stays_one_at_every_size() -> None:
    for size in (1, 5, 7, 8, 31):
        found, _ = shown(Looks((size, size, 3)), np.full((2, 1, 8, 8), 0.25))
        assert found.shape == (2, size, size, 3)
        np.testing.assert_allclose(found, 0.25, atol=1e-6)


def test_colors_become_gray_by_their_luminance_and_gray_all_colors() -> None:
    colors = np.zeros((3, 3, 8, 8))
    colors[np.arange(3), np.arange(3)] = 1
    found, _ = shown(Looks((1, 8, 8)), colors)
    np.testing.assert_allclose(found[:, 0, 0, 0], [0.299, 0.587, 0.114], atol=1e-6)
    found, _ = shown(Looks((3, 8, 8)), PICTURES)
    assert (found == PICTURES).all()
    last, said = shown(Looks((4, 4, 1)), np.moveaxis(colors, 1, -1))
    assert last.shape == (3, 4, 4, 1)
    assert "8×8×3 resized to 4×4×1" in said


@pytest.mark.parametrize(
    ("low", "high", "span", "taken"),
    [(0, 1, None, (-1, 1)), (0, 255, None, (0, 1)), (-1, 1, None, (0, 255)),
     (0.2, 0.7, None, (-1, 1)), (-2, 2.5, (-2, 2.5), (0, 1))],
)  # fmt: skip
def test_black_and_white_stay_black_and_white(
    low: float, high: float, span: Any, taken: tuple[float, float]
) -> None:
    black, white = span or next(
        s for s in ((0, 1), (-1, 1), (0, 255)) if s[0] <= low < high <= s[1]
    )
    pictures = low + (high - low) * PICTURES
    found, said = shown(Looks((1, 8, 8), taken), pictures, span)
    wanted = taken[0] + (pictures - black) / (white - black) * (taken[1] - taken[0])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    first, second = (f"{a:.3g} … {b:.3g}" for a, b in ((black, white), taken))
    assert said == f"values {first} given as {second}, as its file says"


def test_where_nobody_knows_which_values_are_black_and_white_it_abstains() -> None:
    normalized = -2.1 + 4.7 * PICTURES
    made = fitted(Looks((1, 8, 8), (0, 1)), normalized, None)
    assert "stand for black and white is not known" in made.why
    same = Looks((1, 8, 8), (-2.0, 2.6))  # a quantized model of the same range
    assert fitted(same, normalized, None) is same


def test_inputs_that_are_no_pictures_are_not_resized() -> None:
    sound, tokens = np.zeros((3, 400)), np.zeros((3, 7), np.int64)
    for shape, inputs in (((1, 8, 8), sound), ((400,), PICTURES), ((16, 16, 4), PICTURES),
                          ((1, 8, 8), tokens)):  # fmt: skip
        model = Looks(shape)
        assert fitted(model, inputs, None) is model
        with pytest.raises(BadData, match="takes inputs of shape"):
            model.ask(inputs)


# --- TensorFlow Lite files ------------------------------------------------------------------------


def test_tflite_files_of_other_sizes_give_nearly_the_same_answers(tmp_path: Path) -> None:
    smooth = np.kron(RNG.random((6, 1, 2, 2)), np.ones((4, 4)))
    first = predictor(classifier(tmp_path / "a", 8)).ask(smooth)
    for size in (4, 16, 24):
        model = fitted(predictor(classifier(tmp_path / "b", size)), smooth, None)
        assert np.abs(model.ask(smooth).centered - first.centered).max() < 0.35
        assert f"8×8×1 resized to {size}×{size}×1" in model.fitting


def test_a_quantized_input_tells_its_range(tmp_path: Path) -> None:
    plain = predictor(classifier(tmp_path / "a", 8)).ask(2 * PICTURES - 1)
    signed = {"quantization": quantization([1 / 128], [0])}
    model = predictor(classifier(tmp_path / "b", 8, INT8, more=signed))
    assert model.span == (-1, 127 / 128)
    found = fitted(model, PICTURES, None).ask(PICTURES)
    assert np.abs(found.centered - plain.centered).max() < 0.05


def test_bytes_without_a_scale_are_a_pictures_values(tmp_path: Path) -> None:
    model = predictor(classifier(tmp_path / "a", 8, UINT8))
    assert model.span == (0, 255)
    found = fitted(model, PICTURES, None)
    wanted = predictor(classifier(tmp_path / "b", 8)).ask(np.rint(255 * PICTURES))
    assert np.abs(found.ask(PICTURES).centered - wanted.centered).max() < 1e-3
    assert found.fitting == "values 0 … 1 given as 0 … 255, as its file says"


def test_a_tflite_file_is_run_whatever_it_is_called(tmp_path: Path) -> None:
    file = classifier(tmp_path, 8)
    odd = file.rename(tmp_path / "hit.mp3")
    assert len(predictor(odd).ask(PICTURES)) == 5


def test_answers_among_axes_of_size_1_are_answers() -> None:
    scores = RNG.normal(size=(4, 3))
    for shape in ((4, 3, 1, 1), (4, 1, 1, 3), (4, 1, 3)):
        np.testing.assert_allclose(of_scores(scores.reshape(shape)).values,
                                   of_scores(scores).values)  # fmt: skip


def told(mean: list[float], std: list[float], folder: Path) -> tuple[float, float] | None:
    """The range of a file whose metadata say so of its input."""
    options = {0: np.array(mean, "f"), 1: np.array(std, "f")}
    unit = {0: u8(1), 1: options}
    metadata = {3: [{2: [{4: [{}, unit]}]}]}
    design = Design()
    x, y = design.tensor((1, 4, 4, 3), name="x"), design.tensor((1, 4, 4, 3), name="y")
    design.operator("RELU", [x], [y])
    design.buffers.append({0: flatbuffer(metadata, b"M001")})
    place = len(design.buffers) - 1
    root = design.root([x], [y]) | {6: [{0: "TFLITE_METADATA", 1: u32(place)}]}
    (folder / "m.tflite").write_bytes(flatbuffer(root))
    found = read(folder / "m.tflite").metadata.get("input_range")
    return None if found is None else tuple(found)


def test_a_file_may_tell_how_its_pictures_are_normalized(tmp_path: Path) -> None:
    assert told([127.5], [127.5], tmp_path) == (-1, 1)
    assert told([0.0], [255.0], tmp_path) == (0, 1)
    found = told([123.7, 116.3, 103.5], [58.4, 57.1, 57.4], tmp_path)
    assert found == pytest.approx((-1.986, 2.439), abs=1e-3)
    for mean, std in (([0.0], [0.0]), ([], []), ([1.0], [1.0, 2.0]), ([0.0], [-1.0])):
        assert told(mean, std, tmp_path) is None
    content = (tmp_path / "m.tflite").read_bytes()
    (tmp_path / "m.tflite").write_bytes(content.replace(b"M001", b"M009"))
    assert "input_range" not in read(tmp_path / "m.tflite").metadata  # the model is read
