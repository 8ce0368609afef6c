"""A comparison of two files as one HTML page that opens offline: no script, nothing is loaded.

Both graphs side by side, each layer in the color of its correlation; a table of all layers, in
either order; what was done, what was not compared, and how to make the page again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assay import __version__
from assay.report.compared import Compared
from assay.report.comparison_style import KINDS, STYLE
from assay.report.drawing import Block, Drawing, step
from assay.report.layer_words import (
    ALIGNED,
    HEADINGS,
    chance_text,
    diagnosis_words,
    match_row,
    omissions,
)
from assay.report.page import document
from assay.report.words import (
    escaped,
    evidence_text,
    known,
    meaning,
    notes,
    printable,
    review,
    tone,
)
from assay.values import LayerMatch

_TONES = {"red": "review", "yellow": "lead", "green": "none"}
_NARROW = {0, 3, 4, 5, 8}  # columns that are not wrapped


def comparison_page(compared: Compared) -> str:
    """The page."""
    source, suspect = compared.records
    called = suspect.name, source.name
    ours, theirs = called if called[0] != called[1] else (suspect.path, source.path)
    title = f"assay: {printable(ours)}, compared with {printable(theirs)}"
    parts = (
        f"<h1>{escaped(title)}</h1>",
        _verdict(compared),
        _findings(compared),
        _files(compared),
        _graphs(compared),
        _table(compared),
        _left_out(compared),
        _answers(compared),
        _again(compared),
    )
    return document(escaped(title), "\n".join(parts), STYLE)


def _verdict(compared: Compared) -> str:
    report = compared.report
    alarm = compared.kin.log10_false_alarm
    chance = f"<br>\n{escaped(chance_text(alarm))}" if alarm is not None else ""
    return f"""<div class="verdict {_TONES[tone(report)]}">
<strong>Verdict: {report.verdict}</strong> ({review(report)})<br>
{escaped(meaning(report).replace("a model below", "the other model"))}{chance}</div>"""


def _findings(compared: Compared) -> str:
    """What seems to have been done to the source."""
    said = diagnosis_words(compared.detail)
    if not said:
        return ""
    return f"<section><h2>What became of the source</h2>{_listed(said)}</section>"


def _files(compared: Compared) -> str:
    columns = [
        [record.path, *known(record), *(["a public base"] if record.base else [])]
        for record in compared.records
    ]
    cells = "".join(f"<td>{'<br>'.join(map(escaped, lines))}</td>" for lines in columns)
    return f"""<section><h2>The files</h2><div class="scroll"><table class="files">
<thead><tr><th>source</th><th>suspect</th></tr></thead>
<tbody><tr>{cells}</tr></tbody></table></div></section>"""


def _graphs(compared: Compared) -> str:
    drawing = Drawing(compared)
    if drawing.is_large:
        pictures = "\n".join(
            _folded(drawing, block, place == 0) for place, block in enumerate(drawing.blocks())
        )
        hint = """<p>The graphs are large: each line is a part of both, the source's layers above
the suspect's.  Open it to see how they are joined.</p>"""
    else:
        pictures, hint = drawing.svg(drawing.whole()), ""
    graphless = [
        name
        for name, graph in zip(("source", "suspect"), compared.graphs, strict=True)
        if not graph.whole
    ]
    note = "".join(
        f"<p>The file of the {name} holds no graph: its tensors stand in their order.</p>"
        for name in graphless
    )
    return f"""<section><h2>Both graphs: the source left, the suspect right</h2>
{_legend()}{note}{hint}
<div class="graphs">{pictures}</div></section>"""


def _legend() -> str:
    """What colors and lines mean."""
    keys = "".join(
        f'<span><svg class="key" width="30" height="16"><g class="box {kind}">'
        f'<rect x="1" y="1" width="28" height="14" rx="3"/></g></svg> {escaped(what)}</span>'
        for kind, what in KINDS
    )
    return f"""<p class="legend"><strong>Correlation</strong>{keys}</p>
<p>Layers of one number became one another. Hold the pointer over one to read more.
{escaped(ALIGNED)}</p>"""


def _folded(drawing: Drawing, block: Block, is_open: bool) -> str:
    """A block behind a line that sums it up."""
    return f"""<details{" open" if is_open else ""}><summary>{drawing.strip(block)}
{escaped(drawing.summary(block))}</summary>
{drawing.svg(block)}</details>"""


def _table(compared: Compared) -> str:
    """All matches twice: least correlated first, and in the order of the graph."""
    if not compared.matches:
        return ""
    weakest = sorted(compared.matches, key=lambda match: match.correlation)
    return f"""<section><h2>Layer by layer</h2>
<div class="orders"><input type="radio" name="order" id="weakest" checked>
<label for="weakest">least correlated first</label>
<input type="radio" name="order" id="inorder">
<label for="inorder">in the order of the source</label>
<div class="scroll weakest">{_rows(compared, weakest)}</div>
<div class="scroll inorder">{_rows(compared, compared.matches)}</div></div></section>"""


def _rows(compared: Compared, matches: Sequence[LayerMatch]) -> str:
    headings = "".join(f"<th>{escaped(heading.lower())}</th>" for heading in HEADINGS)
    rows = "\n".join(_row(match, compared.numbers.get(match.source)) for match in matches)
    return f"<table><thead><tr>{headings}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _row(match: LayerMatch, number: int | None) -> str:
    cells = []
    for place, text in enumerate(match_row(match, number)):
        classes = "tight" if place in _NARROW else ""
        if HEADINGS[place] == "CORRELATION":
            swatch = f'<svg class="swatch {step(match.correlation)}" width="10" height="12">'
            swatch += '<rect width="10" height="12"/></svg> '
            cells.append(f'<td class="tight">{swatch}{escaped(text)}</td>')
            continue
        cells.append(f'<td class="{classes}">{escaped(text)}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _left_out(compared: Compared) -> str:
    said = [*omissions(compared.detail)]
    if not compared.detail:
        said.append("No weights were compared layer by layer.")
    if not said:
        return ""
    return f"<section><h2>What was not compared, or has no partner</h2>{_listed(said)}</section>"


def _answers(compared: Compared) -> str:
    if not compared.answers:
        return ""
    return f"<section><h2>What both answer</h2>{compared.answers}</section>"


def _again(compared: Compared) -> str:
    """The evidence in full, and how this page was made."""
    evidence = map(evidence_text, compared.kin.evidence)
    command = f"<pre>{escaped(compared.command)}</pre>" if compared.command else ""
    return f"""<section><h2>Evidence, and how to make this page again</h2>{_listed(evidence)}
{"".join(f"<p>{escaped(note)}</p>" for note in notes(compared.report))}
<p>assay {escaped(__version__)}</p>{command}</section>"""


def _listed(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escaped(line)}</li>' for line in lines)}</ul>"
