"""Formats: a model file in, its layers out.  A file is read, never run.

A format reads the container itself, tensor data stay on disk.  What it returns is in ONNX's
vocabulary whatever framework wrote the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.errors import AssayError, MissingExtra, UnreadableModel
from assay.formats._weights import Weight
from assay.graphs.operators import OperatorGraph
from assay.methods import Methods

InputShapes = Mapping[str, tuple[int, ...]]  # by input's name; "" for the only input


@dataclass(frozen=True)
class Model:
    """What a file holds."""

    format: str
    layers: OperatorGraph | None  # None where the file has no graph
    files: tuple[Path, ...]  # the file and those it refers to, each within its folder
    metadata: Mapping[str, Any] = field(default_factory=dict)  # producer, opset, what is missing
    weights: Mapping[str, Weight] = field(default_factory=dict)  # by name; read one by one


class Format(ABC):
    """One kind of model file."""

    suffixes: tuple[str, ...]  # lower case, with the dot

    @abstractmethod
    def sniff(self, head: bytes) -> bool:
        """Whether a file whose first 4 KiB are ``head`` may be of this format."""

    @abstractmethod
    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        """What ``path`` holds.

        ``input_shapes`` make dynamic inputs concrete; inputs that are not named get batch 1,
        images 3×256×256, sequences 128.  Raises UnreadableModel where it is not of this format.
        """


FORMATS = Methods(Format)

HEAD = 4096  # bytes that ``sniff`` sees
_LONGEST = 300  # characters of a message
_UNFORESEEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read(path: Path, input_shapes: InputShapes | None = None) -> Model:
    """What a model file holds, by the format that its suffix names or its content shows.

    Raises:
        UnreadableModel: no such file, no format for it, or a damaged one; names the path.
        MissingExtra: its format needs an optional dependency.
    """
    with naming(path):
        return _choose(path)().read(path, input_shapes or {})


@contextmanager
def naming(source: Path | str) -> Iterator[None]:
    """What goes wrong inside is raised as one line that begins with ``source``.

    Nothing that a file holds may end a batch: an error that no reader foresaw is a bug of theirs,
    and says so, but it is the file's error to the caller.
    """
    try:
        yield
    except (UnreadableModel, MissingExtra) as error:
        raise type(error)(_one_line(source, error)) from error
    except OSError as error:
        raise UnreadableModel(_one_line(source, error.strerror or error)) from error
    except (RecursionError, MemoryError) as error:
        text = f"too large to follow ({type(error).__name__})"
        raise UnreadableModel(_one_line(source, text)) from error
    except AssayError:
        raise
    except _UNFORESEEN as error:
        text = f"reading it failed, please report this: {type(error).__name__}: {error}"
        raise UnreadableModel(_one_line(source, text)) from error


def _choose(path: Path) -> type[Format]:
    if not path.exists():
        raise UnreadableModel("no such file")
    if not path.is_file():
        raise UnreadableModel("not a regular file")
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise UnreadableModel("the file is empty")
    for method in FORMATS.values():
        if path.suffix.lower() in method.suffixes:
            return method
    for method in FORMATS.values():
        if method().sniff(head):
            return method
    known = sorted(suffix for method in FORMATS.values() for suffix in method.suffixes)
    raise UnreadableModel(f"not a known model format: convert it to one of {', '.join(known)}")


def known_suffixes() -> tuple[str, ...]:
    """The suffixes of all formats, lower case, sorted."""
    return tuple(sorted(suffix for method in FORMATS.values() for suffix in method.suffixes))


def _one_line(source: Path | str, error: Exception | str) -> str:
    """Text from a file may hold line breaks, terminal commands, or megabytes."""
    text = " ".join(str(error)[: 10 * _LONGEST].split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    line = f"{source}: {text}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
