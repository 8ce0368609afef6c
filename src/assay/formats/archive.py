"""Archives that hold one model: ``.zip``, ``.tar``, ``.tar.gz`` and other compressed tar files.

The members are unpacked within limits into a temporary folder, which lives as long as the model
does.  A name that leads out of the folder, a link, or more than one model is an error; of an app,
or a zip archive, that holds several, one is named as ``app.apk!/assets/model.tflite``.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import ZipInfo

from assay.containers import archives, compressed, tar
from assay.containers.sources import FilePart, Source
from assay.errors import UnreadableModel
from assay.formats import (
    FORMATS,
    Format,
    InputShapes,
    Model,
    folder_format,
    format_of,
    is_model,
    known_suffixes,
    opening,
)
from assay.weights import Array, Weight

MOST_TIMES = 64  # times the file's length
SLACK = 64 * 2**20  # bytes that may be unpacked of any file
MOST_FILES = 10_000
DEEPEST = 16  # folders
_BLOCK = 2**20
_ROOM_LEFT = 2**28  # bytes of the disk that stay free
APPS = (".aab", ".apk", ".ipa")
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_FORKS = "__MACOSX"  # resource forks, beside the files that they belong to


class Archive(Format):
    """A zip or tar file around a model of any other format."""

    suffixes = (".zip", *_TARS, *APPS)

    def sniff(self, head: bytes) -> bool:
        if head.startswith(archives.ZIP):
            names, suffixes = head.decode("utf-8", "replace").lower().split("\n"), known_suffixes()
            any_model = any(name.endswith(suffixes) for name in names)
            return any_model and not _is_of_another_format(head)
        if tar.is_tar(head):
            return not _is_of_another_format(head)
        return compressed.is_compressed(head) and tar.is_tar(compressed.beginning(head))

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        if path.is_dir():
            raise UnreadableModel("not an archive: it is a folder")
        from assay.formats._apps import is_app, read_inside, read_only

        if (place := archives.place(path)) is not None:
            return read_inside(*place, input_shapes)
        if _is_of_another_format(opening(path)):
            raise UnreadableModel("not an archive of models: it is itself a model")
        if is_app(path):
            return read_only(path, input_shapes)
        folder = Folder()
        for member in _members(path):
            unpack(member, folder.path / inside_of(member.name))
        inside = _only_model(folder.path)
        method = folder_format(inside) if inside.is_dir() else format_of(inside)
        if method is None or method is Archive:
            raise UnreadableModel("it holds another archive: unpack it first")
        model = method().read(inside, input_shapes)
        name = inside.relative_to(folder.path).as_posix()
        metadata = {**model.metadata, "archive": "" if name == "." else name}
        weights = Held(model.weights, folder)
        return replace(model, files=(path,), metadata=metadata, weights=weights)


def _is_of_another_format(head: bytes) -> bool:
    return any(method().sniff(head) for name, method in FORMATS.items() if name != "archive")


class Folder:
    """A temporary folder, which ends with the last who holds this."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="assay-"))
        weakref.finalize(self, shutil.rmtree, self.path)


@dataclass(frozen=True)
class Held(Mapping[str, Weight]):
    """Weights whose file stays as long as one of them may be read."""

    weights: Mapping[str, Weight]
    folder: Folder

    def __getitem__(self, name: str) -> Weight:
        weight = self.weights[name]
        return replace(weight, read=partial(_held, weight, self.folder))

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)


def _held(weight: Weight, folder: Folder) -> Array:
    """Its values; ``folder`` is held by whoever holds this."""
    return weight.read()


@dataclass(frozen=True)
class Member:
    """A file in an archive that is to be unpacked."""

    name: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


def _members(path: Path) -> list[Member]:
    """What is to be unpacked.  Raises UnreadableModel where that is too much, or not only files."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(archives.ZIP):
        listed = archives.members(path)
        if any(archives.is_link(info) for info in listed.values()):
            raise UnreadableModel("it holds a link, which is not followed")
        files = [info for name, info in listed.items() if not name.endswith("/")]
        found = zipped(path, files)
    else:
        whole: Source = FilePart(path, 0, size)
        if compressed.is_compressed(head):
            whole = compressed.unpacked(whole, MOST_TIMES * size + SLACK)
        found = [Member(m.name, m.size, partial(_pieces, whole, m)) for m in tar.members(whole)]
    check_room(found, size)
    return found


def zipped(path: Path, files: Sequence[ZipInfo]) -> list[Member]:
    """Some members of a zip archive."""
    return [Member(i.filename, i.file_size, partial(archives.pieces, path, i)) for i in files]


def check_room(found: Sequence[Member], size: int) -> None:
    """Raises UnreadableModel where members are too much to unpack for a file of ``size`` bytes."""
    total = sum(member.size for member in found)
    if len(found) > MOST_FILES or total > MOST_TIMES * size + SLACK:
        raise UnreadableModel(f"it unpacks to {len(found):,} files of {total:,} bytes: too much")
    room = shutil.disk_usage(tempfile.gettempdir()).free - _ROOM_LEFT
    if total > room:
        raise UnreadableModel(f"it unpacks to {total:,} bytes, and there is room for {room:,}")


def _pieces(whole: Source, member: tar.Member) -> Iterator[bytes]:
    for at in range(0, member.size, _BLOCK):
        yield whole.read(member.start + at, min(_BLOCK, member.size - at))


def inside_of(name: str) -> PurePosixPath:
    """The name as a path within a folder.  Raises UnreadableModel where it leads out of it."""
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    odd = path.is_absolute() or windows.anchor or ".." in windows.parts or "\0" in name
    if odd or not path.parts or len(path.parts) > DEEPEST:
        raise UnreadableModel(f"member {name!r:.200} has no place inside a folder")
    return path


def unpack(member: Member, path: Path) -> None:
    """Writes a member to a new file.  Raises UnreadableModel where it is damaged, or is one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for piece in member.pieces():
                file.write(piece)
    except (FileExistsError, NotADirectoryError) as error:
        raise UnreadableModel(f"two members are called {path.name!r:.200}") from error


def _only_model(root: Path) -> Path:
    """The model in a folder.  Raises UnreadableModel where there is none or more than one."""
    found, folders = [], [root]
    while folders:
        folder = folders.pop()
        if folder_format(folder) is not None:
            found.append(folder)
            continue
        for entry in sorted(folder.iterdir()):
            if entry.is_dir():
                folders += [entry] if entry.name != _FORKS else []
            elif is_model(entry):
                found.append(entry)
    if len(found) != 1:
        names = ", ".join(repr(path.relative_to(root).as_posix()) for path in sorted(found)[:4])
        raise UnreadableModel(
            f"it holds {len(found)} models ({names}, …): unpack it, and name one, or of a zip"
            f" archive as ARCHIVE{archives.MARK}MODEL"
            if found
            else "it holds no model of a known format"
        )
    return found[0]
