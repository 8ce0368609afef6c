"""A model's weights, read one by one: real values in one layout.

The canonical layout is output channel first, then input, then space, whichever the file has: a
convolution (output, input / groups, height, width), a matrix (output, input), a table (entries,
width).  Quantized tensors are read as the real values that they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of a file; nothing of it is in memory before it is read."""

    name: str  # as the file has it
    shape: tuple[int, ...]  # of what ``read`` returns
    dtype: str  # as stored: "float32", "float16", "bfloat16", "int8", "q4_0" …
    read: Callable[[], Array]  # the values, float32; raises UnreadableModel where they are damaged
    canonical: bool = False  # whether the layout is known; otherwise it is as stored

    @property
    def size(self) -> int:
        """Elements."""
        return int(np.prod(self.shape, dtype=np.int64)) if self.shape else 1
