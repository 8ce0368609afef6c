"""Pickles, read without running them [pickletools; PEP 307, 3154, 574].

An interpreter of the opcodes that builds plain values only.  What a pickle would import stays a
name; what it would call is an inert ``Node``, unless the caller knows a constructor of that name.
Dictionaries are lists of pairs: no key from a file is ever hashed.  Long texts stay in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.containers.sources import Source, Stream
from assay.errors import UnreadableModel

MOST_OPCODES = 2_000_000
MOST_KEPT = 64 * 2**20  # bytes of text that a pickle may hold in memory
_LONG_TEXT = 4096  # bytes from which a text is left in the file
_RECONSTRUCTORS = ("copyreg._reconstructor", "copy_reg._reconstructor")  # of protocols 0 and 1
_LONG_NUMBER = 256  # bytes or digits
_U1, _U2, _U4, _U8, _I4, _F8 = map(struct.Struct, ("<B", "<H", "<I", "<Q", "<i", ">d"))
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError, OverflowError, struct.error)


@dataclass(frozen=True, slots=True)
class Name:
    """What a pickle would import."""

    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A text that was left in the file; ``encoded`` where it is UTF-8 of Latin-1 characters."""

    source: Source
    start: int
    length: int
    encoded: bool = False


class Entries(list[tuple[Any, Any]]):
    """A dictionary: its pairs, of which the last one of a key counts."""

    __slots__ = ()

    def named(self) -> dict[str, Any]:
        """The values by those keys that are text."""
        return {key: value for key, value in self if type(key) is str}


@dataclass(eq=False, slots=True)
class Node:
    """An object that was not made: its class, and what it was to be made of."""

    name: str
    parts: tuple[Any, ...] = ()
    state: Any = None
    entries: Entries = field(default_factory=Entries)
    elements: list[Any] = field(default_factory=list)


# What it gives may have a method ``build(state, stream)``, which takes the object's state.
Constructor = Callable[[tuple[Any, ...]], Any]
Persistent = Callable[[Any], Any]


@dataclass(frozen=True)
class Known:
    """What a pickle may refer to."""

    constructors: Mapping[str, Constructor]  # by dotted name
    persistent: Persistent | None = None
    unknown: set[str] = field(default_factory=set)  # classes that stayed inert, filled while read


class Pickled(Stream):
    """A source that holds pickles one after the other, and what reading them may still take."""

    def __init__(self, source: Source, known: Known, at: int = 0) -> None:
        super().__init__(source, at)
        self.known = known
        self.opcodes, self.kept = MOST_OPCODES, MOST_KEPT

    def word(self) -> str:
        """The text up to the next line break."""
        text = self.line(self.kept)
        self.kept -= len(text)
        return text

    def number(self, layout: struct.Struct) -> Any:
        return layout.unpack(self.take(layout.size))[0]

    def text(self, length: int, encoding: str | None) -> Any:
        """A string, bytes where there is no encoding, or where that is if it is long."""
        if length >= _LONG_TEXT:
            return Span(self.source, self.skip(length), length, encoding == "utf-8")
        self.kept -= length
        if self.kept < 0:
            raise UnreadableModel("its pickle holds too much text")
        content = self.take(length)
        return content if encoding is None else content.decode(encoding, "surrogatepass")

    def load(self) -> Any:
        """The value of the next pickle.

        Raises UnreadableModel where it is none, or passes a bound.
        """
        try:
            return _Machine(self).run()
        except _MALFORMED as error:
            raise UnreadableModel(f"not a pickle that can be read: {error!r:.100}") from error


