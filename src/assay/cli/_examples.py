"""Examples that a command line names, in the shape that a model reads."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from assay.cli._model_files import Parent, Shape
from assay.derivations import Derivation
from assay.errors import BadData, BadOption
from assay.running.examples import Examples
from assay.running.modules import accuracy, outputs
from assay.watermarks import Watermark
from assay.zoo.datasets import load

EXTRA = "torch"
_RANDOM = 8  # inputs


def data_for(
    method: Derivation | Watermark,
    source: str | None,
    limit: int | None,
    parent: Parent,
    seed: int,
) -> Examples | None:
    """The examples that the options mean; where none are named, random inputs if those will do.

    They do for a method that only watches the model run on them, and not for one that trains.
    Raises BadData where the examples are not there, or do not fit the model.
    """
    if source is not None:
        return fitted(some(load(source, "train"), limit, seed), parent.shape)
    if limit is not None:
        raise BadOption(f"--limit {limit}: of which examples?  Name them with --data")
    if method.needs == "inputs" and getattr(method, "training", None) is None:
        return random_inputs(parent, seed)
    return None


def judge_for(source: str | None, data: str | None, parent: Parent) -> Examples | None:
    """The examples to judge on: those named, else those of the data that are kept for tests.

    Raises BadData or UnfitModel where the model cannot be judged on those named: it is known before
    the long work.
    """
    if source is not None:
        found = fitted(load(source, "test"), parent.shape)
        accuracy(parent.module, found.take(slice(2)))
        return found
    if data is None:
        return None
    found = fitted(load(data, "test"), parent.shape)
    classes = outputs(parent.module, found.inputs[:2]).ndim == 2
    return found if classes and found.labels is not None else None


def random_inputs(parent: Parent, seed: int) -> Examples:
    """A few inputs to trace a model with: standard-normal numbers, or the first two tokens."""
    generator = np.random.default_rng(seed)
    size = (_RANDOM, *parent.shape)
    if parent.tokens:
        return Examples(generator.integers(0, 2, size), name="random tokens")
    return Examples(generator.standard_normal(size), name="standard-normal inputs")


def fitted(known: Examples, shape: Shape) -> Examples:
    """The examples in a model's shape, where images of one channel are only laid out otherwise.

    Raises BadData where they are of another size.
    """
    own = known.inputs.shape[1:]
    if own == shape:
        return known
    if not _alike(own, shape) and not _alike(shape, own):
        raise BadData(
            f"{known.name}: inputs of shape {spelled(own)} do not fit the model, which reads"
            f" {spelled(shape)}"
        )
    return replace(known, inputs=known.inputs.reshape(len(known), *shape))


def spelled(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _alike(one: Shape, other: Shape) -> bool:
    """Whether both are one image of one channel; the other may have its pixels in a row."""
    pixels, found = (tuple(size for size in shape if size > 1) for shape in (one, other))
    return found == pixels or (len(pixels) == 2 and found == (prod(pixels),))


def some(known: Examples, limit: int | None, seed: int) -> Examples:
    """At most ``limit`` of the examples, drawn at random, in their order."""
    if limit is None or limit >= len(known):
        return known
    return known.take(np.sort(np.random.default_rng(seed).permutation(len(known))[:limit]))
