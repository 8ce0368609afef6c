"""What is known of a distributable: its levels, how they were made, the hashes of all files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from assay.errors import UnreadableLicense
from assay.keys.signing import SigningKey
from assay.licenses import _signed
from assay.transparency import _strict
from assay.values import Json

EXTRA = "crypto"
_FIELDS = (
    "id", "method", "model", "about", "levels", "issued", "expires", "licensee", "ledger",
)  # fmt: skip
_LEVEL = ("restored", "sealed", "about")
_MOST_LEVELS = 1_000
_MOST_NOTES = 100


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds."""

    sha256: str
    size: int  # bytes

    @classmethod
    def from_json(cls, value: object, what: str) -> Self:
        row = _strict.fields(value, ("sha256", "size"), what)
        sha256 = _strict.digits(row["sha256"], _signed.DIGEST, f"{what}'s sha256")
        return cls(sha256, _strict.number(row["size"], f"{what}'s size"))


@dataclass(frozen=True, slots=True)
class Level:
    """A grade of the model."""

    restored: Content  # the model's file at this level; of copies: but for what a license brings
    sealed: Content  # the part that leads there from the next level
    about: Mapping[str, str]  # accuracy and what else is known of it


@dataclass(frozen=True, slots=True)
class Manifest:
    """Level 0 is the original; the larger a level's number, the less it is.

    The model as it is distributed is what is left without any key.
    """

    id: str  # drawn for each distributable: its keys are made of it
    method: str  # the repr of what made it
    model: Content
    about: Mapping[str, str]  # as of a level
    levels: tuple[Level, ...]
    issued: str
    expires: str | None  # the last day on which it may be activated
    licensee: str | None  # the only one that it is for
    ledger: Content | None  # the owner's, where every copy is one licensee's
    document: Json  # all this, signed

    @classmethod
    def sign(cls, body: Mapping[str, Any], owner: SigningKey) -> Self:
        """The manifest of these fields.  Raises UnreadableLicense where one is not what it says."""
        return cls.parse(_signed.text_of(_signed.sign("manifest", body, owner)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises UnreadableLicense where it is none, or not what its owner signed."""
        row = _signed.parse(text, "manifest", _FIELDS)
        with _signed.reading("manifest"):
            identity = _strict.digits(row["id"], _signed.DIGEST, "id")
            model = Content.from_json(row["model"], "model")
            ledger = None if row["ledger"] is None else Content.from_json(row["ledger"], "ledger")
            levels = row["levels"]
            if not isinstance(levels, list) or not 0 < len(levels) <= _MOST_LEVELS:
                raise UnreadableLicense("levels: is not a list of levels")
            found = tuple(_level(number, each) for number, each in enumerate(levels))
        return cls(
            identity, _signed.note(row["method"], "method"), model, _notes(row["about"], "about"),
            found, _signed.day(row["issued"], "issued"),
            _signed.end(row["expires"]),
            None if row["licensee"] is None else _signed.note(row["licensee"], "licensee"),
            ledger,
            {**row},
        )  # fmt: skip

    @classmethod
    def read(cls, path: Path) -> Self:
        """The manifest in a file.  Raises UnreadableLicense that names it, OSError."""
        return cls.parse(read_text(path))

    @property
    def owner(self) -> str:
        """The public key that signed it: 64 hexadecimal digits."""
        return str(self.document["owner"])

    @property
    def digest(self) -> str:
        """Its SHA-256, by which licenses name it."""
        return _signed.digest(self.document)

    @property
    def text(self) -> str:
        """The file."""
        return _signed.text_of(self.document)


def read_text(path: Path) -> str:
    """A file's text.  Raises UnreadableLicense where it is none, OSError."""
    with path.open("rb") as stream:
        content = stream.read(_strict.LARGEST + 1)
    return content.decode("utf-8", "replace")  # what is no text is no JSON of ours either


def _level(number: int, value: object) -> Level:
    row = _strict.fields(value, _LEVEL, f"level {number}")
    return Level(
        Content.from_json(row["restored"], f"level {number}"),
        Content.from_json(row["sealed"], f"part of level {number}"),
        _notes(row["about"], f"about level {number}"),
    )


def _notes(value: object, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _MOST_NOTES:
        raise UnreadableLicense(f"{name}: is not a table of notes")
    return {_signed.note(key, name): _signed.note(each, name) for key, each in value.items()}
