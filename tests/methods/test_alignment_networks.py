"""Trained networks in the package's own disguises: aligned again, and two trained apart are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_tasks import squares, trained

from assay.alignment import Alignment, align
from assay.derivations import DERIVATIONS

pytest.importorskip("torch")
pytestmark = pytest.mark.torch
DATA = squares(32, 1)
NETWORKS = ("cnn", "resnet", "gru", "transformer")


def derived(name: str, parent: Any, **options: Any) -> Any:
    method: Callable[..., Any] = DERIVATIONS[name]
    return method(**options).derive(parent, data=DATA).module


def values(module: Any) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items()}


def after(found: Alignment) -> float:
    """Of tensors by their sizes: those of a few values say little."""
    sizes = [len(each.rows) * len(each.columns) for each in found.tensors]
    return float(np.average([each.after for each in found.tensors], weights=sizes))


@pytest.mark.parametrize("name", NETWORKS)
def test_permuted_neurons_are_put_back(name: str) -> None:
    source, child = values(trained(name)), values(derived("permute-neurons", trained(name)))
    found = align(child, source)
    assert after(found) > 0.99
    assert "permuted" in {word for each in found.tensors for word in each.undone}
    for key, matrix in found.applied(child).items():
        if matrix.size > 256:
            np.testing.assert_allclose(matrix, source[key], atol=1e-4, err_msg=key)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("channel-prune", {"rate": 0.3, "importance": "l1"}),
        ("dummy-neurons", {"kind": "zero"}),
        ("dummy-neurons", {"kind": "clique"}),
        ("dummy-neurons", {"kind": "split"}),
    ],
)
def test_layers_of_other_widths_are_matched(
    name: str, method: str, options: dict[str, Any]
) -> None:
    source, child = values(trained(name)), values(derived(method, trained(name), **options))
    found = align(child, source)
    changed = [each for each in found.tensors if each.before is None]
    assert changed
    assert after(found) > 0.95
    word = "removed" if method == "channel-prune" else "added"
    assert all({word, "split"} & {*each.undone} for each in changed)


@pytest.mark.parametrize("name", ["cnn", "resnet", "transformer"])
def test_rescaled_and_permuted_channels_are_both_undone(name: str) -> None:
    scaled = derived("rescale-channels", trained(name))
    child, source = values(derived("permute-neurons", scaled)), values(trained(name))
    found = align(child, source)
    assert after(found) > 0.97
    assert {"permuted", "rescaled"} <= {word for each in found.tensors for word in each.undone}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_trained_apart_are_no_evidence(name: str) -> None:
    found = align(values(trained(name, 1)), values(trained(name)))
    assert min(each.log10_false_alarm for each in found.tensors) > -2
