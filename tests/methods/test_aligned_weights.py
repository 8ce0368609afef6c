"""Both files open: what was done to a model is undone, found, and told by its kind and amount."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from small_states import (
    BASE,
    State,
    adapted,
    each,
    fewer,
    hidden,
    more,
    network,
    noisy,
    permutation,
    scales,
    weights,
)
from small_weights import eight_bits, pruned

from assay.comparisons.aligned_weights import AlignedWeights, merge_of
from assay.values import Evidence, LayerMatch, Relation
from assay.weights import Array

METHOD = AlignedWeights()


def compared(suspect: State, source: State = BASE) -> Evidence:
    evidence = METHOD.compare_weights(weights(suspect), weights(source))
    assert evidence is not None
    return evidence


def kinds(evidence: Evidence) -> dict[str, float | None]:
    """The findings, each with its amount."""
    return {found["kind"]: found.get("amount") for found in evidence.detail["diagnosis"]}


CASES: dict[str, tuple[State, Relation, dict[str, object]]] = {
    "as it is": (BASE, Relation.SAME_MODEL, {"copied": None}),
    "16 bits": (
        each(lambda x: x.astype(np.float16)), Relation.SAME_MODEL, {"half-precision": None},
    ),
    "8 bits": (each(eight_bits), Relation.SAME_MODEL, {"quantized": None}),
    "pruned": (
        each(lambda x: pruned(x, 0.5)), Relation.DERIVED, {"pruned": pytest.approx(0.5, abs=0.02)},
    ),
    "permuted": (hidden(permutation), Relation.SAME_MODEL, {"permuted": None}),
    "rescaled": (hidden(scales), Relation.SAME_MODEL, {"rescaled": None}),
    "channels removed": (
        hidden(fewer), Relation.DERIVED, {"channels-pruned": pytest.approx(0.49, abs=0.1)},
    ),
    "idle channels": (
        hidden(more), Relation.DERIVED, {"dummy-neurons": pytest.approx(0.33, abs=0.1)},
    ),
    "trained on": (
        each(noisy), Relation.COMMON_ANCESTOR, {"fine-tuned": pytest.approx(0.1, abs=0.02)},
    ),
    "adapter": (each(adapted), Relation.COMMON_ANCESTOR, {"adapter-merged": 2}),
    "another head": (
        BASE | {"layer4": network(7)["layer4"][:5]}, Relation.DERIVED, {"head-replaced": None},
    ),
    "pruned, trained on, permuted": (
        hidden(permutation, each(lambda x: noisy(pruned(x, 0.5)) * (pruned(x, 0.5) != 0))),
        Relation.COMMON_ANCESTOR,
        {"pruned": pytest.approx(0.5, abs=0.02), "fine-tuned": pytest.approx(0.1, abs=0.05),
         "permuted": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_was_done_is_undone_found_and_told(name: str) -> None:
    suspect, relation, wanted = CASES[name]
    evidence = compared(suspect)
    assert kinds(evidence) == wanted
    assert METHOD.relation(evidence) is relation
    assert evidence.log10_false_alarm is not None
    assert evidence.log10_false_alarm < -20


def test_a_part_of_a_larger_model_is_told_with_what_is_not_there() -> None:
    larger = {f"body.{name}": value for name, value in BASE.items() if name != "layer4"}
    larger |= {f"neck.{name}": np.tile(value, (3, 1)) for name, value in network(9).items()}
    evidence = compared(larger)
    assert METHOD.relation(evidence) is Relation.DERIVED
    assert {*kinds(evidence)} == {"part-of", "layers-dropped"}
    assert evidence.detail["only_source"] == ["layer4"]
    assert all(name.startswith("neck") for name in evidence.detail["only_suspect"])


def test_layers_that_are_there_twice_are_told() -> None:
    evidence = compared(BASE | {"again": BASE["layer2"]})
    assert kinds(evidence) == {"layers-duplicated": 2}
    assert METHOD.relation(evidence) is Relation.DERIVED
    assert evidence.detail["repeated"] == 1


@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("disguise", [None, permutation, fewer], ids=["as is", "order", "fewer"])
def test_strangers_are_unrelated_whatever_is_undone(
    seed: int, disguise: Callable[[int, int], tuple[Array, Array]] | None
) -> None:
    stranger = network(seed) if disguise is None else hidden(disguise, network(seed))
    evidence = compared(stranger)
    assert METHOD.relation(evidence) is Relation.UNRELATED
    assert evidence.detail["layers"] == evidence.detail["diagnosis"] == []


def test_twins_have_a_common_ancestor_and_no_more() -> None:
    """One start, other training; layers that both left as they began are equal, and prove none."""
    start = network(0, learned=0)
    first, second = ({n: noisy(v, a) for n, v in start.items()} for a in (0.3, -0.3))
    for twin in (first | {"layer1": start["layer1"], "layer2": start["layer2"]}, second):
        evidence = compared(each(lambda x: x, twin), each(lambda x: x, start))
        assert METHOD.relation(evidence) is Relation.COMMON_ANCESTOR


def test_layers_say_what_became_of_each() -> None:
    evidence = compared(hidden(permutation) | {"layer2": pruned(BASE["layer2"], 0.5)})
    layers = [LayerMatch.from_json(layer) for layer in evidence.detail["layers"]]
    assert [layer.to_json() for layer in layers] == evidence.detail["layers"]
    by_name = {layer.suspect: layer for layer in layers}
    assert by_name["layer0"].undone == ("permuted",)
    assert by_name["layer0"].stored is not None
    assert abs(by_name["layer0"].stored) < 0.5 < by_name["layer0"].correlation
    assert by_name["layer2"].change["pruned"] == pytest.approx(0.5, abs=0.01)


def test_a_single_row_that_is_the_same_is_shown_as_the_same_and_proves_nothing() -> None:
    """One row, centered over rows, is zero: what is stored is all that can be compared."""
    row: State = {"row": np.random.default_rng(5).standard_normal((1, 8, 5, 5)).astype(np.float32)}
    layers = compared(BASE | row, BASE | row).detail["layers"]
    (found,) = (LayerMatch.from_json(layer) for layer in layers if layer["suspect"] == "row")
    assert (found.correlation, found.stored, found.log10_false_alarm) == (1.0, 1.0, 0.0)


def test_what_is_not_compared_is_said_and_why() -> None:
    odd: State = {"bias": np.ones(99, np.float32), "flat": np.ones((32, 32), np.float32)}
    odd["small"] = np.ones((7, 9), np.float32)
    odd["broken"] = np.full((32, 32), np.nan, np.float32)
    evidence = compared(BASE | odd)
    left_out = evidence.detail["not_compared"]["suspect"]
    assert left_out == {
        "fewer than 64 values": 1,
        "one axis": 1,
        "constant rows": 1,
        "not finite": 1,
    }
    assert evidence.detail["not_compared"]["source"] == {}


def test_nothing_is_said_where_there_is_nothing_or_too_much_to_compare() -> None:
    few = {"bias": np.ones(63, np.float32)}
    assert METHOD.compare_weights(weights(few), weights(BASE)) is None
    assert AlignedWeights(most=1000).compare_weights(weights(BASE), weights(BASE)) is None


def told_of_merge(suspect: State, *parents: State) -> tuple[str, float | None] | None:
    listed = {f"parent {place}": weights(parent) for place, parent in enumerate(parents)}
    found = merge_of(weights(suspect), listed)
    return found and (found.kind, found.amount)


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_sum_of_models_is_told_with_its_shares(share: float) -> None:
    first, second = each(noisy), each(lambda x: noisy(x[::-1], 0.2)[::-1])
    mean = {n: share * first[n] + (1 - share) * second[n] for n in first}
    about = ("merged", pytest.approx(share, abs=0.02))
    assert told_of_merge(mean, first, second) == about
    assert told_of_merge(mean, second, first) == about
    assert told_of_merge(hidden(permutation, mean), first, second) == about
    third = told_of_merge(
        {n: v / 3 + 2 * mean[n] / 3 for n, v in BASE.items()}, first, second, BASE
    )
    assert third is not None


def test_a_merge_with_a_stranger_in_another_order_of_channels_is_told() -> None:
    stranger = network(5)
    mean = {n: (BASE[n] + stranger[n]) / 2 for n in BASE}
    assert told_of_merge(mean, BASE, stranger) == ("merged", pytest.approx(0.5, abs=0.02))


def test_values_that_were_picked_from_models_are_told() -> None:
    first, second = each(noisy), each(lambda x: noisy(x[::-1], 0.2)[::-1])
    draw = np.random.default_rng(0)
    picked = {}
    for name, base in BASE.items():
        choice = draw.integers(0, 4, base.shape)
        options = [base, first[name], second[name], (first[name] + second[name]) / 2]
        picked[name] = np.choose(choice, options).astype(np.float32)
    assert told_of_merge(picked, first, second, BASE) == ("merged", None)


def test_what_was_trained_on_is_no_merge() -> None:
    first, second = each(noisy), each(lambda x: noisy(x[::-1], 0.2)[::-1])
    assert told_of_merge(first, BASE, second) is None
    assert told_of_merge(first, BASE, network(5)) is None
    assert told_of_merge(BASE, BASE, first) is None  # it is one of them
    assert told_of_merge(first, BASE) is None


def test_a_tensor_that_is_no_tensor_of_the_other_costs_nothing() -> None:
    evidence = compared({"layer2": BASE["layer2"]})  # one tensor proves nothing by itself
    assert METHOD.relation(evidence) is Relation.UNRELATED
