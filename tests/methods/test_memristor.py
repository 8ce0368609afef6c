"""A network for crossbars: whole groups go, the rest is on levels, and both are exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tasks import squares, trained

from assay.crossbars import Crossbar, largest_level
from assay.derivations import DERIVATIONS
from assay.errors import BadData, BadOption
from assay.running.examples import Examples
from assay.training import Optimizer, Progress, Training

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.derivations.memristor import Cut, Groups, States  # noqa: E402
from assay.running.crossbars import Hardware, on_crossbars  # noqa: E402
from assay.running.modules import accuracy, outputs, weighted  # noqa: E402

DATA, JUDGE = squares(400, 1), squares(400, 2)
SHORT = Training(4, 32, Optimizer("adam", 2e-3, weight_decay=0))
SMALL = Crossbar(8, 4)
Memristor: Any = DERIVATIONS["memristor"]


def test_columns_filters_and_blocks_of_the_largest_norm_stay() -> None:
    weight = torch.tensor([[3.0, 1, 0], [3, 1, 9], [0, 8, 0]])
    assert Groups(1 / 3, "column", 9).mask(weight).int().tolist() == [[0, 0, 1]] * 3
    assert Groups(1 / 3, "filter", 9).mask(weight).int().tolist() == [[0] * 3, [1] * 3, [0] * 3]
    block = Groups(2 / 6, "block", 2)  # of two strips, the second of one filter: 6 blocks
    assert block.mask(weight).int().tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0]]
    assert torch.equal(block(weight), weight * block.mask(weight))


@pytest.mark.parametrize("group", ["column", "filter", "block"])
def test_exactly_as_many_groups_stay(group: Any) -> None:
    weight = torch.randn(10, 3, 5, 5)
    groups = {"column": 75, "filter": 10, "block": 3 * 75}[group]

    def kept(mask: torch.Tensor) -> int:
        """How many groups stay, each of them whole."""
        parts = {
            "column": mask.T,
            "filter": mask,
            "block": torch.cat(
                [mask[:4].T, mask[4:8].T, mask[8:].T.repeat(1, 2)]  # the last has two filters
            ),
        }[group]
        assert torch.equal(parts.any(1), parts.all(1))
        return int(parts.any(1).sum())

    assert kept(Groups(0.2, group, 4).mask(weight).flatten(1)) == round(0.2 * groups)
    assert kept(Groups(0.001, group, 4).mask(weight).flatten(1)) == 1
    assert kept(Groups(0.2, group, 4).mask(torch.ones(10, 75))) == round(0.2 * groups)  # all equal
    other = weight.to(memory_format=torch.channels_last)
    assert torch.equal(Groups(0.2, group, 4).mask(weight), Groups(0.2, group, 4).mask(other))


def test_levels_are_those_of_cells_and_none_is_zero() -> None:
    weight = torch.tensor([0.5, -0.5, 1.0, 1.5, -1.5, 0.0, 9.0])
    mask = torch.tensor([True] * 5 + [False] * 2)
    states = States(3, mask)
    step = float(states.codebook(weight).step.detach())
    steps = (states(weight) / step).round()
    assert steps.tolist() == [1, -1, 2, 3, -3, 0, 0]
    assert largest_level(3) == 3
    assert step == pytest.approx(0.5)
    near = states(torch.tensor([0.01, -0.02, 1.1, 1.6, -1.4, 0.3, 0.0]))
    assert bool((near[:5] != 0).all())
    assert not near[5:].any()


@pytest.mark.parametrize("group", ["column", "block"])
@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_the_child_is_on_levels_in_whole_groups_and_runs_on_crossbars(
    name: str, group: Any
) -> None:
    made = Memristor(
        cut=Cut((0.4,), group), bits=5, crossbar=SMALL, training=SHORT, retraining=SHORT
    )
    derived = made.derive(trained(name), data=DATA, judge=JUDGE)
    notes, child = derived.lineage.notes, derived.module
    scales = {}
    for path, layer in weighted(child).items():
        weight = layer.weight.detach()
        steps = (weight / notes["spacing"][f"{path}.weight"]).double()
        assert torch.allclose(steps, steps.round(), atol=1e-4)
        assert steps.abs().max() < 15.001
        assert int((weight != 0).sum()) == notes["left"][f"{path}.weight"]
        mask = Groups(0.4, group, SMALL.columns).mask(weight)
        assert torch.equal(mask, weight != 0)  # in whole groups, and as many as were asked for
        scales[path] = notes["spacing"][f"{path}.weight"]
    assert derived.lineage.accuracy["child"] > derived.lineage.accuracy["parents"][0] - 0.1
    hardware = Hardware(SMALL, bits=5, converters=None)
    on = on_crossbars(child, hardware, scales, DATA.inputs[:8])
    wanted = outputs(child, JUDGE.inputs)
    assert np.abs(outputs(on, JUDGE.inputs) - wanted).max() < 1e-4 * np.abs(wanted).max()
    read = on_crossbars(
        child, replace(hardware, converters=Hardware().converters), scales, DATA.inputs[:64]
    )
    assert accuracy(read, JUDGE) > derived.lineage.accuracy["child"] - 0.05
    arrays = notes["arrays"]
    assert arrays["5-bit after"]["tiled"] == sum(arrays["5-bit after"]["tiled_by_layer"].values())
    assert (
        arrays["5-bit after"]["dense"]
        < arrays["5-bit after"]["tiled"]
        < arrays["9-bit before"]["tiled"]
    )


def test_pruning_alone_leaves_weights_as_they_are() -> None:
    made = Memristor(cut=Cut((0.5, 0.4, 0.3, 0.2, 1.0)), bits=0, training=SHORT, retraining=SHORT)
    derived = made.derive(trained("cnn"), data=DATA)
    assert "spacing" not in derived.lineage.notes
    shares = [
        float((layer.weight != 0).float().mean()) for layer in weighted(derived.module).values()
    ]
    assert shares == pytest.approx([0.5, 0.4, 0.3, 0.2, 1.0], abs=0.07)
    weight = derived.module.head.weight
    assert len(weight.unique()) > 31


def test_a_pruned_parent_stays_pruned_while_it_is_mapped() -> None:
    options = {"training": SHORT, "retraining": SHORT}
    pruned = Memristor(cut=Cut((0.3,)), bits=0, **options).derive(trained("cnn"), data=DATA).module
    derived = Memristor(cut=Cut((1.0,)), bits=3, **options).derive(pruned, data=DATA)
    for path, layer in weighted(derived.module).items():
        assert torch.equal(layer.weight != 0, pruned.get_submodule(path).weight != 0)
        assert len(layer.weight.unique()) <= 7
    assert "drawing weights to groups" not in derived.lineage.notes["residuals"]


def test_soft_answers_alone_take_no_labels() -> None:
    without, options = Examples(DATA.inputs, None), {"training": SHORT, "retraining": SHORT}
    derived = Memristor(cut=Cut((0.4,)), soft_answers=1.0, **options).derive(
        trained("cnn"), data=without
    )
    assert accuracy(derived.module, JUDGE) > 0.6  # of four classes
    with pytest.raises(BadData, match="needs labels"):
        Memristor(soft_answers=0.9, **options).derive(trained("cnn"), data=without)


def quickly(**options: Any) -> Any:
    once = replace(SHORT, epochs=1)
    return Memristor(**{"crossbar": SMALL, "training": once, "retraining": once, **options})


def test_a_single_layer_is_mapped_like_any_other() -> None:
    flat = Examples(DATA.inputs.reshape(len(DATA), -1), DATA.labels)
    derived = quickly(cut=Cut((0.5,)), bits=3).derive(torch.nn.Linear(64, 4), data=flat)
    assert [*derived.lineage.notes["spacing"]] == ["weight"]
    assert len(derived.module.weight.unique()) <= 7  # ±3 steps, and what is pruned


def test_groups_of_a_convolution_lie_on_arrays_of_their_own() -> None:
    """A depthwise layer of 6 filters and 9 columns: 6 matrices of 1 x 9, two of 8 rows each."""
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 1), torch.nn.Conv2d(6, 6, 3, groups=6), torch.nn.Flatten(),
        torch.nn.Linear(6 * 36, 4),
    )  # fmt: skip
    arrays = quickly(cut=Cut((1.0,))).derive(network, data=DATA).lineage.notes["arrays"]
    whole = arrays["5-bit after"]["tiled_by_layer"]
    assert whole["1.weight"] == 2 * 6 * 2  # signs, groups, arrays
    assert whole["0.weight"] == 2 * 2  # six filters: two strips of four
    assert whole["3.weight"] == 2 * 216 / 8


def test_layers_that_are_not_mapped_are_named_and_stay_out_of_the_counts() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ConvTranspose2d(4, 4, 2), torch.nn.Flatten(),
        torch.nn.Linear(4 * 49, 4),
    )  # fmt: skip
    notes = quickly(cut=Cut((0.5,))).derive(network, data=DATA).lineage.notes
    assert notes["not_on_crossbars"] == ["1.weight"]
    assert [*notes["left"]] == ["0.weight", "3.weight"]


def test_a_model_of_zeros_stays_one() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    torch.nn.init.zeros_(network[1].weight)
    derived = quickly(cut=Cut((1.0,))).derive(network, data=DATA)
    assert not derived.module[1].weight.any()
    assert derived.lineage.notes["reduction"] is None
    assert derived.lineage.notes["arrays"]["5-bit after"]["tiled"] == 0


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    made = Memristor(cut=Cut((0.3,)), training=SHORT, retraining=SHORT)
    whole = made.derive(trained("mlp"), data=DATA, seed=3)

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.stage.startswith("stage 2 of 4"):
            raise Killed

    with pytest.raises(Killed):
        made.derive(trained("mlp"), data=DATA, seed=3, checkpoint=tmp_path, progress=kill)
    again = made.derive(trained("mlp"), data=DATA, seed=3, checkpoint=tmp_path)
    assert again.lineage.child == whole.lineage.child


def test_what_cannot_be_is_refused() -> None:
    for wrong, says in (
        ({"bits": 1}, "bits must be 2 to 16"),
        ({"soft_answers": 1.5}, "soft_answers must be 0 to 1, not 1.5"),
    ):
        with pytest.raises(BadOption, match=says):
            Memristor(**wrong)
    for cut, says in (
        ({"keep": ()}, "cut.keep must be shares"),
        ({"keep": (1.5,)}, "cut.keep must be shares"),
        ({"group": "row"}, "cut.group must be one of"),
    ):
        with pytest.raises(BadOption, match=says):
            Cut(**cut)
    with pytest.raises(BadOption, match=r"cut\.keep has 2 values for 3 layers"):
        Memristor(cut=Cut((0.5, 0.5))).derive(trained("mlp"), data=DATA)
