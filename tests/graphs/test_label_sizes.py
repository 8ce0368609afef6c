"""Where channels are, and how often images were halved."""

from __future__ import annotations

import pytest

from assay.graphs.label_sizes import LARGEST, channels, halvings, parameters
from assay.graphs.running_order import Neighbors
from assay.values import Layer

CONV = Layer("Conv", (1, 96, 56, 56), parameters=10)


def chain(*layers: Layer) -> tuple[tuple[Layer, ...], Neighbors, list[int]]:
    """Each layer reads the one before it."""
    return layers, [[i - 1] if i else [] for i in range(len(layers))], [*range(len(layers))]


def test_channels_are_followed_to_the_last_axis_and_back() -> None:
    """As in ConvNeXt: an image is turned, normalized, passed through dense layers and turned."""
    tokens = Layer("MatMul", (1, 56, 56, 384), parameters=10)
    norm = Layer("LayerNormalization", (1, 56, 56, 96), parameters=192)
    gelu, back = Layer("Gelu", tokens.shape), Layer("MatMul", (1, 56, 56, 96), parameters=10)
    found = channels(*chain(CONV, norm, tokens, gelu, back, CONV, Layer("Relu", CONV.shape)))
    assert found.tolist() == [96, 96, 384, 384, 96, 96, 96]


@pytest.mark.parametrize("side", [14, 96])
def test_a_side_of_the_image_is_not_taken_for_channels(side: int) -> None:
    """Even where it is as large as they are."""
    conv = Layer("Conv", (1, 96, side, side), parameters=10)
    found = channels(*chain(conv, Layer("Relu", conv.shape), Layer("Resize", (1, 96, 28, 28))))
    assert found.tolist() == [96, 96, 96]


def test_tokens_have_their_channels_last_and_signals_second() -> None:
    token, signal = (1, 50, 64), (1, 64, 50)
    dense, conv = Layer("MatMul", token, parameters=5), Layer("Conv", signal, parameters=5)
    assert channels(*chain(dense, Layer("Gelu", token))).tolist() == [64, 64]
    assert channels(*chain(conv, Layer("Gelu", signal))).tolist() == [64, 64]


def test_heads_are_second() -> None:
    scores = Layer("MatMul", (1, 12, 197, 197))
    assert channels(*chain(scores, Layer("Softmax", scores.shape))).tolist() == [12, 12]


def test_what_is_not_known_or_too_large_has_a_number() -> None:
    odd = (None, (), (-1,), (1, -1, 4, 4), (2**70, 2**70))
    assert channels(*chain(*(Layer("my::op", shape) for shape in odd))).tolist() == [
        1, 1, 1, 1, LARGEST,
    ]  # fmt: skip


def test_of_constants_and_norms_count_those_of_a_channel() -> None:
    table = Layer("Add", (1, 50, 64), parameters=3200)
    norm = Layer("LayerNormalization", (1, 50, 64), parameters=128)
    dense = Layer("Gemm", (1, 50, 64), parameters=2**70)
    found = chain(table, norm, dense, Layer("Add", (1, 50, 64), parameters=1))
    assert parameters(found[0], channels(*found)).tolist() == [64, 64, LARGEST, 1]


def test_halvings_are_those_of_windows_and_unknown_sides_go_on() -> None:
    pool = Layer("MaxPool", (1, 96, 28, 28))
    unknown = Layer("MaxPool", (1, 96, -1, -1))
    found = halvings(*chain(CONV, pool, unknown, Layer("Gemm", (1, 10), parameters=9)))
    assert found.tolist() == [0, 1, 1, 1]


def test_a_videos_channels_are_second_and_its_frames_are_halved() -> None:
    conv, half = Layer("Conv", (1, 96, 1, 64, 64), parameters=9), Layer("Conv", (1, 192, 1, 32, 32))
    found = chain(conv, Layer("Swish", conv.shape), half)
    assert channels(*found).tolist() == [96, 96, 192]
    assert halvings(*found).tolist() == [0, 0, 1]
