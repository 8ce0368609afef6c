"""License files: the key of a level, wrapped for one licensee, until a day."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from assay.errors import Unlicensed, UnreadableKey, UnreadableLicense
from assay.keys.deriving import derive
from assay.keys.signing import SigningKey
from assay.keys.wrapping import ReceivingKey, wrap
from assay.licenses import _signed
from assay.licenses._copies import KEY, Copy, Patch
from assay.licenses._manifest import Content, Manifest, read_text
from assay.transparency import _strict
from assay.values import Json

EXTRA = "crypto"
_KEY = 32  # bytes of a level's key
_FIELDS = ("manifest", "level", "licensee", "key", "issued", "expires", "copy", "wrapped")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a licensee is given."""

    manifest: str  # SHA-256 of the distributable's
    level: int
    licensee: str  # a name
    key: str  # the licensee's public key
    issued: str
    expires: str | None  # the last day on which it can be used
    copy: Copy | None  # what makes it his, where every copy is one licensee's
    wrapped: bytes  # the key of the level, and behind it that of the copy's values
    document: Json  # all this, signed

    @classmethod
    def make(
        cls,
        manifest: Manifest,
        owner: SigningKey,
        level: int,
        licensee: str,
        key: str,
        expires: str | None = None,
        copy: tuple[Content, Sequence[Patch]] | None = None,
    ) -> Self:
        """A license for a level, and all that are less.

        Args:
            manifest: Of the distributable.
            owner: Who issued that.
            level: 0 is the original.
            licensee: A name.
            key: The licensee's public key: 64 hexadecimal digits.
            expires: The last day; by default it does not end.
            copy: The whole file that it makes, and what is the licensee's in it; ``granting``
                makes them.

        Raises:
            Unlicensed: the owner is another, there is no such level, or the model is not for that
                licensee, or not for so long.
            UnreadableKey: there is no such public key.
            UnreadableLicense: the name or the day is none.
        """
        expires = bounded(manifest, owner, level, licensee, expires)
        body: dict[str, Any] = {
            "manifest": manifest.digest, "level": level, "licensee": licensee, "key": key,
            "issued": _signed.today(), "expires": expires, "copy": None,
        }  # fmt: skip
        with _signed.reading("license"):
            _strict.digits(key, _signed.DIGEST, "the licensee's public key")
        secret = level_key(root_of(owner, manifest.id), 0, level)
        if copy is not None:
            opens = secrets.token_bytes(KEY)
            body["copy"], secret = Copy.seal(*copy, opens).to_json(), secret + opens
        body["wrapped"] = base64.b64encode(wrap(key, secret, _about(body))).decode()
        return cls.parse(_signed.text_of(_signed.sign("license", body, owner)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises UnreadableLicense where it is none, or not what its owner signed."""
        row = _signed.parse(text, "license", _FIELDS)
        with _signed.reading("license"):
            return cls(
                _strict.digits(row["manifest"], _signed.DIGEST, "manifest"),
                _strict.number(row["level"], "level"),
                _signed.note(row["licensee"], "licensee"),
                _strict.digits(row["key"], _signed.DIGEST, "key"),
                _signed.day(row["issued"], "issued"),
                _signed.end(row["expires"]),
                Copy.from_json(row["copy"]),
                _strict.decoded(row["wrapped"], "wrapped"),
                {**row},
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """The license in a file.  Raises UnreadableLicense, OSError."""
        return cls.parse(read_text(path))

    @property
    def owner(self) -> str:
        """The public key that signed it."""
        return str(self.document["owner"])

    @property
    def digest(self) -> str:
        """Its SHA-256."""
        return _signed.digest(self.document)

    @property
    def text(self) -> str:
        """The file."""
        return _signed.text_of(self.document)

    def open(self, manifest: Manifest, key: ReceivingKey, today: str | None = None) -> bytes:
        """The key of its level, for who it is made out to; ``today`` is the clock's by default.

        Raises:
            Unlicensed: it is for another model or another licensee, or has expired.
            UnreadableLicense: the owner has wrapped something else.
        """
        return self._opened(manifest, key, today)[:_KEY]

    def patches(
        self, manifest: Manifest, key: ReceivingKey, today: str | None = None
    ) -> list[Patch]:
        """What is the licensee's in his copy; nothing where copies are alike.

        Raises as ``open`` does.
        """
        opens = self._opened(manifest, key, today)[_KEY:]
        return [] if self.copy is None else self.copy.patches(opens)

    def _opened(self, manifest: Manifest, key: ReceivingKey, today: str | None) -> bytes:
        now = today or _signed.today()
        if self.manifest != manifest.digest or self.owner != manifest.owner:
            raise Unlicensed("is for another model than this")
        if self.level >= len(manifest.levels):
            raise Unlicensed(f"the model has no level {self.level}")
        if manifest.licensee not in (None, self.licensee):
            raise Unlicensed(f"the model is for {manifest.licensee!r} alone")
        for last in (self.expires, manifest.expires):
            if last is not None and now > last:
                raise Unlicensed(f"expired on {last}")
        if self.key != key.public:
            raise Unlicensed(
                f"is made out to {self.licensee!r}, whose public key begins with {self.key[:12]}:"
                " the key that was given is another"
            )
        body = {name: self.document[name] for name in _FIELDS if name != "wrapped"}
        try:
            opened = key.unwrap(self.wrapped, _about(body))
        except UnreadableKey as error:
            raise UnreadableLicense(f"its level's key {error}") from error
        has_copy = self.copy is not None
        if has_copy != (manifest.ledger is not None) or len(opened) != _KEY + KEY * has_copy:
            raise UnreadableLicense("does not bring what the model's copies take")
        return opened


def bounded(
    manifest: Manifest, owner: SigningKey, level: int, licensee: str, expires: str | None
) -> str | None:
    """The last day of a license.  Raises as ``Grant.make`` does, where none can be given."""
    if manifest.owner != owner.public:
        raise Unlicensed("the distributable is another owner's")
    if not 0 <= level < len(manifest.levels):
        raise Unlicensed(f"there is no level {level}: they go to {len(manifest.levels) - 1}")
    if manifest.licensee not in (None, licensee):
        raise Unlicensed(f"the distributable is for {manifest.licensee!r} alone")
    if expires is not None:
        _signed.day(expires, "expires")
    if manifest.expires is not None:
        expires = expires or manifest.expires
        if expires > manifest.expires:
            raise Unlicensed(f"the distributable itself ends on {manifest.expires}")
    return expires


def root_of(owner: SigningKey, identity: str) -> bytes:
    """The key of level 0, which only the owner can make."""
    return owner.derive(b"license root " + bytes.fromhex(identity))


def level_key(key: bytes, level: int, wanted: int) -> bytes:
    """The key of level ``wanted``, from that of ``level``, which is no larger.

    One follows from the other by HKDF, and there is no way back.
    """
    assert level <= wanted
    for number in range(level + 1, wanted + 1):
        key = derive(key, b"license level %d" % number)
    return key


def part_key(key: bytes) -> bytes:
    """What seals the part of a level, of whose key it is made."""
    return derive(key, b"license part")


def _about(body: Json) -> bytes:
    return b"assay license key 1\n" + _strict.canonical(body)
