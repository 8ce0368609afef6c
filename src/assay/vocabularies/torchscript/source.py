"""The program of a TorchScript archive: classes and functions by name [torch.jit, python_print].

Source text in a part of Python's syntax.  It is parsed, never compiled; a name that it uses is
looked up in the archive and nowhere else.  A file is parsed when something in it is asked for.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from assay.errors import UnreadableModel

MOST_FILE = 2**20  # bytes
MOST_TOKENS = 1_000_000  # of all files that are parsed
MOST_KEPT = 150_000  # tokens whose trees are kept: each takes most of a kilobyte
_TOKEN = re.compile(r"\w+|[^\w\s]|\n")
_FORMATTED = re.compile(r"\b([fF][rR]?|[rR][fF])[\"']")  # texts that hold expressions
_ROOT = "__torch__."


class Unfollowable(Exception):
    """The program does what cannot be followed without running it."""


@dataclass
class Class:
    """A class of the program."""

    name: str
    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    fields: list[str] = field(default_factory=list)  # in order, of a named tuple
    constants: dict[str, ast.expr] = field(default_factory=dict)
    bases: tuple[str, ...] = ()


Definition = Class | ast.FunctionDef


class Source:
    """The files of an archive's ``code`` folder, by their path in it."""

    def __init__(self, files: Mapping[str, Callable[[int], bytes]]) -> None:
        """``files`` gives, by path, what reads up to so many bytes of a file."""
        self.files = files
        self.left = MOST_TOKENS
        self.parsed: dict[str, tuple[int, dict[str, Definition]]] = {}  # oldest first

    def find(self, name: str) -> Definition | None:
        """The class or function of a dotted name; None where the archive has none.

        Raises Unfollowable where its file is too long, or no program.
        """
        place, _, last = name.rpartition(".")
        path = place.replace(".", "/") + ".py"
        if not name.startswith(_ROOT) or path not in self.files:
            return None
        if path not in self.parsed:
            self.parsed[path] = self._parse(path, place)
            self._forget()
        return self.parsed[path][1].get(last)

    def _forget(self) -> None:
        """Drops the oldest trees, as many as are too many; they are parsed again if asked for."""
        kept = sum(size for size, _ in self.parsed.values())
        for path in list(self.parsed)[:-1]:
            if kept <= MOST_KEPT:
                return
            kept -= self.parsed.pop(path)[0]

    def _parse(self, path: str, place: str) -> tuple[int, dict[str, Definition]]:
        try:
            content = self.files[path](MOST_FILE + 1)
            if len(content) > MOST_FILE:
                raise Unfollowable(f"{path[:100]} is longer than {MOST_FILE:,} bytes")
            text = content.decode("utf-8")
            size = sum(1 for _ in islice(_TOKEN.finditer(text), self.left + 1))
            self.left -= size
            if self.left < 0 or size > MOST_KEPT:
                raise Unfollowable("its program is too long")
            if _FORMATTED.search(text):
                raise Unfollowable(f"{path[:100]} is no program: it has a formatted text")
            tree = _tree(text)
        except (UnreadableModel, UnicodeDecodeError, SyntaxError, ValueError) as error:
            raise Unfollowable(f"{path[:100]} is no program: {error!s:.100}") from error
        except (RecursionError, MemoryError) as error:
            raise Unfollowable(f"{path[:100]} is nested too deep") from error
        found: dict[str, Definition] = {}
        for statement in tree.body:
            if isinstance(statement, ast.ClassDef):
                found[statement.name] = _class(statement, place)
            elif isinstance(statement, ast.FunctionDef):
                found[statement.name] = statement
        return size, found


def _tree(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that Python does not know
        return ast.parse(text)


def _class(statement: ast.ClassDef, place: str) -> Class:
    bases = tuple(base.id for base in statement.bases if isinstance(base, ast.Name))
    found = Class(f"{place}.{statement.name}", bases=bases)
    for part in statement.body:
        if isinstance(part, ast.FunctionDef):
            found.methods[part.name] = part
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            found.fields.append(part.target.id)
            if part.value is not None:
                found.constants[part.target.id] = part.value
        elif isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
            found.constants[part.targets[0].id] = part.value
    return found


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of an expression that is such a name, "" of any other."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])
