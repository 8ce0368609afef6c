"""Files of what ``small_tasks`` has: networks and examples."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import numpy_helper
from small_tasks import SHAPE, trained

from assay.running.examples import Examples


def save_network(name: str, file: str, seed: int = 0) -> None:
    """Write a trained network of the zoo as ONNX."""
    Path(file).write_bytes(_exported(name, seed))


@cache  # following a network takes a second
def _exported(name: str, seed: int) -> bytes:
    import torch

    from assay.running.to_onnx import export

    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        export(trained(name, seed), torch.zeros(1, *SHAPE), file)
        return file.read_bytes()


def save_examples(file: str, examples: Examples) -> None:
    """Write inputs and labels as an .npz file."""
    np.savez(file, inputs=examples.inputs, labels=examples.known_labels)


def save_moved(model: str, file: str, by: float) -> None:
    """Write a model whose weights are a little noisy."""
    held, rng = onnx.load(model), np.random.default_rng(0)
    for tensor in held.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim > 1:
            noise = by * array.std() * rng.normal(size=array.shape)
            tensor.CopyFrom(numpy_helper.from_array((array + noise).astype("f"), tensor.name))
    onnx.save(held, file)
