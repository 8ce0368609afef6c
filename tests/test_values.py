"""The values: round trips, order, and what may not be mixed."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError, SchemeMismatch
from assay.values import (
    Evidence,
    HashCode,
    Kin,
    Layer,
    LayerGraph,
    Licensed,
    Match,
    Record,
    Relation,
    Report,
    TensorSketch,
    WeightSketch,
)

text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
shapes = st.none() | st.lists(st.integers(-1, 2**40), max_size=5).map(tuple)
attributes = st.dictionaries(
    text,
    st.integers()
    | st.floats(allow_nan=False)
    | text
    | st.lists(st.integers(), max_size=3).map(tuple),
    max_size=3,
).map(lambda pairs: tuple(sorted(pairs.items())))
layers = st.builds(Layer, text, shapes, st.integers(0, 2**62), st.integers(0, 2**62), attributes)
digests = st.binary(min_size=1, max_size=32)


@st.composite
def graphs(draw: st.DrawFn) -> LayerGraph:
    nodes = tuple(draw(st.lists(layers, min_size=1, max_size=5)))
    place = st.integers(0, len(nodes) - 1)
    edges = tuple(sorted(draw(st.sets(st.tuples(place, place), max_size=6))))
    return LayerGraph(nodes, edges, draw(st.sampled_from(["g1", "g1-raw"])))


sketched = st.binary(min_size=32, max_size=32)
tensors = st.builds(
    TensorSketch,
    name=text,
    shape=st.lists(st.integers(0, 2**40), max_size=4).map(tuple),
    places=st.integers(1, 64),
    reading=st.just("") | text,
    code=st.none() | sketched,
    invariant=st.none() | sketched,
    left_out=st.none() | text,
    learned=st.floats(0, 1000),
)
codes = st.builds(HashCode, st.sampled_from(["wl-64+g1", "a:b", "x"]), digests)
records = st.builds(
    Record,
    path=text,
    format=text,
    sha256=st.none() | st.just("ab" * 32),
    name=text,
    owner=st.none() | text,
    added=st.none() | text,
    code=st.none() | codes,
    graph=st.none() | graphs(),
    parameters=st.integers(0, 2**62),
    quality=st.floats(0, 1),
    metadata=st.dictionaries(text, st.integers() | text, max_size=3),
    predicted=st.none() | st.tuples(text, st.floats(0, 1)),
    shapes=st.lists(
        st.tuples(st.lists(st.integers(0, 2**40)).map(tuple), st.integers(1, 99)), max_size=3
    ).map(tuple),
    sketch=st.none() | st.builds(WeightSketch, text, st.lists(tensors, max_size=3).map(tuple)),
)


def through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


@given(graph=graphs())
def test_a_layer_graph_survives_json(graph: LayerGraph) -> None:
    assert LayerGraph.from_json(through_json(graph.to_json())) == graph


@given(record=records)
def test_a_record_survives_json(record: Record) -> None:
    assert Record.from_json(through_json(record.to_json())) == record


def test_a_record_of_an_older_registry_has_no_sketch() -> None:
    older = Record("a.onnx", "onnx").to_json()
    del older["sketch"]
    assert Record.from_json(older).sketch is None


@given(code=codes)
def test_a_code_survives_text(code: HashCode) -> None:
    assert HashCode.parse(str(code)) == code
    assert len(code) == 8 * len(code.digest)


@pytest.mark.parametrize("text", ["", "abc", ":", "x:", ":ff", "x:fg", "x:FF", "x:f", "x: ff"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(AssayError, match="not a hash code"):
        HashCode.parse(text)


@given(a=st.binary(min_size=8, max_size=8), b=st.binary(min_size=8, max_size=8))
def test_codes_subtract_to_the_number_of_bits_that_differ(a: bytes, b: bytes) -> None:
    differ = sum(
        f"{x:08b}"[i] != f"{y:08b}"[i] for x, y in zip(a, b, strict=True) for i in range(8)
    )
    assert HashCode("s", a) - HashCode("s", b) == differ == HashCode("s", b) - HashCode("s", a)


@pytest.mark.parametrize("other", [HashCode("t", b"ab"), HashCode("s", b"abc")])
def test_codes_of_other_schemes_or_lengths_do_not_subtract(other: HashCode) -> None:
    with pytest.raises(SchemeMismatch, match="assay rehash"):
        HashCode("s", b"ab") - other


def test_values_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        HashCode("s", b"a").scheme = "t"  # type: ignore[misc]


def test_matches_sort_by_distance_and_then_by_key() -> None:
    assert sorted([Match(2, 1), Match(1, 9), Match(1, 3)]) == [
        Match(1, 3),
        Match(1, 9),
        Match(2, 1),
    ]


def test_relations_are_ordered_and_read_back() -> None:
    assert [str(relation) for relation in Relation] == [
        "unrelated",
        "same-family",
        "same-architecture",
        "common-ancestor",
        "derived",
        "same-model",
        "identical",
    ]
    assert all(Relation.parse(str(relation)) is relation for relation in Relation)
    assert list(Relation) == sorted(Relation)
    with pytest.raises(AssayError, match="same-family"):
        Relation.parse("SAME_FAMILY")


def test_a_graph_adds_its_layers_up() -> None:
    graph = LayerGraph((Layer("Conv", None, 5, 7), Layer("Relu", None, 1, 2)), ((0, 1),), "g1")
    assert (graph.macs, graph.parameters) == (6, 9)


def test_a_suspect_shows_its_sha256_only_where_it_was_read() -> None:
    record = Record("a.onnx", "onnx")
    assert "sha256" not in record.summary()
    assert replace(record, sha256="ff").summary()["sha256"] == "ff"
    assert record.summary()["code"] is None
    assert record.summary()["layers"] is None


def test_a_prediction_is_shown_and_survives_json_only_where_there_is_one() -> None:
    record = Record("a.onnx", "onnx")
    assert {"category", "confidence"} & {*record.summary(), *record.to_json()} == set()
    predicted = replace(record, predicted=("resnet", 0.97))
    assert predicted.summary() == {**record.summary(), "category": "resnet", "confidence": 0.97}
    for one in (record, predicted):
        assert Record.from_json(json.loads(json.dumps(one.to_json()))) == one


def kin(relation: Relation, *scores: float) -> Kin:
    evidence = tuple(Evidence("m()", score, -score, {"n": 1}) for score in scores)
    return Kin(Record("b.onnx", "onnx", name="b"), relation, evidence)


def test_kin_show_their_strongest_evidence() -> None:
    assert (
        kin(Relation.DERIVED, 9.0, 1.0).score,
        kin(Relation.DERIVED, 9.0).log10_false_alarm,
    ) == (
        9.0,
        -9.0,
    )
    assert (kin(Relation.UNRELATED).score, kin(Relation.UNRELATED).log10_false_alarm) == (0.0, None)


@pytest.mark.parametrize("relation", list(Relation))
def test_only_common_ancestors_and_more_need_review(relation: Relation) -> None:
    report = Report(Record("a.onnx", "onnx"), (kin(Relation.SAME_FAMILY, 1.0), kin(relation, 2.0)))
    assert report.verdict == max(relation, Relation.SAME_FAMILY)
    assert report.needs_review == (relation >= Relation.COMMON_ANCESTOR)


def test_a_license_explains_what_its_owner_alone_claims() -> None:
    def kin_of(owner: str, sha256: str, relation: Relation, *given: Licensed) -> Kin:
        return Kin(Record("b.onnx", "onnx", sha256, owner=owner), relation, (), licensed=given)

    def unexplained(*matches: Kin) -> set[str | None]:
        return {kin.record.owner for kin in Report(Record("a.onnx", "onnx"), matches).unexplained}

    valid = Licensed("bob", "k", "o", "m", "l", 0, None)
    copy = kin_of("Ann", "aa", Relation.IDENTICAL, valid)
    anns, kims = (kin_of(owner, "bb", Relation.DERIVED) for owner in ("Ann", "Kim"))
    assert unexplained(copy, anns) == set()
    assert unexplained(copy, anns, kims) == {"Kim"}
    assert unexplained(copy, kin_of("Kim", "aa", Relation.IDENTICAL, valid)) == {"Ann", "Kim"}
    saved_anew = kin_of("Kim", "cc", Relation.SAME_MODEL, valid)
    assert unexplained(copy, saved_anew) == {"Ann", "Kim"}
    assert unexplained(copy, kin_of("Ann", "cc", Relation.SAME_MODEL, valid), anns) == set()
    assert unexplained(replace(copy, licensed=(replace(valid, expired=True),)), anns) == {"Ann"}
    assert unexplained(replace(copy, relation=Relation.DERIVED), anns) == {"Ann"}
    unproved = replace(copy, licensed=(replace(valid, unproved="Ann"),))
    assert unexplained(unproved, anns) == {"Ann"}
    assert unexplained(unproved, copy, anns) == set()
    assert unexplained(copy, kin_of("Kim", "aa", Relation.IDENTICAL, *unproved.licensed)) == {
        "Ann", "Kim",
    }  # fmt: skip


def test_nothing_found_is_unrelated() -> None:
    assert Report(Record("a.onnx", "onnx"), ()).verdict is Relation.UNRELATED


def test_a_report_has_the_fields_that_readers_rely_on() -> None:
    report = Report(Record("a.onnx", "onnx", "ff"), (kin(Relation.DERIVED, 2.0),))
    data = through_json(report.to_json())
    assert data["verdict"] == "derived"
    assert set(data["suspect"]) == {
        "path", "sha256", "format", "code", "layers", "parameters", "quality",
    }  # fmt: skip
    (match,) = data["matches"]
    assert match == {
        "name": "b",
        "path": "b.onnx",
        "owner": None,
        "sha256": None,
        "relation": "derived",
        "score": 2.0,
        "log10_false_alarm": -2.0,
        "evidence": [
            {"method": "m()", "score": 2.0, "log10_false_alarm": -2.0, "detail": {"n": 1}}
        ],
    }
