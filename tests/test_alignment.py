"""Two models' channels aligned: what freedoms allow is undone exactly, and strangers stay apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_alignments import (
    HIDDEN,
    LAYERS,
    State,
    chain,
    noisy,
    permuted,
    pruned,
    reader,
    scaled,
    widened,
)

from assay.alignment import Alignment, TensorAlignment, align
from assay.alignment.pairing import closest_name

SOURCE = chain()


def by_source(found: Alignment) -> dict[str, TensorAlignment]:
    return {each.source: each for each in found.tensors}


def assert_equal(ours: State, theirs: State, names: list[str], tolerance: float = 1e-4) -> None:
    for name in names:
        assert ours[name].shape == theirs[name].shape
        np.testing.assert_allclose(ours[name], theirs[name], atol=tolerance, err_msg=name)


def test_what_is_as_it_was_is_given_and_nothing_is_undone() -> None:
    found = align(SOURCE, SOURCE)
    assert [each.suspect for each in found.tensors] == LAYERS
    for each in found.tensors:
        assert (each.kind, each.undone) == ("given", ())
        assert each.before == pytest.approx(1)
        assert each.after == pytest.approx(1)
        assert each.log10_false_alarm < -50
    assert_equal(found.applied(SOURCE), SOURCE, [*SOURCE])


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_permuted_channels_are_put_back_with_their_biases(seed: int) -> None:
    child, places = permuted(SOURCE, seed)
    found = align(child, SOURCE)
    for name, each in by_source(found).items():
        assert each.undone == ("permuted",)
        assert each.before is not None
        assert each.before < 0.9
        assert each.after == pytest.approx(1)
        if name in HIDDEN:
            np.testing.assert_array_equal(each.rows, places[name])
            np.testing.assert_array_equal(by_source(found)[reader(name)].columns, places[name])
    assert_equal(found.applied(child), SOURCE, [*SOURCE])


def test_scales_of_channels_are_divided_out_and_told() -> None:
    child = scaled(SOURCE)
    found = align(child, SOURCE)
    for name, each in by_source(found).items():
        assert each.undone == ("rescaled",)
        assert each.plain < 0.95 < each.after
        factors = child[name].reshape(len(child[name]), -1)[:, 0] * each.column_scales[0]
        wanted = SOURCE[name].reshape(len(SOURCE[name]), -1)[:, 0]
        np.testing.assert_allclose(factors * each.row_scales, wanted, rtol=1e-3)
    assert_equal(found.applied(child), SOURCE, LAYERS, 1e-3)


def test_layers_without_some_channels_are_matched_by_those_that_are_left() -> None:
    child, kept = pruned(SOURCE)
    found = align(noisy(child, 0.1), SOURCE)
    for name, each in by_source(found).items():
        assert each.undone == ("removed",)
        assert each.before is None
        assert each.after > 0.98
        if name in HIDDEN:
            np.testing.assert_array_equal(np.flatnonzero(each.rows >= 0), kept[name])
            gone = np.setdiff1d(np.arange(len(SOURCE[name])), kept[name])
            assert not found.applied(child)[name][gone].any()
            assert not found.applied(child)[f"{name}.bias"][gone].any()
            assert not each.row_scales[gone].any()


@pytest.mark.parametrize("kind", ["zero", "clique", "split"])
def test_neurons_that_change_nothing_are_taken_out(kind: str) -> None:
    child, _ = permuted(widened(SOURCE, kind))
    found = align(child, SOURCE)
    words = {word for each in found.tensors for word in each.undone}
    assert words == {"permuted", "added"} | ({"split"} if kind == "split" else set())
    assert_equal(found.applied(child), SOURCE, LAYERS, 1e-3)


@pytest.mark.parametrize("place", ["incoming", "outgoing"])
def test_idle_neurons_may_hold_any_numbers(place: str) -> None:
    child, _ = permuted(idle(SOURCE, place))
    found = align(child, SOURCE)
    assert {word for each in found.tensors for word in each.undone} == {"permuted", "added"}
    assert_equal(found.applied(child), SOURCE, LAYERS, 1e-3)


def idle(state: State, place: str, number: float = 1e30) -> State:
    """Hidden layers with a channel that is always 0, or that nobody reads."""
    child = dict(state)
    for name in HIDDEN:
        row, column = np.zeros_like(child[name][:1]), np.zeros_like(child[reader(name)][:, :1])
        (row if place == "incoming" else column).fill(number)
        child[name] = np.concatenate([child[name], row])
        child[f"{name}.bias"] = np.append(child[f"{name}.bias"], np.float32(0))
        child[reader(name)] = np.concatenate([child[reader(name)], column], axis=1)
    return child


@pytest.mark.parametrize("strength", [2.0**20, 2.0**40])
def test_scales_may_be_of_any_size(strength: float) -> None:
    found = align(permuted(scaled(SOURCE, strength=strength))[0], SOURCE)
    assert all(each.after > 0.999 for each in found.tensors)


def test_everything_at_once_and_noise_of_tuning() -> None:
    child, _ = permuted(scaled(noisy(pruned(SOURCE)[0], 0.5)))
    found = align(child, SOURCE)
    assert all(each.log10_false_alarm < -6 for each in found.tensors)
    assert np.mean([each.after for each in found.tensors]) > 0.85


def test_a_part_under_other_names_is_found_and_what_is_new_is_not() -> None:
    part, _ = permuted(SOURCE)
    draw = np.random.default_rng(5)
    child = {f"backbone.{name}": part[name] for name in LAYERS[:3]} | {
        "neck": draw.normal(size=(48, 64)).astype(np.float32),
        "stranger": draw.normal(size=(32, 16, 3, 3)).astype(np.float32),
    }
    found = align(child, SOURCE)
    known = {each.suspect: each.source for each in found.tensors if each.log10_false_alarm < -6}
    assert known == {f"backbone.{name}": name for name in LAYERS[:3]}
    assert {"layer3", "layer4"} <= {*found.unmatched_source} | {
        each.source for each in found.tensors if each.log10_false_alarm > -2
    }


def test_a_layer_that_is_there_twice_has_one_source() -> None:
    child = SOURCE | {"again": SOURCE["layer2"]}
    found = {each.suspect: each for each in align(child, SOURCE).tensors}
    assert found["again"].source == found["layer2"].source == "layer2"


@pytest.mark.parametrize("seed", range(1, 7))
def test_strangers_are_no_evidence(seed: int) -> None:
    found = align(chain(seed), SOURCE)
    assert min(each.log10_false_alarm for each in found.tensors) > -3
    assert abs(np.mean([each.after for each in found.tensors])) < 0.5


def test_models_are_left_as_they_were_and_vectors_have_no_say() -> None:
    child, _ = permuted(SOURCE)
    before = {name: values.copy() for name, values in child.items()}
    align(child, SOURCE).applied(child)
    assert_equal(child, before, [*child], 0)
    assert align({"bias": SOURCE["layer0.bias"]}, SOURCE).tensors == ()
    assert align({}, SOURCE).unmatched_source == tuple(LAYERS)
    assert align(SOURCE, {}).unmatched_suspect == tuple(LAYERS)
    whole = {"layer0": np.ones((16, 3, 3, 3), np.int64)}
    assert align(whole, SOURCE).tensors == ()


def test_what_is_zero_or_constant_is_nobodys() -> None:
    blank = {name: np.zeros_like(values) for name, values in SOURCE.items()}
    for one, other in ((blank, SOURCE), (SOURCE, blank), (blank, blank)):
        assert all(each.log10_false_alarm == 0 for each in align(one, other).tensors)


def test_what_is_not_finite_is_left_out() -> None:
    broken = SOURCE | {"layer1": np.full_like(SOURCE["layer1"], np.nan)}
    found = align(broken, SOURCE)
    assert [each.suspect for each in found.tensors] == [n for n in LAYERS if n != "layer1"]
    assert found.unmatched_source == ("layer1",)


@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_pruned_and_permuted_channels_are_put_back(rate: float) -> None:
    child, places = permuted(SOURCE)
    for name in LAYERS:
        limit = np.quantile(np.abs(child[name]), rate)
        child[name] = np.where(np.abs(child[name]) < limit, 0, child[name]).astype(np.float32)
    found = by_source(align(child, SOURCE))
    for name in HIDDEN[1:]:
        assert (found[name].rows == places[name]).mean() > 0.7
        assert found[name].log10_false_alarm < -6


def test_names_are_alike_by_how_they_end() -> None:
    others = ["stage1.0.weight", "stage2.0.weight", "head.weight"]
    assert closest_name("stage2.0.weight", others) == "stage2.0.weight"
    assert closest_name("backbone.stage1.0.weight", others) == "stage1.0.weight"
    assert closest_name("neck.0.weight", others) is None  # two end so
    assert closest_name("other.weight", others) is None  # one part says nothing
    assert closest_name("weight", []) is None
