"""Levels of a module written as files, and made a distributable of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file
from torch import nn

from assay.keys.signing import SigningKey
from assay.licenses import Grade, License, Write, _signed
from assay.licenses._distributable import content_of, distribute
from assay.licenses._grading import grade_of
from assay.licenses._manifest import Content, Manifest
from assay.running.examples import Examples

EXTRA = "torch"


def checked(
    method: License, original: Path | None, expires: str | None, licensee: str | None
) -> Content | None:
    """What the original is before the long work.

    Raises UnreadableLicense where a manifest cannot name options, day or licensee; OSError.
    """
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
) -> Manifest:
    """See ``assay.licenses.License.issue``; what a file has rounded is judged as it has it."""
    save = write or save_tensors
    files, about = list[Path](), list[dict[str, str]]()
    with TemporaryDirectory() as folder:
        for level, grade in enumerate(grades):
            file, made = Path(folder) / f"{level}{output.suffix}", None
            if level == 0 and original is not None:
                file = original
            elif (opened := method.opened(grade, seed)) is not None:
                file.write_text(opened.text)
            else:
                made = save(grade.module, file)
            files.append(file)
            if made is not None and judge is not None:
                grade = grade_of(made, judge, grade.notes)
            about.append(_notes(grade))
        return distribute(
            files, about, output, owner, repr(method),
            original=before, expires=expires, licensee=licensee,
        )  # fmt: skip


def save_tensors(module: nn.Module, file: Path) -> None:
    """A module's tensors by name, as safetensors."""
    state = module.state_dict()
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, file)


def _notes(grade: Grade) -> dict[str, str]:
    return {"accuracy": f"{grade.accuracy:.4f}", **{n: str(v) for n, v in grade.notes.items()}}
