"""What a manifest's line says of its method: read again, and never run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from assay.cli._settings import settings  # noqa: E402
from assay.errors import UnreadableLicense  # noqa: E402
from assay.licenses import LICENSES, License  # noqa: E402
from assay.licenses._stated import stated  # noqa: E402
from assay.licenses.pruning import Pruning  # noqa: E402
from assay.licenses.tuning import Tuning  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402


def again(method: License) -> License:
    """The method that its own line states."""
    make: Any = LICENSES[method.method]
    told = [f"{name}={text}" for name, text in stated(repr(method)).items()]
    return make(**settings(make, method.method, told))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", LICENSES)
def test_a_method_is_what_its_line_states(name: str) -> None:
    make: Any = LICENSES[name]
    assert again(make()) == make()


@given(
    st.floats(0.001, 1), st.integers(1, 10**6), st.floats(1e-9, 1e9), st.booleans(),
    st.sampled_from([(), (0.25,), (0.1, 0.2, 0.5)]),
)  # fmt: skip
def test_options_are_read_to_the_last_bit(
    cap: float, epochs: int, rate: float, anew: bool, rates: tuple[float, ...]
) -> None:
    training = Training(epochs, optimizer=Optimizer("adam", rate))
    pruning = Pruning(rates=rates, cap=cap, recalibrate=anew, training=training)
    assert again(pruning) == pruning
    tuning = Tuning(cap=cap, rate=None, tuned_by="owner", training=training)
    assert again(tuning) == tuning


def test_options_have_dotted_names() -> None:
    assert stated("A(b=3, c=D(e='f', g=H()), i=(0.5, 1e-05), j=None, k=True, l=-1)") == {
        "b": "3", "c.e": "f", "i": "0.5,1e-05", "j": "none", "k": "true", "l": "-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "", "A", "A(1)", "A(**{'b': 1})", "A(b=c)", "A(b=open('file'))", "A(b=c.d)", "A(b=1 + x)",
        "(" * 900, "A(b=" * 249, "-" * 999, "A(b=[{}, {[]}])", "A(b=nan)", "A(b=C(1))", "\\", "\0",
    ],
)  # fmt: skip
def test_what_is_no_method_is_refused_and_nothing_is_run(line: str) -> None:
    with pytest.raises(UnreadableLicense, match="what it says of its method cannot be read"):
        stated(line)


@given(st.text(max_size=200))
def test_whatever_stands_there_is_read_or_refused(line: str) -> None:
    try:
        found = stated(line)
    except UnreadableLicense:
        return
    assert all(isinstance(text, str) for text in found.values())
