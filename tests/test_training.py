"""The training loop: seeds, checkpoints, early stop, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_tasks import CLASSES, SHAPE, squares

from assay.errors import BadData, BadOption, Diverged, UnfitModel
from assay.running.examples import Examples
from assay.training import Batch, History, Objective, Optimizer, Progress, Training, train

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import accuracy, copy_of, digest  # noqa: E402
from assay.zoo.networks import build  # noqa: E402

DATA = squares(200, 1)
SHORT = Training(epochs=3, batch=32, optimizer=Optimizer("adam", rate=0.005))


class Killed(Exception):
    """The process ends here."""


def fresh(name: str = "cnn") -> torch.nn.Module:
    return build(name, SHAPE, CLASSES, 7, 0.5)


def killing(step: int) -> Callable[[Progress], None]:
    def look(progress: Progress) -> None:
        if progress.step == step:
            raise Killed

    return look


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is saved and shown."""
    import assay.training._loop as loop

    monkeypatch.setattr(loop, "SAVE_EVERY_S", -1.0)
    monkeypatch.setattr(loop, "SHOW_EVERY_S", -1.0)


def test_it_learns() -> None:
    module = fresh()
    history = train(module, squares(400, 1), replace(SHORT, epochs=6))
    assert accuracy(module, squares(200, 2)) > 0.9
    assert len(history.losses) == 6 == history.best
    assert history.losses[-1] < history.losses[0] / 2
    assert not module.training


@pytest.mark.parametrize("name", ["cnn", "vgg", "transformer"])
def test_the_same_seed_gives_the_same_weights_and_another_others(name: str) -> None:
    found = []
    for seed in (1, 1, 2):
        module = fresh(name)
        train(module, DATA, SHORT, seed=seed)
        found.append(digest(module))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("optimizer", [Optimizer("adam", rate=0.005), Optimizer(rate=0.05)])
@pytest.mark.parametrize("step", [1, 6, 9, 18])
@pytest.mark.usefixtures("eager")
def test_a_killed_training_ends_as_if_it_had_not_been(
    optimizer: Optimizer, step: int, tmp_path: Path
) -> None:
    training = replace(SHORT, optimizer=optimizer, patience=3)
    whole, halted, resumed = (fresh("vgg") for _ in range(3))
    expected = train(whole, DATA, training, seed=3)
    with pytest.raises(Killed):
        train(halted, DATA, training, seed=3, checkpoint=tmp_path, progress=killing(step))
    shown: list[int] = []
    history = train(
        resumed,
        DATA,
        training,
        seed=3,
        checkpoint=tmp_path,
        progress=lambda progress: shown.append(progress.step),
    )
    assert digest(resumed) == digest(whole)
    assert (history.losses, history.held_out) == (expected.losses, expected.held_out)
    assert shown == sorted(set(shown))
    assert not shown or shown[0] >= step


@pytest.mark.usefixtures("eager")
def test_a_finished_training_is_taken_from_its_checkpoint(tmp_path: Path) -> None:
    first, again = fresh(), fresh()
    train(first, DATA, SHORT, checkpoint=tmp_path)
    train(again, DATA, SHORT, checkpoint=tmp_path, progress=killing(1))
    assert digest(first) == digest(again)


@pytest.mark.usefixtures("eager")
def test_other_options_data_or_seeds_do_not_take_up_a_checkpoint(tmp_path: Path) -> None:
    train(fresh(), DATA, SHORT, checkpoint=tmp_path)
    for data, training, seed in (
        (squares(200, 5), SHORT, 0),
        (DATA, replace(SHORT, batch=16), 0),
        (DATA, SHORT, 1),
    ):
        with pytest.raises(Killed):
            train(fresh(), data, training, seed=seed, checkpoint=tmp_path, progress=killing(1))


@pytest.mark.usefixtures("eager")
def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    train(fresh(), DATA, SHORT, checkpoint=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BadOption, match=f"{file.name}: is damaged"):
        train(fresh(), DATA, SHORT, checkpoint=tmp_path)


def test_it_stops_when_held_out_examples_get_no_better_and_keeps_the_best() -> None:
    rng = np.random.default_rng(0)
    unlearnable = Examples(DATA.inputs, rng.permutation(DATA.known_labels))
    module = fresh()
    history = train(module, unlearnable, replace(SHORT, epochs=60, patience=2, held_out=0.3))
    assert history.best < len(history.losses) < 60
    assert len(history.losses) == history.best + 2
    assert min(history.held_out) == history.held_out[history.best - 1]
    _, held_out = unlearnable.split(0.3, 0)
    with torch.no_grad():
        answers = module(torch.from_numpy(held_out.inputs))
        labels = torch.from_numpy(held_out.known_labels)
        loss = torch.nn.functional.cross_entropy(answers, labels)
    assert loss.item() == pytest.approx(min(history.held_out), rel=1e-4)


