"""Relations that codes of weights show: what was copied, what only began alike, and strangers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from small_weights import (
    SHAPES,
    changed,
    eight_bits,
    moved,
    network,
    pruned,
    renamed,
    sketched,
    weight,
)

from assay.comparisons._claims import FLOOR, combined
from assay.comparisons.weights import MEASURED, Weights
from assay.sketches import sketch
from assay.sketches.readings import tried
from assay.values import Evidence, Relation, WeightSketch
from assay.weights import Array, Weight

BASE = network(0)
METHOD = Weights()


def compared(suspect: Sequence[Weight], source: Sequence[Weight] = BASE) -> Evidence:
    evidence = METHOD.compare(sketched(suspect, tried), sketched(source))
    assert evidence is not None
    return evidence


def named(suspect: Sequence[Weight], source: Sequence[Weight] = BASE) -> Relation:
    return METHOD.relation(compared(suspect, source))


def permuted(weights: Sequence[Weight], seed: int) -> list[Weight]:
    """Outputs in another order, and the next layer's inputs as well."""
    draw, before, made = np.random.default_rng(seed), np.arange(3), []
    for each in weights[:-1]:
        order = draw.permutation(each.shape[0])
        values = each.read()[order]
        made.append(weight(each.name, values[:, before]))
        before = order
    return made


def skewed(seed: int) -> list[Weight]:
    """Weights whose channels differ in spread, as trained ones do."""
    draw = np.random.default_rng([seed, 2])

    def stretched(values: Array) -> Array:
        inputs = draw.lognormal(sigma=0.5, size=(1, values.shape[1]) + (1,) * (values.ndim - 2))
        return (
            values
            * inputs
            * np.abs(values) ** draw.uniform(0, 1, (len(values),) + (1,) * (values.ndim - 1))
        )

    return changed(network(seed)[:-1], stretched)


@pytest.mark.parametrize(
    "copy",
    [
        lambda x: x,
        lambda x: x.astype(np.float16),
        eight_bits,
        lambda x: 3 * x,
        lambda x: x * np.arange(1, len(x) + 1).reshape(-1, *[1] * (x.ndim - 1)),
    ],
    ids=["as it is", "16 bits", "8 bits", "scaled", "outputs scaled"],
)
def test_a_copy_in_other_numbers_is_the_same_model(
    copy: Callable[[Array], Array],
) -> None:
    evidence = compared(changed(BASE, copy))
    assert METHOD.relation(evidence) is Relation.SAME_MODEL
    assert evidence.detail["values"] == [1.0, 1.0]
    assert evidence.score > 0.99


def test_a_copy_in_another_layout_is_the_same_model() -> None:
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}
    turned = [
        weight(each.name, each.read().transpose(axes[len(each.shape)]), canonical=False)
        for each in BASE[:-1]
    ]
    assert named(turned) is Relation.SAME_MODEL


@pytest.mark.parametrize("seed", range(1, 40))
def test_a_stranger_of_the_same_architecture_is_unrelated(seed: int) -> None:
    assert named(network(seed)) is Relation.UNRELATED


def test_a_little_training_has_a_common_ancestor_and_no_more() -> None:
    """Twins of one start go the same way at first, and are as near for a while."""
    assert named(moved(BASE, 1, 0.02)) is Relation.COMMON_ANCESTOR
    assert named(moved(BASE, 1, 0.02), moved(BASE, 2, 0.02)) is Relation.COMMON_ANCESTOR


def test_what_differs_by_next_to_nothing_is_derived() -> None:
    assert named([*moved(BASE, 1, 0.002)[:-2], *network(5)[-2:-1]]) is Relation.DERIVED


@pytest.mark.parametrize("amount", [0.3, 0.5, 0.8])
def test_twins_of_one_start_have_a_common_ancestor_and_no_more(amount: float) -> None:
    assert named(moved(BASE, 1, amount), moved(BASE, 2, amount)) is Relation.COMMON_ANCESTOR


def test_twins_that_learned_next_to_nothing_have_a_common_ancestor_and_no_more() -> None:
    start = network(0, learned=0)
    assert named(moved(start, 1, 0.01), moved(start, 2, 0.01)) is Relation.COMMON_ANCESTOR
    assert named(start, start) is Relation.COMMON_ANCESTOR


def test_a_pruned_copy_has_at_least_a_common_ancestor() -> None:
    assert named(changed(BASE, lambda x: pruned(x, 0.8))) >= Relation.COMMON_ANCESTOR


def test_a_new_head_on_the_same_layers_is_derived() -> None:
    assert named([*BASE[:-2], *network(5)[-2:-1]]) is Relation.DERIVED


