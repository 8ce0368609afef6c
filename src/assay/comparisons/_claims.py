"""How much of two models' weights must be shared, and how surely, for each thing that is claimed.

Stored codes and opened files are held to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log, log10

FLOOR = -12.0  # log₁₀ of one tensor's false alarm: none counts for more
WORTH = -3.0  # log₁₀, corrected: what is likelier among strangers is no match
LEARNED = 0.25  # excess of correlation in a tensor that is visibly more than its start
FEWEST = 2  # tensors that must be matched, or copied …
TELLING = 0.05  # … with so much of one model's values
NEARLY_ALL = 0.95  # of both models' values: the same model
_PART = 0.5  # of one model's values: a backbone under a new head, a part of a bundle
_COPIES = 3  # tensors so equal, of …
_COPIED = 0.1  # … one model's values: frozen layers
_LOWEST = -77.0  # of all tensors: no surer than equal bytes, 2^-256


def is_part(tensors: int, values: Sequence[float]) -> bool:
    """Whether so many copied tensors, with these shares of both models' values, are a part."""
    return tensors >= FEWEST and max(values) >= _PART


def is_frozen(tensors: int, values: Sequence[float]) -> bool:
    """Whether they are layers that were kept as they were."""
    return tensors >= _COPIES and max(values) >= _COPIED


def combined(tails: Sequence[float], total: int) -> float:
    """log₁₀ of the probability of such tails in any of ``total`` independent tensors.

    That k of them have a tail p or less is at most C(total, k) pᵏ; of all k the least counts, times
    their number.
    """
    least = 0.0
    for k, tail in enumerate(sorted(tails), 1):
        choices = (lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1)) / log(10)
        least = min(least, choices + k * tail + log10(total))
    return max(least, _LOWEST)
