"""A report as a notebook shows it: a part of its page, whose style touches nothing else."""

from __future__ import annotations

from assay.report.page import section
from assay.values import Report

STYLE = """
.assay-report { font-size: .95em; max-width: 70em; }
.assay-report .verdict { border-left: .4em solid #2a7; padding: .4em 1em; background: #8882; }
.assay-report .lead { border-color: #d90; } .assay-report .review { border-color: #d33; }
.assay-report td, .assay-report th { text-align: left; vertical-align: top; }
.assay-report .facts, .assay-report tr.evidence td { font-size: .85em; opacity: .8; }
""".strip()


def notebook(report: Report) -> str:
    """What ``_repr_html_`` gives."""
    return f'<div class="assay-report"><style>{STYLE}</style>{section(report)}</div>'
