"""Text that others wrote, read strictly: one spelling for each value, or UnreadableProof."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from assay.errors import UnreadableProof

LARGEST = 2**24  # characters of a proof
SIZE = 2**62  # entries of a log, at most


def canonical(value: object) -> bytes:
    """The one way in which a value is written where it is hashed or signed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def loads(text: str, what: str) -> Any:
    """The JSON in a text.  Raises UnreadableProof, also where a name stands twice."""
    if len(text) > LARGEST:
        raise UnreadableProof(f"is no {what}: more than {LARGEST} characters")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_float=_refused)
    except (ValueError, RecursionError) as error:
        raise UnreadableProof(f"is no {what}, or a damaged one: not the JSON of one") from error


def fields(value: object, names: Iterable[str], what: str) -> Mapping[str, Any]:
    """An object that has these names and no others."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise UnreadableProof(f"is no {what}, or a damaged one: has not the fields of one")
    return value


def digits(value: object, length: int, what: str) -> str:
    """So many hexadecimal digits, small letters."""
    if not isinstance(value, str) or re.fullmatch(f"[0-9a-f]{{{length}}}", value) is None:
        raise UnreadableProof(f"{what}: is not {length} hexadecimal digits")
    return value


def number(value: object, what: str) -> int:
    """A whole number from 0 on."""
    if type(value) is not int or not 0 <= value < SIZE:
        raise UnreadableProof(f"{what}: is not a whole number from 0 on")
    return value


def decoded(value: object, what: str) -> bytes:
    """Base64 in its one spelling."""
    try:
        found = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        found = None
    if found is None or base64.b64encode(found).decode() != value:
        raise UnreadableProof(f"{what}: is not base64")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refused(text: str) -> Any:
    raise ValueError(f"{text}: no number of a proof is a fraction")
