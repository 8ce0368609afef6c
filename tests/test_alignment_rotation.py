"""A turned residual stream, also with channels beside it permuted; judged by what others tell."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.alignment import align
from assay.alignment.matrices import kernels
from assay.alignment.rotation import turned_back

Array = NDArray[np.float32]
State = dict[str, Array]
WIDTH, HIDDEN, LAYERS = 32, 64, 3


def stream(seed: int) -> State:
    """Layers that read a stream and layers that write to it."""
    draw = np.random.default_rng(seed)
    shapes = {"reader": (HIDDEN, WIDTH), "writer": (WIDTH, HIDDEN)}
    return {
        f"{kind}{number}": draw.normal(size=shape).astype(np.float32)
        for number in range(LAYERS)
        for kind, shape in shapes.items()
    }


def turned(state: State, seed: int, *, permuted: bool) -> State:
    """The stream in other axes; hidden channels in another order."""
    draw = np.random.default_rng(seed)
    turn = np.linalg.qr(draw.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    child = {}
    for number in range(LAYERS):
        order = draw.permutation(HIDDEN) if permuted else np.arange(HIDDEN)
        child[f"reader{number}"] = state[f"reader{number}"][order] @ turn
        child[f"writer{number}"] = turn.T @ state[f"writer{number}"][:, order]
    return child


@pytest.mark.parametrize("permuted", [False, True])
def test_a_stream_is_turned_back_and_channels_beside_it_are_put_in_order(permuted: bool) -> None:
    source = stream(0)
    child = turned(source, 1, permuted=permuted)
    found = align(child, source)
    words = ("permuted", "rotated") if permuted else ("rotated",)
    assert {(each.kind, each.undone) for each in found.tensors} == {("rotated", words)}
    for each in found.tensors:
        assert each.after > 0.99
        assert each.log10_false_alarm < -6
    for name, values in found.applied(child).items():
        np.testing.assert_allclose(values, source[name], atol=1e-3)


def test_a_tensor_has_no_part_in_the_turn_that_it_is_judged_by() -> None:
    """Of 32 axes and 64 rows, the turn that fits two strangers best makes them alike."""
    ours, theirs = ({n: kernels(v) for n, v in stream(seed).items()} for seed in (1, 2))
    found = [*turned_back(ours, theirs, {name: name for name in theirs}, -2.0)]
    assert len(found) > 3
    for name, source, one in found:
        assert name == source
        assert source not in one.carried
        assert one.log10_false_alarm == 0
        assert one.searched or abs(one.correlation) < 0.15


def test_a_tensor_alone_is_not_turned() -> None:
    source = {"reader0": stream(0)["reader0"]}
    child = {"reader0": turned(stream(0), 1, permuted=False)["reader0"]}
    assert align(child, source).tensors[0].kind != "rotated"
