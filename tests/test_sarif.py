"""SARIF: held to the schema's own classes; only what is to be reviewed fails."""

import json
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Log

from assay.report import json_line, sarif
from assay.values import Evidence, Json, Kin, Record, Relation, Report

SUSPECT = Record("models/suspect.onnx", "onnx", "a" * 64)
SOURCE = Record("source.onnx", "onnx", "b" * 64, "source", "alice")


def kin(relation: Relation) -> Kin:
    return Kin(SOURCE, relation, (Evidence("Weights(near=6)", 0.9, -12.0, {"matched": 3}),))


def checked(log: Json) -> Json:
    """The only run; the log is held to the schema as it would be written."""
    text = json_line(log)
    assert Log.model_validate_json(text).version.value == "2.1.0"
    (run,) = json.loads(text)["runs"]
    return dict(run)


@pytest.mark.parametrize("relation", Relation)
def test_a_result_fails_where_the_report_is_to_be_reviewed(relation: Relation) -> None:
    report = Report(SUSPECT, (kin(relation),))
    run = checked(sarif([report]))
    results = run["results"]
    if relation == Relation.UNRELATED:
        assert results == []
        return
    (result,) = results
    assert (result["kind"] == "fail") == report.needs_review
    assert (result["level"] != "none") == report.needs_review
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == str(relation)
    assert result["properties"]["relation"] == str(relation)
    assert "1e-12" in result["message"]["text"]
    assert "below" not in result["message"]["text"]  # there is nothing below it


def test_what_a_public_base_explains_fails_nothing() -> None:
    explained = replace(kin(Relation.DERIVED), explained_by="base")
    (result,) = checked(sarif([Report(SUSPECT, (explained,))]))["results"]
    assert (result["kind"], result["level"]) == ("informational", "none")
    assert "base" in result["message"]["text"]


def test_files_without_a_finding_and_unread_ones_are_named() -> None:
    run = checked(sarif([Report(SUSPECT, ())], [("bad.onnx", "bad.onnx: the file is empty")]))
    assert [artifact["location"]["uri"] for artifact in run["artifacts"]] == ["models/suspect.onnx"]
    assert run["artifacts"][0]["hashes"] == {"sha-256": "a" * 64}
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (told,) = invocation["toolExecutionNotifications"]
    assert told["message"]["text"] == "bad.onnx: the file is empty"
    assert checked(sarif([Report(SUSPECT, ())]))["invocations"] == [{"executionSuccessful": True}]


@given(st.binary(min_size=1).map(lambda name: name.decode("utf-8", "surrogateescape")))
def test_any_path_makes_a_uri_that_gives_it_back(path: str) -> None:
    run = checked(sarif([Report(replace(SUSPECT, path=path), (kin(Relation.DERIVED),))]))
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.isascii()
    assert not set(uri) & set(' "<>\\^`{|}')
    named = unquote(uri, errors="surrogateescape").removeprefix("file://")
    assert [part for part in named.split("/") if part not in ("", ".")] == [
        part for part in path.split("/") if part not in ("", ".")
    ]
