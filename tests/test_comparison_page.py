"""The page of a comparison: what it says, that it is inert, and how large graphs are folded."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_pages import words
from small_comparisons import AGREE, compared, large, tuned

from assay import __version__
from assay.report import Compared, comparison_page, text
from assay.report.drawing import MOST_LAYERS, Drawing
from assay.report.layer_words import chance_text, diagnosis_words, omissions
from assay.report.words import MEANING, score_text
from assay.values import LayerMatch, Relation, Report
from assay.zoo import architectures


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    return compared(*tuned(tmp_path_factory.mktemp("tuned")))


@pytest.fixture(scope="module")
def big() -> Compared:
    """A graph of 600 layers with itself."""
    (graph,) = (a.graph for a in architectures() if a.name == "timm/caformer_s36")
    assert len(graph.layers) > 600
    return large(graph)


def test_the_page_says_what_was_found_of_each_layer(pair: Compared) -> None:
    seen = words(comparison_page(pair))
    assert "Verdict: derived (to be reviewed)" in seen
    assert "all layers were trained on [fine-tuned]" in seen
    for match in pair.matches:
        assert f"{match.source} the same" in seen
        assert score_text(match.correlation) in seen
    for record in pair.records:
        assert record.path in seen
        assert f"sha256 {record.sha256}" in seen
    assert "only in the suspect: other.weight" in seen
    assert "fewer than 32 values" in seen
    assert f"assay {__version__} {pair.command}" in seen


def test_the_meaning_names_the_other_model_and_is_not_stronger(pair: Compared) -> None:
    for relation in Relation:
        kin = replace(pair.kin, relation=relation)
        seen = words(comparison_page(replace(pair, report=Report(pair.report.suspect, (kin,)))))
        assert MEANING[relation].replace("a model below", "the other model") in seen
        assert "a model below" not in seen
        assert not re.search(r"steal|stole|theft|copied|infring|guilt|proves", seen)


def test_the_table_stands_in_both_orders(pair: Compared) -> None:
    page = comparison_page(pair)
    first, second = page.split('class="scroll weakest"')[1].split('class="scroll inorder"')
    found = [re.findall(r"</svg> (-?[\d.]+)</td>", part) for part in (first, second)]
    assert [*map(float, found[0])] == sorted(map(float, found[0]))
    assert [*map(float, found[1])] == [float(score_text(m.correlation)) for m in pair.matches]
    assert found[0] != found[1]


def test_boxes_are_told_apart_by_what_became_of_the_layer(pair: Compared) -> None:
    drawing = Drawing(pair)
    kinds = {
        name: drawing.kind(0, layer)
        for layer, names in enumerate(pair.source.weights)
        for name in names
    }
    lone = next(name for name in pair.detail["only_source"])
    assert kinds[lone] == "lone"
    assert {kinds[match.source] for match in pair.matches} >= {"k4", "k0"}
    assert "bare" in {drawing.kind(0, layer) for layer in range(len(pair.source.weights))}


def test_partners_have_one_number_and_stand_in_one_row(pair: Compared) -> None:
    drawing = Drawing(pair)
    source, suspect = drawing.sides
    assert [p.number for p in pair.pairs] == [*range(1, len(pair.pairs) + 1)]
    for each in pair.pairs:
        assert source.row_of(each.source) == suspect.row_of(each.suspect)
    assert len(pair.pairs) > len(pair.matches)  # layers without weights are told by their places


def test_a_large_graph_is_folded_and_nothing_is_lost(big: Compared) -> None:
    page = comparison_page(big)
    words(page)
    opened = page.count("<details open>")
    assert (opened, page.count("<details>")) == (1, page.count("<summary>") - 1)
    drawing = Drawing(big)
    assert drawing.is_large
    for side in (0, 1):
        shown = sorted(layer for block in drawing.blocks() for layer in block.layers[side])
        assert shown == [*range(len(big.source.graph.layers))]
    assert len(page) < 2_000_000


def test_a_graph_at_the_limit_is_drawn_in_one_piece(big: Compared) -> None:
    graph = big.source.graph
    few = replace(
        graph,
        layers=graph.layers[:MOST_LAYERS],
        edges=tuple(e for e in graph.edges if max(e) < MOST_LAYERS),
    )
    assert not Drawing(large(few)).is_large
    assert "<details" not in comparison_page(large(few))


def test_files_without_a_graph_are_drawn_as_their_tensors() -> None:
    pair = compared(AGREE / "cnn.safetensors", AGREE / "cnn.onnx", Relation.SAME_MODEL)
    assert not pair.suspect.whole
    assert pair.source.whole
    seen = words(comparison_page(pair))
    assert "The file of the suspect holds no graph: its tensors stand in their order." in seen
    assert [p for p in pair.pairs if p.match is not None]


def test_without_evidence_of_layers_the_page_says_so(pair: Compared) -> None:
    kin = replace(pair.kin, evidence=())
    bare = replace(pair, report=Report(pair.report.suspect, (kin,)))
    seen = words(comparison_page(bare))
    assert "No weights were compared layer by layer." in seen
    assert "Layer by layer" not in seen


def test_the_terminal_lists_layers_and_of_many_the_least_correlated(
    pair: Compared, big: Compared
) -> None:
    shown = text(pair.report)
    assert all(match.source in shown for match in pair.matches)
    assert "only in the suspect: other.weight" in shown
    shown = text(big.report, 100)
    assert max(map(len, shown.splitlines())) <= 100
    weakest = min(big.matches, key=lambda match: match.correlation)
    assert weakest.source in text(big.report)
    assert f"and {len(big.matches) - 24} more, correlation" in shown


def test_a_notebook_shows_a_report(pair: Compared) -> None:
    shown = pair.report._repr_html_()
    assert "Verdict: derived" in words(shown)
    assert shown.startswith('<div class="assay-report">')


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(NAMES, NAMES, NAMES)
def test_no_name_in_a_file_is_active_on_the_page(path: str, name: str, command: str) -> None:
    graph = next(a.graph for a in architectures() if len(a.graph.layers) < 30)
    base = large(graph)
    hostile = f'"><script>{name}</script><img src=x onerror=1>'
    held = replace(base.source, weights=tuple((hostile,) * len(n) for n in base.source.weights))
    match = LayerMatch(hostile, hostile, (1,), (1,), 0.5, None, (name,), None, {"numbers": name})
    detail = {
        **base.detail,
        "layers": [match.to_json()],
        "diagnosis": [{"kind": name, "text": hostile, "share": 1.0, "tensors": [hostile]}],
        "only_suspect": [hostile],
        "not_compared": {hostile: [name]},
    }
    evidence = replace(base.kin.evidence[0], detail=detail, method=hostile)
    kin = replace(base.kin, record=replace(base.kin.record, path=path), evidence=(evidence,))
    report = Report(replace(base.report.suspect, path=hostile, name=path), (kin,))
    seen = words(comparison_page(Compared(report, held, held, command)))
    assert "<script>" in seen
    json.dumps(report.to_json())
    words(report._repr_html_())


@pytest.mark.parametrize(
    ("log10", "said"),
    [(None, "not known"), (-0.5, "often"), (-3.0, "One in 1,000"), (-77.5, "at most one in 10⁷⁷.")],
)
def test_a_false_alarm_reads_as_a_sentence(log10: float | None, said: str) -> None:
    assert said in chance_text(log10)


def test_omissions_are_told_of_each_file_or_of_both() -> None:
    assert omissions({"not_compared": {"one axis": 3, "not finite": ["a"]}}) == [
        "3 of the tensors: one axis",
        "1 of the tensors: not finite",
    ]
    told = omissions(
        {"not_compared": {"suspect": {"one axis": 3}}, "only_source": list("abcdefghijkl")}
    )
    assert told[0] == "of the suspect, 3 of the tensors: one axis"
    assert told[1].endswith("and 2 more")
    assert diagnosis_words(
        {"diagnosis": [{"kind": "pruned", "text": "50 % are 0", "share": 1}]}
    ) == ["50 % are 0 [pruned]"]


def test_no_false_alarm_is_shown_below_the_floor_of_its_null(pair: Compared) -> None:
    (evidence,) = pair.kin.evidence
    detail = {**evidence.detail, "floor": -9.0}
    kin = replace(pair.kin, evidence=(replace(evidence, detail=detail),))
    floored = replace(pair, report=Report(pair.report.suspect, (kin,)))
    assert {match.log10_false_alarm for match in pair.matches} == {-12.0}
    assert {match.log10_false_alarm for match in floored.matches} == {-9.0}
    assert "1e-12" not in text(floored.report)
