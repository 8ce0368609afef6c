"""Terminal, JSON and page say the same facts, and no more than the relation; names are escaped."""

import hashlib
import json
import math
import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_pages import words

from assay.report import json_line, page, printable, table, text
from assay.report.words import LEAD, MEANING, NO_GRAPH, false_alarm_text, notes, score_text
from assay.values import Evidence, HashCode, Kin, Layer, LayerGraph, Record, Relation, Report

GRAPH = LayerGraph((Layer("Conv", (1, 8, 4, 4)), Layer("Relu", (1, 8, 4, 4))), ((0, 1),), "g1")
CODE = HashCode("weisfeiler-lehman-64+g1", bytes(range(8)))


def record(path: str, name: str = "", owner: str | None = None, quality: float = 0.875) -> Record:
    sha256 = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    return Record(path, "onnx", sha256, name, owner, None, CODE, GRAPH, 35_740, quality)


def kin(relation: Relation, name: str = "vgg", log10: float | None = None) -> Kin:
    """A registered model with two pieces of evidence."""
    structure = Evidence("Structure(rounds=2)", 0.8125, log10, {"distance": 7, "layers": [2, 5]})
    other = Evidence("Other(seed=3)", 0.25, -3.5, {"direction": "unknown"})
    return Kin(record(f"models/{name}.onnx", name, "alice"), relation, (structure, other))


@pytest.mark.parametrize("relation", Relation)
def test_terminal_page_and_json_say_the_same(relation: Relation) -> None:
    report = Report(record("suspect.onnx"), (kin(relation), kin(Relation.UNRELATED, "zfnet", -6)))
    data = json.loads(json_line(report.to_json()))
    for shown in (text(report), words(page([report]))):
        assert f"Verdict: {data['verdict']}" in shown
        suspect = data["suspect"]
        assert suspect["path"] in shown
        assert suspect["sha256"] in shown
        assert suspect["code"] in shown
        assert "onnx, 2 layers, 35,740 parameters, quality 0.88" in shown
        for match in data["matches"]:
            for key in ("name", "path", "owner", "relation"):
                assert match[key] in shown
            assert match["sha256"][:12] in shown
            assert score_text(match["score"]) in shown
            assert false_alarm_text(match["log10_false_alarm"]) in shown
            for evidence in match["evidence"]:
                assert evidence["method"] in shown
                assert score_text(evidence["score"]) in shown
                for key, value in evidence["detail"].items():
                    assert f"{key} {value}" in shown
        assert [name for name in ("vgg", "zfnet") if name in shown] == ["vgg", "zfnet"]
        assert shown.index("models/vgg.onnx") < shown.index("models/zfnet.onnx")


STRONG = {
    Relation.COMMON_ANCESTOR: ("common-ancestor", "shared", "weights"),
    Relation.DERIVED: ("derived", "made from"),
    Relation.SAME_MODEL: ("same-model", "converted"),
    Relation.IDENTICAL: ("identical", "bytes"),
}


@pytest.mark.parametrize("relation", Relation)
def test_the_wording_is_never_stronger_than_the_relation(relation: Relation) -> None:
    report = Report(record("suspect.onnx"), (kin(relation),))
    for shown in (text(report), words(page([report]))):
        for stronger, said in STRONG.items():
            if stronger > relation:
                assert [word for word in said if word in shown] == []
        assert not re.search(r"steal|stole|theft|copied|infring|guilt|proves", shown)
        assert MEANING[relation] in shown
        assert (LEAD in shown) == (relation in (Relation.SAME_FAMILY, Relation.SAME_ARCHITECTURE))
        review = "to be reviewed" if relation >= Relation.COMMON_ANCESTOR else "nothing to review"
        assert f"({review})" in shown


def test_weights_are_hedged() -> None:
    for relation in (Relation.COMMON_ANCESTOR, Relation.DERIVED, Relation.SAME_MODEL):
        assert "statistically consistent with" in MEANING[relation]
    assert "no proof" in MEANING[Relation.UNRELATED]


def test_a_report_without_matches_has_no_table() -> None:
    shown = text(Report(record("suspect.onnx"), ()))
    assert "Verdict: unrelated (nothing to review)" in shown
    assert "RELATION" not in shown
    assert "<table>" not in page([Report(record("suspect.onnx"), ())])


def test_what_limits_the_answer_is_said() -> None:
    assert notes(Report(record("a.onnx"), ())) == []
    (poor,) = notes(Report(record("a.onnx", quality=0.125), ()))
    assert poor.startswith("Quality 0.12 of 1")
    bare = Record("weights.bin", "safetensors")
    assert notes(Report(bare, ())) == [NO_GRAPH]
    assert "no graph" in text(Report(bare, ()))
    assert "sha256" not in text(Report(bare, ()))
    methods = "Methods: Structure(rounds=2), Other(seed=3)."
    assert notes(Report(record("a.onnx"), (kin(Relation.UNRELATED),))) == [methods]
    known = notes(Report(record("a.onnx"), (kin(Relation.UNRELATED, log10=-6),)))
    assert [note[:11] for note in known] == ["False alarm", "Methods: St"]


