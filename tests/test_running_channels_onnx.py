"""Disguises and pruning of networks that were read from ONNX files, and written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_tasks import SHAPE, squares

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from channel_networks import settled  # noqa: E402

from assay.derivations import DERIVATIONS  # noqa: E402
from assay.formats import read  # noqa: E402
from assay.running.modules import outputs  # noqa: E402
from assay.running.network import network  # noqa: E402
from assay.running.to_onnx import export  # noqa: E402
from assay.zoo.networks import build  # noqa: E402

DATA = squares(40, 3)
EXAMPLE = torch.from_numpy(DATA.inputs[:1])
SIZES_WRITTEN_DOWN = {  # layers before a flattening whose width the file has as a number
    **{(name, "dummy-neurons"): 1 for name in ("lenet-5", "vgg", "mobilenet", "cnn")},
    ("resnet", "dummy-neurons"): 2,
}
READ = ("lenet-5", "vgg", "resnet", "mobilenet", "cnn")


def written_and_read(module: torch.nn.Module, path: Path) -> torch.nn.Module:
    export(module, EXAMPLE, path)
    model = read(path)
    assert model.layers is not None
    return network(model.layers, model.weights)


@pytest.mark.parametrize("name", READ)
def test_a_network_of_a_file_is_disguised_and_written_again(name: str, tmp_path: Path) -> None:
    original = settled(build(name, SHAPE, 4, seed=1))
    child = written_and_read(original, tmp_path / "parent.onnx")
    for method in ("permute-neurons", "rescale-channels", "dummy-neurons"):
        derived = DERIVATIONS[method]().derive(child, data=DATA, seed=2)
        left = derived.lineage.notes["left"]
        assert len(left) <= SIZES_WRITTEN_DOWN.get((name, method), 0), (method, left)
        child = derived.module
    again = written_and_read(child, tmp_path / "child.onnx")
    expected, given = (outputs(m, DATA.inputs) for m in (original, again))
    assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()
    pruned = DERIVATIONS["channel-prune"]().derive(again, data=DATA)
    before, after = pruned.lineage.notes["before"], pruned.lineage.notes["after"]
    assert after["parameters"] < 0.7 * before["parameters"]
