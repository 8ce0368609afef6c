"""Lists of a TF.js model's weights in a file of their own, without the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples.tfjs import entry, group

from assay.errors import UnreadableModel
from assay.formats import FORMATS, read

RANDOM = np.random.default_rng(0)


def manifest_alone(folder: Path, weights: Any, cuts: Any = ()) -> Path:
    """A list of weights without a model, its shards beside it."""
    listed, shards = group(weights, cuts)
    for name, content in shards.items():
        (folder / name).write_bytes(content)
    path = folder / "weights_manifest.json"
    path.write_text(json.dumps([listed]))
    return path


def test_a_manifest_alone_is_read_for_its_weights(tmp_path: Path) -> None:
    kernel, bias = RANDOM.normal(size=(2, 3)).astype("<f4"), np.arange(3, dtype="<f4")
    odd = np.array([[7]], "<i4")
    listed = [("fc/kernel", kernel), ("fc/bias", bias), ("odd", odd)]
    weights = [(entry(name, values), values) for name, values in listed]
    path = manifest_alone(tmp_path, weights, cuts=[10])
    assert FORMATS["tfjs"]().sniff(path.read_bytes())
    model = read(path)
    assert (model.format, model.layers) == ("tfjs", None)
    assert [file.name for file in model.files] == [path.name, "shard0.bin", "shard1.bin"]
    for name, values in listed:
        weight = model.weights[name]
        assert (weight.shape, weight.dtype) == (values.shape, values.dtype)
        assert np.array_equal(weight.read(), values)
        assert weight.canonical == (name != "fc/kernel")  # nothing says which axis is the output


def test_a_manifest_alone_tells_what_quantized_numbers_stand_for(tmp_path: Path) -> None:
    stored = np.array([[0, 255], [1, 2]], "u1")
    scale = {"dtype": "uint8", "min": -1.0, "scale": 0.5}
    path = manifest_alone(tmp_path, [(entry("w", stored, scale, "float32"), stored)])
    weight = read(path).weights["w"]
    assert weight.dtype == "float32"
    assert np.array_equal(weight.read(), [[-1, 126.5], [-0.5, 0]])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ('[{"weights": [], "paths": ["a.bin"]}]', "'a.bin' is missing"),
        ('[{"weights": []}]', "list of its weights is damaged"),
        ('[{"paths": []}, 3]', "list of its weights is damaged"),
        ('[{"weights": [3], "paths": []}]', "list of its weights is damaged"),
        ('[{"weights": [], "paths": ["../a.bin"]}]', "outside"),
        ('[[{"weights": []}]]', "list of its weights is damaged"),
        ('["weights"]', "list of its weights is damaged"),
    ],
)
def test_a_list_that_is_no_manifest_is_refused(content: str, error: str, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(content)
    with pytest.raises(UnreadableModel, match=error):
        FORMATS["tfjs"]().read(path, {})


def test_a_manifest_without_its_shards_is_refused(tmp_path: Path) -> None:
    value = np.arange(6, dtype="<f4")
    path = manifest_alone(tmp_path, [(entry("w", value), value)], cuts=[8])
    (tmp_path / "shard1.bin").unlink()
    with pytest.raises(UnreadableModel, match=r"'shard1\.bin' is missing"):
        read(path)
