"""Formats: a model file in, its layers and weights out.  A file is read, never run.

A format reads the container itself, tensor data stay on disk until one is asked for.  What it
returns is in ONNX's vocabulary, and in one layout, whatever framework wrote the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.containers.archives import ZIP, directory, place
from assay.containers.compressed import is_compressed
from assay.containers.sources import Source, source_of
from assay.errors import AssayError, MissingExtra, UnreadableModel, UnwritableModel
from assay.graphs.operators import OperatorGraph
from assay.methods import Methods, name_of
from assay.vocabularies.inputs import InputShapes as InputShapes
from assay.weights import Weight


@dataclass(frozen=True)
class Model:
    """What a file holds."""

    format: str
    layers: OperatorGraph | None  # None where the file has no graph
    files: tuple[Path, ...]  # the file and those it refers to, each within its folder
    metadata: Mapping[str, Any] = field(default_factory=dict)  # producer, opset, what is missing
    weights: Mapping[str, Weight] = field(default_factory=dict)  # by name; read one by one


class Format(ABC):
    """One kind of model file, or of folder."""

    suffixes: tuple[str, ...]  # lower case, with the dot: how a file's name may end
    beside: bool = True  # whether what lies beside a file may be a part of its model
    guesses: bool = False  # whether files that are no models may begin so that ``sniff`` takes them

    @abstractmethod
    def sniff(self, head: bytes) -> bool:
        """Whether a file whose first 4 KiB are ``head`` may be of this format.

        Of a zip archive, ``head`` is its sign and its members' names instead: see ``opening``.
        """

    def sniff_folder(self, names: frozenset[str]) -> bool:
        """Whether a folder that holds files and folders of these names may be of this format."""
        return False

    def holds(self, name: str) -> bool:
        """Whether a file or folder in a folder of this format is a part of its model.

        What is not may be a model of its own, and is searched for.
        """
        return True

    @abstractmethod
    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        """What ``path`` holds.

        ``input_shapes`` make dynamic inputs concrete; inputs that are not named get batch 1,
        images 3×256×256, sequences 128.  Raises UnreadableModel where it is not of this format.
        """

    def write(self, model: Model, path: Path) -> None:
        """Makes ``path`` hold ``model``.  Raises UnwritableModel where this format cannot."""
        raise UnwritableModel(f"files of the format {name_of(type(self))} are read, not written")


FORMATS = Methods(Format)

HEAD = 4096  # bytes that ``sniff`` sees
MISSING = "missing_external_data"  # in the metadata: which files or variables are not there
_SHARED = tuple(  # suffixes that other files have too
    f".{suffix}"
    for suffix in ("aab", "apk", "bin", "bz2", "ckpt", "gz", "h5", "hdf5", "ipa", "joblib", "json",
    "lz4", "npy", "npz", "params", "pb", "pickle", "pkl", "prototxt", "tar", "tbz2", "tgz", "txz",
    "xz", "zip")
)  # fmt: skip
_STRANGERS = {  # how files begin that a failed download or a clone leaves: what they are
    b"version https://git-lfs": "a pointer of Git LFS, not the model: fetch it with git lfs pull",
    b"<!doctype html": "a web page and not a model: the download failed",
    b"<html": "a web page and not a model: the download failed",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it",
}
_NOISE, _SPREAD = 255, 4 * 23  # χ² of even bytes in ``HEAD``; no format that is read begins so
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

    What lies in an app or a zip archive is named as ``app.apk!/assets/model.tflite``.
    """
    with naming(path):
        return chosen(path)().read(path, input_shapes or {})


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


def chosen(path: Path) -> type[Format]:
    """The format of a file or folder.  Raises UnreadableModel where it has none."""
    if place(path) is not None:
        return FORMATS["archive"]
    if not path.exists():
        raise UnreadableModel("no such file")
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise UnreadableModel("not a regular file")
    if path.stat().st_size == 0:
        raise UnreadableModel("the file is empty")
    method = format_of(path)
    if method is None:
        known = ", ".join(known_suffixes())
        raise UnreadableModel(f"not a known model format: convert it to one of {known}")
    return method


