"""Tables that a formula gives are left out by what they are; trained weights are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.sketches.formulas import formula
from assay.sketches.keys import PUBLIC

Table = NDArray[np.float64]


def random(*shape: int, seed: int = 0) -> Table:
    return np.random.default_rng(seed).standard_normal(shape)


def fourier(size: int) -> Table:
    """Windowed cosines and sines, as front ends of speech models store them."""
    angle = 2 * np.pi * np.outer(np.arange(size // 2 + 1), np.arange(size)) / size
    return np.concatenate([np.cos(angle), np.sin(angle)]) * np.hanning(size)


def cosine_transform(waves: int, size: int) -> Table:
    return np.cos(np.pi * np.outer(np.arange(1, waves + 1), np.arange(size) + 0.5) / size)


def mel(bands: int, size: int) -> Table:
    edges = np.geomspace(4, size, bands + 2)
    rise = (np.arange(size) - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - np.arange(size)) / np.diff(edges)[1:, None]
    return np.maximum(np.minimum(rise, fall), 0)


def constant_q(bins: int, size: int) -> Table:
    """Ever shorter windows with ever faster waves."""
    time = np.arange(size) - size / 2
    lengths = size / 2 ** (np.arange(bins) / 12)
    waves = np.cos(2 * np.pi * 16 * time / lengths[:, None])
    return waves * np.maximum(np.cos(np.pi * time / lengths[:, None]), 0)


def positions(length: int, width: int, is_interleaved: bool) -> Table:
    angle = np.arange(length)[:, None] / 10_000 ** (np.arange(width // 2) / (width // 2))
    if not is_interleaved:
        return np.concatenate([np.sin(angle), np.cos(angle)], 1)
    return np.stack([np.sin(angle), np.cos(angle)], 2).reshape(length, width)


def bilinear(channels: int, size: int) -> Table:
    """The kernel of a transposed convolution that upsamples each channel by itself."""
    line = 1 - np.abs(np.arange(size) - (size - 1) / 2) / (size // 2)
    table = np.zeros((channels, channels, size, size))
    table[np.arange(channels), np.arange(channels)] = np.outer(line, line)
    return table


def rotary(length: int, width: int) -> Table:
    """The angles of rotary positions, of which cosines and sines are kept."""
    return np.arange(length)[:, None] / 10_000 ** (np.arange(width // 2) / (width // 2))


def near_identity(channels: int, places: int) -> Table:
    """A residual kernel that began as the identity, its channels of different sizes."""
    table = 0.05 * random(channels, channels, places, places)
    own = np.arange(channels)
    table[own, own, places // 2, places // 2] += np.linspace(0.5, 2, channels)
    return table


FORMULAS = {
    "ones": (np.ones((64, 64)), "constant rows"),
    "a number for each row": (np.repeat(random(64, 1), 9, 1), "constant rows"),
    "blur": (np.tile(np.outer([1, 2, 1], [1, 2, 1]), (64, 1, 1)), "rows all alike"),
    "identity": (np.eye(128), "the same values in every row"),
    "permutation": (np.eye(128)[np.random.default_rng(0).permutation(128)], "the same values in"),
    "channels shuffled": (np.eye(64).reshape(64, 64, 1, 1), "the same values in every row"),
    "bilinear": (bilinear(21, 4), "the same values in every row"),
    "wide bilinear": (bilinear(21, 16), "bands"),
    "causal mask": (np.tril(np.ones((128, 128))), "few values in few runs"),
    "mask of minus infinity": (np.triu(np.full((128, 128), -1e9), 1), "few values in few runs"),
    "windows": (np.kron(np.eye(8), np.ones((16, 16))), "the same values in every row"),
    "mel": (mel(80, 201), "bands"),
    "mel the other way": (mel(40, 257).T, "bands"),
    "Fourier": (fourier(256), "waves"),
    "long Fourier": (fourier(2048), "waves"),
    "cosine transform": (cosine_transform(63, 128), "waves"),
    "constant Q": (constant_q(36, 512), "waves"),
    "positions": (positions(512, 256, is_interleaved=True), "waves of positions"),
    "rotary cosines": (np.cos(np.tile(rotary(512, 64), 2)), "waves of positions"),
    "rotary sines": (np.sin(rotary(2048, 128)), "waves of positions"),
    "rotary pairs": (np.stack([np.cos(rotary(512, 64))] * 2, 2), "waves of positions"),
    "distances": (np.log1p(np.abs(np.subtract.outer(range(64), range(80)))), "one row, shifted"),
    "near the identity": (near_identity(32, 1)[:, :, 0, 0], "little more than the identity"),
    "kernels near the identity": (near_identity(64, 3), "little more than the identity"),
    "positions in halves": (positions(1500, 384, is_interleaved=False), "waves of positions"),
}  # fmt: skip


@pytest.mark.parametrize(("table", "said"), FORMULAS.values(), ids=FORMULAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_formula_is_recognized(
    table: Table,
    said: str,
    dtype: type[np.floating[np.generic]],  # type: ignore[type-var]
) -> None:
    with np.errstate(over="ignore"):
        stored = np.maximum(table, -60_000).astype(dtype).astype(np.float32)
    assert str(formula(stored, PUBLIC)).startswith(said)


def edges() -> Table:
    """Filters such as first layers learn: oriented waves under a bell, with some noise."""
    generator = np.random.default_rng(0)
    place = np.arange(7) - 3.0
    bell = np.exp(-(place[:, None] ** 2 + place**2) / 6)
    angle, phase = generator.uniform(0, np.pi, 64), generator.uniform(0, 2 * np.pi, 64)
    along = np.cos(angle)[:, None, None] * place[:, None] + np.sin(angle)[:, None, None] * place
    waves = bell * np.cos(1.2 * along + phase[:, None, None])
    color = generator.standard_normal((64, 3, 1, 1))
    return waves[:, None] * color + 0.05 * random(64, 3, 7, 7)


def smooth() -> Table:
    """A dense first layer on images: neighboring inputs have nearly the same weights."""
    noise = random(64, 28, 28)
    for _ in range(3):
        noise = noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2)
    return noise.reshape(64, 784)


TRAINED = {
    "dense": random(64, 784),
    "two classes": np.stack([random(256), -random(256)]),
    "convolution": random(64, 32, 3, 3),
    "depthwise": random(160, 1, 3, 3),
    "edges": edges(),
    "smooth": smooth(),
    "binary": np.sign(random(64, 576)),
    "ternary": np.rint(np.clip(random(64, 576), -1, 1)),
    "pruned to 5 %": np.where(np.abs(random(64, 576)) > 1.96, random(64, 576), 0),
    "embedding of positions": np.cumsum(random(128, 64), 0),
    "after ReLU": np.maximum(random(64, 576), 0),
    "rows of unit norm": random(64, 256) / np.linalg.norm(random(64, 256), axis=1, keepdims=True),
    "of low rank": random(128, 2) @ random(2, 256, seed=1),
    "embedding with unused rows": np.concatenate([random(900, 64), np.zeros((100, 64))]),
}


@pytest.mark.parametrize("weights", TRAINED.values(), ids=TRAINED)
def test_what_may_be_trained_is_kept(weights: Table) -> None:
    assert formula(weights.astype(np.float32), PUBLIC) is None


def test_nobody_hides_a_weight_behind_a_few_waves() -> None:
    """Who does not know the key cannot tell which rows are looked at."""
    weights = random(512, 256).astype(np.float32)
    weights[::2] += 100 * np.sin(np.arange(256) / 3, dtype=np.float32)
    kept = [formula(weights, bytes([key]) * 32) for key in range(20)]
    assert kept == [None] * 20
