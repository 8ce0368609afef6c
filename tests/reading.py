"""Short ways from a file to what was read of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from assay.formats import read, torch_export
from assay.graphs import layer_graph
from assay.graphs.operators import OperatorGraph
from assay.values import LayerGraph

Shapes = Mapping[str, tuple[int, ...]]


def operators_of(path: Path, shapes: Shapes | None = None) -> OperatorGraph:
    """The operators as the format gives them."""
    layers = read(path, shapes).layers
    assert layers is not None
    return layers


def layers_of(path: Path, shapes: Shapes | None = None) -> LayerGraph:
    """The merged layer graph."""
    return layer_graph(operators_of(path, shapes))


def names_of(path: Path) -> list[str]:
    """The merged graph's operators, in the order in which they run."""
    return [layer.op for layer in layers_of(path).layers]


_FOLLOWED: dict[bytes, bytes] = {}


def follow_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, PyTorch follows a program's file once, in a child process, not at each reading.

    It takes five seconds, and is tested where it is not followed so.
    """
    follow = torch_export._in_child

    def followed(path: Path) -> bytes:
        content = path.read_bytes()
        if content not in _FOLLOWED:
            _FOLLOWED[content] = follow(path)
        return _FOLLOWED[content]

    monkeypatch.setattr(torch_export, "_in_child", followed)
