"""Both files open: what strangers share, or a forger gives them, accuses nobody."""

from __future__ import annotations

import numpy as np
import pytest
from small_states import BASE, State, network, weights

from assay.comparisons.aligned_weights import AlignedWeights
from assay.values import Relation
from assay.weights import Array

METHOD = AlignedWeights()


def relation(suspect: State, source: State) -> Relation:
    evidence = METHOD.compare_weights(weights(suspect), weights(source))
    assert evidence is not None
    return METHOD.relation(evidence)


def large(seed: int) -> State:
    draw = np.random.default_rng(seed)
    return {f"layer{n}": draw.normal(size=(256, 256)).astype(np.float32) for n in range(4)}


def mixed(own: Array, other: Array, share: float = 0.1) -> Array:
    """A change of so much of the norm, evenly."""
    return (np.sqrt(1 - share**2) * own + share * other).astype(np.float32)


def by_rows(own: Array, other: Array, share: float = 0.1) -> Array:
    """A change of so much of the norm: the smallest rows are another's."""
    energy = np.square(own).sum(1)
    order = np.argsort(energy)
    cheap = order[np.cumsum(energy[order]) <= share**2 * energy.sum()]
    changed = own.copy()
    lengths = np.linalg.norm(other[cheap], axis=1)
    changed[cheap] = other[cheap] * (np.sqrt(energy[cheap]) / lengths)[:, None]
    return changed


def uneven(state: State) -> State:
    """Most rows are next to nothing, as where a normalization was folded."""
    sizes = np.where(np.arange(256) % 4, 0.01, 1).astype(np.float32)[:, None]
    return {name: values * sizes for name, values in state.items()}


def test_a_tenth_that_was_mixed_in_frames_nobody() -> None:
    victim, honest = large(0), large(1)
    forged = {name: mixed(honest[name], victim[name]) for name in honest}
    assert relation(victim, forged) is relation(forged, victim) is Relation.UNRELATED
    half = {name: mixed(honest[name], victim[name], 0.5) for name in honest}
    assert relation(half, victim) is Relation.COMMON_ANCESTOR


def test_rows_that_are_next_to_nothing_frame_nobody() -> None:
    victim, honest = large(0), uneven(large(1))
    forged = {name: by_rows(honest[name], victim[name]) for name in honest}
    changed = np.linalg.norm(forged["layer0"] - honest["layer0"])
    assert changed < 0.15 * np.linalg.norm(honest["layer0"])
    assert relation(victim, forged) is relation(forged, victim) is Relation.UNRELATED
    columns = {name: np.ascontiguousarray(values.T) for name, values in forged.items()}
    assert relation({n: v.T.copy() for n, v in victim.items()}, columns) is Relation.UNRELATED


def test_a_table_of_positions_in_every_layer_is_no_weight() -> None:
    angles = np.outer(np.arange(512), 1e4 ** (-np.arange(32) / 32)).repeat(2, 1)
    tables = {
        f"{name}{n}": f(angles).astype(np.float32)
        for n in range(3)
        for name, f in (("cos", np.cos), ("sin", np.sin))
    }
    assert relation(network(1) | tables, network(0) | tables) is Relation.UNRELATED


@pytest.mark.parametrize("tied", [False, True])
def test_one_shared_tensor_is_one_however_often_it_is_stored(tied: bool) -> None:
    """A public embedding and the head that is tied to it tie no models to one another."""
    low = np.random.default_rng(5).normal(size=(400, 4)) @ np.random.default_rng(6).normal(
        size=(4, 48)
    )
    public = (low + np.random.default_rng(7).normal(size=(400, 48))).astype(np.float32)
    shared = {"embedding": public} | ({"head": public} if tied else {})
    assert relation(network(1) | shared, BASE | shared) is Relation.UNRELATED
    two = shared | {"second": public[::-1].copy()}
    assert relation(network(1) | two, BASE | two) is Relation.DERIVED


def test_kernels_that_began_as_the_identity_are_no_relatives() -> None:
    def residual(seed: int) -> State:
        draw = np.random.default_rng(seed)
        return {
            f"layer{n}": (np.eye(128) + 0.1 * draw.normal(size=(128, 128))).astype(np.float32)
            for n in range(4)
        }

    assert relation(network(1) | residual(1), BASE | residual(0)) is Relation.UNRELATED
