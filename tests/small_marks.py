"""Weights large enough for a mark, models that never saw one, and keys whose secrets are known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from small_tasks import squares, trained

from assay.weights import Weight

if TYPE_CHECKING:
    from assay.watermarks import Watermark, Weights
    from assay.watermarks._key import Key

PAYLOAD = bytes.fromhex("0123456789abcdef")
SHAPES = {
    "stem.weight": (16, 1, 3, 3), "body.weight": (48, 16, 3, 3), "body.bias": (48,),
    "hidden.weight": (80, 192), "head.weight": (10, 80),
}  # fmt: skip


def weight(name: str, values: np.ndarray[Any, Any]) -> Weight:
    values = np.asarray(values, np.float32)
    return Weight(name, values.shape, "float32", lambda: values, canonical=True)


LAYERED = tuple(f"layer{number}.weight" for number in range(24))


@cache
def layered(channels: int = 128) -> Weights:
    """Weights of a deep model, enough for a mark in its structure."""
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(LAYERED, (channels, channels))
    shapes |= {"head.weight": (10, channels), "body.bias": (48,)}
    return {name: weight(name, np.ones(shape)) for name, shape in shapes.items()}


def model_for(name: str) -> Weights:
    """Weights that a key of this method can be made of."""
    return layered() if name == "structural" else stranger()


@cache
def stranger(seed: int = 0) -> Weights:
    """A model's weights at random: heavier tails than a normal's, as trained ones have."""
    rng = np.random.default_rng(seed)
    return {
        name: weight(name, rng.standard_t(8, shape) / np.sqrt(np.prod(shape[1:]) or 1))
        for name, shape in SHAPES.items()
    }


def changed(weights: Weights, change: Any) -> Weights:
    """Each tensor, changed."""
    return {name: weight(name, change(each.read())) for name, each in weights.items()}


def method(name: str, **options: Any) -> Watermark:
    from assay.watermarks import WATERMARKS

    make: Any = WATERMARKS[name]
    if name == "structural":
        options.setdefault("layers", LAYERED)
    made: Watermark = make(**options)
    return made


def key_for(made: Watermark, model: Any, number: int = 0, payload: bytes = PAYLOAD) -> Key:
    """A key; of a mark in behavior for small pictures of four classes.

    One that asks the model before it is marked asks a small network.
    """
    if made.method == "ingrain" and isinstance(model, Mapping):
        model = trained("mlp")
    secret = number.to_bytes(32, "little")
    return made.new_key(model, 8 * len(payload), secret, squares(96, 3)).carrying(payload)


def pruned(values: np.ndarray[Any, Any], rate: float) -> np.ndarray[Any, Any]:
    """The smallest magnitudes of one tensor at zero."""
    flat = values.copy().reshape(-1)
    flat[np.argsort(np.abs(flat), kind="stable")[: round(rate * flat.size)]] = 0
    return flat.reshape(values.shape)


def at_rate(rate: float) -> Any:
    return partial(pruned, rate=rate)
