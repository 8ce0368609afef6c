"""Protobuf messages as bytes: a dict from the number of a field to what it holds.

Whole numbers, texts, bytes, messages; a float takes four bytes, and a list repeats a field.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

Fields = Mapping[int, Any]


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(fields: Fields) -> bytes:
    return b"".join(
        _field(number, value)
        for number, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    )


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, Mapping):
        value = message(value)
    content = value.encode() if isinstance(value, str) else bytes(value)
    return varint(number << 3 | 2) + varint(len(content)) + content
