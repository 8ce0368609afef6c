"""Protobuf messages written as text, ``.prototxt`` [Protocol Buffers, text format specification].

A message becomes a ``Section``: its fields by name, each a list, in the file's order.  The text is
walked once, without recursion.  Extensions and ``Any`` messages, ``[name]``, are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assay.errors import UnreadableModel

MOST_TEXT = 4 * 2**20  # bytes
MOST_FIELDS = 400_000
MOST_DEPTH = 100  # messages inside messages, as protobuf's own parser takes
_LONGEST_NUMBER = 100  # characters
_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fF]?)"
    r"|(?P<text>\"(?:[^\"\\\n]++|\\.)*+\"|'(?:[^'\\\n]++|\\.)*+')"
    r"|(?P<sign>[-:;,{}<>\[\]])"
)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f"}
_UNBOUND = ("inf", "infinity", "nan")
_CLOSES = {"{": "}", "<": ">"}
_TRUTH = {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}


class Word(str):
    """A value without quotes: of an enumeration, ``true`` or ``inf``."""

    __slots__ = ()


@dataclass(slots=True)
class Section:
    """One message: what its fields are set to."""

    fields: dict[str, list[int | float | str | Section]] = field(default_factory=dict)

    def add(self, name: str, value: int | float | str | Section) -> None:
        self.fields.setdefault(name, []).append(value)

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self.fields

    def sections(self, name: str) -> list[Section]:
        """The field as messages."""
        return [value for value in self.fields.get(name, ()) if isinstance(value, Section)]

    def section(self, name: str) -> Section:
        """The field's last message; an empty one where absent."""
        return (self.sections(name) or [Section()])[-1]

    def texts(self, name: str) -> list[str]:
        """The field as texts or words."""
        return [str(value) for value in self.fields.get(name, ()) if isinstance(value, str)]

    def text(self, name: str, default: str = "") -> str:
        """The field as text."""
        return (self.texts(name) or [default])[-1]

    def integers(self, name: str) -> list[int]:
        """The field as integers.  Raises UnreadableModel where one is none, or not of 64 bits."""
        found = self.fields.get(name, [])
        whole = [value for value in found if isinstance(value, int) and abs(value) < 2**63]
        if len(whole) < len(found):
            raise UnreadableModel(f"{name[:80]!r} is no integer of 64 bits")
        return whole

    def integer(self, name: str, default: int = 0) -> int:
        """The field as an integer."""
        return (self.integers(name) or [default])[-1]

    def reals(self, name: str) -> list[float]:
        """The field as numbers.  Raises UnreadableModel where one is none."""
        return [_real(name, value) for value in self.fields.get(name, ())]

    def real(self, name: str, default: float = 0.0) -> float:
        """The field as a number."""
        return (self.reals(name) or [default])[-1]

    def flag(self, name: str, default: bool = False) -> bool:
        """The field as a truth value.  Raises UnreadableModel where it is none."""
        value = (self.fields.get(name) or [default])[-1]
        if isinstance(value, str):
            value = _TRUTH.get(value, value)
        if not isinstance(value, int):
            raise UnreadableModel(f"{name[:80]!r} is no truth value")
        return bool(value)


def parse(content: bytes) -> Section:
    """The message that a text is.  Raises UnreadableModel where it is none."""
    if len(content) > MOST_TEXT:
        raise UnreadableModel(f"a text of more than {MOST_TEXT // 2**20} MiB")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableModel(f"it is no UTF-8 text: {error}") from error
    return _Reader(text).message()


def _real(name: str, value: object) -> float:
    if isinstance(value, Word) and value.lower().lstrip("-") in _UNBOUND:
        return float(value)
    if not isinstance(value, int | float):
        raise UnreadableModel(f"{name[:80]!r} is no number")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


class _Reader:
    """Tokens of one text, and the messages that they make."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.kind, self.token = "", ""
        self.fields_left = MOST_FIELDS
        self.step()

    def _tokens(self) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(self.text):
            found = _TOKEN.match(self.text, at)
            if found is None:
                line = self.text.count("\n", 0, at) + 1
                raise UnreadableModel(f"line {line:,} is no protobuf text")
            at = found.end()
            if found.lastgroup != "space":
                yield str(found.lastgroup), found.group()

    def step(self) -> None:
        """On to the next token."""
        self.kind, self.token = next(self.tokens, ("end", ""))

    def message(self) -> Section:
        """All of the text; ``open`` are the messages that have not ended yet."""
        root = Section()
        open_: list[tuple[Section, str]] = [(root, "")]
        while True:
            section, closes = open_[-1]
            if self.token in (";", ",") and self.kind == "sign":
                self.step()
            elif self.kind == "end" and not closes:
                return root
            elif self.kind == "sign" and self.token == closes:
                open_.pop()
                self.step()
            else:
                self._field(section, open_)

    def _field(self, section: Section, open_: list[tuple[Section, str]]) -> None:
        """A name, then one value, a list of them, or the beginning of a message."""
        if self.kind != "word":
            at = "the text ends" if self.kind == "end" else f"there is {self.token[:40]!r}"
            raise UnreadableModel(f"{at} where a field's name should be")
        name = self.token
        self.step()
        if self.token == ":" and self.kind == "sign":
            self.step()
        self._count()
        if self.kind == "sign" and self.token in _CLOSES:
            inner = Section()
            section.add(name, inner)
            open_.append((inner, _CLOSES[self.token]))
            if len(open_) > MOST_DEPTH:
                raise UnreadableModel(f"its messages are nested more than {MOST_DEPTH} deep")
            self.step()
        elif self.kind == "sign" and self.token == "[":
            self._list(name, section)
        else:
            section.add(name, self._value())

    def _list(self, name: str, section: Section) -> None:
        self.step()
        while not (self.kind == "sign" and self.token == "]"):
            section.add(name, self._value())
            self._count()
            if self.token == "," and self.kind == "sign":
                self.step()
        self.step()

    def _count(self) -> None:
        self.fields_left -= 1
        if self.fields_left < 0:
            raise UnreadableModel(f"it has more than {MOST_FIELDS:,} fields")

    def _value(self) -> int | float | str:
        negative = self.kind == "sign" and self.token == "-"
        if negative:
            self.step()
        kind, token = self.kind, self.token
        self.step()
        if kind == "number":
            return -_number(token) if negative else _number(token)
        if kind == "word":
            return Word(f"-{token}" if negative else token)
        if kind != "text" or negative:
            raise UnreadableModel(f"there is {token[:40]!r} where a value should be")
        parts = [token[1:-1]]
        while self.kind == "text":  # texts that follow each other are one
            parts.append(self.token[1:-1])
            self.step()
        return _unescaped("".join(parts))


def _number(token: str) -> int | float:
    if len(token) > _LONGEST_NUMBER:
        raise UnreadableModel(f"a number of {len(token):,} characters")
    if token[:2] in ("0x", "0X"):
        return int(token, 16)
    plain = token.rstrip("fF")
    if plain.isdigit() and plain == token:
        is_octal = len(plain) > 1 and plain[0] == "0" and not set("89") & set(plain)
        return int(plain, 8 if is_octal else 10)
    return float(plain)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text

    def real(found: re.Match[bytes]) -> bytes:
        code = found.group(1)
        if code[:1] == b"x" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        if code[:1].isdigit():
            return bytes([int(code, 8) & 255])
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(real, text.encode()).decode("utf-8", "replace")
