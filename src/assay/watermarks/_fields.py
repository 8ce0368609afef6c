"""Fields of a key's template, checked before they are used: a key file may be damaged."""

from __future__ import annotations

from math import prod
from typing import Any

from assay.errors import BadData
from assay.values import Json

DRAWN = 2**28  # numbers that are drawn from a key for one mark, at most
_VALUES = 2**48  # of a tensor


def whole(template: Json, name: str, least: int = 1, most: int = _VALUES) -> int:
    """A whole number.  Raises BadData where there is none, or it is too small or too large."""
    value = field(template, name)
    if type(value) is not int or not least <= value <= most:
        raise BadData(f"its field {name!r} is {shown(value)}, no whole number {least} … {most}")
    return value


def tensors(template: Json) -> list[Json]:
    """The tensors that a mark lies in, as ``_hosts.hosts_of`` gives them.  Raises BadData."""
    found = field(template, "hosts")
    if not isinstance(found, list) or not found:
        raise BadData(f"its field 'hosts' is {shown(found)}, no list of tensors")
    for number, host in enumerate(found):
        within = f"hosts[{number}]"
        if not isinstance(host, dict):
            raise BadData(f"its field {within!r} is {shown(host)}, no tensor")
        if not isinstance(host.get("name"), str):
            raise BadData(f"its field '{within}.name' is {shown(host.get('name'))}, no text")
        sizes(host, "shape", f"{within}.shape", least=2)
        place = host.get("place")
        if type(place) is not int or place < 0:
            raise BadData(f"its field '{within}.place' is {shown(place)}, no whole number from 0")
    return found


def sizes(template: Json, name: str, called: str = "", least: int = 1) -> list[int]:
    """A shape of at least so many axes.  Raises BadData."""
    value = field(template, name, called)
    fits = isinstance(value, list) and all(type(size) is int and size > 0 for size in value)
    if not fits or len(value) < least or prod(value) > _VALUES:
        raise BadData(f"its field {called or name!r} is {shown(value)}, no shape")
    return list(value)


def field(template: Json, name: str, called: str = "") -> Any:
    """What a template has under a name.  Raises BadData where it has nothing."""
    if name not in template:
        raise BadData(f"it has no field {called or name!r}")
    return template[name]


def shown(value: Any) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
