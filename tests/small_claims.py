"""Commitments, and logs that have some."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from assay.keys.signing import SigningKey
from assay.registry import Registry
from assay.transparency import Opening
from assay.transparency.claims import commit
from assay.transparency.proofs import Proof

KEY = hashlib.sha256(b"a watermark's key").hexdigest()


@cache
def owner(who: int = 0) -> SigningKey:
    """The same key for the same number."""
    assert who >= 0
    return SigningKey.new()


def claim(number: int, who: int = 0) -> Opening:
    """A commitment of an owner's to model ``number``."""
    model = hashlib.sha256(b"model %d" % number).hexdigest()
    return commit(owner(who), model, scheme="uchida(bits=64)", key=KEY)


def logged(registry: Registry, *numbers: int) -> list[Opening]:
    """Commitments to models, logged in that order."""
    claims = [claim(number) for number in numbers]
    for each in claims:
        registry.log.append(each.commitment)
    return claims


def log_of_eleven(folder: Path) -> Iterator[Registry]:
    """A registry whose log has commitments to models 0 to 10."""
    with Registry.open(folder) as made:
        logged(made, *range(11))
        yield made


def proof_of_nine(registry: Registry) -> Proof:
    """Of entry 9, opened, for who has kept the head of six entries."""
    return registry.log.prove(9, since=registry.log.head(6), opening=claim(9))
