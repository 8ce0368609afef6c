"""Uchida's mark: signs of projections, the least change that turns them, a layer large enough."""

from __future__ import annotations

import numpy as np
import pytest
from small_marks import PAYLOAD, changed, key_for, method, stranger

from assay.errors import BadOption, UnfitModel
from assay.watermarks.uchida import bits, matrix


def test_bits_are_signs_of_the_mean_kernels_projections() -> None:
    made, model = method("uchida", margin=0.5), stranger()
    key = key_for(made, model)
    marked = made.mark(model, key)
    (host,) = key.template["hosts"]
    assert host["name"] == "hidden.weight"
    values = marked.weights["hidden.weight"].read().astype(float)
    signs = 2 * bits(key) - 1
    pushed = signs * (matrix(key) @ values.mean(0))
    before = model["hidden.weight"].read().astype(float).mean(0)
    assert pushed.min() > 0.49 * np.linalg.norm(before)
    assert np.packbits(bits(key)).tobytes()[:8] == PAYLOAD
    moved = values - model["hidden.weight"].read()
    assert np.allclose(moved, moved[0], atol=1e-6)  # all outputs alike: the mean alone


def test_a_right_sign_is_not_moved() -> None:
    made, model = method("uchida", margin=0.01), stranger()
    key = key_for(made, model)
    once = made.mark(model, key).weights
    assert made.detect(once, key).score == 1.0
    twice = made.mark(once, key).weights
    change = np.abs(twice["hidden.weight"].read() - once["hidden.weight"].read()).max()
    assert change < 1e-3 * np.abs(once["hidden.weight"].read()).max()


def test_what_is_gone_is_not_read() -> None:
    made, model = method("uchida"), stranger()
    key = key_for(made, model)
    marked = made.mark(model, key).weights
    without = changed(marked, lambda values: values - values.mean(0, keepdims=True, dtype=float))
    assert made.detect(without, key).score < 0.75
    assert made.payload(without, key) is None


def test_a_layer_that_is_too_small_is_named() -> None:
    with pytest.raises(UnfitModel, match="mean kernel of 80 values"):
        key_for(method("uchida", host="head.weight"), stranger())
    with pytest.raises(BadOption, match="strength"):
        method("uchida", strength=-1.0)
