"""The operators that a layer was merged from: its name joins theirs, "Conv+Relu"."""

from __future__ import annotations

from functools import lru_cache


def merged_operators(op: str) -> list[str]:
    """All, in their order; one of a custom domain, "domain::Op+", is never merged."""
    return [op] if "::" in op else op.split("+")


@lru_cache(maxsize=1 << 12)
def first_operator(op: str) -> str:
    """The one that the others were merged into."""
    return merged_operators(op)[0]
