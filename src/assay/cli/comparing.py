"""The verb that compares models with one another: their files, and what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from assay.cli import _marked as marked
from assay.cli import _options as options
from assay.cli._asked import Asked, options_of
from assay.cli._terminal import attempts
from assay.cli._writing import Outputs
from assay.cli.asking import answer, unanswered
from assay.durable import write_through
from assay.errors import BadOption
from assay.values import Report

EXAMPLES = """\b
Examples:
  assay compare suspect.onnx mine.safetensors --html report.html
  assay compare merged.safetensors one.safetensors other.safetensors
  assay compare one.safetensors other.safetensors --base base.safetensors
  assay compare app.apk!/assets/face.tflite mine.onnx --method modeldiff --inputs pictures
  assay compare https://example.org/ask mine.onnx --method akh --inputs held-out.npz \\
    --references strangers --budget 500
  assay compare suspect.onnx marked.onnx --key mine.key --proof proof.json --head head.txt
"""


@click.command(epilog=EXAMPLES)
@click.argument("suspect", type=options.FILE)
@click.argument("sources", type=options.FILE, nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--base",
    "bases",
    type=options.FILE,
    multiple=True,
    metavar="FILE",
    help="What both may come from: what it has explains what they share. May be repeated.",
)
@options_of
@marked.options_of
@options.input_shape
@options.html
@options.sarif
@click.option(
    "--model-explorer",
    "folder",
    type=options.FILE,
    metavar="FOLDER",
    help="Write both graphs, and which layers are one another's, for Model Explorer.",
)
@options.as_json
@click.pass_context
def compare(
    context: click.Context,
    suspect: str,
    sources: tuple[str, ...],
    bases: tuple[str, ...],
    seed: int,
    input_shape: options.Shapes,
    html_path: str | None,
    sarif_path: str | None,
    folder: str | None,
    as_json: bool,
) -> None:
    """Say how a file is related to others, why, and what was done to it.

    SUSPECT is the model in question, SOURCE what it may come from.  Of several sources it says
    whether the suspect is a merge of them.  A model in an app is named as app.apk!/assets/a.tflite.
    With --method both models are run, too, and asked the same; the suspect may be a URL then.  Run
    only files that you may run.  With --key the mark of SOURCE's owner is looked for, too; it
    counts for the relation where a log shows that its key is old.  Whoever will accuse somebody in
    public binds his queries first, by 'assay commit'.  Exit status: 0, nothing to review; 1,
    common-ancestor or more that no base explains; 2, an error.  An input shape holds for all files.
    """
    outputs = Outputs(html_path, sarif_path, folder)
    if len(sources) > 1 and (html_path or folder):
        raise BadOption("--html and --model-explorer show two files: give one source")
    asked = Asked.of(context, seed)
    asked.check(suspect, sources)
    mark = marked.Mark.of(context)
    mark.check(suspect, sources)
    is_url = suspect.startswith(("http://", "https://"))
    if is_url and (folder or bases):
        raise BadOption("--model-explorer and --base are for files, and the suspect is a URL")
    of_files = _of_files(suspect, sources, bases, input_shape, as_json, is_url)
    if of_files is None:
        context.exit(2)
    ((_, found, wrong),) = attempts(
        (suspect,), lambda _: _more(of_files, asked, mark, (sources[0], *bases), input_shape)
    )
    if found is None:
        unanswered(suspect, wrong, as_json)
        context.exit(2)
    report, drawn = found
    answer(report, as_json)
    if asked.plot is not None:
        write_through(Path(asked.plot), drawn)
    if is_url:
        outputs.write([report])
    else:
        words = [*asked.words(), *mark.words()]
        outputs.write_comparison(report, (suspect, sources[0]), input_shape, words, drawn)
    context.exit(int(report.needs_review))


def _of_files(
    suspect: str,
    sources: tuple[str, ...],
    bases: tuple[str, ...],
    input_shape: options.Shapes,
    as_json: bool,
    is_url: bool,
) -> Report | None:
    """What the files tell, the source's alone where the suspect has none; None after an error."""
    from assay.comparing import Comparing
    from assay.examine import Opened

    opened, whole = Opened(input_shape), True
    paths = (() if is_url else (suspect,)) + sources + bases
    for path, record, wrong in attempts(paths, opened.open):
        if record is None:
            whole = False
            unanswered(path, wrong, as_json)
    if not whole:
        return None
    if is_url:
        from assay.cli import _behaving as behaving

        return behaving.of_url(suspect, opened.record(0))
    comparing = Comparing(opened, len(sources), len(bases))
    for path, report, wrong in attempts((suspect,), lambda _: comparing.report()):
        if report is None:
            unanswered(path, wrong, as_json)
        return report
    return None


def _more(
    report: Report,
    asked: Asked,
    mark: marked.Mark,
    others: Sequence[str],
    shapes: options.Shapes,
) -> tuple[Report, str]:
    """The report with what is asked and looked for besides, and a picture of the answers.

    ``others``: the source, then its bases.
    """
    (source, *bases), drawn = others, ""
    if asked.method is not None:
        from assay.cli import _behaving as behaving

        found = behaving.found(asked, report.suspect.path, source, shapes)
        report, drawn = behaving.told(report, found, asked.alarm), behaving.picture(found)
    if mark.key is not None:
        report = marked.told(report, mark, source, bases, shapes)
    return report, drawn


VERBS = (compare,)
