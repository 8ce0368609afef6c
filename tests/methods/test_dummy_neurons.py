"""Neurons that change nothing: wider layers, the same function."""

from __future__ import annotations

import numpy as np
import pytest
from small_tasks import SHAPE, squares

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from channel_networks import GROUPS, Left, Recurrent, made, settled  # noqa: E402
from channel_networks import SHAPE as COLORED  # noqa: E402

from assay.derivations.dummy_neurons import DummyNeurons  # noqa: E402
from assay.errors import BadOption, UnfitModel  # noqa: E402
from assay.running.examples import Examples  # noqa: E402
from assay.running.modules import outputs  # noqa: E402
from assay.zoo.networks import NETWORKS, build  # noqa: E402

nn = torch.nn
DATA = squares(40, 3)
RANDOM = Examples(np.random.default_rng(0).normal(size=(40, *COLORED)))
KINDS = ("zero", "clique", "split")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_zoo_is_widened_and_every_answer_stays(kind: str, network: str) -> None:
    parent = settled(build(network, SHAPE, 4, seed=1))
    derived = DummyNeurons(kind=kind, share=0.5).derive(parent, data=DATA, seed=5)
    expected, given = (outputs(m, DATA.inputs) for m in (parent, derived.module))
    assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()
    notes = derived.lineage.notes
    assert notes["before"].keys() == notes["after"].keys()
    for name, size in notes["before"].items():
        assert notes["after"][name] == size + size // 2
        layer = derived.module.get_submodule(name)
        width = layer.hidden_size if isinstance(layer, nn.GRU) else len(layer.weight)
        assert width == notes["after"][name]
    assert (notes["left"] == []) == (network != "transformer"), "its residual stream is normalized"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "network", [n for n in GROUPS if n is not Left], ids=lambda network: network.__name__
)
def test_channels_that_go_together_are_widened_together(
    network: type[nn.Module], kind: str
) -> None:
    derived = DummyNeurons(kind=kind).derive(made(network), data=RANDOM)
    assert derived.lineage.notes["difference"] < 1e-4
    assert derived.lineage.notes["before"] == GROUPS[network]


def pair(kind: str, share: float = 0.5) -> tuple[torch.Tensor, torch.Tensor, nn.Sequential]:
    """The rows of a hidden layer, columns of the next, and the parent's layers."""
    torch.manual_seed(0)
    parent = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.ReLU(), nn.Linear(10, 4))
    child = DummyNeurons(kind=kind, share=share).derive(parent, data=DATA).module
    return torch.cat([child[1].weight.T, child[1].bias[None]]).T, child[3].weight.T, parent


def test_nothing_reads_a_zero_neuron() -> None:
    rows, columns, _ = pair("zero")
    assert len(rows) == 15
    assert (columns.abs().sum(1) == 0).sum() == 5
    assert len(rows.unique(dim=0)) == 15, "each has other weights"


def test_what_reads_a_clique_sums_to_zero() -> None:
    rows, columns, _ = pair("clique")
    kinds, which, counts = rows.unique(dim=0, return_inverse=True, return_counts=True)
    assert sorted(counts.tolist()) == [1] * 10 + [2, 3]
    for kind in range(len(kinds)):
        if counts[kind] > 1:
            assert columns[which == kind].sum(0).abs().max() < 1e-6
            assert columns[which == kind].abs().min() > 0


def test_twins_share_what_their_origin_gave() -> None:
    rows, columns, parent = pair("split")
    kinds, which, counts = rows.unique(dim=0, return_inverse=True, return_counts=True)
    assert sorted(counts.tolist()) == [1] * 5 + [2] * 5
    for row, column in zip(parent[1].weight, parent[3].weight.T, strict=True):
        (kind,) = (k for k in range(len(kinds)) if torch.equal(kinds[k][:-1], row))
        assert torch.allclose(columns[which == kind].sum(0), column, atol=1e-6)


def test_new_neurons_do_not_stand_at_the_end() -> None:
    _, columns, _ = pair("zero")
    places = (columns.abs().sum(1) == 0).nonzero().flatten().tolist()
    assert places != [*range(10, 15)]


def test_a_layer_whose_size_is_written_down_is_left() -> None:
    class Fixed(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self[0](x).relu().reshape(-1, 216)
            return nn.Sequential(*[*self][1:])(y)

    layers = [nn.Conv2d(1, 6, 3), nn.Linear(216, 7), nn.ReLU(), nn.Linear(7, 4)]
    notes = DummyNeurons(share=0.4).derive(Fixed(*layers), data=DATA).lineage.notes
    assert (notes["after"], notes["left"]) == ({"1": 10}, ["0"])
    with pytest.raises(UnfitModel, match="no hidden layer that can be widened"):
        DummyNeurons().derive(Fixed(layers[0], nn.Linear(216, 4)), data=DATA)


def test_an_lstm_grows_in_all_layers_and_directions_at_once() -> None:
    child = DummyNeurons(share=0.3).derive(made(Recurrent), data=RANDOM).module
    assert child.lstm.hidden_size == 13
    assert {tensor.shape[0] for name, tensor in child.lstm.named_parameters()} == {4 * 13}


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
def test_shares_that_are_none(share: float) -> None:
    with pytest.raises(BadOption, match="share must be above 0 and below 1"):
        DummyNeurons(share=share)
    with pytest.raises(BadOption, match="kind must be one of"):
        DummyNeurons(kind="none")  # type: ignore[arg-type]
