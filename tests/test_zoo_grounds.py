"""The ground of experiments with LeNet-5: its pictures, its files, and its bfloat16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_data import write_idx

from assay.zoo.datasets import load

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


def test_pictures_have_their_copies_beside_them_and_those_for_testing_none(tmp_path: Path) -> None:
    from assay.zoo.grounds import pictures

    for split in ("train", "test"):
        write_idx(tmp_path / "mnist", split, count=20)
    training, test = pictures("mnist", tmp_path, copies=2)
    assert (len(training), len(test)) == (60, 20)
    assert np.array_equal(training.inputs[:20], load("mnist", "train", tmp_path / "mnist").inputs)
    assert np.array_equal(training.known_labels[:20], training.known_labels[40:])
    few, fewer = pictures("mnist", tmp_path, copies=1, limit=7)
    assert (len(few), len(fewer)) == (14, 7)
    assert [*few.known_labels[:7]] != [*training.known_labels[:7]], "drawn at random"


def test_a_network_that_learned_in_bfloat16_is_kept_in_float32_and_learns_the_same_again(
    tmp_path: Path,
) -> None:
    from assay.training import Optimizer, Training
    from assay.zoo.grounds import Ground, pictures

    found = []
    for name in "ab":
        examples = pictures("digits", None, limit=300)
        place = Ground(*examples, tmp_path / "networks", tmp_path / name, width=0.2)
        module = place.network(0)
        losses = place.train(module, Training(8, 32, Optimizer("adam", 5e-3)), 0).losses
        assert losses[-1] < losses[0] / 3, "weights that change are not those of the first step"
        place.save(name, module)
        again = place.load(name, place.network(1))
        assert {tensor.dtype for tensor in again.state_dict().values()} == {torch.float32}
        assert place.percent(again) == place.percent(module) > 70
        found.append((losses, place.path(name).read_bytes()))
    assert found[0] == found[1]
    with torch.no_grad():
        assert place.network(0)(torch.zeros(1, 1, 8, 8)).dtype == torch.float32