def test_a_category_is_shown_with_how_likely_it_is_and_never_rounded_up_to_certainty() -> None:
    suspect = replace(record("a.onnx"), predicted=("a<b>\033[31m", 0.9999))
    report = Report(suspect, ())
    said = "category a<b>\\x1b[31m, confidence 0.999"
    assert f"\n  {said}\n" in text(report)
    assert said in words(page([report]))
    assert "category" not in text(Report(record("a.onnx"), ()))
    assert "category" not in page([Report(record("a.onnx"), ())])


def test_color_changes_nothing_but_color() -> None:
    report = Report(record("suspect.onnx"), (kin(Relation.DERIVED), kin(Relation.SAME_FAMILY)))
    painted = text(report, 80, color=True)
    assert re.sub("\033\\[[0-9]+m", "", painted) == text(report, 80)
    assert "\033[31mVerdict: derived\033[0m" in painted


NAMES = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zs"]), min_size=1)
    | st.binary().map(lambda name: name.decode("utf-8", "surrogateescape"))  # as file names are
)


@given(NAMES, NAMES)
def test_no_name_controls_a_terminal_or_a_page(path: str, name: str) -> None:
    match = kin(Relation.SAME_FAMILY)
    named = Kin(record(f"<b>{path}", f"<script>{name}", path), match.relation, match.evidence)
    report = Report(record(f"<i>&lt;{path}"), (named,))
    shown = text(report)
    assert all(character.isprintable() for character in shown.replace("\n", ""))
    assert shown.count("\n") == text(Report(record("a"), (match,))).count("\n")
    assert f"<i>&lt;{printable(path)}" in shown
    assert shown.encode()
    seen = words(page([report], [(path, name)]))
    assert " ".join(f"<i>&lt;{printable(path)}".split()) in seen
    assert json.loads(json_line(report.to_json())) == report.to_json()


@given(st.lists(st.text(max_size=30), min_size=3, max_size=3), st.integers(48, 200))
def test_a_table_is_aligned_and_fits_its_width(cells: list[str], width: int) -> None:
    lines = table(("NAME", "OWNER", "PATH"), [cells, ["a", "b", "c"]], width)
    assert all(sum(not unicodedata.combining(c) for c in line) <= width for line in lines)
    whole = table(("NAME", "OWNER", "PATH"), [cells])
    assert all(printable(cell).strip() in whole[1] for cell in cells)


def test_a_table_counts_columns_as_a_terminal_does() -> None:
    assert table(("N", "O"), [("日本", "x"), ("é", "y")]) == ["N     O", "日本  x", "é     y"]
    assert table(("N",), [("a" * 30,)], 20) == ["N", "a" * 10 + "…" + "a" * 9]
    assert table(("N",), [("日" * 30,)], 20) == ["N", "日" * 5 + "…" + "日" * 4]


@pytest.mark.parametrize(
    ("score", "shown"),
    [(1.0, "1.000"), (0.99999, "0.999"), (0.9991, "0.999"), (0.25, "0.250"), (0.0, "0.000")],
)
def test_only_a_true_one_reads_as_one(score: float, shown: str) -> None:
    assert score_text(score) == shown


@pytest.mark.parametrize(
    ("log10", "shown"),
    [(None, "unknown"), (-12.0, "1e-12"), (-6.5, "4e-7"), (-0.3, "6e-1"), (0.0, "1e0")],
)
def test_a_false_alarm_reads_as_a_probability(log10: float | None, shown: str) -> None:
    assert false_alarm_text(log10) == shown


@given(st.floats(-5000, 0))
def test_a_false_alarm_is_never_shown_smaller_than_it_is(log10: float) -> None:
    digit, _, exponent = false_alarm_text(log10).partition("e")
    assert len(digit) == 1
    assert log10 - 1e-9 <= math.log10(int(digit)) + int(exponent) <= log10 + 0.3011


def test_a_page_counts_and_names_what_was_not_checked() -> None:
    reports = [Report(record("a.onnx"), (kin(Relation.IDENTICAL),)), Report(record("b.onnx"), ())]
    seen = words(page(reports, [("c.onnx", "c.onnx: the file is empty")]))
    assert "2 checked, 1 to be reviewed, 1 not readable" in seen
    assert "c.onnx Not checked. c.onnx: the file is empty" in seen
    assert "default-src 'none'" in page(reports)
