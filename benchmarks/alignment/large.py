"""Time and memory for two files of the size of a ResNet-50, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.alignment import align

Array = NDArray[np.float32]
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # width and blocks
NOISE = 0.3  # of a tensor's deviation: as after tuning


def shapes() -> dict[str, tuple[tuple[int, ...], str, str]]:
    """Of every layer; and which channels its rows and columns are."""
    found: dict[str, tuple[tuple[int, ...], str, str]] = {
        "conv1.weight": ((64, 3, 7, 7), "stage0", "")
    }
    inputs = 64
    for stage, (width, blocks) in enumerate(STAGES, start=1):
        for block in range(blocks):
            name, before = f"layer{stage}.{block}", f"stage{stage if block else stage - 1}"
            first, second, out = f"{name}.1", f"{name}.2", f"stage{stage}"
            found[f"{name}.conv1.weight"] = ((width, inputs, 1, 1), first, before)
            found[f"{name}.conv2.weight"] = ((width, width, 3, 3), second, first)
            found[f"{name}.conv3.weight"] = ((4 * width, width, 1, 1), out, second)
            if not block:
                found[f"{name}.downsample.0.weight"] = ((4 * width, inputs, 1, 1), out, before)
            inputs = 4 * width
    return found | {"fc.weight": ((1000, inputs), "", "stage4")}


def network(seed: int) -> dict[str, Array]:
    """Normal values, rows of several sizes."""
    draw = np.random.default_rng(seed)
    found = {}
    for name, (shape, _, _) in shapes().items():
        sizes = np.exp(0.3 * draw.standard_normal((shape[0], *(1,) * (len(shape) - 1))))
        found[name] = (draw.standard_normal(shape) * sizes).astype(np.float32)
    return found


def tuned(source: dict[str, Array], seed: int, *, permuted: bool) -> dict[str, Array]:
    """Noise on all values; and all hidden channels in another order."""
    draw = np.random.default_rng(seed)
    orders: dict[str, Any] = {}
    found = {}
    for name, (shape, rows, columns) in shapes().items():
        noise = NOISE * source[name].std() * draw.standard_normal(shape)
        values = (source[name] + noise).astype(np.float32)
        for axis, channels in enumerate((rows, columns)):
            if permuted and channels:
                size = shape[axis]
                values = values.take(orders.setdefault(channels, draw.permutation(size)), axis)
        found[name] = values
    return found


def measure(kind: str) -> dict[str, Any]:
    """Seconds of ``align``, the largest memory of the process, and what was found."""
    source = network(0)
    suspect = network(1) if kind == "strangers" else tuned(source, 2, permuted=kind == "permuted")
    start = monotonic()
    found = align(suspect, source).tensors
    return {
        "seconds": round(monotonic() - start, 1),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "tensors": len(found),
        "found": sum(each.log10_false_alarm <= -6 for each in found),
        "after": round(float(np.mean([each.after for each in found])), 3),
    }


def large() -> dict[str, Any]:
    """As tuned, tuned and permuted, and strangers: two files of 25 million values."""
    found = {}
    for kind in ("tuned", "permuted", "strangers"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[kind] = pool.apply(measure, (kind,))
    return found
