"""Distributables: a model's file, its manifest, and a sealed part for each level, side by side.

model.safetensors                 what anybody may run: near chance
model.safetensors.manifest.json   what it is of, signed by its owner
model.safetensors.level-2         what leads from there to level 2 …
model.safetensors.level-1         … from level 2 to level 1 …
model.safetensors.level-0         … and from there to the original, byte for byte
model.safetensors.ledger          the owner's, where every copy is one licensee's: see ``_ledger``
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from assay.durable import writing
from assay.errors import BadOption, UnfitModel, Unlicensed, UnreadableLicense
from assay.keys.signing import SigningKey
from assay.keys.wrapping import ReceivingKey
from assay.licenses import _parts as parts
from assay.licenses import _signed
from assay.licenses._copies import patched
from assay.licenses._grants import Grant, level_key, part_key, root_of
from assay.licenses._manifest import Content, Manifest
from assay.licenses._streams import AHEAD, content_of, deltas, fill, windows, written

EXTRA = "crypto"
Notes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Activated:
    """A file that was made of a distributable."""

    level: int
    licensee: str
    content: Content
    about: Notes  # as the owner measured it


def manifest_of(model: Path) -> Path:
    """Where the manifest of a distributable lies."""
    return model.with_name(f"{model.name}.manifest.json")


def part_of(model: Path, level: int) -> Path:
    """Where the part of a level lies."""
    return model.with_name(f"{model.name}.level-{level}")


def ledger_of(model: Path) -> Path:
    """Where the owner's ledger lies; who only activates has none."""
    return model.with_name(f"{model.name}.ledger")


def distribute(
    files: Sequence[Path],
    about: Sequence[Notes],
    output: Path,
    owner: SigningKey,
    method: str,
    *,
    original: Content | None = None,
    expires: str | None = None,
    licensee: str | None = None,
    identity: str | None = None,
    ledger: bytes | None = None,
) -> Manifest:
    """Write a distributable; its manifest comes last, and without it the others are nothing.

    Args:
        files: A model's file at each level, the original first; the last is what all may have.
        about: What is known of each.
        output: The model's file; the others lie beside it.
        owner: Signs it, and can make all keys.
        method: What made the levels.
        original: What the first file was when levels were made of it.
        expires: The last day on which it may be activated.
        licensee: The only one whom it is for.
        identity: 64 hexadecimal digits that were drawn for it; by default they are drawn now.
        ledger: What the owner keeps, sealed, where ``files`` lack what licenses are to bring.

    Raises:
        UnreadableLicense: a note, the day or the name cannot be written.
        UnfitModel: the original is another file by now.
        OSError: a file cannot be read or written.
    """
    identity = identity or secrets.token_hex(32)
    root = root_of(owner, identity)
    with ExitStack() as stack:
        manifest_file = stack.enter_context(writing(manifest_of(output)))  # is there at last
        sealed, restored = [], list[Content]()  # each file is read once
        for level, (file, below) in enumerate(pairwise(files)):
            part = stack.enter_context(writing(part_of(output, level)))
            key = part_key(level_key(root, 0, level))
            sealed.append(written(_part(below, file, restored, key, _about(identity, level)), part))
        if original not in (None, restored[0]):
            raise UnfitModel(f"{files[0]}: was changed while levels were made of it: try again")
        model = written(windows(files[-1]), stack.enter_context(writing(output)))
        kept = None
        if ledger is not None:
            kept = asdict(written([ledger], stack.enter_context(writing(ledger_of(output)))))
        levels = [
            {"restored": asdict(whole), "sealed": asdict(part), "about": {**notes}}
            for whole, part, notes in zip(restored, sealed, about[:-1], strict=True)
        ]
        body = {
            "id": identity, "method": method, "model": asdict(model), "about": {**about[-1]},
            "levels": levels, "issued": _signed.today(), "expires": expires, "licensee": licensee,
            "ledger": kept,
        }  # fmt: skip
        manifest = Manifest.sign(body, owner)
        manifest_file.write(manifest.text.encode())
    return manifest


def _part(
    below: Path, file: Path, restored: list[Content], key: bytes, about: bytes
) -> Iterator[bytes]:
    count = parts.windows(file.stat().st_size)
    return parts.seal(deltas(below, file, restored), count, key, about)


def files_of(model: Path, manifest: Manifest) -> list[Path]:
    """All of a distributable's files."""
    parts_of = (part_of(model, level) for level in range(len(manifest.levels)))
    ledger = [] if manifest.ledger is None else [ledger_of(model)]
    return [model, manifest_of(model), *parts_of, *ledger]


