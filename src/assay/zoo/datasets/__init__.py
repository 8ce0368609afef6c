"""Data to train the zoo's networks on: read from files, normalized, always the same.

``DATASETS`` has the names; docs/data.md tells how to get what they stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from assay.errors import BadData, BadOption, MissingExtra
from assay.running.examples import Examples
from assay.zoo.datasets import arrays
from assay.zoo.datasets.pictures import Layout, Split, part, reading
from assay.zoo.datasets.places import DATASETS, DataSet, layout_of, locate

__all__ = [
    "DATASETS", "DataSet", "Split", "half_turned", "halves", "inverted", "joined", "load",
    "only_classes", "rotated", "shifted", "shuffled_labels",
]  # fmt: skip


def load(source: str | Path, split: Split = "train", folder: str | Path | None = None) -> Examples:
    """The examples of a split, normalized by mean and deviation where the data set has a name.

    What has no split of its own is parted; a fifth of it, always the same, is for testing.

    Args:
        source: a name of ``DATASETS``, or a folder or ``.npz`` file of one's own, whose pixels
            are scaled to 0 … 1 and no more.
        split: "train" or "test".
        folder: where a data set with a name lies; without it the usual places are searched.

    Raises:
        BadData: a file is missing, damaged, or does not fit; the message says which, and how to
            get the data where there are none.
        BadOption: no such split.
        MissingExtra: "digits" without scikit-learn.
    """
    if split not in ("train", "test"):
        raise BadOption(f"no split {split!r}: there are train and test")
    if source not in DATASETS:
        path = Path(source)
        return replace(_read(path, split), name=f"{path.name} {split}")
    name = str(source)
    about = DATASETS[name]
    if name == "digits":
        found = part(_digits(), split)
    else:
        place = locate(name, None if folder is None else Path(folder))
        found = _read(place, split)
        with reading(place):
            _check(found, name)
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (about.mean, about.std))
    return replace(found, inputs=(found.inputs - mean) / std, name=f"{name} {split}")


def halves(examples: Examples, seed: int) -> tuple[Examples, Examples]:
    """Two halves that share no example, for two owners with data of one kind."""
    return examples.split(0.5, seed)


def shuffled_labels(examples: Examples, seed: int) -> Examples:
    """The same inputs, and labels that have nothing to do with them: a task to learn by heart."""
    labels = np.random.default_rng(seed).permutation(examples.known_labels)
    return replace(examples, labels=labels, name=f"{examples.name}, labels shuffled")


def inverted(examples: Examples) -> Examples:
    """Pictures (n, c, h, w) with bright and dark exchanged, in each channel's range."""
    axes = (0, *range(2, examples.inputs.ndim))
    ends = examples.inputs.min(axes, keepdims=True) + examples.inputs.max(axes, keepdims=True)
    return replace(examples, inputs=ends - examples.inputs, name=f"{examples.name}, inverted")


def rotated(examples: Examples, turns: int = 1) -> Examples:
    """Pictures (n, c, h, w) turned by ``turns`` times 90 degrees, against the clock."""
    inputs = np.rot90(examples.inputs, turns, axes=(-2, -1))
    return replace(examples, inputs=inputs, name=f"{examples.name}, rotated")


def shifted(examples: Examples, copies: int, most: int = 2) -> Examples:
    """Pictures (n, c, h, w), and copies of each that lie up to ``most`` pixels elsewhere."""
    inputs, draw = examples.inputs, np.random.default_rng(0)
    edges = ((0, 0), (0, 0), (most, most), (most, most))
    padded = np.pad(inputs, edges, constant_values=inputs.min())
    windows = np.lib.stride_tricks.sliding_window_view(padded, inputs.shape[2:], axis=(2, 3))
    parts = [inputs]
    for _ in range(copies):
        down, right = draw.integers(0, 2 * most + 1, (2, len(inputs)))
        parts.append(windows[np.arange(len(inputs)), :, down, right])
    labels = np.tile(examples.known_labels, copies + 1)
    name = f"{examples.name}, {copies} shifted copies"
    return replace(examples, inputs=np.concatenate(parts), labels=labels, name=name)


def half_turned(examples: Examples) -> Examples:
    """Every second picture (n, c, h, h) turned by 90 degrees, in classes of its own: twice as many.

    A richer task of the same pictures: what they show, and which way is up.  Raises BadData where
    they are not square.
    """
    height, width = examples.inputs.shape[-2:]
    if height != width:
        raise BadData(f"{examples.name}: pictures of {height} x {width} do not fit when turned")
    labels, turned = examples.known_labels, np.arange(len(examples)) % 2 == 1  # (n,) each
    axes = (slice(None), *[None] * (examples.inputs.ndim - 1))
    inputs = np.where(turned[axes], rotated(examples).inputs, examples.inputs)
    labels = labels + turned * examples.classes
    return replace(examples, inputs=inputs, labels=labels, name=f"{examples.name}, half turned")


def joined(several: Sequence[Examples]) -> Examples:
    """All of them as one task; the classes of each come after those of the ones before.

    Raises BadData where their inputs have not one shape.
    """
    names = " + ".join(examples.name for examples in several)
    if len({examples.inputs.shape[1:] for examples in several}) != 1:
        raise BadData(f"{names}: inputs of different shapes")
    before = np.cumsum([0, *(examples.classes for examples in several)])
    labels = [e.known_labels + first for e, first in zip(several, before[:-1], strict=True)]
    inputs = np.concatenate([examples.inputs for examples in several])
    return Examples(inputs, np.concatenate(labels), name=names)


def only_classes(examples: Examples, classes: Sequence[int]) -> Examples:
    """The examples of these classes, labelled 0, 1 … in the order in which they are given.

    Raises BadData where one is given twice, or has no example.
    """
    labels = examples.known_labels
    if len(set(classes)) < len(classes) or not np.isin(classes, labels).all():
        raise BadData(f"{examples.name}: classes {[*classes]} are not distinct classes of it")
    rows = np.isin(labels, classes)
    chosen = examples.take(rows)
    names = ", ".join(map(str, classes))
    relabelled = np.argmax(labels[rows, None] == np.array(classes), axis=1)  # (m, classes) -> (m,)
    return replace(chosen, labels=relabelled, name=f"{examples.name}, only classes {names}")


def _read(path: Path, split: Split) -> Examples:
    """What lies there in any way, from 0 to 1 where it is pictures."""
    if path.is_file():
        return arrays.read_file(path, split)
    layout: Layout | None = layout_of(path)
    if layout is None and path.is_dir() and arrays.is_in(path):
        layout = arrays
    if layout is None:
        names = ", ".join(DATASETS)
        raise BadData(f"no data at {str(path)!r}: name one of {names}, a folder or an .npz file")
    return layout.read(path, split)


def _check(examples: Examples, name: str) -> None:
    """Raises BadData where these cannot be the data set of that name."""
    about = DATASETS[name]
    if examples.inputs.shape[1:] != about.shape:
        sizes = " x ".join(map(str, examples.inputs.shape[1:]))
        raise BadData(f"its pictures of {sizes} are not those of {name}")
    if examples.classes > about.classes:
        raise BadData(f"its label {examples.classes - 1} is none of {name}")


def _digits() -> Examples:
    """The 1,797 digits of 8 x 8 pixels that scikit-learn ships [Alpaydin and Kaynak, 1998]."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        remedy = DATASETS["digits"].remedy
        raise MissingExtra(f"digits come with scikit-learn ({error}): {remedy}") from error
    held = load_digits()
    return Examples(held.images[:, None] / 16, held.target)  # a pixel is a number from 0 to 16
