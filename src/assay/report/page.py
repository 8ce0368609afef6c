"""Reports as one HTML page that opens offline: no script, and nothing is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from assay.report.words import (
    HEADINGS,
    escaped,
    evidence_text,
    explanation,
    known,
    meaning,
    notes,
    review,
    row,
)
from assay.report.words import tone as tone_of
from assay.values import Kin, Report

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; overflow-wrap: anywhere; margin-bottom: .2rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1.5rem; }
.verdict { border-left: .4rem solid #2a7; padding: .5rem 1rem; background: var(--soft); }
.lead { border-color: #d90; } .review, .failed { border-color: #d33; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; vertical-align: top; }
thead th { border-bottom: 1px solid var(--line); font-weight: 600; white-space: nowrap; }
td { overflow-wrap: anywhere; } td.tight { white-space: nowrap; }
tr.evidence td { padding: 0 0 .6rem 1.5rem; border-bottom: 1px solid var(--line); }
tr.evidence td, .facts { font-size: .8rem; opacity: .8; overflow-wrap: anywhere; }
.facts { margin: .2rem 0 .8rem; } section > p { margin: .5rem 0; }
""".strip()
POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # no script, nothing loaded


def page(reports: Sequence[Report], failures: Sequence[tuple[str, str]] = ()) -> str:
    """A whole HTML page: ``reports``, and path and error of each suspect that was not checked."""
    parts = [f"""<section><h2>{escaped(path)}</h2>
<p class="verdict failed"><strong>Not checked.</strong> {escaped(message)}</p></section>"""
             for path, message in failures]  # fmt: skip
    body = "\n".join([*parts, *map(section, reports)])
    counted = (
        f"{len(reports)} checked, {sum(report.needs_review for report in reports)} to be reviewed"
    )
    heading = "assay: whom do these models look like?"
    said = f"<p>{counted}, {len(failures)} not readable.</p>"
    return document(f"assay: {counted}", f"<h1>{heading}</h1>\n{said}\n{body}")


def document(title: str, body: str, style: str = "") -> str:
    """A whole page; ``style`` adds to what all have."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{STYLE}{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def section(report: Report) -> str:
    """One report as a part of a page."""
    suspect = report.suspect
    tone = {"red": "review", "yellow": "lead", "green": "none"}[tone_of(report)]
    said = "".join(f"<p>{escaped(note)}</p>" for note in notes(report))
    headings = "".join(f"<th>{escaped(h.lower())}</th>" for h in HEADINGS[:-1])
    rows = "\n".join(map(_rows, report.matches))
    table = f"""<div class="scroll"><table>
<thead><tr>{headings}</tr></thead>
<tbody>
{rows}
</tbody></table></div>"""
    return f"""<section>
<h2>{escaped(suspect.path)}</h2>
<p class="facts">{"<br>".join(map(escaped, known(suspect)))}</p>
<div class="verdict {tone}"><strong>Verdict: {report.verdict}</strong> ({review(report)})<br>
{escaped(meaning(report))}</div>
{table if report.matches else ""}
{said}
</section>"""


def _rows(kin: Kin) -> str:
    relation, score, false_alarm, owner, name, _ = map(escaped, row(kin))
    about = [kin.record.path, f"sha256 {kin.record.sha256}", *explanation(kin)]
    found = [*about, *map(evidence_text, kin.evidence)]
    below = "<br>".join(map(escaped, found))
    return f"""<tr><td class="tight">{relation}</td><td class="tight">{score}</td>
<td class="tight">{false_alarm}</td><td>{owner}</td><td>{name}</td></tr>
<tr class="evidence"><td colspan="{len(HEADINGS) - 1}">{below}</td></tr>"""