def test_layers_that_stay_beside_new_ones_are_derived() -> None:
    frozen = [*BASE[:3], *network(5)[3:]]
    wide, other = (renamed(network(seed, [(300, 300)]), "wide") for seed in (3, 4))
    assert named([*frozen, *wide], [*BASE, *other]) is Relation.DERIVED


@pytest.mark.parametrize("turned", [False, True])
def test_a_part_of_a_bundle_is_derived_either_way(turned: bool) -> None:
    bundle = [*renamed(network(7), "a"), *renamed(BASE, "b"), *renamed(network(8), "c")]
    evidence = compared(bundle, BASE) if turned else compared(BASE, bundle)
    assert METHOD.relation(evidence) is Relation.DERIVED
    assert sorted(evidence.detail["values"])[1] == 1.0


def test_channels_in_another_order_are_found_but_not_the_same_model() -> None:
    base = skewed(0)
    evidence = compared(permuted([*base, BASE[-1]], 1), base)
    assert METHOD.relation(evidence) is Relation.DERIVED
    assert evidence.detail["permuted"] >= 2
    assert named(permuted([*skewed(1), BASE[-1]], 1), base) is Relation.UNRELATED


def test_one_layer_in_common_may_be_chance_of_a_seed() -> None:
    evidence = compared([BASE[1], *network(9, SHAPES[2:])], BASE)
    assert evidence.log10_false_alarm is not None
    assert evidence.log10_false_alarm < -6
    assert METHOD.relation(evidence) is Relation.UNRELATED


def test_one_layer_that_is_most_of_a_model_counts() -> None:
    assert named(BASE[2:3]) is Relation.COMMON_ANCESTOR


def test_copies_of_one_tensor_count_once() -> None:
    once = compared(BASE[1:2], BASE)
    repeated = [weight(f"copy{i}", moved(BASE[1:2], i, 0.2)[0].read()) for i in range(8)]
    often = compared(repeated, BASE)
    assert often.detail["tensors"][0] == 1
    assert often.log10_false_alarm >= once.log10_false_alarm


def test_no_tensor_is_surer_than_the_floor() -> None:
    evidence = compared(BASE[2:3], BASE[2:3])
    assert evidence.log10_false_alarm is not None
    assert FLOOR <= evidence.log10_false_alarm < FLOOR + 1.5  # several readings were compared
    assert MEASURED <= evidence.detail["log10_false_alarm_as_measured"] < MEASURED + 1.5


def test_the_false_alarm_grows_with_what_was_compared() -> None:
    alone = compared(BASE[1:3], BASE)
    crowd = [each for n in range(20) for each in renamed(network(n + 50, SHAPES[1:3]), str(n))]
    among = compared(BASE[1:3], [*BASE, *crowd])
    assert among.detail["codes_compared"] > alone.detail["codes_compared"]
    assert among.log10_false_alarm > alone.log10_false_alarm


def test_the_tolerance_decides() -> None:
    evidence = compared(BASE[2:3])
    assert METHOD.relation(evidence, tolerance=1e-15) is Relation.UNRELATED


def test_what_was_left_out_is_said() -> None:
    table = weight("table", np.eye(64, dtype=np.float32))
    evidence = compared([*BASE, table], [*BASE, table])
    assert evidence.detail["tensors"] == [5, 5]
    assert evidence.detail["left_out"][0] == evidence.detail["left_out"][1]
    assert sum(evidence.detail["left_out"][0].values()) == 2


def test_a_formula_is_no_tie_between_strangers() -> None:
    waves = weight(
        "dft", np.cos(np.outer(np.arange(128), np.arange(256)) * 2 * np.pi / 256).astype(np.float32)
    )
    assert named([*network(1), waves], [*BASE, waves]) is Relation.UNRELATED


def test_what_cannot_be_judged_gives_no_evidence() -> None:
    silent = sketched([weight("bias", np.ones(64, np.float32))])
    base = sketched(BASE)
    assert METHOD.compare(silent, base) is None
    assert METHOD.compare(base, silent) is None
    other_key = replace(base, sketch=sketch(BASE, bytes(32)))
    assert METHOD.compare(base, other_key) is None
    assert (
        METHOD.compare(base, replace(base, sketch=WeightSketch("projection-256@public+s2", ())))
        is None
    )


@pytest.mark.parametrize("total", [1, 3, 12, 60])
def test_combined_false_alarms_come_no_more_often_than_they_say(total: int) -> None:
    draw = np.random.default_rng(total)
    said = np.array([combined(np.log10(draw.random(total)), total) for _ in range(4000)])
    for level in (-1, -2):
        assert (said <= level).mean() <= 10.0**level * 1.2


def test_many_tensors_that_are_each_a_little_near_tell_more_than_one() -> None:
    assert combined([-3.0] * 10, 10) < combined([-3.0] * 5, 10) < combined([-3.0], 10)
    assert combined([], 10) == 0
