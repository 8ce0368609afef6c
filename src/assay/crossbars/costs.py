"""Area and power of crossbars, summed over components [values: ISAAC, MNSIM 2.0].

Each array has its cells, a driver for each word line (DAC), a sample-and-hold for each bit line and
one ADC.  A positive and a negative array share what shifts, adds and subtracts.  All arrays of one
place in the matrix get the same inputs and give the same outputs: they share registers.  Area is
of whole arrays, power of the lines in use.  Buffers between layers and routing are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.crossbars.cells import Cell, slices
from assay.crossbars.tiles import Counts, Crossbar


@dataclass(frozen=True, slots=True)
class Component:
    """What one of them takes, and who says so."""

    area: float  # µm²
    power: float  # W, at full activity
    source: str

    def times(self, area: float = 1.0, power: float = 1.0) -> Component:
        """Its values multiplied: what sensitivity is measured with."""
        return Component(self.area * area, self.power * power, self.source)


_ISAAC = "ISAAC, ISCA 2016, table 1"


def _cell() -> Component:
    area = 3 * (3 + 1) * 0.045**2  # one transistor, W/L 3, of 45 nm
    power = 0.1 * 0.5**2 * (0.67 / Cell().off + 0.33 / Cell().on)  # a tenth of rows at 0.5 V
    return Component(area, power, "MNSIM 2.0: 1T1R area 3(W/L + 1)F², V²·G with G .67 off + .33 on")


@dataclass(frozen=True, slots=True)
class Components:
    """One of each; registers, adders and converters of 32 nm as they were published, not scaled."""

    cell: Component = field(default_factory=_cell)
    driver: Component = Component(0.166, 3.9e-6, f"{_ISAAC}: 1 bit DAC, 8·128 in 170 µm², 4 mW")
    sample_hold: Component = Component(0.039, 9.8e-9, f"{_ISAAC}: 8·128 in 40 µm², 10 µW")
    adc: Component = Component(1200.0, 2e-3, f"{_ISAAC}: 8 bits, 8 in 9,600 µm², 16 mW")
    shift_add: Component = Component(60.0, 5e-5, f"{_ISAAC}: 4 for 8 ADCs, in 240 µm², .2 mW")
    input_register: Component = Component(2.05, 1.21e-6, f"{_ISAAC}: 2 KB for 8·128 lines")
    output_register: Component = Component(6.0, 1.8e-6, f"{_ISAAC}: 256 B for 128 outputs")


@dataclass(frozen=True, slots=True)
class Cost:
    """Area and power by component, and how many of each there are."""

    number: Mapping[str, float]
    areas: Mapping[str, float]  # mm²
    powers: Mapping[str, float]  # W

    @property
    def area(self) -> float:
        return sum(self.areas.values())

    @property
    def power(self) -> float:
        return sum(self.powers.values())


def cost(
    counts: Counts,
    crossbar: Crossbar,
    bits: int,
    cell: Cell | None = None,
    components: Components | None = None,
) -> Cost:
    """What a network takes whose matrices take ``counts``, with weights of so many bits."""
    made = components or Components()
    arrays = 2 * slices(bits, cell or Cell())  # of each tile: signs, digits
    built = {
        "cell": counts.tiles * arrays * crossbar.rows * crossbar.columns,
        "driver": counts.tiles * arrays * crossbar.rows,
        "sample_hold": counts.tiles * arrays * crossbar.columns,
        "adc": counts.tiles * arrays,
        "shift_add": counts.tiles * arrays / 2,
        "input_register": counts.tiles * crossbar.rows,
        "output_register": counts.tiles * crossbar.columns,
    }
    used = {
        "cell": counts.cells * arrays,
        "driver": counts.rows * arrays,
        "sample_hold": counts.columns * arrays,
        "adc": counts.columns * arrays / crossbar.columns,  # conversions are of lines in use
        "shift_add": counts.columns * arrays / crossbar.columns / 2,
        "input_register": counts.rows,
        "output_register": counts.columns,
    }
    values: dict[str, Component] = {name: getattr(made, name) for name in built}
    return Cost(
        built,
        {name: built[name] * each.area / 1e6 for name, each in values.items()},
        {name: used[name] * each.power for name, each in values.items()},
    )
