"""The template of a mark in structure, checked before it is used: a key file may be damaged."""

from __future__ import annotations

from typing import Any

from assay.errors import BadData
from assay.values import Json
from assay.watermarks import TAG
from assay.watermarks._fields import field, shown, whole
from assay.watermarks._quantizing import capacity

EXTRA = "watermarks"
_WIDEST = 2**20  # step, in channels


def validate(template: Json) -> None:
    """Raise BadData, which names the field, where a template is none of a mark in structure."""
    step = whole(template, "step", most=_WIDEST)
    if step % 2 == 0:
        raise BadData(f"its field 'step' is {step}, no odd number")
    names = {_tensor(each) for each in _tables(template, "skeleton")}
    layers = _tables(template, "layers")
    for each in layers:
        _layer(each, step, names)
    if not layers:
        raise BadData("its field 'layers' has no layer")
    plain = [{"symbols": each[each["of"] + "symbols"]} for each in layers]
    room = capacity(plain) - 8 * int(template["payload_bytes"])
    whole(template, "tag_bits", most=min(room, 8 * TAG))


def _tables(template: Json, name: str) -> list[Json]:
    """The tables of a list, their fields under whole names: ``layers[3].rows``."""
    found = field(template, name)
    if not isinstance(found, list):
        raise BadData(f"its field {name!r} is {shown(found)}, no list")
    for place, each in enumerate(found):
        if not isinstance(each, dict):
            raise BadData(f"its field '{name}[{place}]' is {shown(each)}, no table")
    return [
        {"of": f"{name}[{place}].", **{f"{name}[{place}].{n}": v for n, v in each.items()}}
        for place, each in enumerate(found)
    ]


def _tensor(each: Json) -> str:
    """Its name."""
    name, kernel = (field(each, each["of"] + which) for which in ("name", "kernel"))
    if not isinstance(name, str) or not _are_sizes(kernel):
        raise BadData(f"its field '{each['of']}name' or its kernel is {shown([name, kernel])}")
    return name


def _layer(each: Json, step: int, names: set[str]) -> None:
    of = each["of"]
    symbols = whole(each, of + "symbols", least=2)
    whole(each, of + "first", most=whole(each, of + "channels") - step * symbols)
    rows, columns = field(each, of + "rows"), field(each, of + "columns")
    if not isinstance(rows, list) or not rows or not {*map(str, rows)} <= names:
        raise BadData(f"its field '{of}rows' is {shown(rows)}, no names of tensors")
    if not isinstance(columns, list) or not all(_is_column(column, names) for column in columns):
        raise BadData(f"its field '{of}columns' is {shown(columns)}, no names with numbers")


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and size > 0 for size in value)


def _is_column(value: Any, names: set[str]) -> bool:
    is_pair = isinstance(value, list) and len(value) == 2
    return is_pair and str(value[0]) in names and _are_sizes(value[1:])
