"""What the readers of data sets share: bytes to examples, and errors that name the file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError, BadData
from assay.running.examples import Examples

Split = Literal["train", "test"]
_TEST_SHARE, _TEST_SEED = 0.2, 0  # of data without a split of their own; part of what they are
_DAMAGED = (  # what NumPy raises of files that are cut, changed or too large is one of these, too
    AssayError, OSError, ValueError, LookupError, TypeError, RuntimeError, EOFError, MemoryError,
    OverflowError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class Layout(Protocol):
    """A way that data lie in a folder; each is a module."""

    def is_in(self, folder: Path) -> bool:
        """Whether there is a file in the folder that only this way has."""
        ...

    def read(self, folder: Path, split: Split) -> Examples:
        """The examples.  Raises BadData where a file is missing, damaged, or none of this kind."""
        ...


def pictures(pixels: NDArray[np.uint8], labels: NDArray[Any]) -> Examples:
    """Pixels as float32 from 0 to 1, and their labels."""
    return Examples(pixels.astype(np.float32) / 255, labels.astype(np.int64))


def part(examples: Examples, split: Split) -> Examples:
    """The four fifths for training or the fifth for testing, always the same ones."""
    train, test = examples.split(_TEST_SHARE, _TEST_SEED)
    return train if split == "train" else test


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever is wrong with a file is BadData that names it, in one line."""
    try:
        yield
    except _DAMAGED as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise BadData(f"{path}: {reason.partition(chr(10))[0]}") from error