def activate(
    model: Path,
    grant: Grant,
    key: ReceivingKey,
    output: Path,
    *,
    owner: str | None = None,
    today: str | None = None,
) -> Activated:
    """Write the model as a license allows: whole and checked, or not at all.

    Args:
        model: A distributable's; its manifest and parts lie beside it.
        grant: The license.
        key: The licensee's.
        output: The file to write.
        owner: The public key that must have signed; by default whatever key the manifest names.
        today: By default the clock's.

    Raises:
        Unlicensed: the license is for another model, level, licensee or time.
        UnreadableLicense: a file is damaged, is missing, or was changed.
        BadOption: ``output`` is one of the distributable's files.
        OSError: a file cannot be read or written.
    """
    manifest = read_manifest(model, owner)
    secret = grant.open(manifest, key, today)
    patches = grant.patches(manifest, key, today)
    for own in files_of(model, manifest):
        if output.exists() and own.exists() and output.samefile(own):
            raise BadOption(f"{output}: is a file of the distributable: name another one")
    wanted = manifest.levels[grant.level].restored if grant.copy is None else grant.copy.content
    with restored(model, manifest, secret, grant.level) as blocks, writing(output) as stream:
        made = written(patched(blocks, patches), stream)
        if made != wanted:  # parts are sealed: they cannot be it
            raise UnreadableLicense(f"{model}: was changed: does not become what its owner signed")
    about = manifest.levels[grant.level].about
    return Activated(grant.level, grant.licensee, made, about)


@contextmanager
def restored(
    model: Path, manifest: Manifest, secret: bytes, level: int
) -> Iterator[Iterator[memoryview]]:
    """The windows of a level's file, one after the other; ``secret``: the key of the level.

    Each is in the memory of an earlier one.  Raises as ``activate`` does.
    """
    with ExitStack() as stack:
        changes = []
        for each in range(len(manifest.levels) - 1, level - 1, -1):
            path, size = part_of(model, each), manifest.levels[each].restored.size
            part = stack.enter_context(_named_open(path))
            opens = part_key(level_key(secret, level, each))
            about = _about(manifest.id, each)
            changes.append((path, size, parts.unseal(part, parts.windows(size), opens, about)))
        yield _restored(model, changes)


def read_manifest(model: Path, owner: str | None = None) -> Manifest:
    """The manifest beside a distributable's model, signed by ``owner`` where one is given.

    Raises UnreadableLicense where there is none or it was changed, Unlicensed where another owner
    signed it, OSError.
    """
    path = manifest_of(model)
    if not path.exists():
        raise UnreadableLicense(f"{model}: is no distributable: there is no {path.name} beside it")
    with _naming(path):
        manifest = Manifest.read(path)
        if owner not in (None, manifest.owner):
            raise Unlicensed(f"is signed by {manifest.owner}, not by the owner that was named")
    return manifest


def damaged(model: Path, manifest: Manifest) -> list[str]:
    """The names of a distributable's files that are missing, or not what the manifest says."""
    wanted = {model: manifest.model}
    wanted |= {part_of(model, level): each.sealed for level, each in enumerate(manifest.levels)}
    if manifest.ledger is not None and ledger_of(model).exists():  # it need not be shipped
        wanted[ledger_of(model)] = manifest.ledger
    return [
        path.name
        for path, content in wanted.items()
        if not path.is_file() or content_of(path) != content
    ]


def _restored(
    model: Path, changes: Sequence[tuple[Path, int, Iterator[bytes]]]
) -> Iterator[memoryview]:
    """The windows of a model's file after all changes; each in the memory of an earlier one."""
    count = max(parts.windows(size) for _, size, _ in changes)
    memory = [parts.new_window() for _ in range(min(count, AHEAD))]
    with _named_open(model) as stream:
        for number in range(count):
            window = memory[number % AHEAD]
            left = fill(window, stream)
            for path, size, messages in changes:
                left = min(parts.WINDOW, max(0, size - number * parts.WINDOW))
                with _naming(path):
                    change = next(messages) if number < parts.windows(size) else b""
                    parts.apply(window, left, change)
            yield window.data.cast("B")[:left]
        for path, _, messages in changes:
            with _naming(path):
                next(messages, None)  # there is no more


def _about(identity: str, level: int) -> bytes:
    """What a part is bound to."""
    return f"assay license part 1 {identity} level {level}".encode()


@contextmanager
def _named_open(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise UnreadableLicense(f"{path}: is missing: it belongs to the distributable") from error
    with stream:
        yield stream


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (Unlicensed, UnreadableLicense) as error:
        raise type(error)(f"{path}: {error}") from error
