"""Levels of a module written as files, and made a distributable of."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file
from torch import nn

from assay.errors import BadOption, UnfitModel
from assay.keys.signing import SigningKey
from assay.licenses import Grade, License, Write, _signed
from assay.licenses._copying import Copies
from assay.licenses._distributable import distribute
from assay.licenses._grading import grade_of
from assay.licenses._manifest import Content, Manifest
from assay.licenses._streams import content_of
from assay.running.examples import Examples
from assay.weights.sites import Marks, refused

EXTRA = "torch"


def checked(
    method: License,
    original: Path | None,
    expires: str | None,
    licensee: str | None,
    trace: object = None,
    hardening: int | None = None,
) -> Content | None:
    """What the original is before the long work.

    Raises UnreadableLicense where a manifest cannot name options, day or licensee; UnfitModel where
    a watermark cannot tell copies apart; BadOption where a level that its holder tunes is to be
    marked, or is to start from what is drawn anew; OSError.
    """
    if method.holder_tunes and not (trace is None and hardening is None):
        raise BadOption(
            f"{method.method}: a level that its holder tunes starts from what needs no key: it"
            " cannot be drawn anew, and no copy of it can be marked"
        )
    if trace is not None and not isinstance(trace, Marks):
        raise UnfitModel(refused(trace))
    _signed.note(repr(method), "the method with its options")
    if expires is not None:
        _signed.day(expires, "expires")
    if licensee is not None:
        _signed.note(licensee, "licensee")
    return None if original is None else content_of(original)


def issued(
    method: License,
    grades: Sequence[Grade],
    output: Path,
    owner: SigningKey,
    *,
    judge: Examples | None = None,
    seed: int = 0,
    before: Content | None = None,
    original: Path | None = None,
    write: Write | None = None,
    expires: str | None = None,
    licensee: str | None = None,
    copies: Copies | None = None,
) -> Manifest:
    """See ``assay.licenses.License.issue``; what a file has rounded is judged as it has it."""
    save = write or save_tensors
    files, found = list[Path](), list[Grade]()
    with TemporaryDirectory() as folder:
        for level, grade in enumerate(grades):
            file, made = Path(folder) / f"{level}{output.suffix}", None
            if level == 0 and original is not None:
                file = original if copies is None else _copied(original, file, before)
            elif (opened := method.opened(grade, seed)) is not None:
                file.write_text(opened.text)
            else:
                made = save(grade.module, file)
            files.append(file)
            if made is not None and judge is not None:
                grade = grade_of(made, judge, grade.notes)
            found.append(grade)
        identity, ledger = None, None
        if copies is not None:
            assert judge is not None  # ``License.issue`` gives one
            found, kept = copies.made_ready(found, files, judge, method.targets)
            identity, ledger, before = copies.identity, kept.seal(owner), None
        return distribute(
            files, [_notes(grade) for grade in found], output, owner, repr(method),
            original=before, expires=expires, licensee=licensee, identity=identity, ledger=ledger,
        )  # fmt: skip


def save_tensors(module: nn.Module, file: Path) -> None:
    """A module's tensors by name, as safetensors."""
    state = module.state_dict()
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, file)


def _copied(original: Path, file: Path, before: Content | None) -> Path:
    """A copy that can be written to.  Raises UnfitModel where it is not what it was before."""
    shutil.copyfile(original, file)
    if content_of(file) != before:
        raise UnfitModel(f"{original}: was changed while levels were made of it: try again")
    return file


def _notes(grade: Grade) -> dict[str, str]:
    return {"accuracy": f"{grade.accuracy:.4f}", **{n: str(v) for n, v in grade.notes.items()}}
