"""Penalties on scales: what they press where, and that training obeys them."""

from __future__ import annotations

from typing import Any

import pytest
from small_tasks import squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.derivations import DERIVATIONS  # noqa: E402
from assay.errors import BadOption, UnfitModel  # noqa: E402
from assay.running.modules import copy_of  # noqa: E402
from assay.training import Optimizer, Training, train  # noqa: E402
from assay.training.sparsity import Penalty, Sparse, near_zero, scales  # noqa: E402

nn = torch.nn


def norms(*gammas: list[float]) -> nn.Sequential:
    """Normalizations with these scales."""
    made = nn.Sequential(*(nn.BatchNorm1d(len(gamma)) for gamma in gammas))
    for norm, gamma in zip(made, gammas, strict=True):
        norm.weight.data = torch.tensor(gamma)
    return made


def test_the_penalties_are_those_of_the_papers() -> None:
    module = norms([0.5, -0.25], [1.0])
    names = scales(module)
    assert names == ["0.weight", "1.weight"]
    assert Sparse(1, names).penalty(module).item() == 1.75
    mean = 1.25 / 3  # of all scales, not of a layer's
    wanted = 1.4 * 1.75 - sum(abs(each - mean) for each in (0.5, -0.25, 1.0))
    found = Sparse(1, names, kind="polarization", balance=1.4).penalty(module)
    assert found.item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.5), (1.0, 0.25), (-1.0, 0.75)])
def test_polarization_draws_a_share_to_the_bound_and_the_rest_to_zero(
    balance: float, share: float
) -> None:
    def penalty(gamma: torch.Tensor) -> float:
        module = norms(gamma.tolist())
        objective = Sparse(1, scales(module), kind="polarization", balance=balance)
        return objective.penalty(module).item()

    size, generator = 40, torch.Generator().manual_seed(0)
    at_bounds = [penalty((torch.arange(size) < count).float()) for count in range(size + 1)]
    least = min(range(size + 1), key=at_bounds.__getitem__)
    assert least == pytest.approx(share * size, abs=1)  # ½ - t/4 [theorem 3.2]
    drawn = min(penalty(torch.rand(size, generator=generator)) for _ in range(200))
    assert drawn > at_bounds[least]


@pytest.mark.parametrize("kind", ["l1", "polarization"])
def test_training_presses_scales_and_keeps_them_within_the_bound(kind: str) -> None:
    plain, pressed = copy_of(trained("vgg")), copy_of(trained("vgg"))
    training = Training(epochs=2, batch=32, optimizer=Optimizer("adam", rate=0.01))
    names = scales(plain)
    with torch.no_grad():
        for name in names:  # as the paper begins
            plain.get_parameter(name).fill_(0.5)
            pressed.get_parameter(name).fill_(0.5)
    train(plain, squares(160, 3), training)
    objective = Sparse(0.02, names, kind=kind)  # type: ignore[arg-type]
    train(pressed, squares(160, 3), training, objective=objective)
    before, after = (
        torch.cat([module.get_parameter(name).detach() for name in names])
        for module in (plain, pressed)
    )
    assert float(after.abs().mean()) < float(before.abs().mean())
    if kind == "polarization":
        assert 0 <= float(after.min()) <= float(after.max()) <= 1
        assert float(after.std()) > float(before.std())


def test_a_penalty_says_what_it_is_and_refuses_what_it_is_not() -> None:
    assert repr(Sparse(0.1, ["a"])) == "Sparse(Objective, l1, 0.1, ['a'])"
    both = Sparse(0.1, ["a"], kind="polarization")
    assert repr(both) == "Sparse(Objective, polarization, 0.1, ['a'], t=1.2, a=1.0)"
    with pytest.raises(BadOption, match="there are l1 and polarization"):
        Sparse(0.1, ["a"], kind="l2")  # type: ignore[arg-type]
    with pytest.raises(UnfitModel, match="no scales"):
        Sparse(0.1, scales(nn.Linear(2, 2)))


def test_a_penalty_is_an_option_of_tuning() -> None:
    penalty = Penalty("polarization", strength=2)
    assert repr(penalty.on(trained("vgg"), {"head.weight", "stage1.1.weight"})) == (
        "Sparse(Objective, polarization, 2, ['stage1.1.weight'], t=1.2, a=1.0)"
    )
    training = Training(epochs=3, batch=32, optimizer=Optimizer(rate=0.02))
    make: Any = DERIVATIONS["fine-tune"]
    made = make(penalty=penalty, training=training).derive(trained("vgg"), data=squares(160, 3))
    shares = made.lineage.notes["near_zero"]
    assert shares == {"before": near_zero(trained("vgg")), "after": near_zero(made.module)}
    assert shares["before"] < shares["after"]
    with pytest.raises(UnfitModel, match="no scales"):
        make(penalty=penalty).derive(trained("cnn"), data=squares(160, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "l2"}, "kind must be l1 or polarization"),
        ({"strength": -1}, "strength must be 0 or more"),
        ({"strength": float("nan")}, "strength must be 0 or more"),
        ({"bound": 0}, "bound above 0"),
        ({"balance": 3}, "balance must be from -2 to 2"),
    ],
)
def test_penalties_that_make_no_sense_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Penalty(**options)
