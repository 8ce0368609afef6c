"""Wrong keys: what few of them may state, and suspects of which places say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from small_marks import changed, key_for, method, stranger

from assay.watermarks import verify


def test_too_few_wrong_keys_state_no_exact_null() -> None:
    """Three that are all found would not refute it."""
    model, made = stranger(), method("constant-weight")
    key = key_for(made, model)
    marked = made.mark(model, key).weights
    few, enough = (verify(marked, key, controls=number) for number in (3, 4))
    assert few.detail["controls"]["null"] == "measured: too few wrong keys to test the exact one"
    assert few.log10_false_alarm == pytest.approx(-0.6)  # one of four
    assert enough.detail["controls"]["null"] == "exact"


def test_a_network_of_one_magnitude_has_no_mark_whatever_the_payload() -> None:
    made, model = method("constant-weight"), stranger()
    key = made.new_key(model).carrying(bytes(16))
    signs = changed(model, lambda v: np.sign(v) + (v == 0))
    found = verify(signs, key, controls=5)
    assert found.score == 0
    assert found.log10_false_alarm == 0
