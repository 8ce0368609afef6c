"""What needs no key, drawn anew: nothing of the model is in it, and it is slow to tune."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_licenses import digits, grant, licensee, network, owner

from assay.errors import UnfitModel

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from assay.licenses._distributable import activate, part_of  # noqa: E402
from assay.licenses._hardening import hardened  # noqa: E402
from assay.licenses.pruning import Pruning  # noqa: E402
from assay.running.modules import cross_entropy, digest, on  # noqa: E402
from assay.training import Optimizer, Training, train  # noqa: E402
from assay.zoo.networks import build  # noqa: E402

RATES = Pruning(rates=(0.05, 0.1, 0.2))


def test_nothing_of_the_model_is_left() -> None:
    examples, _ = digits()
    before = digest(network())
    made = hardened(network(), examples, 1, 0)
    assert digest(network()) == before
    for name, tensor in made.state_dict().items():
        own = network().state_dict()[name]
        assert tensor.shape == own.shape
        if tensor.is_floating_point():
            same = tensor == own
            assert not same.any() or tensor.unique().numel() == 1, name
    some = examples.take(slice(200))
    one, again, other = (digest(hardened(network(), some, 0, seed)) for seed in (0, 0, 1))
    assert one == again != other


def test_what_cannot_be_drawn_anew_is_told() -> None:
    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(64, 10)
            self.scales = torch.nn.Parameter(torch.arange(64.0))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.head(inputs.flatten(1) * self.scales)

    with pytest.raises(UnfitModel, match="scales of the model cannot be drawn anew"):
        hardened(Scaled(), digits()[0], 0, 0)


def test_all_levels_come_back_and_only_the_lowest_part_grows(tmp_path: Path) -> None:
    examples, tests = digits()
    original = tmp_path / "original.safetensors"
    save_file(network().state_dict(), original)
    sizes = {}
    for name, steps in (("plain", None), ("hard", 0)):
        model = tmp_path / f"{name}.safetensors"
        manifest = RATES.issue(
            network(), model, owner(), examples, judge=tests, original=original, hardening=steps
        )
        sizes[name] = [part_of(model, level).stat().st_size for level in range(3)]
        for level in range(3):
            activate(model, grant(manifest, level), licensee(0), tmp_path / f"{name}.{level}")
    for level in range(3):
        wanted = (tmp_path / f"plain.{level}").read_bytes()
        assert (tmp_path / f"hard.{level}").read_bytes() == wanted
    assert (tmp_path / "hard.0").read_bytes() == original.read_bytes()
    assert manifest.about["hardening"] == "0 steps"
    assert sizes["hard"][:2] == sizes["plain"][:2]
    assert sizes["hard"][2] > 0.9 * original.stat().st_size > 2 * sizes["plain"][2]
    first, rest = (load_file(tmp_path / name) for name in ("plain.2", "hard.safetensors"))
    weights = [name for name in first if first[name].ndim > 1]
    assert not any((rest[name] == first[name]).any() for name in weights)


def test_steps_make_it_slow_to_tune() -> None:
    examples, _ = digits()
    module = build("mlp", examples.inputs.shape[1:], 10, 0)

    def after(steps: int) -> float:
        made = hardened(module, examples, steps, 0)
        how = Training(2, 32, Optimizer("sgd", 0.1, schedule="constant"))
        train(made, examples.take(slice(320)), how)
        with torch.no_grad():
            inputs, labels = (on(made, each) for each in (examples.inputs, examples.known_labels))
            return float(cross_entropy(made, inputs, labels))

    assert after(4) > after(0) + 0.3
