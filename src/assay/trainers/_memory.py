"""Whether a training fits this machine's memory: to be known before the long work."""

from __future__ import annotations

import os

from assay.errors import BadOption


def need(size: int, what: str, remedy: str) -> None:
    """Raises BadOption where ``size`` bytes, which ``what`` takes, are more than there are."""
    most = _installed()
    if most is not None and size > most:
        raise BadOption(
            f"{what} need {_gigabytes(size)} of memory, and this machine has {_gigabytes(most)}:"
            f" {remedy}"
        )


def _installed() -> int | None:
    """Bytes of memory; None where the system does not tell."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return found if found > 0 else None  # each is -1 where it is not defined
    except (AttributeError, ValueError, OSError):  # Windows has no such call
        return None


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
