"""A report for people and programs: terminal, JSON, SARIF, a page for offline, viewers of graphs.

All say the same facts, and none says more than the relation.  Names come from files that a
stranger may have made, so nothing of them reaches a terminal or a page unescaped.
"""

from assay.report.compared import Compared
from assay.report.comparison_page import comparison_page
from assay.report.layer_model import layer_model
from assay.report.model_explorer import write_model_explorer
from assay.report.notebook import notebook
from assay.report.page import page
from assay.report.sarif import sarif
from assay.report.terminal import table, text, wrapped
from assay.report.words import facts, json_line, printable

__all__ = [
    "Compared",
    "comparison_page",
    "facts",
    "json_line",
    "layer_model",
    "notebook",
    "page",
    "printable",
    "sarif",
    "table",
    "text",
    "wrapped",
    "write_model_explorer",
]
