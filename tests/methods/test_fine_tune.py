"""Training goes on: which layers move, and which learning rate is chosen."""

from __future__ import annotations

from typing import Any

import pytest
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadOption, Diverged

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import accuracy, copy_of, weighted  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402

DATA, JUDGE = squares(240, 3), squares(200, 4)
FineTune: Any = DERIVATIONS["fine-tune"]
SHORT = Training(epochs=1, batch=32, optimizer=Optimizer(rate=0.01))


def moved(parent: torch.nn.Module, child: torch.nn.Module) -> set[str]:
    before = parent.state_dict()
    return {n for n, t in child.state_dict().items() if not torch.equal(t, before[n])}


def test_all_layers_move_or_the_last_alone() -> None:
    parent = trained("vgg")
    child = FineTune(training=SHORT).derive(parent, data=DATA).module
    layers = {f"{name}.weight" for name in weighted(parent)}
    assert layers <= moved(parent, child)
    last = FineTune(layers="last", training=SHORT).derive(parent, data=DATA).module
    assert moved(parent, last) == {"head.weight", "head.bias"}


def test_what_was_spoilt_is_learned_again() -> None:
    parent = copy_of(trained("cnn"))
    with torch.no_grad():
        parent.head.weight.normal_(generator=torch.Generator().manual_seed(0))
    longer = Training(epochs=3, batch=32, optimizer=Optimizer("adam", rate=0.01))
    derived = FineTune(training=longer).derive(parent, data=DATA, judge=JUDGE)
    assert accuracy(parent, JUDGE) < 0.6
    assert accuracy(derived.module, JUDGE) > 0.8
    assert len(derived.lineage.notes["trainings"][0]["losses"]) == 3


def test_of_several_rates_the_best_on_held_out_examples_is_kept() -> None:
    spoilt = copy_of(trained("cnn"))
    with torch.no_grad():
        spoilt.head.weight.zero_()
    rates = (1e-6, 0.05)
    derived = FineTune(rates=rates, training=SHORT).derive(spoilt, data=DATA, judge=JUDGE)
    notes = derived.lineage.notes
    assert notes["rate"] == 0.05
    assert set(notes["rates"]) == {"1e-06", "0.05"}
    assert notes["rates"]["0.05"] > notes["rates"]["1e-06"]
    assert [each["stage"] for each in notes["trainings"]] == ["rate 1e-06", "rate 0.05"]


def test_a_rate_that_is_too_large_is_left_out_and_all_of_them_are_an_error() -> None:
    derived = FineTune(rates=(1e12, 0.01), training=SHORT).derive(trained("cnn"), data=DATA)
    assert derived.lineage.notes["rate"] == 0.01
    assert derived.lineage.notes["diverged"] == [1e12]
    with pytest.raises(Diverged, match=r"try a smaller training\.optimizer\.rate"):
        FineTune(rates=(1e12, 1e13), training=SHORT).derive(trained("cnn"), data=DATA)


@pytest.mark.parametrize("rates", [(0.0,), (0.1, -1.0), (float("nan"),)])
def test_rates_must_be_positive(rates: tuple[float, ...]) -> None:
    with pytest.raises(BadOption, match="rates must be above 0"):
        FineTune(rates=rates)
