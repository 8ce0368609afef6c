"""A report for people and programs: terminal text, a line of JSON, an HTML page for offline.

All three say the same facts, and none says more than the relation.  Names come from files that a
stranger may have made, so nothing of them reaches a terminal or a page unescaped.
"""

from assay.report.page import page
from assay.report.terminal import table, text, wrapped
from assay.report.words import facts, json_line, printable

__all__ = ["facts", "json_line", "page", "printable", "table", "text", "wrapped"]
