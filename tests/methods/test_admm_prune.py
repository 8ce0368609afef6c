"""Few weights are left: which and how many, what that saves, and what was learned meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadData, BadOption, UnfitModel
from assay.running.examples import Examples

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.derivations._multiply_adds import multiply_adds  # noqa: E402
from assay.running.modules import accuracy, digest, outputs, weights  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402

DATA, JUDGE = squares(400, 1), squares(400, 2)
Prune: Any = DERIVATIONS["admm-prune"]
Magnitude: Any = DERIVATIONS["magnitude-prune"]
COUNTS = (30, 80, 150, 100, 40)  # of the cnn's 36, 288, 1,152, 512 and 128
SHORT = Training(6, 32, Optimizer("adam", 0.003, weight_decay=0, schedule="constant"))
TUNED = Training(4, 32, Optimizer("adam", 0.003, weight_decay=0.01))


def prune(**options: Any) -> Any:
    return Prune(**{"training": SHORT, "retraining": TUNED, **options})


def nonzeros(module: torch.nn.Module) -> list[int]:
    return [int((weight != 0).sum()) for weight in weights(module).values()]


def sizes(module: torch.nn.Module) -> list[int]:
    return [weight.numel() for weight in weights(module).values()]


def test_each_layer_keeps_exactly_as_many_as_were_asked_for() -> None:
    derived = prune(keep=COUNTS).derive(trained("cnn"), data=DATA)
    assert nonzeros(derived.module) == [*COUNTS]
    left = derived.lineage.notes["left"]
    assert [*left.values()] == [*COUNTS]
    assert [*left] == [*weights(derived.module)]


def test_one_share_is_every_layer_s_and_one_of_each_may_be_a_share_or_a_count() -> None:
    parent = trained("cnn")
    found = nonzeros(prune(keep=(0.25,)).derive(parent, data=DATA).module)
    assert found == [round(0.25 * size) for size in sizes(parent)]
    mixed = prune(keep=(1.0, 80, 0.5, 2, 1.0)).derive(parent, data=DATA).module
    wanted = sizes(parent)
    assert nonzeros(mixed) == [wanted[0], 80, wanted[2] // 2, 2, wanted[4]]


def test_the_record_counts_weights_alone_and_with_biases() -> None:
    parent = trained("cnn")
    notes = prune(keep=(0.1,)).derive(parent, data=DATA).lineage.notes
    of, left = sum(sizes(parent)), sum(notes["left"].values())
    biases = sum(p.numel() for p in parent.parameters()) - of
    assert notes["of"] == of
    assert notes["reduction"] == round(of / left, 2)
    assert notes["parameters"] == {"left": left + biases, "of": of + biases}


def test_the_weights_come_nearer_to_what_is_kept_with_every_update() -> None:
    notes = prune(keep=(0.3,)).derive(trained("cnn"), data=DATA).lineage.notes
    assert all(len(residuals) == SHORT.epochs for residuals in notes["residuals"].values())
    assert [each["stage"] for each in notes["trainings"]] == [
        "drawing weights to zero",
        "tuning what is left",
    ]
    strong = {"rho": 0.1, "growth": 2.0}
    alternation = type(prune().admm)
    notes = prune(keep=(0.3,), admm=alternation(**strong)).derive(trained("cnn"), data=DATA)
    for first, *_, last in notes.lineage.notes["residuals"].values():
        assert last < first / 2


def test_less_is_lost_than_by_cutting_off_the_smallest() -> None:
    """Both without retraining, at the same number of weights."""
    parent, alternation = trained("cnn"), type(prune().admm)(rho=0.05, growth=1.4)
    longer = Training(12, 32, SHORT.optimizer)
    drawn = Prune(keep=(0.1,), admm=alternation, training=longer, retraining=None)
    cut = Magnitude(rate=0.9).derive(parent, judge=JUDGE).module
    found = drawn.derive(parent, data=DATA).module
    assert abs(sum(nonzeros(found)) - sum(nonzeros(cut))) <= 5
    assert accuracy(found, JUDGE) > accuracy(cut, JUDGE) + 0.1


def test_a_share_of_one_leaves_a_layer_whole_and_out_of_the_counts() -> None:
    parent = trained("cnn")
    derived = prune(keep=(0.2, 0.2, 100, 1, 1)).derive(parent, data=DATA)
    assert nonzeros(derived.module) == [7, 58, 100, *sizes(parent)[3:]]
    notes = derived.lineage.notes
    assert notes["left"] == {"stage1.0.weight": 7, "stage2.0.weight": 58, "stage3.0.weight": 100}
    assert notes["of"] == sum(sizes(parent)[:3])
    assert len(notes["residuals"]) == 3


def test_weights_of_channels_that_nothing_reads_are_not_chosen() -> None:
    """Of a head with 4 weights, at most 4 neurons before it are read."""
    counts = (36, 288, 1_152, 60, 4)
    kept = {}
    for choice in ("largest", "read"):
        child = (
            prune(keep=(1, 1, 1, *counts[3:]), choice=choice)
            .derive(trained("cnn"), data=DATA)
            .module
        )
        assert nonzeros(child) == [*counts]
        read = (child.head.weight != 0).any(0)
        kept[choice] = int((child.stage4[1].weight != 0)[read].sum())
    assert kept["largest"] < 40
    assert kept["read"] == 60


def test_soft_answers_of_the_parent_are_learned_where_they_are_asked_for() -> None:
    plain, soft = (
        prune(keep=(0.2,), soft_answers=share).derive(trained("cnn"), data=DATA)
        for share in (0.0, 0.9)
    )
    assert plain.lineage.child != soft.lineage.child
    assert nonzeros(plain.module) == nonzeros(soft.module)


def test_further_models_teach_in_the_place_of_the_parent() -> None:
    """With their mean: a twin that teaches beside itself says what it says alone."""
    parent, twin = trained("cnn"), trained("cnn", 1)
    method = prune(keep=(0.2,), soft_answers=0.9)
    own, taught, both = (
        method.derive(parent, *teachers, data=DATA).lineage
        for teachers in ((), (twin,), (parent, twin))
    )
    assert len({own.child, taught.child, both.child}) == 3
    assert method.derive(parent, parent, data=DATA).lineage.child == own.child
    twice = method.derive(parent, twin, twin, data=DATA).module
    assert outputs(twice, JUDGE.inputs) == pytest.approx(
        outputs(method.derive(parent, twin, data=DATA).module, JUDGE.inputs), abs=0.05
    )
    assert taught.parents == (own.parents[0], digest(twin))
    with pytest.raises(BadOption, match="further ones teach"):
        prune(keep=(0.2,)).derive(parent, twin, data=DATA)
    with pytest.raises(UnfitModel, match="a teacher has outputs of shape"):
        method.derive(parent, torch.nn.Sequential(parent, torch.nn.Linear(4, 3)), data=DATA)


def test_soft_answers_alone_take_no_labels() -> None:
    without = Examples(DATA.inputs, None)
    derived = prune(keep=(0.2,), soft_answers=1.0).derive(trained("cnn"), data=without)
    assert accuracy(derived.module, JUDGE) > 0.6  # of four classes
    with pytest.raises(BadData, match="needs labels"):
        prune(keep=(0.2,), soft_answers=0.9).derive(trained("cnn"), data=without)


def test_dropout_rests_while_weights_are_drawn_and_is_back_afterwards() -> None:
    """With a share of all but everything, nothing would be learned."""
    parent = trained("cnn")
    whole = torch.nn.Sequential(torch.nn.Dropout2d(0.999), parent, torch.nn.Dropout(0.999))
    pruned = prune(keep=(0.3,), retraining=None).derive(whole, data=DATA)
    assert pruned.module[0].p == pruned.module[2].p == 0.999
    (training,) = pruned.lineage.notes["trainings"]
    assert training["losses"][-1] < 0.5


def test_multiply_adds_of_a_known_network() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(3 * 36, 4)
    )
    example = torch.zeros(1, 2, 8, 8)  # 6 x 6 places are left
    whole = multiply_adds(network, example)
    assert {kind: whole["0"][kind] for kind in whole["0"]} == dict.fromkeys(
        ("dense", "nonzero", "live"), 3 * 2 * 9 * 36
    )
    with torch.no_grad():
        network[0].weight[0] = 0
        network[0].weight[1, 1] = 0
        network[0].weight[2, 0, 0, 0] = 0
        network[2].weight[:, :36] = 0
    pruned = multiply_adds(network, example)
    assert pruned["0"] == {
        "dense": 54 * 36,
        "nonzero": (9 + 17) * 36,
        "live": 2 * 2 * 9 * 36,
    }
    assert pruned["2"] == {"dense": 432, "nonzero": 288, "live": 288}


def test_groups_of_a_convolution_read_channels_of_their_own() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3, groups=2), torch.nn.Flatten(),
                                  torch.nn.Linear(6, 2))  # fmt: skip
    with torch.no_grad():
        network[0].weight[:3, 0] = 0  # the first group reads one of its two channels
        network[0].weight[3] = 0  # the second has two filters left of three
    found = multiply_adds(network, torch.zeros(1, 4, 3, 3))["0"]
    assert found == {"dense": 12 * 9, "nonzero": 7 * 9, "live": (3 * 1 + 2 * 2) * 9}


def test_the_record_says_what_is_multiplied_before_and_after() -> None:
    notes = prune(keep=COUNTS).derive(trained("cnn"), data=DATA).lineage.notes["multiply_adds"]
    before = {name: layer["nonzero"] for name, layer in notes["before"].items()}
    after = {name: layer["nonzero"] for name, layer in notes["after"].items()}
    dense = {name: layer["dense"] for name, layer in notes["after"].items()}
    assert before == dense == {name: layer["dense"] for name, layer in notes["before"].items()}
    assert after["head"] == 40
    assert after["stage1.0"] == 30 * 64  # 8 x 8 places
    for layer in notes["after"].values():
        assert layer["nonzero"] <= layer["live"] <= layer["dense"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"keep": ()}, "keep must be shares above 0"),
        ({"keep": (0.0,)}, "keep must be shares above 0"),
        ({"keep": (-3,)}, "keep must be shares above 0"),
        ({"keep": (2.5,)}, r"counts from 2, not \[2.5\]"),
        ({"keep": (float("nan"),)}, "keep must be shares above 0"),
        ({"choice": "smallest"}, "choice must be one of"),
        ({"soft_answers": 1.5}, "soft_answers must be 0 to 1, not 1.5"),
        ({"keep": (0.5, 0.5)}, "keep has 2 values, and there are 5 layers to prune: stage1"),
        ({"keep": (1e6,)}, "leaves 1000000 of the 36 weights of stage1.0.weight"),
        ({"keep": (1e-6,)}, "leaves 0 of the 36 weights"),
        ({"keep": (1.0,)}, "leaves every weight"),
    ],
)
def test_what_cannot_be_kept_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadOption, match=says):
        prune(**options).derive(trained("cnn"), data=DATA)
