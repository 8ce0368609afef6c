"""A network computed on crossbars: the same answers where nothing is lost, others where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_tasks import squares, trained

from assay.crossbars import Converters, Crossbar, Flaws
from assay.errors import BadData, BadOption, UnfitModel

torch = pytest.importorskip("torch")

from assay.running.crossbars import Hardware, OnCrossbars, on_crossbars  # noqa: E402
from assay.running.modules import accuracy, copy_of, digest, outputs, weighted  # noqa: E402

pytestmark = pytest.mark.torch
DATA = squares(100, 4)
SMALL = Crossbar(16, 16)


def rounded(name: str, bits: int) -> tuple[Any, dict[str, float]]:
    """A network whose weights are on levels, and the weight of a level by layer."""
    made, scales = copy_of(trained(name)), {}
    for path, layer in weighted(made).items():
        scales[path] = float(layer.weight.detach().abs().max()) / (2 ** (bits - 1) - 1)
        with torch.no_grad():
            layer.weight.copy_((layer.weight / scales[path]).round() * scales[path])
    return made, scales


@pytest.mark.parametrize("name", ["cnn", "resnet", "mlp"])
def test_without_converters_and_flaws_the_answers_are_the_same(name: str) -> None:
    module, scales = rounded(name, 9)
    before = digest(module)
    given = on_crossbars(module, Hardware(SMALL, bits=9, converters=None), scales, DATA.inputs[:8])
    wanted = outputs(module, DATA.inputs)
    assert np.abs(outputs(given, DATA.inputs) - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert digest(module) == before


def test_fine_converters_change_little_and_coarse_ones_much() -> None:
    module, scales = rounded("cnn", 9)
    wanted = outputs(module, DATA.inputs)

    def error(adc_bits: int) -> float:
        hardware = Hardware(SMALL, bits=9, converters=Converters(adc_bits, 1, 8))
        given = on_crossbars(module, hardware, scales, DATA.inputs[:32])
        return float(np.abs(outputs(given, DATA.inputs) - wanted).mean())

    assert error(12) < error(6) < error(3)
    assert error(12) < 0.05 * np.abs(wanted).mean()


def test_flaws_are_drawn_by_the_seed_and_cost_accuracy() -> None:
    module, scales = rounded("cnn", 9)
    hardware = Hardware(SMALL, bits=9, converters=None, flaws=Flaws(stuck_on=0.2))
    first, again, other = (
        on_crossbars(module, hardware, scales, DATA.inputs[:8], seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(outputs(first, DATA.inputs), outputs(again, DATA.inputs))
    assert not np.array_equal(outputs(first, DATA.inputs), outputs(other, DATA.inputs))
    assert accuracy(first, DATA) < accuracy(module, DATA)


def test_what_is_no_matrix_is_refused() -> None:
    grouped = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 3, groups=4))
    with pytest.raises(UnfitModel, match="in groups"):
        on_crossbars(grouped, Hardware(), {"0": 1.0}, np.zeros((1, 4, 5, 5), np.float32))
    with pytest.raises(BadOption, match="has no scale"):
        on_crossbars(trained("mlp"), Hardware(), {}, DATA.inputs[:1])
    assert not any(isinstance(part, OnCrossbars) for part in trained("mlp").modules())


class Twice(torch.nn.Module):
    """One layer under two names, and one that is never run."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(8, 8)
        self.again = self.first
        self.idle = torch.nn.Linear(3, 3)

    def forward(self, inputs: Any) -> Any:
        return self.again(self.first(inputs))


def test_a_layer_under_two_names_is_on_crossbars_under_both() -> None:
    made = on_crossbars(
        Twice(), Hardware(SMALL, converters=None), {"first": 0.1, "idle": 0.1}, DATA.inputs[:1]
    )
    assert isinstance(made.first, OnCrossbars)
    assert made.again is made.first


def test_a_layer_that_no_input_reaches_has_no_range() -> None:
    with pytest.raises(BadData, match="no input reaches layer 'idle'"):
        on_crossbars(
            Twice(), Hardware(SMALL), {"first": 0.1, "idle": 0.1}, np.ones((2, 8), np.float32)
        )


def test_attention_that_reads_weights_of_layers_is_refused() -> None:
    module = torch.nn.Sequential(torch.nn.MultiheadAttention(8, 2))
    with pytest.raises(UnfitModel, match="attention reads"):
        on_crossbars(module, Hardware(), {"0.out_proj": 1.0}, np.ones((2, 8), np.float32))
