"""Licenses as the owner gives them: of copies that are all alike, or of one licensee's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from assay.durable import writing
from assay.errors import Unlicensed, UnreadableKey, UnreadableLicense
from assay.keys.signing import SigningKey
from assay.licenses import _signed
from assay.licenses._copies import Patch, patched
from assay.licenses._distributable import ledger_of, read_manifest, restored
from assay.licenses._grants import Grant, bounded, level_key, root_of
from assay.licenses._ledger import Ledger
from assay.licenses._manifest import Content, Manifest
from assay.licenses._streams import written
from assay.transparency import _strict

EXTRA = "crypto"


def granted(
    model: Path,
    owner: SigningKey,
    level: int,
    licensee: str,
    key: str,
    expires: str | None = None,
) -> Grant:
    """A license for a level of a distributable, and for his copy alone where copies are told apart.

    Args:
        model: The distributable's; where copies are told apart, with all its files beside it.
        owner: Who issued that.
        level: 0 is the whole model.
        licensee: A name.
        key: The licensee's public key: 64 hexadecimal digits.
        expires: The last day; by default it does not end.

    Raises:
        Unlicensed: as of ``Grant.make``.
        UnreadableKey: there is no such public key.
        UnreadableLicense: the name or the day is none; or a file of the distributable is missing,
            damaged, or was changed.
        OSError: a file cannot be read.
    """
    manifest = read_manifest(model)
    try:
        bounded(manifest, owner, level, licensee, expires)
        with _signed.reading("license"):
            _strict.digits(key, _signed.DIGEST, "the licensee's public key")
        if manifest.ledger is None:
            return Grant.make(manifest, owner, level, licensee, key, expires)
        ledger = read_ledger(model, manifest, owner)
        patches = ledger.patches(level, ledger.words(owner, key))
    except (Unlicensed, UnreadableKey, UnreadableLicense) as error:
        raise type(error)(f"{model}: {error}") from error
    with Path(os.devnull).open("wb") as nowhere:  # only what it would be is wanted
        content = _copied(model, manifest, owner, level, patches, nowhere)
    return Grant.make(manifest, owner, level, licensee, key, expires, (content, patches))


def read_ledger(model: Path, manifest: Manifest, owner: SigningKey) -> Ledger:
    """The owner's ledger of a distributable.

    Raises UnreadableLicense where there is none, or it is damaged; Unlicensed where the
    distributable is another owner's.
    """
    path = ledger_of(model)
    if manifest.owner != owner.public:
        raise Unlicensed("the distributable is another owner's")
    if manifest.ledger is None:
        raise UnreadableLicense("its copies are all alike: it was issued without --trace")
    if not path.exists():
        raise UnreadableLicense(f"there is no {path.name} beside it: put back the owner's copy")
    try:
        return Ledger.unseal(path.read_bytes(), manifest.id, owner)
    except UnreadableLicense as error:
        raise UnreadableLicense(f"{path.name}: {error}") from error


def copied(model: Path, grant: Grant, owner: SigningKey, output: Path) -> Content:
    """Write one licensee's copy as his license makes it, which its owner can make, too.

    Raises Unlicensed where the license is for another model, or another signed it; and else as
    ``granted`` does, also where copies are all alike: none of them is one licensee's.
    """
    manifest = read_manifest(model)
    try:
        ledger = read_ledger(model, manifest, owner)
    except (Unlicensed, UnreadableLicense) as error:
        raise type(error)(f"{model}: {error}") from error
    is_ours = (grant.manifest, grant.owner) == (manifest.digest, owner.public)
    if not is_ours or grant.level >= len(manifest.levels):
        raise Unlicensed("is for another model than this, or its owner has not signed it")
    patches = ledger.patches(grant.level, ledger.words(owner, grant.key))
    with writing(output) as stream:
        made = _copied(model, manifest, owner, grant.level, patches, stream)
        if grant.copy is None or made != grant.copy.content:
            raise UnreadableLicense("makes another copy than its owner would")
    return made


def _copied(
    model: Path,
    manifest: Manifest,
    owner: SigningKey,
    level: int,
    patches: list[Patch],
    stream: BinaryIO,
) -> Content:
    """Write a licensee's copy, which the owner makes of whole files; what it is."""
    plain = hashlib.sha256()

    def seen(windows: Iterable[memoryview]) -> Iterator[memoryview]:
        for window in windows:
            plain.update(window)
            yield window

    secret = level_key(root_of(owner, manifest.id), 0, level)
    with restored(model, manifest, secret, level) as windows:
        made = written(patched(seen(windows), patches), stream)
    if Content(plain.hexdigest(), made.size) != manifest.levels[level].restored:
        raise UnreadableLicense(f"{model}: was changed: does not become what its owner signed")
    return made
