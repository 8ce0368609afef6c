"""JSON objects of files that are not trusted [RFC 8259].

Bounded before it is parsed; of two entries with one name neither is believed.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from assay.errors import UnreadableModel

LONGEST = 32 * 2**20  # bytes
_MANY = 21  # digits: more than any that fit
MOST_ITEMS = 1_500_000
MOST_PARTS = 1_000_000  # objects and lists, which cost the parser most


def json_object(content: bytes, what: str) -> dict[str, Any]:
    """The object that ``content`` is; ``what`` names it in errors.

    Raises UnreadableModel where it is none, or too much.
    """
    parsed = json_value(content, what)
    if not isinstance(parsed, dict):
        raise UnreadableModel(f"{what} is not a JSON object")
    return parsed


def json_value(content: bytes, what: str) -> Any:
    """The object, list, text or number that ``content`` is, as ``json_object`` reads it."""
    if len(content) > LONGEST:
        raise UnreadableModel(f"{what} is longer than {LONGEST // 2**20} MiB")
    if content.count(b"{") + content.count(b"[") > MOST_PARTS:
        raise UnreadableModel(f"{what} has more than {MOST_PARTS:,} parts")
    if content.count(b",") > MOST_ITEMS:
        raise UnreadableModel(f"{what} has more than {MOST_ITEMS:,} items")
    try:
        return json.loads(content, object_pairs_hook=_unique, parse_int=_number)
    except RecursionError as error:
        raise UnreadableModel(f"{what} is nested too deep") from error
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise UnreadableModel(f"{what} is not JSON: {error}") from error


def _number(digits: str) -> int | float:
    """A whole number that fits a machine word; others stand for themselves as nearly as floats."""
    value = int(digits) if len(digits) < _MANY else 2**63
    return value if -(2**63) <= value < 2**63 else float(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"it names {twice[:80]!r} twice")
    return found