class _Machine:
    """The state of one pickle's reading: its stack, its marks and its memo."""

    def __init__(self, stream: Pickled) -> None:
        self.stream, self.known = stream, stream.known
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        stream = self.stream
        while (code := stream.take(1)) != b".":
            stream.opcodes -= 1
            if stream.opcodes < 0:
                raise UnreadableModel(f"its pickle has more than {MOST_OPCODES:,} steps")
            value = _VALUES.get(code)
            if value is not None:
                self.stack.append(value(stream))
                continue
            step = _STEPS.get(code)
            if step is None:
                raise UnreadableModel(f"not a pickle: it has the unknown opcode {code!r}")
            step(self)
        return self.stack.pop()

    def above_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def close(self, make: Callable[[list[Any]], Any]) -> None:
        items = self.above_mark()
        self.stack.append(make(items))

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def group(self, count: int) -> None:
        items = self.stack[-count:]
        if len(items) < count:
            raise IndexError("the stack is empty")
        self.stack[-count:] = [tuple(items)]

    def put(self, key: int) -> None:
        if not 0 <= key < 2**32:
            raise ValueError("a memo's number is out of range")
        self.memo[key] = self.stack[-1]

    def find(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise TypeError("a name is no text")
        self.stack.append(Name(f"{module}.{name}"))

    def make(self, function: Any, parts: Any) -> None:
        """What a call stands for: the value of a known constructor, or an inert node."""
        if type(parts) is not tuple:
            raise TypeError("a call without arguments")
        if type(function) is Name and function.text in _RECONSTRUCTORS:
            function, parts = parts[0], ()
        name = function.text if type(function) is Name else "?"
        constructor = self.known.constructors.get(name)
        if constructor is None:
            self.known.unknown.add(name)
            self.stack.append(Node(name, parts))
        else:
            self.stack.append(constructor(parts))

    def call(self) -> None:
        parts = self.stack.pop()
        self.make(self.stack.pop(), parts)

    def call_named(self) -> None:
        options = self.stack.pop()
        parts = self.stack.pop()
        self.make(self.stack.pop(), (*parts, options) if options else parts)

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is Node:
            target.state = state
        elif hasattr(target, "build"):  # others have no state that matters
            target.build(state, self.stream)

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        elements = target.elements if type(target) is Node else target
        if type(elements) is not list:
            raise TypeError("items are added to what is no list")
        elements.extend(items)

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        entries = target.entries if type(target) is Node else target
        if type(entries) is not Entries:
            raise TypeError("items are set of what is no dictionary")
        entries.extend(_pairs(items))

    def persistent(self, key: Any) -> None:
        if self.known.persistent is None:
            raise UnreadableModel("its pickle refers to what is outside of it")
        self.stack.append(self.known.persistent(key))


def _pairs(items: list[Any]) -> Entries:
    return Entries(zip(items[::2], items[1::2], strict=True))


def _long(stream: Pickled, length: int) -> int:
    if length > _LONG_NUMBER:
        raise UnreadableModel("its pickle has a number of too many digits")
    return int.from_bytes(stream.take(length), "little", signed=True)


def _decimal(stream: Pickled) -> int | bool:
    text = stream.word().removesuffix("L")
    if len(text) > _LONG_NUMBER:
        raise UnreadableModel("its pickle has a number of too many digits")
    return text == "01" if text in ("00", "01") else int(text)


def _escaped(text: str) -> str:
    return text.encode("latin-1").decode("raw-unicode-escape")


def _instance(machine: _Machine) -> None:
    machine.find(machine.stream.word(), machine.stream.word())
    function = machine.stack.pop()
    machine.make(function, tuple(machine.above_mark()))


def _object(machine: _Machine) -> None:
    function, *parts = machine.above_mark()
    machine.make(function, tuple(parts))


def _stack_global(machine: _Machine) -> None:
    name = machine.stack.pop()
    machine.find(machine.stack.pop(), name)


_Value = Callable[[Pickled], Any]
_Step = Callable[[_Machine], Any]
_VALUES: dict[bytes, _Value] = {  # opcodes that push what they hold
    b"N": lambda s: None, b"\x88": lambda s: True, b"\x89": lambda s: False,
    b"]": lambda s: [], b"}": lambda s: Entries(), b")": lambda s: (), b"\x8f": lambda s: [],
    b"K": lambda s: s.number(_U1), b"M": lambda s: s.number(_U2), b"J": lambda s: s.number(_I4),
    b"\x8a": lambda s: _long(s, s.number(_U1)), b"\x8b": lambda s: _long(s, s.number(_U4)),
    b"I": _decimal, b"L": _decimal,
    b"G": lambda s: s.number(_F8), b"F": lambda s: float(s.word()),
    b"S": lambda s: s.word()[1:-1], b"V": lambda s: _escaped(s.word()),
    b"T": lambda s: s.text(s.number(_U4), "latin-1"),
    b"U": lambda s: s.text(s.number(_U1), "latin-1"),
    b"X": lambda s: s.text(s.number(_U4), "utf-8"),
    b"\x8c": lambda s: s.text(s.number(_U1), "utf-8"),
    b"\x8d": lambda s: s.text(s.number(_U8), "utf-8"),
    b"B": lambda s: s.text(s.number(_U4), None), b"C": lambda s: s.text(s.number(_U1), None),
    b"\x8e": lambda s: s.text(s.number(_U8), None),
    b"\x96": lambda s: s.text(s.number(_U8), None),
}  # fmt: skip
_STEPS: dict[bytes, _Step] = {  # opcodes that change the stack
    b"(": _Machine.mark, b"0": lambda m: m.stack.pop(), b"1": _Machine.above_mark,
    b"2": lambda m: m.stack.append(m.stack[-1]),
    b"a": lambda m: m.extend([m.stack.pop()]), b"e": lambda m: m.extend(m.above_mark()),
    b"\x90": lambda m: m.extend(m.above_mark()), b"\x91": lambda m: m.close(list),
    b"l": lambda m: m.close(list), b"d": lambda m: m.close(_pairs), b"t": lambda m: m.close(tuple),
    b"s": lambda m: m.update([m.stack.pop(-2), m.stack.pop()]),
    b"u": lambda m: m.update(m.above_mark()),
    b"\x85": lambda m: m.group(1), b"\x86": lambda m: m.group(2), b"\x87": lambda m: m.group(3),
    b"p": lambda m: m.put(int(m.stream.word())), b"q": lambda m: m.put(m.stream.number(_U1)),
    b"r": lambda m: m.put(m.stream.number(_U4)), b"\x94": lambda m: m.put(len(m.memo)),
    b"g": lambda m: m.stack.append(m.memo[int(m.stream.word())]),
    b"h": lambda m: m.stack.append(m.memo[m.stream.number(_U1)]),
    b"j": lambda m: m.stack.append(m.memo[m.stream.number(_U4)]),
    b"c": lambda m: m.find(m.stream.word(), m.stream.word()), b"\x93": _stack_global,
    b"R": _Machine.call, b"\x81": _Machine.call, b"\x92": _Machine.call_named,
    b"i": _instance, b"o": _object, b"b": _Machine.build,
    b"P": lambda m: m.persistent(m.stream.word()), b"Q": lambda m: m.persistent(m.stack.pop()),
    b"\x80": lambda m: m.stream.take(1), b"\x95": lambda m: m.stream.take(8),
}  # fmt: skip
