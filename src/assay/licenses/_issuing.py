"""Levels of a module written as files, and made a distributable of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file
from torch import nn

from assay.keys.signing import SigningKey
from assay.licenses import Grade, License, Write, _signed
from assay.licenses._distributable import distribute
from assay.licenses._manifest import Manifest

EXTRA = "torch"


def checked(expires: str | None, licensee: str | None) -> None:
    """Raises UnreadableLicense where a manifest cannot name the day or the licensee."""
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
) -> Manifest:
    """See ``assay.licenses.License.issue``."""
    save = write or save_tensors
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{level}{output.suffix}" for level in range(len(grades))]
        for file, grade in zip(files, grades, strict=True):
            if original is None or file is not files[0]:
                save(grade.module, file)
        files[0] = original or files[0]
        about = [_notes(grade) for grade in grades]
        return distribute(
            files, about, output, owner, repr(method), expires=expires, licensee=licensee
        )


def save_tensors(module: nn.Module, file: Path) -> None:
    """A module's tensors by name, as safetensors."""
    state = module.state_dict()
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, file)


def _notes(grade: Grade) -> dict[str, str]:
    return {"accuracy": f"{grade.accuracy:.4f}", **{n: str(v) for n, v in grade.notes.items()}}
