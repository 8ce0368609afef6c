"""Keys, each in a file of its own that only its owner may read.

A file begins with what anyone may know: the kind, the public part and a checksum.  The secret
follows as a block of PEM [RFC 7468], sealed by a passphrase if that was asked for.  Every kind of
key is written and read here; what the secret is, its kind's module knows.  A key is never inside a
model, and nothing replaces a file that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from assay.errors import MissingExtra
from assay.keys._files import KINDS, KeyFile, read, write

__all__ = ["KINDS", "KeyFile", "cryptography_for", "read", "write"]


@contextmanager
def cryptography_for(what: str) -> Iterator[None]:
    """Import what needs the extra in here.  Raises MissingExtra where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{what} need a library ({error}): pip install 'assay[crypto]'"
        ) from error
