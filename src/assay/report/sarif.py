"""Reports as SARIF, which code hosts show beside a change [OASIS, SARIF 2.1.0].

What is to be reviewed is a result that fails: ``derived`` or more is an error, a common ancestor a
warning.  Leads and what a public base explains are for information and fail nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from assay import __version__
from assay.report.words import (
    BEHAVIOR,
    MEANING,
    by_answers,
    explanation,
    false_alarm_text,
    printable,
    score_text,
)
from assay.values import Json, Kin, Record, Relation, Report

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_RULES = [relation for relation in Relation if relation > Relation.UNRELATED]


def sarif(reports: Sequence[Report], failures: Sequence[tuple[str, str]] = ()) -> Json:
    """One run with a result for each match; ``failures`` are path and error of what was not read.

    Each suspect is an artifact with its hash, also one that nothing was found of.
    """
    results = [
        _result(report, place, kin)
        for place, report in enumerate(reports)
        for kin in report.matches
        if kin.relation > Relation.UNRELATED
    ]
    invocation: Json = {"executionSuccessful": not failures}
    if failures:
        invocation["toolExecutionNotifications"] = [
            {
                "level": "error",
                "message": {"text": printable(message)},
                "locations": [_location(path)],
            }
            for path, message in failures
        ]
    run = {
        "tool": {"driver": {"name": "assay", "version": __version__, "rules": _rules()}},
        "invocations": [invocation],
        "artifacts": [_artifact(report.suspect) for report in reports],
        "results": results,
        "columnKind": "unicodeCodePoints",
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rules() -> list[Json]:
    return [
        {
            "id": str(relation),
            "shortDescription": {"text": _meaning(relation)},
            "defaultConfiguration": {"level": _level(relation)},
        }
        for relation in _RULES
    ]


def _meaning(relation: Relation) -> str:
    return MEANING[relation].replace("a model below", "another model")


def _level(relation: Relation) -> str:
    if relation < Relation.COMMON_ANCESTOR:
        return "none"
    return "warning" if relation == Relation.COMMON_ANCESTOR else "error"


def _result(report: Report, place: int, kin: Kin) -> Json:
    suspect, fails = report.suspect, kin in report.unexplained
    location = _location(suspect.path)
    location["physicalLocation"]["artifactLocation"]["index"] = place
    name = kin.record.name or kin.record.path
    said = [
        f"{printable(suspect.path)}: {kin.relation} with {printable(name)}, score"
        f" {score_text(kin.score)}, false alarm {false_alarm_text(kin.log10_false_alarm)}.",
        BEHAVIOR if by_answers(kin) else _meaning(kin.relation),
        *(f"{line[0].upper()}{line[1:]}." for line in map(printable, explanation(kin))),
    ]
    return {
        "ruleId": str(kin.relation),
        "ruleIndex": _RULES.index(kin.relation),
        "kind": "fail" if fails else "informational",
        "level": _level(kin.relation) if fails else "none",
        "message": {"text": " ".join(said)},
        "locations": [location],
        "partialFingerprints": {
            "suspectAndSource/v1": f"{suspect.sha256 or ''}:{kin.record.sha256 or ''}"
        },
        "properties": kin.to_json(),
    }


def _location(path: str) -> Json:
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(path)}}}


def _artifact(record: Record) -> Json:
    hashes = {"hashes": {"sha-256": record.sha256}} if record.sha256 else {}
    return {"location": {"uri": _uri(record.path)}, **hashes}


def _uri(path: str) -> str:
    """Of a path: relative as it was given, absolute as ``file://``."""
    pure = PurePath(path)
    escaped = quote(pure.as_posix(), errors="surrogateescape")
    return f"file://{escaped}" if pure.is_absolute() else escaped
