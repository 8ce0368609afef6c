"""What a layer computes on crossbars, with the converters' rounding.

Inputs are rounded to whole numbers, which are given to the word lines a few bits at a time (DAC).
Each array has as many rows as word lines at most; the sum on each of its bit lines is rounded by
the ADC to 2^bits steps of a range.  Then bits, digits, arrays and signs are added as numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assay.crossbars.cells import Array, Mapped, digits_together
from assay.crossbars.tiles import Crossbar
from assay.errors import BadOption


@dataclass(frozen=True, slots=True)
class Converters:
    """Bits of the converters."""

    adc_bits: int = 8
    dac_bits: int = 1  # of an input at once
    input_bits: int = 8  # of an input's magnitude

    def __post_init__(self) -> None:
        for name, most in (("adc_bits", 24), ("dac_bits", 16), ("input_bits", 16)):
            if not 1 <= getattr(self, name) <= most:
                raise BadOption(f"{name} must be from 1 to {most}, not {getattr(self, name)}")


def multiply(
    inputs: Array,
    found: Mapped,
    crossbar: Crossbar,
    converters: Converters,
    *,
    largest: float,
    full_scale: float | None,
) -> Array:
    """(p, n): inputs (p, k) times the matrix (n, k), as arrays and converters give it.

    Args:
        inputs: Larger magnitudes than ``largest`` are cut.  Negative ones take reads of their own.
        found: The matrix.
        crossbar: Its rows decide how many inputs are summed before they are rounded.
        converters: Their bits.
        largest: Input that is given as the largest whole number.
        full_scale: Largest sum that the ADC tells apart, in siemens times units of the DAC; None
            for an ADC without rounding.
    """
    unit = largest / (2**converters.input_bits - 1)
    answers = np.zeros((len(inputs), found.positive.shape[1]))
    step = None if full_scale is None else full_scale / (2**converters.adc_bits - 1)
    for factor, sign, sums in _reads(inputs, found, crossbar, converters, unit):
        if step is not None:  # in place: these are the largest arrays
            sums /= step
            np.rint(sums, out=sums)
            np.minimum(sums, 2**converters.adc_bits - 1, out=sums)
            sums *= step
        answers += sign * factor * digits_together(sums, found.cell)
    scaled: Array = answers * (unit * found.scale / found.cell.step)
    return scaled


def column_sums_of(
    inputs: Array, found: Mapped, crossbar: Crossbar, converters: Converters, *, largest: float
) -> float:
    """The largest sum that any bit line gives for these inputs: what an ADC's range is set to."""
    unit = largest / (2**converters.input_bits - 1)
    reads = _reads(inputs, found, crossbar, converters, unit)
    return max((float(sums.max()) for _, _, sums in reads), default=0.0)


def _reads(
    inputs: Array, found: Mapped, crossbar: Crossbar, converters: Converters, unit: float
) -> Iterator[tuple[float, int, Array]]:
    """Each read of each array: what it counts, its sign, and its sums (s, p, n)."""
    most = 2**converters.input_bits - 1
    whole = np.clip(np.rint(inputs / unit), -most, most).astype(np.int32)
    for start in range(0, whole.shape[1], crossbar.rows):
        rows = slice(start, start + crossbar.rows)
        arrays = [
            (sign, np.ascontiguousarray(side[:, :, rows].transpose(0, 2, 1), np.float32))
            for sign, side in ((1, found.positive), (-1, found.negative))
        ]
        for sign in (1, -1):
            part = np.maximum(sign * whole[:, rows], 0)
            if not part.any():
                continue
            for shift in range(0, converters.input_bits, converters.dac_bits):
                bits = ((part >> shift) & (2**converters.dac_bits - 1)).astype(np.float32)
                for side, array in arrays:
                    yield 2.0**shift, sign * side, bits @ array
