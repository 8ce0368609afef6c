"""The picture of what two models answered: parsed, and its marks at their places."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from assay.report.behavior_drawing import Answered, behavior_svg
from assay.values import Evidence

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*found: Answered) -> ElementTree.Element:
    return ElementTree.fromstring(behavior_svg(found))


def marks(root: ElementTree.Element, kind: str, tag: str) -> list[ElementTree.Element]:
    return [each for each in root.iter(SVG + tag) if each.get("class") == kind]


def test_vectors_stand_in_the_order_of_the_owners() -> None:
    owner, suspect = np.array([0.3, 0.1, 0.2]), np.array([0.6, 0.0, 0.2])
    root = drawn(Answered(Evidence("ModelDiff(pairs=3)", 0.5, None), "distance", (owner, suspect)))
    (line,) = marks(root, "owner", "polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    dots = [
        (float(e.attrib["cx"]), float(e.attrib["cy"])) for e in marks(root, "suspect", "circle")
    ]
    assert [x for x, _ in points] == sorted(x for x, _ in points) == [x for x, _ in dots[:3]]
    heights = [y for _, y in points]
    assert heights == sorted(heights, reverse=True)  # larger distances stand higher
    ordered = suspect[np.argsort(owner)]
    slope = (heights[2] - heights[0]) / 0.2
    for (_, y), value in zip(dots, ordered, strict=False):
        assert y == pytest.approx(heights[0] + slope * (value - 0.1), abs=0.2)


def test_the_suspect_stands_among_the_references() -> None:
    near = Evidence("AKH(count=9)", 4.0, -1.0, {"null": [-1.0, 0.0, 1.0]})
    far = Evidence("<odd>", -1.0, None, {"null": [0.0, 0.5]})
    root = drawn(Answered(near), Answered(far), Answered(Evidence("Silent()", 0.0, None)))
    ticks = marks(root, "reference", "path")
    assert len(ticks) == 5 + 1  # and one in the legend
    starts = [float(tick.attrib["d"][1:].split()[0]) for tick in ticks[:3]]
    assert starts == sorted(starts)
    diamond = float(marks(root, "suspect", "path")[0].attrib["d"][1:].split()[0])
    assert diamond - starts[2] == pytest.approx(3 * (starts[1] - starts[0]), abs=0.3)
    texts = [each.text for each in root.iter(SVG + "text")]
    assert {"AKH", "<odd>", "1e-1"} <= {*texts}
    assert "Silent" not in texts


def test_without_references_it_says_so() -> None:
    root = drawn(Answered(Evidence("AKH(count=9)", 0.5, None)))
    said = " ".join(each.text or "" for each in root.iter(SVG + "text"))
    assert "None were given" in said


def test_equal_values_have_an_axis() -> None:
    same = np.zeros(4)
    root = drawn(
        Answered(Evidence("M()", 0.0, 0.0, {"null": [0.0, 0.0]}), "distance", (same, same))
    )
    numbers = [
        e.attrib[key] for e in root.iter() for key in ("cx", "cy", "x", "y") if key in e.attrib
    ]
    assert numbers
    assert np.isfinite(np.array(numbers, float)).all()
