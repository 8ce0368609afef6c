"""Levels of a module written as files, and made a distributable of."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file
from torch import nn

from assay.errors import UnfitModel
from assay.keys.signing import SigningKey
from assay.licenses import Grade, License, Write, _signed
from assay.licenses._copying import Copies
from assay.licenses._distributable import distribute
from assay.licenses._manifest import Manifest
from assay.running.examples import Examples
from assay.weights.sites import Marks, refused

EXTRA = "torch"


def checked(expires: str | None, licensee: str | None, trace: object = None) -> None:
    """Raises UnreadableLicense where a manifest cannot name the day or the licensee.

    And UnfitModel where a watermark cannot tell copies apart.
    """
    if trace is not None and not isinstance(trace, Marks):
        raise UnfitModel(refused(trace))
    if expires is not None:
        _signed.day(expires, "expires")
    if licensee is not None:
        _signed.note(licensee, "licensee")


def issued(
    method: License,
    grades: Sequence[Grade],
    output: Path,
    owner: SigningKey,
    *,
    original: Path | None = None,
    write: Write | None = None,
    expires: str | None = None,
    licensee: str | None = None,
    copies: Copies | None = None,
    judge: Examples | None = None,
) -> Manifest:
    """See ``assay.licenses.License.issue``."""
    save = write or save_tensors
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{level}{output.suffix}" for level in range(len(grades))]
        for file, grade in zip(files, grades, strict=True):
            if original is None or file is not files[0]:
                save(grade.module, file)
        identity, ledger = None, None
        if copies is None:
            files[0] = original or files[0]
        else:
            if original is not None:
                shutil.copyfile(original, files[0])
            assert judge is not None  # ``License.issue`` gives one
            grades, kept = copies.made_ready(grades, files, judge)
            identity, ledger = copies.identity, kept.seal(owner)
        about = [_notes(grade) for grade in grades]
        return distribute(
            files, about, output, owner, repr(method), expires=expires, licensee=licensee,
            identity=identity, ledger=ledger,
        )  # fmt: skip


def save_tensors(module: nn.Module, file: Path) -> None:
    """A module's tensors by name, as safetensors."""
    state = module.state_dict()
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, file)


def _notes(grade: Grade) -> dict[str, str]:
    return {"accuracy": f"{grade.accuracy:.4f}", **{n: str(v) for n, v in grade.notes.items()}}
