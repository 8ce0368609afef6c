"""What a p-value is worth after everything that was tried [Bonferroni].

A key reads some word in any model.  Whoever logs a million keys finds one of them at 10^-6 in any
model, so a claim's p-value is multiplied by the number of keys that could have been claimed
instead.  That is the number of **all** entries of the log: an entry does not say whose it is, and a
million owners' keys cost no more than one.  Of which moment, the verifier says, not the claimant:
the entries of a head that the verifier kept from before the suspect was seen.  What was logged
later is no claim at all, since a key can be chosen to fit a model that lies there.
"""

from __future__ import annotations

import math

from assay.errors import BadOption


def corrected(log10_p: float, entries: int, suspects: int = 1) -> float:
    """log10 of the p-value of a claim, corrected; 0 at most.

    ``entries`` are those of the log (see above), ``suspects`` the models that the claimant held the
    key to.  An entry is one key, read in one way: what a scheme searches over, such as alignments,
    is in its p-value already.  Raises BadOption.
    """
    if entries < 1 or suspects < 1:
        raise BadOption(f"{entries} entries, {suspects} suspects: at least one each was tried")
    if not log10_p <= 0:
        raise BadOption(f"log10 of a p-value is 0 at most, not {log10_p:g}")
    return min(0.0, log10_p + math.log10(entries) + math.log10(suspects))
