"""Compressed weights of Core ML programs that do not fit, or unfold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from samples import coreml as files
from samples.coreml import Design

from hostile.building import attack


def _compressed(
    folder: Path, operation: str, parts: dict[str, Any], design: Design | None = None
) -> Path:
    """A package whose only weight is ``parts`` put together; ``design`` may hold some of them."""
    design = design or Design()
    for name, value in parts.items():
        design.const(name, value if isinstance(value, dict) else design.stored(value))
    design.add(operation, {name: name for name in parts}, {"w": (4, 4)})
    design.add("linear", {"x": "x", "weight": "w"}, {"y": (1, 4)})
    return design.package(folder, {"x": (1, 4)})


@attack("outside its table")
def coreml_place_outside_its_table(folder: Path) -> Path:
    table = np.zeros((1, 1, 4, 1), np.float32)
    indices = np.full((4, 4), 200, np.uint8)
    return _compressed(folder, "constexpr_lut_to_dense", {"indices": indices, "lut": table})


@attack("vectors of 16,384 numbers")
def coreml_table_of_long_vectors(folder: Path) -> Path:
    """Of 2 KiB, would unfold to 1 GiB."""
    design = Design()
    parts = {
        "indices": design.stored(np.zeros(2**11, np.uint8), files.UINT1, (2**7, 2**7)),
        "lut": np.zeros((1, 1, 2, 2**14), np.uint8),
        "vector_axis": files.scalar(0),
    }
    return _compressed(folder, "constexpr_lut_to_dense", parts, design)


@attack("are cut")
def coreml_packed_places_that_are_cut(folder: Path) -> Path:
    parts = {
        "indices": np.zeros(16, np.uint8),
        "lut": np.zeros(16, np.float32),
        "shape": files.scalar([2**20, 2**20]),
    }
    return _compressed(folder, "constexpr_lut_to_dense", parts)


@attack("absurd shape")
def coreml_sparse_tensor_of_2_to_the_62(folder: Path) -> Path:
    parts = {
        "nonzero_data": np.zeros(16, np.float32),
        "mask": np.zeros(16, np.uint8),
        "shape": files.scalar([2**31 - 1, 2**31 - 1]),
    }
    return _compressed(folder, "constexpr_sparse_to_dense", parts)


@attack("values, not")
def coreml_sparse_tensor_of_too_few_values(folder: Path) -> Path:
    parts = {"nonzero_data": np.zeros(3, np.float32), "mask": np.full(2, 255, np.uint8)}
    parts |= {"shape": files.scalar([4, 4])}
    return _compressed(folder, "constexpr_sparse_to_dense", parts)


@attack("do not fit")
def coreml_blocks_that_do_not_divide_the_tensor(folder: Path) -> Path:
    parts = {"data": np.zeros((4, 4), np.int8), "scale": np.zeros((3, 1), np.float32)}
    return _compressed(folder, "constexpr_blockwise_shift_scale", parts)


@attack("has no constant 'scale'")
def coreml_compressed_weight_without_a_scale(folder: Path) -> Path:
    return _compressed(
        folder, "constexpr_blockwise_shift_scale", {"data": np.zeros((4, 4), np.int8)}
    )
