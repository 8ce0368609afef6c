"""TorchScript's operators on numbers, texts and lists of them, computed exactly [aten]."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from assay.vocabularies.torchscript.values import Value

_LARGEST = 2**63
_LONGEST = 10_000  # items of a list, characters of a text
_MOST_POWER = 64


def _bounded(function: Callable[..., Value]) -> Callable[..., Value]:
    """Raises OverflowError where the result would be of more bits, items or characters."""

    def run(*operands: Value) -> Value:
        if any(isinstance(v, list | tuple) and any(map(_is_nested, v)) for v in operands):
            raise TypeError("a list of lists, whose comparison may take for ever")
        result = function(*operands)
        if isinstance(result, int) and not -_LARGEST <= result < _LARGEST:
            raise OverflowError("a number of too many bits")
        return result

    return run


def _is_nested(value: Value) -> bool:
    return isinstance(value, list | tuple | dict)


def _add(a: Value, b: Value, alpha: Value = 1) -> Value:
    if isinstance(a, str):
        return (a + b)[:_LONGEST]  # of messages only
    return a + b * alpha


def _mul(a: float, b: float) -> Value:
    if isinstance(a, str) or isinstance(b, str):
        raise TypeError("a text is no factor")
    return a * b


def _pow(a: Value, b: Value) -> Value:
    if abs(b) > _MOST_POWER:
        raise OverflowError("a power that is too high")
    result = a**b
    if isinstance(result, complex):
        raise ValueError("a complex number")
    return result


def _div(a: Value, b: Value, rounding_mode: str | None = None) -> Value:
    if rounding_mode is None:
        return a / b
    return math.trunc(a / b) if rounding_mode == "trunc" else a // b


def _range_length(low: int, high: int, step: int) -> int:
    return len(range(low, high, step))


def _format(text: str, *values: Value) -> str:
    return text  # of messages only: nothing depends on it


def _sum(values: Value) -> Value:
    return sum(values)


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "add": _add,
    "sub": lambda a, b, alpha=1: a - b * alpha,
    "mul": _mul,
    "div": _div,
    "floordiv": operator.floordiv,
    "floor_divide": operator.floordiv,
    "true_divide": operator.truediv,
    "remainder": operator.mod,
    "fmod": math.fmod,
    "pow": _pow,
    "neg": operator.neg,
    "abs": abs,
    "prim.abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "sin": math.sin,
    "cos": math.cos,
    "mathremainder": math.remainder,
    "gcd": math.gcd,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "__and__": operator.and_,
    "__or__": operator.or_,
    "__xor__": operator.xor,
    "__lshift__": lambda a, b: a << min(b, _MOST_POWER),
    "__rshift__": operator.rshift,
    "prim.max": max,
    "prim.min": min,
    "sum": _sum,
    "Int": int,
    "Float": float,
    "Bool": bool,
    "__range_length": _range_length,
    "__derive_index": lambda index, start, step: start + index * step,
    "format": _format,
    "percentFormat": _format,
    "lower": str.lower,
    "upper": str.upper,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "str": lambda value: "",
}
SCALARS = {name: _bounded(function) for name, function in _FUNCTIONS.items()}
