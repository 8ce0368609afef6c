"""Hidden channels in another order: every tensor differs, the function does not."""

from __future__ import annotations

import numpy as np
import pytest
from small_tasks import SHAPE, squares

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from channel_networks import GROUPS, Left, made, settled  # noqa: E402
from channel_networks import SHAPE as COLORED  # noqa: E402

from assay.derivations import DERIVATIONS  # noqa: E402
from assay.running.examples import Examples  # noqa: E402
from assay.running.modules import WEIGHTED, outputs  # noqa: E402
from assay.zoo.networks import NETWORKS, build  # noqa: E402

nn = torch.nn
DATA = squares(40, 3)


@pytest.mark.parametrize("network", NETWORKS)
def test_every_layer_of_the_zoo_is_moved_and_every_answer_stays(network: str) -> None:
    parent = settled(build(network, SHAPE, 4, seed=1))
    derived = DERIVATIONS["permute-neurons"]().derive(parent, data=DATA, seed=5)
    expected, given = (outputs(m, DATA.inputs) for m in (parent, derived.module))
    assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()
    assert derived.lineage.notes["difference"] < 1e-4
    assert derived.lineage.notes["left"] == []
    for name, layer in parent.named_modules():
        if isinstance(layer, (*WEIGHTED, nn.GRU)):
            for one, other in zip(
                layer.parameters(), derived.module.get_submodule(name).parameters(), strict=True
            ):
                assert one.shape == other.shape
                assert torch.equal(one.sum(), one.sum())
                assert name == "head" or not torch.equal(one, other)
                assert (one.sort().values.sum() - other.sum()).abs() < 1e-2


def test_what_cannot_be_followed_is_named() -> None:
    data = Examples(np.random.default_rng(0).normal(size=(20, *COLORED)))
    notes = DERIVATIONS["permute-neurons"]().derive(made(Left), data=data).lineage.notes
    assert notes["channels"] == GROUPS[Left]
    assert set(notes["left"]) == {
        *("a", "groups", "multiplier", "b", "tied"),
        "attention.out_proj",
    }
