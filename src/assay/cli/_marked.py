"""The mark of a key in the suspect, as ``assay compare`` has it beside all else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._claims import ALONE, TOLERANCE, claim
from assay.cli._keys import make_watermark, read_key
from assay.cli.committing import head_option
from assay.errors import BadOption
from assay.values import Evidence, Relation, Report

if TYPE_CHECKING:
    from assay.cli.verifying import Asked


@dataclass(frozen=True)
class Mark:
    """Whose mark is looked for, and what shows that its key is old; no key: none is."""

    key: str | None = None
    passphrase_file: str | None = None
    proof: str | None = None
    head_file: str | None = None

    @classmethod
    def of(cls, context: click.Context) -> Mark:
        """What was given on the command line of a verb that has these options."""
        return cls(**options.kept_of(context, cls))

    def check(self, suspect: str, sources: Sequence[str]) -> None:
        """Raises BadOption where options do not fit one another."""
        if self.key is None and self != Mark():
            raise BadOption("--passphrase-file, --proof and --head are for a --key: give it")
        if self.key is not None and len(sources) > 1:
            raise BadOption("--key is the mark of one source: give one")
        if self.key is not None and suspect.startswith(("http://", "https://")):
            raise BadOption(f"{suspect}: 'assay verify' asks a URL for a mark")

    def words(self) -> list[str]:
        """The options as they were given, but where a passphrase is."""
        given = (("--key", self.key), ("--proof", self.proof), ("--head", self.head_file))
        return [word for name, value in given if value is not None for word in (name, value)]


def told(
    report: Report, mark: Mark, source: str, bases: Sequence[str], shapes: options.Shapes
) -> Report:
    """The report on two models, with what is found of the mark of the source's owner.

    It counts where the source has it, too; and a base that has not does not explain it.  Raises as
    ``assay verify`` does.
    """
    from assay.cli import verifying
    from assay.comparing.marks import with_mark
    from assay.formats import read

    assert mark.key is not None
    key = read_key(Path(mark.key), mark.passphrase_file)
    reads = make_watermark(key.method, ()).reads
    claimed = claim(mark.proof, mark.head_file, mark.key, 1)
    original = read(Path(source), shapes).weights if reads == "weights" else None
    asked = verifying.Asked(key, reads, original, verifying.CONTROLS, None, shapes)
    found = verifying.look(report.suspect.path, asked, claimed)
    rests = ALONE if claimed is None else claimed.in_words
    if not (is_own := _has_mark(source, replace(asked, original=None))):  # it is the original
        rests += f"; {source} has no such mark, so it says nothing of the two"
    (kin,) = report.matches
    counts = is_own and claimed is not None
    asks_bases = counts and kin.explained_by is not None
    shows = Relation.SAME_ARCHITECTURE if reads == "structure" else Relation.COMMON_ANCESTOR
    kin = with_mark(
        kin,
        _explained(found, rests),
        TOLERANCE,
        counts=counts,
        shows=shows,
        in_base=asks_bases and any(_has_mark(base, asked) for base in bases),
    )
    return replace(report, matches=(kin,))


def _has_mark(path: str, asked: Asked) -> bool:
    from assay.cli import verifying

    return verifying.look(path, asked, None).holds_at(TOLERANCE)


def _explained(mark: Evidence, rests: str) -> Evidence:
    """With what the false alarm rests on, in the words that are shown."""
    words = f"{mark.detail['in_words']}; the false alarm is of {rests}"
    return replace(mark, detail={**mark.detail, "in_words": words})


_KEPT: dict[str, Any] = {"callback": options.keep, "expose_value": False}
_OPTIONS = (
    options.kept(
        "--key",
        type=options.FILE,
        metavar="FILE",
        help="The key of a mark in SOURCE: look for it in the suspect, too.",
    ),
    secrets.passphrase_option(**_KEPT),
    options.kept(
        "--proof",
        type=options.FILE,
        metavar="FILE",
        help="That the key was logged: its mark counts for the relation. With --head.",
    ),
    head_option(**_KEPT),
)


def options_of(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a verb the options, of which ``Mark.of`` tells."""
    for option in reversed(_OPTIONS):
        verb = option(verb)
    return verb
