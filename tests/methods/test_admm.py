"""The alternating direction method: its formulas, its traps, and that it goes on after a kill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tasks import CLASSES, SHAPE, squares

from assay.errors import BadOption

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.derivations._admm import Admm, Alternation  # noqa: E402
from assay.derivations._masks import Largest, Masked  # noqa: E402
from assay.running.modules import digest  # noqa: E402
from assay.training import Batch, Objective, Optimizer, Progress, Training, train  # noqa: E402
from assay.zoo.networks import build  # noqa: E402

DATA = squares(64, 1)
STEPS = Training(epochs=6, batch=32, optimizer=Optimizer("adam", 0.005, weight_decay=0.0))
NAME = "weight"


class Quadratic(Objective):
    """½·‖W − A‖², whose solutions are known."""

    def __init__(self, wanted: torch.Tensor) -> None:
        self.wanted = wanted

    def loss(self, module: torch.nn.Module, batch: Batch) -> torch.Tensor:
        return ((module.weight - self.wanted) ** 2).sum() / 2


def linear(values: list[float]) -> torch.nn.Linear:
    layer = torch.nn.Linear(len(values), 1, bias=False)
    layer.weight.data.copy_(torch.tensor([values]))
    return layer


def nothing() -> Batch:
    return Batch(torch.zeros(1), None, torch.zeros(1))


def set_to(layer: torch.nn.Linear, values: list[float]) -> None:
    layer.weight.data.copy_(torch.tensor([values]))


def test_it_begins_with_the_projection_and_no_dual() -> None:
    admm = Admm(linear([3.0, -4.0, 1.0]), {NAME: Largest(1)}, Alternation())
    assert admm.z[NAME].tolist() == [[0.0, -4.0, 0.0]]
    assert admm.u[NAME].tolist() == [[0.0, 0.0, 0.0]]


def test_the_norm_is_squared() -> None:
    layer = linear([3.0, -4.0, 1.0])
    admm = Admm(layer, {NAME: Largest(1)}, Alternation(rho=0.5), Quadratic(torch.zeros(1, 3)))
    admm.u[NAME] += torch.tensor([[0.0, 0.0, 2.0]])
    loss = admm.loss(layer, nothing())
    loss.backward()
    assert loss.item() == pytest.approx(26 / 2 + 0.5 / 2 * (9 + 0 + 9))
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[3 + 0.5 * 3, -4, 1 + 0.5 * 3]]  # W + ρ(W − Z + U)


def test_an_update_is_the_projection_of_the_sum_and_then_the_difference() -> None:
    layer = linear([3.0, -4.0, 1.0])
    admm = Admm(layer, {NAME: Largest(1)}, Alternation())
    admm.u[NAME] += torch.tensor([[2.0, 0.0, 0.0]])
    admm.after_epoch(layer, 1)
    assert admm.z[NAME].tolist() == [[5.0, 0.0, 0.0]]
    assert admm.u[NAME].tolist() == [[0.0, -4.0, 1.0]]
    expected = np.sqrt((4 + 16 + 1) / 26)  # ‖W − Z‖/‖W‖
    assert admm.noted() == {NAME: [pytest.approx(expected, abs=1e-6)]}


@pytest.mark.parametrize(("dual", "expected"), [("rescaled", 0.5), ("kept", 1.0)])
def test_where_the_penalty_grows_the_scaled_dual_shrinks(dual: Any, expected: float) -> None:
    layer = linear([3.0, 1.0])
    admm = Admm(layer, {NAME: Largest(1)}, Alternation(rho=0.1, growth=2.0, dual=dual))
    admm.after_epoch(layer, 1)
    assert float(admm.rho) == 0.2
    assert admm.u[NAME].tolist() == [[0.0, expected]]  # W − Z was (0, 1)


def test_the_dual_and_the_projection_are_no_part_of_the_graph_nor_of_the_weights() -> None:
    layer = linear([3.0, 1.0])
    admm = Admm(layer, {NAME: Largest(2)}, Alternation())  # projects to what it is given
    for _ in range(2):
        assert not admm.z[NAME].requires_grad
        assert not admm.u[NAME].requires_grad
        admm.after_epoch(layer, 1)
    set_to(layer, [7.0, 7.0])
    assert admm.z[NAME].tolist() == [[3.0, 1.0]]


def test_an_update_comes_after_every_so_many_epochs_only() -> None:
    layer = linear([3.0, 1.0])
    admm = Admm(layer, {NAME: Largest(1)}, Alternation(every=3))
    for epoch in range(1, 8):
        admm.after_epoch(layer, epoch)
    assert len(admm.residuals) == 2


@pytest.mark.parametrize("count", [0, 1, 37, 99, 100])
@pytest.mark.parametrize("kind", ["zeros", "ones", "half"])
def test_the_largest_are_exactly_as_many_whatever_is_equal(count: int, kind: str) -> None:
    weight = {"zeros": torch.zeros, "ones": torch.ones}.get(kind, torch.zeros)(10, 10)
    if kind == "half":
        weight[::2] = torch.arange(50.0).view(5, 10) - 25
    mask = Largest(count).mask(weight)
    assert int(mask.sum()) == count
    sizes = weight.abs()
    if 0 < count < 100:
        assert sizes[mask].min() >= sizes[~mask].max()
    assert torch.equal(Largest(count)(weight), torch.where(mask, weight, 0.0))


def test_the_layout_in_memory_decides_nothing() -> None:
    weight = torch.randint(-3, 4, (4, 5, 3, 3)).float()
    other = weight.to(memory_format=torch.channels_last)
    assert torch.equal(Largest(40).mask(weight), Largest(40).mask(other))


def test_a_convex_problem_is_solved_and_ends() -> None:
    """½·‖W − A‖² over a box: the solution is A cut to it."""
    wanted = torch.tensor([[2.0, -3.0, 0.5]])
    module = torch.nn.Sequential(linear([2.0, -3.0, 0.5]))

    class Named(Quadratic):
        def loss(self, module: torch.nn.Module, batch: Batch) -> torch.Tensor:
            return super().loss(module[0], batch)

    admm = Admm(
        module,
        {"0.weight": lambda weight: weight.clamp(-1, 1)},
        Alternation(rho=1.0, tolerance=1e-2),
        Named(wanted),
    )
    optimizer = Optimizer(rate=0.2, momentum=0.0, weight_decay=0.0, schedule="constant")
    history = train(module, DATA, Training(100, 2, optimizer), objective=admm)
    assert 3 < len(history.losses) < 60
    assert (admm.residuals[-1] < 1e-2).all()
    assert (admm.residuals[:-1] >= 1e-2).any(1).all()
    expected = torch.tensor([[1.0, -1.0, 0.5]])
    torch.testing.assert_close(admm.z["0.weight"], expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_what_is_masked_stays_zero_under_momentum_and_decay(name: Any) -> None:
    module = build("cnn", SHAPE, CLASSES, 7, 0.5)
    weight = module.get_parameter("head.weight")
    first = dict(module.named_parameters())
    masks = {"head.weight": Largest(10).mask(weight)}
    masked = Masked(masks)
    admm = Admm(module, {"head.weight": Largest(5)}, Alternation(rho=0.1), masked)
    optimizer = Optimizer(name, 0.01, weight_decay=0.01)
    train(module, DATA, replace(STEPS, optimizer=optimizer), objective=admm)
    assert first["head.weight"] is weight
    assert int((weight != 0).sum()) == 10
    assert not weight.detach()[~masks["head.weight"]].any()


class Killed(Exception):
    """The process ends here."""


def killing(step: int) -> Callable[[Progress], None]:
    def look(progress: Progress) -> None:
        if progress.step == step:
            raise Killed

    return look


@pytest.mark.parametrize("step", [1, 2, 5, 12])
def test_a_killed_run_ends_as_if_it_had_not_been(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import assay.training._loop as loop

    monkeypatch.setattr(loop, "SAVE_EVERY_S", -1.0)
    monkeypatch.setattr(loop, "SHOW_EVERY_S", -1.0)

    def run(checkpoint: Path | None, progress: Any = None) -> tuple[str, Admm]:
        module = build("cnn", SHAPE, CLASSES, 7, 0.5)
        projections = {"head.weight": Largest(20), "stage1.0.weight": Largest(10)}
        admm = Admm(module, projections, Alternation(rho=0.01, growth=1.3, every=2))
        train(module, DATA, STEPS, objective=admm, checkpoint=checkpoint, progress=progress)
        return digest(module), admm

    expected, whole = run(None)
    with pytest.raises(Killed):
        run(tmp_path, killing(step))
    found, resumed = run(tmp_path)
    assert found == expected
    for name, tensor in whole.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name])
    assert len(whole.residuals) == 3


def test_the_rate_begins_anew_with_every_cycle() -> None:
    optimizer = Optimizer(rate=1.0, cycles=3)
    rates = [optimizer.rate_after(step / 30) for step in range(30)]
    assert [step for step, rate in enumerate(rates) if rate == 1] == [0, 10, 20]
    assert rates[:10] == pytest.approx(rates[10:20])
    assert rates[:10] == pytest.approx(rates[20:])
    assert rates[9] < 0.03
    with pytest.raises(BadOption, match=r"optimizer\.cycles must be 1 or more, not 0"):
        Optimizer(cycles=0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rho": 0.0}, r"admm\.rho must be above 0"),
        ({"rho": float("nan")}, r"admm\.rho must be 0 or more, not nan"),
        ({"growth": 0.5}, r"admm\.growth must be 1 or more"),
        ({"every": 0}, r"admm\.every must be 1 or more"),
        ({"tolerance": -1.0}, r"admm\.tolerance must be 0 or more"),
        ({"dual": "dropped"}, r"admm\.dual must be rescaled or kept"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadOption, match=says):
        Alternation(**options)
