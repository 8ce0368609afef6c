"""A payload as signs of projections of a layer's mean kernel [Uchida et al., 2017]: the baseline.

The kernel is averaged over its output channels; a matrix that is drawn from the key projects it to
a number for each bit, whose sign is the bit.  A regularizer in the loss turns the signs.  Without
data, the mean is moved by the least change that does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadData, UnfitModel
from assay.training import Optimizer, Training
from assay.values import Json
from assay.watermarks import TAG, Detection, Watermark, Weights, Work
from assay.watermarks._fields import DRAWN, shown, tensors
from assay.watermarks._hosts import found, hosts_of, matrices, name_in, replaced
from assay.watermarks._key import Key
from assay.watermarks._tails import log10_binomial

if TYPE_CHECKING:
    from torch import nn

EXTRA = "watermarks"
_ROUNDS = 100  # of the least change

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Uchida(Watermark):
    """The host with its mean over output channels on the right side of each projection."""

    strength: float = 0.01  # weight of the regularizer in the loss, λ of eq. 1
    margin: float = 1.0  # without data: how far from zero projections are, in their deviations
    host: str = ""  # name of the weight; by default the one with the largest mean kernel
    training: Training = field(
        default_factory=lambda: Training(epochs=3, optimizer=Optimizer(rate=0.01))
    )  # options of the loop, where there are data

    reads = "weights"

    def __post_init__(self) -> None:
        self.at_least("strength", 0)
        self.at_least("margin", 0.01)

    def template(self, weights: Weights, message: int) -> Json:
        known = matrices(weights)
        largest = max(known, key=lambda n: (prod(known[n].shape[1:]), known[n].size), default="")
        (host,) = hosts_of(weights, [self.host or largest] if known else [], 1)
        if prod(host["shape"][1:]) < 8 * message:
            raise UnfitModel(
                f"{host['name']} has a mean kernel of {prod(host['shape'][1:])} values, too few for"
                f" {8 * message} bits: a shorter payload, or another host"
            )
        return {"hosts": [host]}

    def validate(self, key: Key) -> None:
        super().validate(key)
        listed = tensors(key.template)
        size, drawn = prod(listed[0]["shape"][1:]), 8 * _bytes(key)
        if len(listed) != 1 or size < drawn:
            raise BadData(f"its field 'hosts' is {shown(listed)}, no one tensor for {drawn} bits")
        if size * drawn > DRAWN:
            raise BadData(f"its field 'hosts[0].shape' is {listed[0]['shape']}, too large")

    def embed(self, weights: Weights, key: Key, notes: dict[str, Any]) -> Weights:
        (host,) = key.template["hosts"]
        hosts_of(weights, [name_in(weights, host) or host["name"]], 1)
        name, values = name_in(weights, host), found(weights, host)
        assert name is not None and values is not None  # noqa: PT018
        mean = mean_kernel(values)
        new = values + self.change(mean, key).reshape(values.shape[1:]).astype(np.float32)
        notes["hosts"] = [{"name": name, "change": _share(new - values, values)}]
        return replaced(weights, name, new)

    def read(self, mean: Array, key: Key) -> Array:
        """(t,) the numbers whose signs are bits, of a mean kernel (d,)."""
        found: Array = matrix(key) @ mean
        return found

    def change(self, mean: Array, key: Key) -> Array:
        """(d,) about the smallest change after which each bit is right by the margin."""
        least = self.margin * float(np.linalg.norm(mean))  # of a projection of a stranger's: σ
        projection = matrix(key)
        return smallest_change(
            mean, signs(key), lambda moved: (projection @ moved, projection), least
        )

    def tune(self, work: Work) -> nn.Module:
        from assay.watermarks._projecting import tuned

        return tuned(self, work)

    def detect(self, subject: Weights, key: Key) -> Detection:
        said, wanted = self._bits(subject, key), bits(key)
        if said is None:
            return Detection(0.0, 0.0, {"bits": [0, len(wanted)], "hosts": [None]})
        right = int((said == wanted).sum())
        names = [name_in(subject, host) for host in key.template["hosts"]]
        tail = log10_binomial(right, len(wanted))
        return Detection(right / len(wanted), tail, {"bits": [right, len(wanted)], "hosts": names})

    def payload(self, subject: Weights, key: Key) -> bytes | None:
        said = self._bits(subject, key)
        return None if said is None else key.opened(np.packbits(said).tobytes())

    def blinded(self, original: Weights, key: Key) -> Weights:
        """The host without its mean kernel."""
        (host,) = key.template["hosts"]
        name, values = name_in(original, host), found(original, host)
        if name is None or values is None:
            return original
        return replaced(original, name, values - values.mean(0, dtype=np.float64).astype("f4"))

    def _bits(self, subject: Weights, key: Key) -> NDArray[np.bool_] | None:
        """(t,); None where the subject has no such host, or nothing is in it."""
        values = found(subject, key.template["hosts"][0])
        if values is None or not np.isfinite(values).all():
            return None
        mean = mean_kernel(values)
        return self.read(mean, key) > 0 if mean.any() else None


def matrix(key: Key) -> Array:
    """(t, d) standard-normal numbers: what a mean kernel is projected with."""
    (host,) = key.template["hosts"]
    return key.normal("projection", 8 * _bytes(key), prod(host["shape"][1:]))


def bits(key: Key) -> NDArray[np.bool_]:
    """(t,) the payload and its tag."""
    return np.unpackbits(np.frombuffer(key.sealed(), np.uint8)).astype(bool)


def signs(key: Key) -> Array:
    """(t,) the bits as −1 and 1."""
    return 2.0 * bits(key) - 1


def mean_kernel(values: NDArray[np.float32]) -> Array:
    """(d,) over output channels."""
    found: Array = values.reshape(len(values), -1).mean(0, dtype=np.float64)
    return found


def smallest_change(
    mean: Array,
    wanted: Array,
    read: Callable[[Array], tuple[Array, Array]],
    least: float,
    most: float = inf,
) -> Array:
    """(d,) about the smallest change after which each sign is the wanted one, by ``least``.

    ``read`` gives the numbers (t,) and their derivatives (t, d) [Gauss and Newton]; a step is no
    larger than ``most`` times the mean.
    """
    moved, longest = mean.copy(), most * float(np.linalg.norm(mean))
    for _ in range(_ROUNDS):
        numbers, slopes = read(moved)
        short = least - wanted * numbers
        wrong = short > least / 1000
        if not wrong.any():
            break
        step = np.linalg.lstsq(slopes[wrong], (wanted * short)[wrong], rcond=None)[0]
        moved += step * min(1.0, longest / max(float(np.linalg.norm(step)), 1e-30))
    return moved - mean


def _bytes(key: Key) -> int:
    return int(key.template["payload_bytes"]) + TAG


def _share(change: NDArray[np.float32], values: NDArray[np.float32]) -> float:
    """How large a change is beside the values."""
    return round(float(np.linalg.norm(change)) / max(float(np.linalg.norm(values)), 1e-30), 5)
