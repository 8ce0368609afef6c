"""Weights that stand in a Core ML network's layers [WeightParams in NeuralNetwork.proto].

Numbers are float32, float16, or of few bits with a scale and a shift, or with a table of values;
then the first number is in a byte's highest bits.
"""

from __future__ import annotations

from math import prod

import numpy as np

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.weights import Array
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

_FLOATS = {1: ("float32", "<f4"), 2: ("float16", "<f2")}
_RAW, _RAW_INT8, _QUANTIZATION = 30, 31, 40
_LINEAR, _TABLE = 101, 102


def stored(name: str, params: Message, shape: tuple[int, ...], axis: int = 0) -> Stored:
    """One tensor, whose outputs lie along ``axis``.

    Raises UnreadableModel where it does not have the numbers of its shape.
    """
    shape = shape_of(f"tensor {name!r}", shape)
    count = prod(shape)
    floats = [number for number in _FLOATS if params.has(number)]
    if floats:
        if length(params) != count:
            raise UnreadableModel(f"tensor {name!r}: {length(params):,} numbers, not {count:,}")
        dtype, kind = _FLOATS[floats[0]]
        return Stored(shape, dtype, lambda: params.floats(floats[0], kind).reshape(shape))
    bits = _bits(params)
    if not 1 <= bits <= 8 or _raw(params)[1] < -(-count * bits // 8):
        raise UnreadableModel(f"tensor {name!r} of {count:,} numbers of {bits} bits is cut")
    signed = params.has(_RAW_INT8)
    dtype = f"{'' if signed else 'u'}int{bits}"
    return Stored(shape, dtype, lambda: _quantized(params, shape, axis))


def length(params: Message) -> int:
    """How many numbers there are."""
    for number, (_, kind) in _FLOATS.items():
        if params.has(number):
            size = sum(end - start for _, start, end in params.listed(number))
            return size // np.dtype(kind).itemsize
    return _raw(params)[1] * 8 // max(_bits(params), 1)


def _bits(params: Message) -> int:
    return 8 if params.has(_RAW_INT8) else params.message(_QUANTIZATION).integer(1, 8)


def _raw(params: Message) -> tuple[int, int]:
    """Where the bytes of small numbers begin, and how many there are."""
    spans = params.spans(_RAW_INT8 if params.has(_RAW_INT8) else _RAW)
    start, end = spans[-1] if spans else (0, 0)
    return start, end - start


def _quantized(params: Message, shape: tuple[int, ...], axis: int) -> Array:
    """The real values of small numbers."""
    start, size = _raw(params)
    packed = np.frombuffer(params.source.data[start : start + size], np.uint8)
    bits, count = _bits(params), prod(shape)
    each = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    codes = np.packbits(each, axis=1)[:, 0] >> (8 - bits)
    quantization = params.message(_QUANTIZATION)
    if quantization.has(_TABLE):
        table = quantization.message(_TABLE).floats(1)
        if codes.size and int(codes.max()) >= table.size:
            raise UnreadableModel("a tensor's places lie outside its table")
        return np.asarray(table[codes].reshape(shape), np.float32)
    real = (codes.view(np.int8) if params.has(_RAW_INT8) else codes).astype(np.float32)
    real = real.reshape(shape)
    linear = quantization.message(_LINEAR)
    with np.errstate(over="ignore", invalid="ignore"):  # of damaged scales: no number comes of it
        if linear.has(1):
            real *= _of_outputs(linear.floats(1), shape, axis)
        if linear.has(2):
            real += _of_outputs(linear.floats(2), shape, axis)
    return real


def _of_outputs(numbers: Array, shape: tuple[int, ...], axis: int) -> Array:
    """One number for all, or one for each output; those of groups follow each other."""
    if numbers.size == 1:
        return numbers.reshape(())
    groups = numbers.size // max(shape[axis], 1) if axis < len(shape) else 0
    if groups < 1 or numbers.size != groups * shape[axis] or (groups > 1 and shape[0] % groups):
        raise UnreadableModel("a quantized tensor's scale does not fit its shape")
    if axis == 0 and groups == 1:
        return numbers.reshape(-1, *(1 for _ in shape[1:]))
    if axis != 1:
        raise UnreadableModel("a quantized tensor's scale does not fit its shape")
    rows = np.repeat(numbers.reshape(groups, -1), shape[0] // groups, 0)
    return rows.reshape(*rows.shape, *(1 for _ in shape[2:]))
