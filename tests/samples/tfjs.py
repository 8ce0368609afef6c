"""TF.js models, written here: a description in JSON and shards beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from samples.keras import BIAS, KERNEL, functional, layer, source

FLOATS = {"T": {"type": "DT_FLOAT"}}


def entry(name: str, values: Any, quantization: Any = None, dtype: str = "") -> dict[str, Any]:
    """A weight as the manifest lists it."""
    array = np.asarray(values)
    listed = {"name": name, "shape": list(array.shape), "dtype": dtype or str(array.dtype)}
    return listed | ({"quantization": quantization} if quantization else {})


def group(
    weights: Sequence[tuple[dict[str, Any], Any]], cuts: Sequence[int] = (), prefix: str = "shard"
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A group of the manifest, and its shards, which are cut at these bytes."""
    content = b"".join(np.asarray(values).tobytes() for _, values in weights)
    edges = pairwise([0, *cuts, len(content)])
    shards = {f"{prefix}{i}.bin": content[a:b] for i, (a, b) in enumerate(edges)}
    return {"paths": list(shards), "weights": [listed for listed, _ in weights]}, shards


def save(
    folder: Path, topology: Any, groups: Sequence[tuple[Any, Mapping[str, bytes]]], **more: Any
) -> Path:
    """The folder of a model."""
    path = folder / "web"
    path.mkdir()
    for _, shards in groups:
        for name, content in shards.items():
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_bytes(content)
    manifest = [listed for listed, _ in groups]
    content = {"modelTopology": topology, "weightsManifest": manifest, **more}
    (path / "model.json").write_text(json.dumps(content))
    return path


def node(name: str, op: str, inputs: Sequence[str] = (), **attributes: Any) -> dict[str, Any]:
    """An operator of a graph model."""
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def placeholder(name: str, shape: Sequence[int]) -> dict[str, Any]:
    dims = {"dim": [{"size": str(d)} for d in shape]}
    return node(name, "Placeholder", dtype={"type": "DT_FLOAT"}, shape={"shape": dims})


def dense() -> dict[str, Any]:
    """The layers model of one dense layer."""
    layers = [source([None, 2]), layer("Dense", "fc", ["x"], units=3, activation="relu")]
    return {"keras_version": "2.15.0", "model_config": functional(layers, ["fc"])}


def small(folder: Path) -> Path:
    """One dense layer, its weights in two shards."""
    kernel, bias = np.array(KERNEL, "<f4"), np.array(BIAS, "<f4")
    weights = [(entry("fc/kernel", kernel), kernel), (entry("fc/bias", bias), bias)]
    return save(folder, dense(), [group(weights, cuts=[10])], format="layers-model")


OPS = ["Gemm", "Relu"]
WEIGHTS = {"fc/kernel": [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]], "fc/bias": BIAS}
