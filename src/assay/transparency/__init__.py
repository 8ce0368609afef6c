"""A log of commitments, and proofs of what is in it that hold without the registry.

An owner commits to a model, a key and himself before anybody else sees a mark; the log keeps the
commitment, which tells nothing until it is opened.  It is a Merkle tree whose heads are signed
[RFC 6962], so that what was once in it cannot be moved, changed or taken out unseen.  Nothing here
stores anything: the registry does.
"""

from __future__ import annotations

from assay.transparency.entries import Entry, Opening, Statement
from assay.transparency.heads import SignedHead, Verifier
from assay.transparency.tries import corrected

__all__ = ["Entry", "Opening", "SignedHead", "Statement", "Verifier", "corrected"]
