"""Uchida's mark read by a network, and hidden from a detector [Wang and Kerschbaum, RIGA, 2021].

Each bit is the sign of an output of a network of one hidden layer, which reads the mean kernel.
While the model is tuned, a second network learns to tell the host's sorted weights from those
before, and the host is tuned until it cannot: the mark does not show in how weights are spread.

The authors train the reading network, too.  Here it is drawn from the key: one that was trained to
say a word may say it of any weights, and then no false alarm could be stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from assay.values import Json
from assay.watermarks import Weights, Work
from assay.watermarks._fields import DRAWN, whole
from assay.watermarks._key import Key
from assay.watermarks.uchida import Array, Uchida, bits, signs, smallest_change

if TYPE_CHECKING:
    from torch import nn

EXTRA = "watermarks"
_STEP = 0.5  # of the mean kernel, by which it is moved at once: outputs are no straight lines


@dataclass(frozen=True)
class Riga(Uchida):
    """The host with its mean over output channels on the right side of each output."""

    hidden: int = 2  # units of the hidden layer, for each bit
    covert: float = 0.1  # weight of the detector's answer in the loss, λ₂
    detector_rate: float = 1e-3  # of RMSprop; the paper: 5e-5, in a training from the start
    clip: float = 0.1  # its weights are no larger [Wasserstein GAN: Arjovsky et al., 2017]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least("hidden", 1)
        self.at_least("covert", 0)
        self.at_least("detector_rate", 0)
        self.at_least("clip", 1e-6)

    def template(self, weights: Weights, message: int) -> Json:
        return {**super().template(weights, message), "hidden": 8 * message * self.hidden}

    def validate(self, key: Key) -> None:
        super().validate(key)
        size = prod(key.template["hosts"][0]["shape"][1:])
        whole(key.template, "hidden", least=len(bits(key)), most=DRAWN // size)

    def read(self, mean: Array, key: Key) -> Array:
        return _read(mean, *layers(key))[0]

    def change(self, mean: Array, key: Key) -> Array:
        first, second = layers(key)
        # of an output of a stranger's: σ; it hardly depends on the mean, which is normalized
        least = self.margin * float(np.linalg.norm(_units(mean, first)))
        return smallest_change(
            mean, signs(key), lambda moved: _read(moved, first, second), least, _STEP
        )

    def tune(self, work: Work) -> nn.Module:
        from assay.watermarks._hiding import tuned

        return tuned(self, work)


def layers(key: Key) -> tuple[Array, Array]:
    """(h, d) and (t, h) standard-normal numbers: the reading network."""
    hidden = key.template["hidden"]
    (host,) = key.template["hosts"]
    first = key.normal("first layer", hidden, prod(host["shape"][1:]))
    return first, key.normal("second layer", len(bits(key)), hidden)


def _units(mean: Array, first: Array) -> Array:
    """(h,) of the hidden layer; the mean's size plays no part."""
    found: Array = np.tanh(first @ (mean / max(float(np.linalg.norm(mean)), 1e-30)))
    return found


def _read(mean: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """(t,) outputs, and their derivatives (t, d)."""
    size = max(float(np.linalg.norm(mean)), 1e-30)
    units = _units(mean, first)
    slopes = (second * (1 - units**2)) @ first / size
    along = mean / size
    return second @ units, slopes - np.outer(slopes @ along, along)