def test_a_loss_that_is_no_number_ends_it_with_a_remedy() -> None:
    reckless = replace(SHORT, optimizer=Optimizer(rate=1e12, schedule="constant"))
    with pytest.raises(Diverged, match=r"epoch 1, step \d+: try a smaller training.optimizer.rate"):
        train(fresh(), DATA, reckless)


def test_only_the_chosen_parameters_move_and_their_statistics() -> None:
    module = fresh("vgg")
    before = copy_of(module).state_dict()
    train(module, DATA, SHORT, parameters=["head.weight", "head.bias"])
    moved = {n for n, t in module.state_dict().items() if not torch.equal(t, before[n])}
    assert moved == {"head.weight", "head.bias"}
    assert all(parameter.requires_grad for parameter in module.parameters())


class Counting(Objective):
    """Keeps a tensor that the checkpoint has to carry."""

    moves_statistics = True

    def __init__(self) -> None:
        self.steps = torch.zeros(1)
        self.epochs: list[int] = []

    def loss(self, module: torch.nn.Module, batch: Batch) -> torch.Tensor:
        return super().loss(module, batch) + 0 * self.steps.sum()

    def after_step(self, module: torch.nn.Module) -> None:
        self.steps += 1

    def after_epoch(self, module: torch.nn.Module, epoch: int) -> None:
        self.epochs.append(epoch)

    def tensors(self) -> dict[str, torch.Tensor]:
        return {"steps": self.steps}


@pytest.mark.usefixtures("eager")
def test_an_objective_has_its_hooks_called_and_its_tensors_kept(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    with pytest.raises(Killed):
        train(fresh(), DATA, SHORT, objective=first, checkpoint=tmp_path, progress=killing(9))
    train(fresh(), DATA, SHORT, objective=second, checkpoint=tmp_path)
    assert first.epochs == [1]
    assert second.epochs == [2, 3]
    assert second.steps.item() == 3 * 7  # 200 examples in batches of 32


def test_statistics_of_frozen_layers_move_where_the_objective_says() -> None:
    module = fresh("vgg")
    before = copy_of(module).state_dict()
    train(module, DATA, SHORT, objective=Counting(), parameters=["head.weight"])
    moved = {n for n, t in module.state_dict().items() if not torch.equal(t, before[n])}
    assert any("running_mean" in name for name in moved)
    assert not any(name.endswith(("0.weight", "1.weight")) for name in moved)


@pytest.mark.parametrize("count", [2, 3, 33, 65])
def test_a_last_batch_of_one_is_left_out(count: int) -> None:
    history = train(fresh("vgg"), DATA.take(slice(count)), SHORT)
    assert all(np.isfinite(history.losses))


def test_a_model_that_ends_in_a_softmax_learns_as_one_that_gives_logits() -> None:
    losses = []
    for ends in ([], [torch.nn.Softmax(1)]):
        module = torch.nn.Sequential(fresh("mlp"), *ends)
        losses.append(train(module, DATA, replace(SHORT, epochs=6)).losses)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


def test_torch_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    train(fresh(), DATA, SHORT)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


def run(data: Examples = DATA, **options: object) -> History:
    return train(fresh(), data, SHORT, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: run(DATA.take(slice(1))), "two examples or more, not 1"),
        (lambda: run(Examples(DATA.inputs)), "needs labels"),
        (lambda: run(squares(200, 1, classes=9)), "do not fit labels up to 8"),
        (lambda: run(Examples(DATA.inputs[:, :, :3], DATA.labels)), "inputs of shape"),
        (lambda: run(parameters=["tail.weight"]), "no parameter 'tail.weight'"),
        (lambda: run(parameters=[]), "no parameter to be trained"),
        (lambda: Training(epochs=0), "training.epochs must be 1 or more"),
        (lambda: Training(batch=1), "training.batch must be 2 or more"),
        (lambda: Training(held_out=1.0), "training.held_out must be between"),
        (lambda: Optimizer(rate=float("nan")), "optimizer.rate must be 0 or more"),
        (lambda: Optimizer(rate=0.0), "optimizer.rate must be above 0"),
        (lambda: Optimizer("rmsprop"), "must be sgd or adam"),  # type: ignore[arg-type]
        (lambda: Optimizer(schedule="step"), "must be cosine or constant"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused(wrong: Callable[[], object], says: str) -> None:
    with pytest.raises((BadData, BadOption, UnfitModel), match=says):
        wrong()
