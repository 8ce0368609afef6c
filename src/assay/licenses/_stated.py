"""Options that a manifest's line about its method states, without running what stands there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from assay.errors import UnreadableLicense


def stated(method: str) -> dict[str, str]:
    """Options by dotted name, in words as on the command line: ``{"training.epochs": "3"}``.

    Args:
        method: The repr of what made levels: a data class, whose fields are values or others.

    Raises UnreadableLicense where it is none.
    """
    try:
        made = ast.parse(method, mode="eval").body
        if not isinstance(made, ast.Call):
            raise ValueError("is no method")
        return dict(_flat(made))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise UnreadableLicense("what it says of its method cannot be read") from error


def _flat(call: ast.Call, within: str = "") -> Iterator[tuple[str, str]]:
    if call.args:
        raise ValueError("has values without names")
    for each in call.keywords:
        if each.arg is None:
            raise ValueError("has fields without names")
        if isinstance(each.value, ast.Call):
            yield from _flat(each.value, f"{within}{each.arg}.")
        else:
            yield within + each.arg, _words(ast.literal_eval(each.value))


def _words(value: object) -> str:
    """As on the command line."""
    if isinstance(value, tuple):
        return ",".join(map(_words, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
