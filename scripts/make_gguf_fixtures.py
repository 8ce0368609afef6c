"""Writes blocks of GGUF's quantized types and what they mean, as the ``gguf`` package 0.19 says.

pip install gguf==0.19.0 && python scripts/make_gguf_fixtures.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

BLOCKS = Path(__file__).parents[1] / "tests" / "fixtures" / "gguf" / "blocks.npz"
SEED = 0
NONE = {"Q8_1", "Q8_K", "Q1_0"}  # the package does not decode them


def main() -> None:
    """For each type: random bytes of one block, and its numbers, all of them finite."""
    random = np.random.default_rng(SEED)
    arrays = {}
    for kind in GGMLQuantizationType:
        block, length = GGML_QUANT_SIZES[kind]
        if block == 1 or kind.name in NONE:
            continue
        values = np.array([np.nan])
        while not np.isfinite(values).all():
            blocks = random.integers(0, 256, (max(1, 128 // block), length), np.uint8)
            with np.errstate(all="ignore"):
                values = quants.dequantize(blocks, kind)
        arrays[f"{int(kind)}.blocks"] = blocks
        arrays[f"{int(kind)}.values"] = values.astype(np.float32)
    BLOCKS.parent.mkdir(exist_ok=True)
    np.savez_compressed(BLOCKS, **arrays)
    print(f"{BLOCKS}: {BLOCKS.stat().st_size:,} bytes, {len(arrays) // 2} types")


if __name__ == "__main__":
    main()
