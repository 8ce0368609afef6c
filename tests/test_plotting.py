"""Plots of experiments: where the names of lines stand."""

import re

from assay.zoo.plotting import HEIGHT, MARGIN, WIDTH, Panel, drawn


def names(line: list[tuple[float, float]]) -> tuple[float, float, str]:
    """Place and anchor of the name of a panel's only line."""
    svg = drawn([Panel("title", "across", "up", {"name": line}, {})], {"name": "red"})
    found = re.search(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)" fill="red">name<', svg)
    assert found
    return float(found[1]), float(found[2]), found[3]


def test_names_stand_where_the_line_does_not() -> None:
    across, up, anchor = names([(0, 0), (1, 0.5), (2, 1)])
    assert (across, anchor) == (MARGIN + 8, "start")
    assert up < HEIGHT / 2
    across, up, anchor = names([(0, 1), (1, 0.5), (2, 0.9)])
    assert anchor == "end"
    assert across > WIDTH / 2
    assert HEIGHT / 2 < up < HEIGHT - MARGIN


def test_the_last_number_below_is_within_the_panel() -> None:
    svg = drawn([Panel("title", "across", "up", {"a": [(10, 0), (10000, 1)]}, {})], {"a": "red"})
    found = re.search(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="end">10000<', svg)
    assert found
    assert float(found[1]) <= WIDTH