def format_of(path: Path) -> type[Format] | None:
    """The format that a file's content shows, among those of its suffix first.

    Where it shows none, the one of its longest suffix: that says what is wrong with the file.
    Raises UnreadableModel where it shows what is no model.
    """
    head, name = opening(path), path.name.lower()
    methods = sorted(FORMATS.values(), key=lambda method: -_fit(method, name))
    for method in methods:
        if method().sniff(head):
            return method
    start = head[:40].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for sign, what in _STRANGERS.items():
        if start.startswith(sign.lower()):
            raise UnreadableModel(what)
    if _is_noise(head):
        raise UnreadableModel("encrypted or packed: its bytes are as even as those of noise")
    fit = _fit(methods[0], name)
    if name.endswith(".json") and fit == len(".json"):
        raise UnreadableModel("JSON that describes no model")
    if not fit and is_compressed(head):
        raise UnreadableModel("compressed: unpack it")
    return methods[0] if fit else None


def _is_noise(head: bytes) -> bool:
    """Whether all 256 values are about as frequent as drawn at random: χ² of 255 ± 23."""
    if len(head) < HEAD:
        return False
    even = HEAD / 256
    found = sum((head.count(value) - even) ** 2 / even for value in range(256))
    return abs(found - _NOISE) < _SPREAD  # far below it bytes are counted out, not drawn


def _fit(method: type[Format], name: str) -> int:
    """The length of the longest of a format's suffixes that a name ends with."""
    return max((len(suffix) for suffix in method.suffixes if name.endswith(suffix)), default=0)


def _of_folder(path: Path) -> type[Format]:
    method = folder_format(path)
    if method is None:
        raise UnreadableModel("a folder that is no model: name the files in it")
    return method


def folder_format(path: Path) -> type[Format] | None:
    """The format of a folder that is one model; None of any other folder."""
    return format_of_names(frozenset(entry.name for entry in path.iterdir()))


def format_of_names(names: frozenset[str]) -> type[Format] | None:
    """The format of a folder that holds files and folders of these names; None of any other."""
    return next((method for method in FORMATS.values() if method().sniff_folder(names)), None)


def is_model(path: Path) -> bool:
    """Whether a search of folders takes this file or folder, by its name and its beginning.

    A suffix that only models have suffices, so that a damaged model is named and not passed over.
    """
    try:
        if path.is_dir():
            return folder_format(path) is not None
        if is_named_as_model(path.name):
            return True
        if not path.name.lower().endswith(known_suffixes()):
            return False
        head = opening(path)
    except OSError:
        return True  # what is wrong with it is said where it is read
    return any(method().sniff(head) for method in FORMATS.values())


def is_named_as_model(name: str) -> bool:
    """Whether a name ends as only those of models do."""
    name = name.lower()
    return name.endswith(known_suffixes()) and not name.endswith(_SHARED)


def opening(path: Path) -> bytes:
    """What ``sniff`` sees of a file: its beginning, or of a zip archive its members' names."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return opening_of(source_of(path)) if head.startswith(ZIP) else head


def opening_of(archived: Source) -> bytes:
    """A zip archive's sign and its members' names, one a line; of a damaged one the sign alone."""
    try:
        names = [info.filename for info in directory(archived)]
    except UnreadableModel:  # the format of the suffix says so
        return ZIP
    return b"\n".join([ZIP, *(name.encode("utf-8", "replace") for name in names)])


def known_suffixes() -> tuple[str, ...]:
    """The suffixes of all formats, lower case, sorted."""
    return tuple(sorted({suffix for method in FORMATS.values() for suffix in method.suffixes}))


def _one_line(source: Path | str, error: Exception | str) -> str:
    """Text from a file may hold line breaks, terminal commands, or megabytes."""
    text = " ".join(str(error)[: 10 * _LONGEST].split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    line = f"{source}: {text}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
