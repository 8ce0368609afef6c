"""Pictures as a model takes them: of its size, its channels and its range of values.

Two apps' models of one origin may read pictures of other sizes.  As in a study of apps [Li et al.,
ModelDiff, ISSTA 2021], the same pictures are brought to each model's own input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.running.predictors import Predictor, Span
from assay.running.predictors.answers import Answers, Array

_CHANNELS = (1, 3)
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # of red, green, blue [BT.601]
_USUAL: tuple[Span, ...] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # of pictures' values
_ALIKE = 0.1  # of a range's width: ends that lie nearer are the same


@dataclass(frozen=True)
class _Layout:
    """How pictures lie in an array (n, …); sizes that a model leaves open are None."""

    channels: int
    height: int | None
    width: int | None
    is_last: bool  # whether channels come last

    def __str__(self) -> str:
        return f"{self.height or 'any'}×{self.width or 'any'}×{self.channels}"


def fitted(model: Predictor, inputs: Array, span: Span | None) -> Predictor:
    """``model`` if it takes such inputs; else one that brings them to what it takes, if they fit.

    Its ``fitting`` says what is done, or its ``why`` why that would mean nothing.  Inputs that are
    no pictures are left: whoever asks is told that their shape is wrong.

    Args:
        model: Of any kind; of one that takes pictures of any size only the range is looked at.
        inputs: (n, …) some that will be asked.
        span: Which values stand for black and white in them; None: their file does not say.
    """
    given = _layout(inputs.shape[1:])
    taken = given if model.shape is None or given is None else _layout(model.shape, given)
    if given is None or taken is None:
        return model
    sizes = [(given.height, taken.height), (given.width, taken.width)]
    is_sized = all(theirs in (None, ours) for ours, theirs in sizes)
    is_sized &= given.channels == taken.channels
    said = [] if is_sized else [f"pictures of {given} resized to {taken}"]
    ranges: tuple[Span, Span] | None = None
    if model.span is not None:
        span = span or usual(inputs)
        if span is None:
            low, high = float(inputs.min()), float(inputs.max())
            if not is_alike((low, high), model.span):
                return Resized(model, given, taken, None, "", _unclear(model, low, high))
        elif not is_alike(span, model.span):
            ranges = span, model.span
            said.append(
                f"values {span_text(span)} given as {span_text(model.span)}, as its file says"
            )
    elif said:
        said.append("values given as they are, for its file tells no range")
    return Resized(model, given, taken, ranges, "; ".join(said)) if said else model


def usual(inputs: Array) -> Span | None:
    """The range that pictures' values have as a rule, the least one that these lie in."""
    low, high = float(inputs.min()), float(inputs.max())
    return next((each for each in _USUAL if each[0] <= low and high <= each[1]), None)


def scaled(inputs: Array, given: Span, taken: Span) -> Array:
    """Values of one range in another one."""
    (low, high), (least, most) = given, taken
    found: Array = least + (inputs - low) * ((most - least) / (high - low))
    return found


def is_alike(first: Span, second: Span) -> bool:
    """Whether two ranges are the same, but for what calibration leaves."""
    width = second[1] - second[0]
    return all(abs(a - b) <= _ALIKE * width for a, b in zip(first, second, strict=True))


def span_text(span: Span) -> str:
    """A range for the reader."""
    return f"{span[0]:.3g} … {span[1]:.3g}"


class Resized(Predictor):
    """Another predictor's answers to pictures that are brought to what it takes."""

    def __init__(
        self,
        model: Predictor,
        given: _Layout,
        taken: _Layout,
        ranges: tuple[Span, Span] | None,
        fitting: str,
        why: str = "",
    ) -> None:
        self._model, self._given, self._taken, self._ranges = model, given, taken, ranges
        self.name, self.fitting, self.why = model.name, fitting, why
        self.batch, self.whole = model.batch, model.whole

    def ask(self, inputs: Array) -> Answers:
        found = self._model.ask(self._brought(inputs))
        self.asked = self._model.asked
        return found

    def run(self, inputs: Array) -> Array:
        return self._model.run(self._brought(inputs))

    def _brought(self, inputs: Array) -> Array:
        pictures = np.asarray(inputs, np.float64)
        if self._given.is_last:
            pictures = np.moveaxis(pictures, -1, 1)
        pictures = _recolored(pictures, self._taken.channels)
        for axis, size in ((2, self._taken.height), (3, self._taken.width)):
            if size is not None and size != pictures.shape[axis]:
                weights = _weights(pictures.shape[axis], size)
                pictures = np.moveaxis(np.tensordot(pictures, weights, (axis, 1)), -1, axis)
        if self._ranges is not None:
            pictures = scaled(pictures, *self._ranges)
        if self._taken.is_last:
            pictures = np.moveaxis(pictures, 1, -1)
        found: Array = pictures.astype(np.float32)
        return found


def _layout(shape: tuple[int | None, ...], like: _Layout | None = None) -> _Layout | None:
    """Of pictures; None where the shape is not one of pictures, or leaves the channels open."""
    if len(shape) != 3:
        return None
    wanted = _CHANNELS if like is None else (like.channels, *_CHANNELS)
    for channels in wanted:
        if shape[2] == channels:
            return _Layout(channels, shape[0], shape[1], is_last=True)
        if shape[0] == channels:
            return _Layout(channels, shape[1], shape[2], is_last=False)
    return None


def _recolored(pictures: Array, channels: int) -> Array:  # (n, c, h, w)
    if pictures.shape[1] == channels:
        return pictures
    if channels == 1:
        gray: Array = np.tensordot(pictures, _LUMINANCE, (1, 0))[:, None]
        return gray
    return np.repeat(pictures, channels, 1)


def _weights(size: int, wanted: int) -> Array:  # -> (wanted, size)
    """Bilinear interpolation; where a picture shrinks, over as many pixels as become one."""
    ratio = size / wanted
    reach = max(1.0, ratio)
    centers = (np.arange(wanted) + 0.5) * ratio
    apart = np.abs(np.arange(size)[None] + 0.5 - centers[:, None])
    found: Any = np.maximum(0, 1 - apart / reach)
    return np.asarray(found / found.sum(1, keepdims=True))


def _unclear(model: Predictor, low: float, high: float) -> str:
    return (
        f"{model.name} takes values {span_text(model.span or (0, 0))}, and which of"
        f" {span_text((low, high))} stand for black and white is not known: give pictures of"
        " values 0 to 1"
    )
