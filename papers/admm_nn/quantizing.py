"""A pruned network with few values, packed into a file, and read back from it."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pruning import Place, judged, options
from safetensors.torch import load_file
from scope import BITS, GROWTH, RHO, SOFT, Job

from assay.derivations import DERIVATIONS
from assay.derivations.admm_prune import Alternation
from assay.formats import FORMATS, read
from assay.running.modules import weights

Json = dict[str, Any]
GAP_BITS = (4, 5, 6, 7, 8)  # Deep Compression's: a longer gap takes weights that are zero


def quantize(job: Job, place: Place) -> Json:
    """Levels or means after gradual pruning; the file's sizes, and what is in it.

    A quarter of the epochs draws the weights, the rest are four stages; the dense twin teaches.
    """
    started = monotonic()
    parent, twin = place.load(job.like("gradual")), place.load(job.twin)
    drawing = max(2, place.scope.epochs // 4)
    stage = max(1, 3 * place.scope.epochs // 16)
    method = DERIVATIONS["admm-cluster"](
        values=job.method,
        bits=BITS,
        admm=Alternation(RHO, GROWTH ** (1 / drawing)),
        training=options(drawing, place.scope.batch, 5e-4, "constant"),
        retraining=options(stage, place.scope.batch, 1e-3),
        soft_answers=SOFT,
    )
    made = place.ground.derive(method, parent, twin, seed=job.seed)
    place.ground.save(job.file, made.module)
    file = place.ground.path(job.file)
    packed = file.with_suffix(".packed")
    FORMATS["packed"]().write(read(file), packed)
    again = unpacked(job, place, packed)
    of = sum(weight.numel() for weight in weights(again).values())
    return {
        **judged(twin, again, place.ground),
        "bit_for_bit": same(file, packed),
        **sizes(packed, of),
        "notes": {k: made.lineage.notes[k] for k in ("residuals", "bits_per_weight")},
        "values": made.lineage.notes["distinct_values"],
        "seconds": round(monotonic() - started, 1),
    }


def unpacked(job: Job, place: Place, packed: Path) -> torch.nn.Module:
    """The network of a packed file: it is this that is judged."""
    module = place.ground.network(job.seed)
    arrays = {name: weight.read() for name, weight in read(packed).weights.items()}
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return module.eval()


def same(file: Path, packed: Path) -> bool:
    """Whether a packed file has, bit for bit, the tensors of another."""
    wanted = {name: tensor.numpy().tobytes() for name, tensor in load_file(file).items()}
    return wanted == {name: each.read().tobytes() for name, each in read(packed).weights.items()}


def sizes(packed: Path, of: int) -> Json:
    """Bytes of the file's sections, and how many times smaller they are than fp32 weights."""
    model = read(packed)
    sections = model.metadata["bytes"]
    arrays = [each.read() for each in model.weights.values() if len(each.shape) > 1]
    bits = [
        int(each.dtype.removeprefix("shared"))
        for each in model.weights.values()
        if len(each.shape) > 1
    ]
    exact = sum(np.count_nonzero(array) * n for array, n in zip(arrays, bits, strict=True))
    index = packed_indices(model)
    whole = packed.stat().st_size
    return {
        "bytes": {**sections, "file": whole},
        "data_bits": int(exact),
        "data_ratio": round(32 * of / exact, 1),
        "data_section_ratio": round(4 * of / sections["indices"], 1),
        "with_places_ratio": round(4 * of / index, 1),
        "file_ratio": round(4 * of / whole, 1),
        "deep_compression_ratio": round(
            32 * of / min(relative(arrays, bits, width) for width in GAP_BITS), 1
        ),
    }


def packed_indices(model: Any) -> int:
    """Bytes of indices, places and codebooks of all weights: without biases and the header."""
    from assay.containers.packed_tensors import pack

    parts = [pack(each.read())[1] for each in model.weights.values() if len(each.shape) > 1]
    return sum(len(part) for each in parts for part in each)


def relative(arrays: list[NDArray[np.float32]], bits: list[int], width: int) -> int:
    """Bits with gaps of ``width`` bits, as Deep Compression stores them, and the codebooks.

    A gap that does not fit is reached over weights that are zero, which are stored, too.
    """
    total = 0
    for array, n in zip(arrays, bits, strict=True):
        gaps = np.diff(np.flatnonzero(array), prepend=-1) - 1
        stored = len(gaps) + int((gaps >> width).sum())
        total += stored * (width + n) + 32 * 2**n
    return total
