"""A sound safetensors file."""

import json
from pathlib import Path

import numpy as np

OPS = None
WEIGHTS = {"weight": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]}


def small(folder: Path) -> Path:
    """One tensor."""
    values = np.array(WEIGHTS["weight"], "<f4").tobytes()
    entry = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, len(values)]}
    header = json.dumps({"weight": entry}).encode()
    path = folder / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + values)
    return path
