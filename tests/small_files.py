"""Files of what ``small_tasks`` has: networks and examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from small_tasks import SHAPE, trained

from assay.running.examples import Examples


def save_network(name: str, file: str, seed: int = 0) -> None:
    """Write a trained network of the zoo as ONNX."""
    import torch

    from assay.running.to_onnx import export

    export(trained(name, seed), torch.zeros(1, *SHAPE), Path(file))


def save_examples(file: str, examples: Examples) -> None:
    """Write inputs and labels as an .npz file."""
    np.savez(file, inputs=examples.inputs, labels=examples.known_labels)
