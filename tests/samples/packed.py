"""A sound packed file: a pruned matrix of two values, and a bias."""

from pathlib import Path

import numpy as np

from assay.formats import FORMATS, Model
from assay.weights import Weight

OPS = None
WEIGHTS = {
    "bias": [0.5, 1.25],
    "weight": [[0.0, 0.1, 0.0], [0.0, -0.2, 0.1]],
}


def small(folder: Path) -> Path:
    """Two tensors."""
    arrays = {name: np.array(values, np.float32) for name, values in WEIGHTS.items()}
    weights = {
        name: Weight(name, array.shape, "float32", array.copy) for name, array in arrays.items()
    }
    path = folder / "model.packed"
    FORMATS["packed"]().write(Model("any", None, (), {}, weights), path)
    return path
