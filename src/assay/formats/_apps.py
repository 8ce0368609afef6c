"""Models inside an app: ``.apk``, ``.aab`` and ``.ipa`` files are zip archives, of much else, too.

A model in one is named as Java names what lies in an archive: ``app.apk!/assets/model.tflite``.
Which members are models their contents say, whatever they are called; and names that only models
have, so that one that is damaged, or encrypted, is named and not passed over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

from assay.containers import archives
from assay.errors import AssayError, UnreadableModel
from assay.formats import (
    FORMATS,
    HEAD,
    MISSING,
    Format,
    InputShapes,
    Model,
    chosen,
    format_of_names,
    is_named_as_model,
    naming,
    opening_of,
)
from assay.formats.archive import APPS, Archive, Folder, Held, check_room, inside_of, unpack, zipped

_MANIFESTS = ("AndroidManifest.xml", "base/manifest/AndroidManifest.xml")
_BUNDLE = ".app/Info.plist"  # of an .ipa, in its folder Payload
Infos = Mapping[str, ZipInfo]  # members by their names as paths


@dataclass(frozen=True)
class Listed:
    """What an app holds."""

    models: tuple[str, ...]  # names of files and folders, sorted
    others: int  # files that are no models


@dataclass(frozen=True)
class Unpacked:
    """A model that was unpacked; its file stays as long as ``folder``."""

    path: Path
    folder: Folder


def is_app(path: Path) -> bool:
    """Whether a file is an app: one that is called so, or a zip archive that holds what apps do."""
    if not path.is_file() or is_named_as_model(path.name):
        return False
    if path.name.lower().endswith(APPS):
        return True
    try:
        with path.open("rb") as file:
            is_zip = file.read(len(archives.ZIP)) == archives.ZIP
        names = {info.filename for info in archives.directory(path)} if is_zip else set[str]()
    except (UnreadableModel, OSError):  # whoever reads it is told
        return False
    is_bundle = any(n.startswith("Payload/") and n.endswith(_BUNDLE) for n in names)
    return is_bundle or not names.isdisjoint(_MANIFESTS)


def listed(path: Path) -> Listed:
    """The models in an app, or in another zip archive.

    Raises UnreadableModel where it is no zip archive, or is damaged.
    """
    infos = _infos(path)
    folders = _folders(infos)
    found = {*folders}
    for name, info in infos.items():
        own = _format_of(path, infos, info, name)
        home = next((f for f in folders if name.startswith(f"{f}/")), None)
        if home is not None and _is_part(name.removeprefix(f"{home}/"), folders[home], own):
            continue
        if own is not None or _is_named(name):
            found.add(name)
    parts = sum(1 for name in infos if any(name.startswith(f"{f}/") for f in folders))
    alone = len(found) - len(folders)
    return Listed(tuple(sorted(found)), max(0, len(infos) - parts - alone))


def read_inside(path: Path, name: str, input_shapes: InputShapes) -> Model:
    """A model in an app or another zip archive: as its file outside would be read.

    It is unpacked alone, and where that does not suffice, with all that lies in its folder.  Raises
    UnreadableModel.
    """
    infos = _infos(path)
    alone = _unpacked(path, infos, name)
    is_whole = alone.path.is_dir() or not _method(alone).beside
    try:
        model = _read(alone, input_shapes)
        is_whole |= MISSING not in model.metadata
    except UnreadableModel:
        if is_whole:
            raise
    if is_whole:
        return model
    return _read(_unpacked(path, infos, name, with_folder=True), input_shapes)


def read_only(path: Path, input_shapes: InputShapes) -> Model:
    """The one model in an app.  Raises UnreadableModel where there is none, or more than one."""
    found = listed(path).models
    if len(found) != 1:
        names = ", ".join(f"{path.name}{archives.MARK}{name}" for name in found[:3])
        raise UnreadableModel(
            f"it holds {len(found)} models: name one, as {names}" if found else "it holds no model"
        )
    return read_inside(path, found[0], input_shapes)


def unpacked(path: Path, name: str) -> Unpacked:
    """A model of an app, for a runtime to open: beside it lies what may be a part of it.

    Raises UnreadableModel.
    """
    infos = _infos(path)
    found = _unpacked(path, infos, name)
    method = _method(found)
    if not method.beside:
        return found
    found = _unpacked(path, infos, name, with_folder=True)
    if method is FORMATS["onnx"] and found.path.suffix != ".onnx":
        return Unpacked(found.path.rename(found.path.with_suffix(".onnx")), found.folder)
    return found


def _method(held: Unpacked) -> type[Format]:
    method = chosen(held.path)
    if method is Archive and is_app(held.path):  # apps may hold themselves
        raise UnreadableModel("an app in an archive: unpack it first")
    return method


def _read(held: Unpacked, input_shapes: InputShapes) -> Model:
    model = _method(held)().read(held.path, input_shapes)
    return replace(model, weights=Held(model.weights, held.folder))


def _infos(path: Path) -> Infos:
    """The members that are files.  Raises UnreadableModel where two have one name."""
    found: dict[str, ZipInfo] = {}
    for info in archives.directory(path):
        if info.filename.endswith("/") or archives.is_link(info):
            continue
        name = PurePosixPath(info.filename).as_posix()
        if name in found:
            raise UnreadableModel(f"two members have the name {name!r:.200}")
        found[name] = info
    return found


def _unpacked(path: Path, infos: Infos, name: str, *, with_folder: bool = False) -> Unpacked:
    """A file, or a folder, alone or with what lies beside it."""
    home = PurePosixPath(name).parent if with_folder else PurePosixPath(name)
    below = "" if home == PurePosixPath(".") else f"{home.as_posix()}/"
    wanted = [info for n, info in infos.items() if n == name or n.startswith(below)]
    if name not in infos and not any(n.startswith(f"{name}/") for n in infos):
        raise UnreadableModel(f"no {name!r:.200} in this archive")
    if any(archives.is_encrypted(info) for info in wanted):
        raise UnreadableModel("encrypted: the archive has a password")
    members = zipped(path, wanted)
    check_room(members, path.stat().st_size)
    folder = Folder()
    for member in members:
        unpack(member, folder.path / inside_of(member.name))
    return Unpacked(folder.path / inside_of(name), folder)


def _folders(infos: Infos) -> dict[str, type[Format]]:
    """The folders that are one model, none of them in another one."""
    entries = defaultdict[str, set[str]](set)
    for name in infos:
        path = PurePosixPath(name)
        for child in (path, *path.parents):
            if child.name:
                entries[child.parent.as_posix()].add(child.name)
    found: dict[str, type[Format]] = {}
    for folder in sorted(entries, key=lambda each: (each.count("/"), each)):
        method = format_of_names(frozenset(entries[folder]))
        is_inner = any(folder.startswith(f"{outer}/") for outer in found)
        if method is not None and folder != "." and not is_inner:
            found[folder] = method
    return found


def _is_part(inner: str, method: type[Format], own: type[Format] | None) -> bool:
    """Whether a file in a folder of one format is of its model, whatever it would be alone."""
    if not method().holds(inner.partition("/")[0]):
        return False
    tells = method.holds is not Format.holds
    return tells or own is None or own is method or own.guesses


def _format_of(path: Path, infos: Infos, info: ZipInfo, name: str) -> type[Format] | None:
    """The format that a member's content shows; None where it shows none, or only seems to."""
    if archives.is_encrypted(info) or not info.file_size:
        return None
    try:
        head = _opening(path, info)
    except UnreadableModel:
        return None
    method = next((each for each in FORMATS.values() if each().sniff(head)), None)
    if method is None:
        return None
    if method.guesses and not _is_named(name) and not _is_read(path, infos, name):
        return None
    if method is FORMATS["archive"] and not _holds_model(head.decode("utf-8", "replace")):
        return None
    return method


def _opening(path: Path, info: ZipInfo) -> bytes:
    head = archives.beginning(path, info, HEAD)
    return opening_of(archives.member(path, info)) if head.startswith(archives.ZIP) else head


def _is_read(path: Path, infos: Infos, name: str) -> bool:
    """Whether what may be a model is one."""
    try:
        with naming(name):
            model = _read(_unpacked(path, infos, name), {})
    except AssayError:
        return False
    return bool(model.weights) or bool(model.layers and model.layers.operators)


def _holds_model(names: str) -> bool:
    """Whether one of an archive's members is named as only models are."""
    return any(_is_named(name) for name in names.split("\n"))


def _is_named(name: str) -> bool:
    """Whether only models are called so, also where more was put behind: ``a.tflite.enc``."""
    pure = PurePosixPath(name)
    return is_named_as_model(pure.name) or is_named_as_model(pure.stem)
