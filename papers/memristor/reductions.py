"""Power and area of the four networks, from counts and components: what the paper's tables say.

Every figure is a reduction in percent: from the whole network with weights of 9 bits to the pruned
one with 5 bits.  What is not known is how the paper spreads the removed weights over layers; each
loses the same share here, of its columns, or of filters and columns alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from math import sqrt
from typing import Any

from networks import NETWORKS, Network

from assay.crossbars import Components, Cost, Counts, cost, dense, tiled

Json = dict[str, Any]
BEFORE, AFTER = 9, 5  # bits of a weight
BUFFER = (0.083 / 64, 20.7e-3 / 64)  # mm² and W of a KB: ISAAC's eDRAM, 64 KB in .083 mm², 20.7 mW


def columns_only(filters: int, columns: int, ratio: float) -> tuple[int, int]:
    """Of each layer's columns as many as are left of its weights."""
    return filters, max(1, round(columns / ratio))


def both_ways(filters: int, columns: int, ratio: float) -> tuple[int, int]:
    """Filters and columns by the same share; what gives the classes loses columns alone."""
    if filters <= 10:
        return columns_only(filters, columns, ratio)
    return max(1, round(filters / sqrt(ratio))), max(1, round(columns / sqrt(ratio)))


SPREADS = {"columns": columns_only, "filters and columns": both_ways}
Spread = Callable[[int, int, float], tuple[int, int]]


def packed(network: Network) -> tuple[Counts, Counts]:
    """Dense: before and after."""
    whole = network.weights
    return dense(whole, network.crossbar), dense(whole / network.ratio, network.crossbar)


def built(network: Network, spread: Spread) -> tuple[Counts, Counts]:
    """Rounded to whole arrays: before and after."""
    before, after = Counts(), Counts()
    for _, filters, columns in network.layers:
        before += tiled(filters, columns, network.crossbar)
        after += tiled(*spread(filters, columns, network.ratio), network.crossbar)
    return before, after


def reduction(before: float, after: float) -> float:
    """In percent."""
    return round(100 * (1 - after / before), 2)


def reduced(network: Network, counts: tuple[Counts, Counts], made: Components) -> Json:
    """Power and area, and what is left of the paper's figures."""
    before, after = (
        cost(each, network.crossbar, bits, components=made)
        for each, bits in zip(counts, (BEFORE, AFTER), strict=True)
    )
    return _compared(network, before.power, after.power, before.area, after.area)


def _compared(network: Network, *pairs: float) -> Json:
    power, area = reduction(*pairs[:2]), reduction(*pairs[2:])
    return {
        "power": power,
        "area": area,
        "power_off": round(power - network.power, 2),
        "area_off": round(area - network.area, 2),
    }


def with_buffer(network: Network, counts: tuple[Counts, Counts]) -> Json:
    """With one buffer for the activations of the largest layer, which pruning does not shrink."""
    area, power = (network.buffer * each for each in BUFFER)
    before, after = _costs(network, counts)
    return _compared(
        network, before.power + power, after.power + power, before.area + area, after.area + area
    )


def with_shared_adc(network: Network, counts: tuple[Counts, Counts]) -> Json:
    """With one ADC for all arrays of a place in the matrix: fewer bits do not save any."""
    sums = []
    for found, each, bits in zip(_costs(network, counts), counts, (BEFORE, AFTER), strict=True):
        share = found.number["adc"] / each.tiles
        assert share == {BEFORE: 4, AFTER: 2}[bits]
        sums.append((found.power - found.powers["adc"] * (1 - 1 / share),
                     found.area - found.areas["adc"] * (1 - 1 / share)))  # fmt: skip
    return _compared(network, sums[0][0], sums[1][0], sums[0][1], sums[1][1])


def _costs(network: Network, counts: tuple[Counts, Counts]) -> tuple[Cost, Cost]:
    before, after = counts
    return (
        cost(before, network.crossbar, BEFORE),
        cost(after, network.crossbar, AFTER),
    )


def of_network(network: Network) -> Json:
    """All of one network's figures."""
    made = Components()
    before, after = packed(network)
    whole = cost(before, network.crossbar, BEFORE)
    found: Json = {
        "weights": network.weights,
        "left": round(network.weights / network.ratio),
        "ratio": network.ratio,
        "crossbar": [network.crossbar.rows, network.crossbar.columns],
        "source": network.source,
        "printed": {
            "crossbar_area": network.crossbar_area,
            "power": network.power,
            "area": network.area,
        },
        "crossbar_area_alone": reduction(before.cells, after.cells),
        "identity": round(100 * (1 - 1 / (2 * network.ratio)), 2),
        "dense": reduced(network, (before, after), made),
        "before": {
            "area_mm2": round(whole.area, 4),
            "power_w": round(whole.power, 4),
            "area_shares": _shares(whole.areas),
            "power_shares": _shares(whole.powers),
        },
        "dense_with_buffer": with_buffer(network, (before, after)),
        "dense_with_shared_adc": with_shared_adc(network, (before, after)),
    }
    for name, spread in SPREADS.items():
        counts = built(network, spread)
        found[f"tiled, {name}"] = {
            "tiles": [int(each.tiles) for each in counts],
            **reduced(network, counts, made),
        }
    found["tiled_with_buffer"] = with_buffer(network, built(network, columns_only))
    return found


def _shares(parts: Any) -> dict[str, float]:
    whole = sum(parts.values())
    return {name: round(value / whole, 4) for name, value in parts.items()}


def sensitivity() -> list[Json]:
    """Each component's area and power halved and doubled, one after the other."""
    rows = []
    for field in fields(Components):
        component = getattr(Components(), field.name)
        for factor in (0.5, 2.0):
            made = replace(Components(), **{field.name: component.times(factor, factor)})
            row: Json = {"component": field.name, "times": factor}
            for name, network in NETWORKS.items():
                found = reduced(network, packed(network), made)
                rounded = reduced(network, built(network, columns_only), made)
                row[name] = {
                    "dense": [found["power"], found["area"]],
                    "tiled": [rounded["power"], rounded["area"]],
                }
            rows.append(row)
    return rows


def components() -> list[Json]:
    """Their values and sources."""
    made = Components()
    return [
        {
            "component": field.name,
            "area_um2": round(getattr(made, field.name).area, 5),
            "power_w": float(f"{getattr(made, field.name).power:.3g}"),
            "source": getattr(made, field.name).source,
        }
        for field in fields(made)
    ]


def hardware() -> Json:
    """Everything of this file, for results.json."""
    return {
        "networks": {name: of_network(network) for name, network in NETWORKS.items()},
        "components": components(),
        "sensitivity": sensitivity(),
    }
