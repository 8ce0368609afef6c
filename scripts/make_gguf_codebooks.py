"""Writes ggml's codebooks into the package, as the ``gguf`` package 0.19 lists them.

pip install gguf==0.19.0 && python scripts/make_gguf_codebooks.py
"""

from __future__ import annotations

import numpy as np
from gguf import quants

from assay.weights.gguf_codebooks import CODEBOOKS

KINDS = {
    "iq2_xxs": quants.IQ2_XXS,
    "iq2_xs": quants.IQ2_XS,
    "iq2_s": quants.IQ2_S,
    "iq3_xxs": quants.IQ3_XXS,
    "iq3_s": quants.IQ3_S,
    "iq1": quants.IQ1_S,
}


def main() -> None:
    """One array for each, of int8."""
    vectors = {}
    for name, kind in KINDS.items():
        kind.init_grid()
        vectors[name] = kind.grid.reshape(kind.grid_shape).astype(np.int8)
    np.savez_compressed(CODEBOOKS, **vectors)
    print(f"{CODEBOOKS}: {CODEBOOKS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
