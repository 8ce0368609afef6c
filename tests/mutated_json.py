"""Descriptions in JSON that are changed anywhere, and what becomes of a model that has one."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from assay.errors import UnreadableModel
from assay.formats import read
from assay.graphs import layer_graph

_ODD = [-1, 2**31, 2**63, 10**30, -(2**63), 10**400, 0.5, float("inf"), "x" * 5000, [[]], {}]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**40) | st.sampled_from(_ODD) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def changed(data: Any, content: Any) -> None:
    """Changes up to three places of a description; ``data`` draws them."""
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from([*_places(content)]))
        if isinstance(key, int) or data.draw(st.booleans()):
            holder[key] = deepcopy(data.draw(_VALUES))  # or it could come to hold itself
        else:
            del holder[key]


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """All places, as what holds each and its key there."""
    keys = [*content] if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])


def outcome(path: Path) -> str:
    """Reads all of a model; the error, or nothing."""
    try:
        model = read(path)
        if model.layers is not None:
            layer_graph(model.layers)
        for weight in model.weights.values():
            weight.read()
    except UnreadableModel as error:
        return str(error)
    return ""
