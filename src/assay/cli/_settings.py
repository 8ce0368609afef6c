"""``--set NAME=VALUE``: options of a method, read as the types of its fields say.

A field may hold a data class itself; its fields are set as in ``training.epochs=3``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from assay.errors import BadOption

Kind = Any  # a type as annotations spell it: int, float | None, Literal["sgd", "adam"] …

_NONE = "none"
_BOOLEANS = {"true": True, "false": False}


def settings(
    method: Any, name: str, given: Sequence[str], without: Collection[str] = ()
) -> dict[str, Any]:
    """What to make ``method`` with, by field; ``without`` are fields with options of their own.

    Raises BadOption where the method, called ``name``, has no such option, or none of such a value.
    """
    known = {option: kind for option, kind in kinds(method).items() if option not in without}
    found: dict[str, Any] = {}
    for setting in given:
        option, equals, text = setting.partition("=")
        if not equals or option not in known:
            listed = ", ".join(f"{option} ({spelled(kind)})" for option, kind in known.items())
            raise BadOption(
                f"--set {setting}: is not NAME=VALUE, of {name}: {listed or 'it has no options'}"
            )
        try:
            found[option] = value(known[option], text)
        except (ValueError, KeyError) as error:
            raise BadOption(f"--set {setting}: {text!r} is no {spelled(known[option])}") from error
    return _nested(method, found, defaults(method))


def kinds(method: Any) -> dict[str, Kind]:
    """Type of each option by its name; what an option holds follows as ``option.field``."""
    found: dict[str, Kind] = {}
    hints = get_type_hints(method)
    for field in fields(method):
        held = _held(hints[field.name])
        if held is None:
            found[field.name] = hints[field.name]
            continue
        if NoneType in get_args(hints[field.name]):
            found[field.name] = NoneType
        found |= {f"{field.name}.{name}": kind for name, kind in kinds(held).items()}
    return found


def value(kind: Kind, text: str) -> Any:
    """A value of ``kind``, as written.  Raises ValueError or KeyError where it is none."""
    if kind is NoneType:
        return {_NONE: None}[text]
    if kind is bool:
        return _BOOLEANS[text]
    origin: Any = get_origin(kind)
    arguments = get_args(kind)
    if origin is Literal:
        return {str(choice): choice for choice in arguments}[text]
    if origin in (Union, UnionType):
        if NoneType in arguments and text == _NONE:
            return None
        (kind,) = (argument for argument in arguments if argument is not NoneType)
        return value(kind, text)
    if origin is tuple:
        parts = text.split(",") if text else []
        each = arguments[:1] * len(parts) if arguments[-1] is Ellipsis else arguments
        return tuple(value(kind, part) for kind, part in zip(each, parts, strict=True))
    return kind(text)


def spelled(kind: Kind) -> str:
    """A type for people: ``float or none``."""
    if kind is NoneType:
        return _NONE
    origin: Any = get_origin(kind)
    arguments = get_args(kind)
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin in (Union, UnionType):
        return " or ".join(map(spelled, arguments))
    if origin is tuple:
        return ",".join("…" if part is Ellipsis else spelled(part) for part in arguments)
    return str(kind.__name__)


def _nested(method: Any, found: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as data classes: those of ``start``, or new ones, with the values found."""
    made = {name: value for name, value in found.items() if "." not in name}
    hints = get_type_hints(method)
    for field in fields(method):
        own = f"{field.name}."
        inner = {name.removeprefix(own): v for name, v in found.items() if name.startswith(own)}
        if inner:
            held = _held(hints[field.name])
            assert held is not None  # ``kinds`` has taken the dot from there
            old = start.get(field.name) or held()
            now = {each.name: getattr(old, each.name) for each in fields(old)}
            made[field.name] = replace(old, **_nested(held, inner, now))
    return made


def _held(kind: Kind) -> type[Any] | None:
    """The data class that a field of this type holds."""
    for each in (kind, *get_args(kind)):
        if isinstance(each, type) and is_dataclass(each):
            return each
    return None


def defaults(method: Any) -> dict[str, Any]:
    """The value of each field that is not given."""
    plain = {f.name: f.default for f in fields(method) if f.default is not MISSING}
    made = {f.name: f.default_factory() for f in fields(method) if f.default_factory is not MISSING}
    return plain | made
