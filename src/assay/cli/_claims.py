"""What a key's entry in a log makes of a false alarm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assay.cli._proof_files import file_sha256, naming, read_head, read_text
from assay.cli.proving import Expected
from assay.errors import BadOption, Unproved
from assay.keys import cryptography_for
from assay.transparency import corrected
from assay.values import Evidence

if TYPE_CHECKING:
    from assay.transparency.proofs import Proved

TOLERANCE = 1e-6  # the false alarm up to which a mark counts as found
ALONE = "one key, fixed before the suspect was seen, of one: --proof and --head show that of a log"


@dataclass(frozen=True)
class Claim:
    """A key that was logged, among others, before a head was kept."""

    entry: int
    entries: int  # of the log, by that head: whoever logs many keys has many tries
    logged: str
    suspects: int  # that the key is held to

    def corrected(self, evidence: Evidence) -> Evidence:
        """The evidence with its false alarm multiplied by all that could have been claimed."""
        alone = evidence.log10_false_alarm or 0.0
        log = {
            "entry": self.entry,
            "entries": self.entries,
            "suspects": self.suspects,
            "log10_uncorrected": alone,
        }
        return replace(
            evidence,
            log10_false_alarm=corrected(alone, self.entries, self.suspects),
            detail={**evidence.detail, "log": log},
        )

    @property
    def in_words(self) -> str:
        """What the false alarm rests on."""
        return (
            f"entry {self.entry} of {self.entries}, logged {self.logged}, in the log when the head"
            f" was kept: times {self.entries} entries and {self.suspects} suspects"
        )


def claim(proof: str | None, head: str | None, key: str, suspects: int) -> Claim | None:
    """The claim that a proof shows for the file of a key; None where none is given.

    Raises Unproved where it does not show that this key was logged before the head was kept,
    UnreadableProof, BadOption, MissingExtra.
    """
    if proof is None and head is None:
        return None
    if proof is None or head is None:
        raise BadOption("--proof and --head: give both, or neither")
    proved = _proved(proof, head, key)
    if proved.tries is None:
        raise Unproved(f"{proof}: too late: it was not yet in the log when the head was kept")
    return Claim(proved.index, proved.tries, proved.entry.logged, suspects)


def _proved(proof: str, head: str, key: str) -> Proved:
    with cryptography_for("proofs"):
        from assay.transparency.proofs import Proof
    expected = Expected(read_head(head), None, None, None, file_sha256(key))
    with naming(proof):
        return expected.check(Proof.parse(read_text(proof)))
