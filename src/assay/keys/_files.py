"""The files that keys lie in.

    assay key 1
    kind: owner
    public: 3b6a27bcceb6a42d…
    sealed: scrypt 65536 8 2 0f91…          only where a passphrase is needed
    sha256: 77aa…                           of all other lines
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VwBCIEI…
    -----END PRIVATE KEY-----

The checksum tells a damaged file from a wrong passphrase, and the public part from another key's:
of a bare private key every damage is a key, too.  There is one way to write a file: what is not
written so is refused.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.durable import write_whole
from assay.errors import AssayError, UnreadableKey

FIRST = "assay key 1"
LARGEST = 2**24  # bytes of a file
LINE = 64  # characters of the block
SEALED = "ASSAY SEALED KEY"
# What a secret is, by kind.  Another kind is one more line, and a module that makes its secrets.
KINDS: Mapping[str, str] = {
    "owner": "PRIVATE KEY",  # PKCS #8, Ed25519: signs what an owner commits to
    "log": "PRIVATE KEY",  # … signs the heads of a registry's log
    "licensee": "PRIVATE KEY",  # PKCS #8, X25519: opens the licenses that were made for it
}
PUBLIC = {"owner": 64, "log": 64, "licensee": 64}  # hexadecimal digits
NAME = {
    "kind": "|".join(KINDS),
    "public": "[0-9a-f]*",
    "sealed": "scrypt 65536 8 2 [0-9a-f]{32}",
    "sha256": "[0-9a-f]{64}",
}


@dataclass(frozen=True)
class KeyFile:
    """What is in a file; its repr does not show the secret."""

    kind: str
    public: str  # hexadecimal; empty where the kind has no public part
    block: bytes  # the secret, or what it is sealed in
    sealed: str = ""  # how; empty where no passphrase is needed

    def __repr__(self) -> str:
        return f"KeyFile({self.kind!r}, {self.public!r})"

    @property
    def about(self) -> bytes:
        """What a sealed secret is bound to."""
        return f"{FIRST}\nkind: {self.kind}\npublic: {self.public}\n".encode()

    @property
    def text(self) -> str:
        """The file."""
        sealed = f"sealed: {self.sealed}\n" if self.sealed else ""
        head = self.about.decode() + sealed
        label = SEALED if self.sealed else KINDS[self.kind]
        encoded = base64.b64encode(self.block).decode()
        lines = [encoded[at : at + LINE] for at in range(0, len(encoded), LINE)]
        body = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
        checksum = hashlib.sha256((head + body).encode()).hexdigest()
        return f"{head}sha256: {checksum}\n{body}"

    def secret(self, passphrase: str | None) -> bytes:
        """What the kind's module understands.

        Raises UnreadableKey where a passphrase is missing or wrong, MissingExtra.
        """
        if not self.sealed:
            return self.block
        if passphrase is None:
            raise UnreadableKey("is sealed by a passphrase: give it")
        from assay.keys import cryptography_for

        with cryptography_for("sealed keys"):
            from assay.keys.sealing import unseal
        return unseal(self.block, self.sealed, passphrase, self.about)


def read(path: Path) -> KeyFile:
    """The key in a file, still sealed if it is.

    Raises UnreadableKey where it is no such file or damaged, OSError where it cannot be read.
    """
    with path.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    try:
        found = parse(content)
    except UnreadableKey as error:
        raise UnreadableKey(f"{path}: {error}") from error
    return found


def parse(content: bytes) -> KeyFile:
    """The key that a file's content is.  Raises UnreadableKey."""
    if len(content) > LARGEST or not content.startswith(f"{FIRST}\n".encode()):
        raise UnreadableKey("is no key file of assay: 'assay key new' makes one")
    damaged = UnreadableKey("is a damaged key file: put it back from a copy")
    try:
        _, *lines = content.decode("ascii").splitlines()
        begin = next(at for at, line in enumerate(lines) if line.startswith("-----BEGIN "))
        fields = dict(line.split(": ", 1) for line in lines[:begin])
        block = base64.b64decode("".join(lines[begin + 1 : -1]), validate=True)
        if any(re.fullmatch(NAME[name], value) is None for name, value in fields.items()):
            raise damaged
        found = KeyFile(fields["kind"], fields["public"], block, fields.get("sealed", ""))
    except (ValueError, KeyError, StopIteration) as error:
        raise damaged from error
    if found.text.encode() != content or len(found.public) != PUBLIC[found.kind]:
        raise damaged
    return found


def write(path: Path, kind: str, public: str, secret: bytes, passphrase: str | None) -> KeyFile:
    """Write a key to a new file that nobody else may read, sealed where a passphrase is given.

    Raises AssayError where the file is there already or cannot be written, MissingExtra.
    """
    made = KeyFile(kind, public, secret)
    if passphrase is not None:
        from assay.keys import cryptography_for

        with cryptography_for("sealed keys"):
            from assay.keys.sealing import seal
        block, sealed = seal(secret, passphrase, made.about)
        made = KeyFile(kind, public, block, sealed)
    if path.exists():
        raise AssayError(f"{path}: is there already: a key replaces nothing")
    try:
        write_whole(path, made.text.encode(), mode=0o600)
    except OSError as error:
        raise AssayError(f"{path}: the key cannot be written: {error.strerror}") from error
    return made
