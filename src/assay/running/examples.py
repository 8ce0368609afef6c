"""Examples: what a model is trained, tuned, queried and judged on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadData

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Inputs, and labels where they are known.

    Raises BadData where there are none, where the labels do not fit, or an input is no number.
    """

    inputs: Array  # (n, …) float32, or int64 where they are tokens
    labels: Array | None = None  # (n,) int64, from 0
    name: str = field(default="", kw_only=True)  # for the record

    def __post_init__(self) -> None:
        inputs = np.ascontiguousarray(self.inputs)
        tokens = inputs.dtype.kind in "iu"
        inputs = inputs.astype(np.int64 if tokens else np.float32, copy=False)
        object.__setattr__(self, "inputs", inputs)
        if inputs.ndim < 2 or not inputs.size:
            raise BadData(f"{self._named}no examples: inputs of shape {list(inputs.shape)}")
        if not np.isfinite(inputs).all():
            raise BadData(f"{self._named}an input is not a finite number")
        if self.labels is not None:
            object.__setattr__(self, "labels", self._whole(np.asarray(self.labels), len(inputs)))

    def _whole(self, labels: Array, count: int) -> Array:
        if labels.shape != (count,):
            raise BadData(f"{self._named}labels of shape {list(labels.shape)} for {count} inputs")
        if labels.dtype.kind not in "iu" or labels.min() < 0:
            raise BadData(f"{self._named}labels must be whole numbers from 0")
        return labels.astype(np.int64, copy=False)

    @property
    def _named(self) -> str:
        return f"{self.name}: " if self.name else ""

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def classes(self) -> int:
        """One more than the largest label.  Raises BadData where there are no labels."""
        return int(self.known_labels.max()) + 1

    @property
    def known_labels(self) -> Array:
        """(n,).  Raises BadData where there are none."""
        if self.labels is None:
            raise BadData(f"{self._named}these examples have no labels, and they are needed")
        return self.labels

    @property
    def digest(self) -> str:
        """SHA-256 of inputs and labels: the same examples, whatever they are called."""
        found = hashlib.sha256()
        for array in (self.inputs, self.labels):
            if array is not None:
                found.update(f"{array.dtype} {array.shape} ".encode())
                found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    def take(self, rows: Array | slice) -> Examples:
        """Those of ``rows``, in their order."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, inputs=self.inputs[rows], labels=labels)

    def split(self, share: float, seed: int) -> tuple[Examples, Examples]:
        """The rest, and a random ``share`` of them, at least one."""
        rest, some = self.parts(share, seed)
        return self.take(rest), self.take(some)

    def parts(self, share: float, seed: int) -> tuple[Array, Array]:
        """The rows of the rest, and of a random ``share``, at least one; each in their order."""
        order = np.random.default_rng(seed).permutation(len(self))
        count = max(1, round(share * len(self)))
        if not 0 < share < 1 or count >= len(self):
            raise BadData(f"{self._named}{len(self)} examples cannot be split at {share}")
        return np.sort(order[count:]), np.sort(order[:count])
