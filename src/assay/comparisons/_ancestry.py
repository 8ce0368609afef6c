"""Whether a public base explains what two models share, as far as stored codes tell."""

from __future__ import annotations

from assay.comparisons._tensor_pairs import informative, matched
from assay.comparisons.weights import Weights
from assay.values import Record

_FEWEST = 2  # tensors …
_SHARE = 0.05  # … of one model's values, that the base has nothing like
_MOST = 0.5  # of the values that are shared, which a base must have to explain them


def beyond(suspect: Record, source: Record, base: Record) -> bool:
    """Whether ``suspect`` has learned tensors of ``source`` that ``base`` has nothing like.

    What the base has, changed, says nothing: whoever prunes or quantizes it gets the same codes.
    """
    ours, theirs, common = (
        () if record.sketch is None else informative(record.sketch)
        for record in (suspect, source, base)
    )
    if not ours or not theirs or not common:
        return False
    shared, method = matched(ours, theirs), Weights()
    of_base = {pair.ours for pair in matched(theirs, common).pairs}
    own = [
        pair
        for pair in shared.pairs
        if pair.theirs not in of_base and method.is_near(pair) and shared.is_learned(pair)
    ]
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
