"""What verbs write beside their answers: pages, SARIF, graphs for viewers."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.cli._options import Shapes
from assay.cli._terminal import remark
from assay.durable import write_through
from assay.errors import BadOption
from assay.report import Compared, comparison_page, json_line, page, sarif, write_model_explorer
from assay.values import Report

Failures = Sequence[tuple[str, str]]  # path and error of what was not read


@dataclass(frozen=True)
class Outputs:
    """Where a verb is to write; None: not at all.  Raises BadOption where it cannot."""

    html: str | None = None
    sarif: str | None = None
    model_explorer: str | None = None  # a folder

    def __post_init__(self) -> None:
        for option, path in (("--html", self.html), ("--sarif", self.sarif)):
            if path is not None:
                writable(option, path)
        folder = self.model_explorer
        if folder is not None and (
            Path(folder).is_file() or not Path(folder).absolute().parent.is_dir()
        ):
            raise BadOption(f"--model-explorer {folder}: no folder, and none can be made there")

    @property
    def any(self) -> bool:
        """Whether reports are to be kept until the end."""
        return any(path is not None for path in self.given().values())

    def given(self) -> Mapping[str, str | None]:
        """Option → path."""
        return {
            "--html": self.html,
            "--sarif": self.sarif,
            "--model-explorer": self.model_explorer,
        }

    def write(self, reports: Sequence[Report], failures: Failures = ()) -> None:
        """Reports on any number of suspects.  Raises OSError."""
        if self.html is not None:
            write_through(Path(self.html), page(reports, failures))
        if self.sarif is not None:
            text = json_line(sarif(reports, failures))
            write_through(Path(self.sarif), f"{text}\n")

    def write_comparison(
        self,
        report: Report,
        files: tuple[str, str],
        shapes: Shapes,
        asked: Sequence[str] = (),
        answers: str = "",
    ) -> None:
        """What two files, suspect and source, have to do with each other.  Raises OSError.

        ``asked`` are the options that say what both were asked, ``answers`` a picture of it.
        """
        Outputs(sarif=self.sarif).write([report])  # of any number of sources
        if self.html is None and self.model_explorer is None:
            return
        from assay.formats import read
        from assay.report.weighted import weighted

        suspect, source = (weighted(read(Path(path), shapes)) for path in files)
        compared = Compared(report, suspect, source, self._command(files, shapes, asked), answers)
        if self.html is not None:
            write_through(Path(self.html), comparison_page(compared))
        if self.model_explorer is not None:
            opening = write_model_explorer(compared, Path(self.model_explorer))
            remark(f"open with: {opening}")

    def _command(self, files: tuple[str, str], shapes: Shapes, asked: Sequence[str]) -> str:
        """The command that compares the files again."""
        words = ["assay", "compare", *files, *asked]
        for name, shape in shapes.items():
            sizes = "x".join(map(str, shape))
            words += ["--input-shape", f"{name}={sizes}" if name else sizes]
        for option, path in self.given().items():
            words += [option, path] if path is not None else []
        return shlex.join(words)


def new_file(output: str, *others: str | None) -> None:
    """Raises BadOption where it cannot be written, or is one of the files that are read."""
    writable("--output", output)
    for other in others:
        if other is None or not (Path(output).exists() and Path(other).exists()):
            continue
        if Path(output).samefile(other):
            raise BadOption(f"--output {output}: is {other}: name another file")


def writable(option: str, path: str) -> None:
    """Raises BadOption where no file can be written: to be known before the long work."""
    if Path(path).is_dir() or not Path(path).absolute().parent.is_dir():
        raise BadOption(f"{option} {path}: not a file in an existing folder")
