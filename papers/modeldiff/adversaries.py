"""Suspects that hide: those who tell less are in ``plan.LIMITS``, those who answer otherwise here.

A disguise takes the ground and the name of a derived model, and gives what is asked in its place.
Only derived models wear one; whom they are compared with answers honestly.
"""

from __future__ import annotations

from collections.abc import Callable

from ground import Ground

from assay.running.predictors import Predictor

Disguise = Callable[[Ground, str], Predictor]
DISGUISES: dict[str, Disguise] = {}  # by its name in the table
WANTED = ("probe detector", "RemovalNet-style tuning")  # lines of the table that are not run yet
_WORN = " as "


def disguised(name: str, disguise: str) -> str:
    """What a model in disguise is called in the archive; without a disguise its own name."""
    return f"{name}{_WORN}{disguise}" if disguise else name


def undisguised(name: str) -> str:
    """Who it is."""
    return name.partition(_WORN)[0]
