"""Whether two models share more than the public base that both come from.

Two children of one base are as far from one another as both are from it, or farther: what training
changed in one is not what it changed in the other.  A copy of a child is near the child where the
child is far from the base.
"""

from __future__ import annotations

from assay.comparisons._tensor_pairs import Matching, Pair, informative, matched
from assay.comparisons.weights import Weights
from assay.values import Record

_APART = 16  # bits, at least, between a child's tensor and its base's …
_TIMES = 4  # … and times the distance between the tensors of child and copy
_FEWEST = 2  # tensors …
_SHARE = 0.05  # … of one model's values, that are so
_MOST = 0.5  # of the values that are shared, which a base must have to explain them


def beyond(suspect: Record, source: Record, base: Record) -> bool:
    """Whether tensors of ``suspect`` are those of ``source`` where the base's are not.

    Where codes do not show it, the answer is no: to accuse a sibling is worse than to miss a copy.
    Light changes, below some 1 % of the weights' norm, do not show in codes.
    """
    ours, theirs, common = (
        () if record.sketch is None else informative(record.sketch)
        for record in (suspect, source, base)
    )
    if not ours or not theirs or not common:
        return False
    shared = matched(ours, theirs)
    to_base = {pair.ours: pair for pair in matched(theirs, common).pairs}
    own = [pair for pair in shared.pairs if _is_own(shared, pair, to_base.get(pair.theirs))]
    return len(own) >= _FEWEST and max(shared.shares(own)) >= _SHARE


def may_explain(suspect: Record, source: Record, as_for_base: Record, base: Record) -> bool:
    """Whether most of what two models share is in a base, too, as far as the suspect shows it.

    For models that cannot be compared with the base themselves: they were registered in another
    layout, or sketched with another key.  ``as_for_base`` is the suspect as the base is sketched.
    """
    shared = _matched_values(suspect, source)
    of_base = _matched_values(as_for_base, base)
    known = sum(size for name, size in shared.items() if name in of_base)
    return known >= _MOST * sum(shared.values())


def _matched_values(suspect: Record, other: Record) -> dict[str, int]:
    """The values of each of the suspect's tensors that is near one of the other model's."""
    if suspect.sketch is None or other.sketch is None:
        return {}
    ours = informative(suspect.sketch)
    pairs = matched(ours, informative(other.sketch)).pairs
    return {ours[pair.ours].codes[0].name: ours[pair.ours].size for pair in pairs}


def _is_own(shared: Matching, pair: Pair, to_base: Pair | None) -> bool:
    method = Weights()
    if not method.is_near(pair) or not shared.is_learned(pair):
        return False
    if to_base is None:
        return True
    apart = to_base.distance if to_base.permuted == pair.permuted else 0
    return apart >= max(_APART, _TIMES * pair.distance)
