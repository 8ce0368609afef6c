"""benchmarks/retrieval: what is asked, of whom, how it is judged, and that it runs."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scripts_of import run_small, scripts_of

from assay.graphs.cut_points import Trunk
from assay.graphs.neighborhoods import fingerprint
from assay.values import LayerGraph
from assay.zoo import Architecture, architectures
from assay.zoo.changes import CHANGES

pytestmark = pytest.mark.torch
pytest.importorskip("scipy")
FOLDER = Path(__file__).parents[1] / "benchmarks" / "retrieval"


def some(step: int) -> tuple[Architecture, ...]:
    return architectures()[::step]


def named(*names: str) -> list[Architecture]:
    by_name = {model.name: model for model in architectures()}
    return [by_name[name] for name in names]


def test_no_family_is_on_two_sides_and_what_is_asked_is_not_trained_on() -> None:
    models = some(21)
    with scripts_of(FOLDER) as module:
        suites = module("suites")
        for seed in (0, 2):
            sides = {model.family: suites.side(model.family, seed) for model in models}
            assert set(sides.values()) == {"trained", "chosen by", "asked"}
            asked = {name for name, side in sides.items() if side == "asked"}
            for suite in suites.suites(models, seed):
                right = {models[i].family for i in np.flatnonzero(suite.relevant.any(0))}
                assert right <= asked, suite.name
                assert suite.relevant.any(1).all(), suite.name
                assert not (suite.relevant & suite.left_out).any(), suite.name
                assert len(suite.queries) == len(suite.relevant), suite.name


def test_each_suite_of_the_issue_is_asked_over_the_seeds() -> None:
    with scripts_of(FOLDER) as module:
        suites, models = module("suites"), named(*WHOLE)
        for seed in (1, 4):
            names = {suite.name for suite in suites.suites(models, seed, asked="trained")}
            names |= {suite.name for suite in suites.suites(models, seed)}
            assert {"widths x 0.7", "sizes of one family", "by TorchScript exporter"} <= names
            assert {"part: under a detector's heads", "part: published"} <= names


WHOLE = ("resnet50", "resnet18", "vgg11", "vgg16", "densenet121", "densenet161", "mobilenet_v2")
WHOLE += (
    "transformers/bert-base",
    "transformers/bert-small",
    "transformers/t5-small",
    "squeezenet1_1",
)
WHOLE += ("transformers/detr-resnet-50", "transformers/deeplabv3-mobilenet-v2", "mnasnet1_0")
WHOLE += ("transformers/visualbert", "shufflenet_v2_x0_5", "alexnet", "googlenet", "squeezenet1_0")


def test_the_second_exports_are_of_the_zoo_and_mostly_have_its_own_graphs() -> None:
    zoo = {model.name: model for model in architectures()}
    same: dict[str, list[bool]] = {}
    with scripts_of(FOLDER) as module:
        ways = module("other_ways")
        for each in ways.exports()[::3]:
            assert each.family == zoo[each.name].family
            same.setdefault(each.source, []).append(
                fingerprint(each.graph) == fingerprint(zoo[each.name].graph)
            )
        models = named("vgg11", "resnet18", "squeezenet1_1")
        (by, *_) = ways.written_otherwise(models, [2])
        assert by.relevant.tolist() == [[False, False, True]] * len(by.queries)
        assert by.same
    keras = same.pop("Keras")
    assert len(keras) > 6
    assert len(same) == 4
    for way, equal in same.items():
        assert len(equal) > 60, way
        assert np.mean(equal) > 0.8, way


def test_a_backbone_is_whole_inside_a_larger_network() -> None:
    with scripts_of(FOLDER) as module:
        made = module("compositions")
        resnet, vgg, swin, bert = (
            made.Body.of(model.graph)
            for model in named("resnet18", "vgg11", "swin_t", "transformers/bert-tiny")
        )
        for body in (resnet, vgg, swin):
            inside = body.up_to(body.cuts[-1])
            assert len(inside) > 0.7 * len(body.graph.layers)
            back = vgg if body is resnet else resnet
            wholes = [made.detector(body), made.two_towers(body, bert)]
            wholes.append(made.grafted(body, body.cuts[-1], back, back.at(0.5)))
            for whole in wholes:
                assert holds(whole, body.graph, inside)
                assert len(whole.layers) > len(inside)
                assert len(Trunk.of(whole).order) == len(whole.layers)  # it can run
                assert len(components(whole)) == 1
        whole = made.detector(resnet)
        heads = [layer for layer in whole.layers if layer.shape and layer.shape[1] in (720, 36)]
        assert sorted({layer.shape[2] for layer in heads if layer.shape}) == [8, 16, 32, 64]
        ends = [layer for layer in whole.layers if layer.op == "Resize"]
        assert len(ends) == 3


def holds(whole: LayerGraph, part: LayerGraph, layers: set[int]) -> bool:
    """Whether the part's layers stand in the whole with the edges between them."""
    known = {(part.layers[a], part.layers[b]) for a, b in part.edges if {a, b} <= layers}
    found = {(whole.layers[a], whole.layers[b]) for a, b in whole.edges}
    return known <= found and {part.layers[i] for i in layers} <= {*whole.layers}


def components(graph: LayerGraph) -> set[int]:
    """One layer of each part that hangs together."""
    top = list(range(len(graph.layers)))
    for _ in top:
        before = list(top)
        for a, b in graph.edges:
            top[a] = top[b] = min(top[a], top[b])
        if top == before:
            break
    return {*top}


def test_what_else_is_inside_is_not_asked() -> None:
    models = named(*WHOLE)
    with scripts_of(FOLDER) as module:
        parts = module("parts")
        asked = list(range(len(models)))
        found = {suite.name: suite for suite in parts.part_suites(models, asked, 0)}
        decoder = found["part: before another's decoder"]
        assert (decoder.left_out.sum(1) == 1).all()
        towers = found["part: beside a text tower"]
        texts = {models[i].name for i in np.flatnonzero(towers.left_out.any(0))}
        assert texts <= {name for name in WHOLE if "/bert" in name or "/t5" in name}
        for suite in (decoder, towers):
            for row, other in zip(*np.nonzero(suite.left_out), strict=True):
                (own,) = np.flatnonzero(suite.relevant[row])
                assert models[own].family != models[other].family
        assert not found["part: under a detector's heads"].left_out.any()
        published = found["part: published"]
        at = [
            query == models[WHOLE.index("transformers/detr-resnet-50")].graph
            for query in published.queries
        ]
        (row,) = np.flatnonzero(at)
        assert [models[i].name for i in np.flatnonzero(published.relevant[row])] == ["resnet50"]
        assert published.left_out[row, WHOLE.index("transformers/detr-resnet-50")]


def test_made_up_networks_are_new_and_the_same_for_one_seed() -> None:
    models = some(40)
    with scripts_of(FOLDER) as module:
        noise = module("noise")
        made = noise.made_up(models, 0, 30)
        assert made == noise.made_up(models, 0, 30)
        assert made != noise.made_up(models, 1, 30)
        known = {fingerprint(model.graph) for model in models}
        new = {fingerprint(graph) for graph in made}
        assert len(new) == 30
        assert not new & known
        with pytest.raises(ValueError, match="no two"):
            noise.made_up(models[:1], 0, 1)


def test_rankers_find_what_is_the_same() -> None:
    with scripts_of(FOLDER) as module:
        rankers, models = module("rankers"), some(60)
        graphs = [model.graph for model in models]
        for name, ranker in rankers.untrained().items():
            kept = ranker.features(graphs)
            distances = ranker.distances(kept, kept)
            assert distances.shape == (len(graphs), len(graphs)), name
            assert np.allclose(distances.diagonal(), 0)
            assert np.allclose(distances, distances.T)
            assert (distances >= 0).all()


def test_parts_are_as_near_as_the_nearest_two_of_them() -> None:
    graphs = [model.graph for model in named("alexnet", "vgg11", "resnet18", "squeezenet1_1")]
    with scripts_of(FOLDER) as module:
        rankers = module("rankers")
        for name in ("weisfeiler-lehman, 64 bits", "weisfeiler-lehman kernel"):
            whole = rankers.untrained()[name]
            ranker = rankers.Parts(whole, thirds)
            found = ranker.distances(ranker.features(graphs[:3]), ranker.features(graphs))
            for i, j in np.ndindex(3, 4):
                pairs = whole.distances(*(whole.features(thirds(graphs[k])) for k in (i, j)))
                assert found[i, j] == pytest.approx(pairs.min()), name


def thirds(graph: LayerGraph) -> list[LayerGraph]:
    """The graph, and one to three pieces of it."""
    size = 10 + len(graph.layers) // 3
    return [graph] + [
        LayerGraph(graph.layers[start : start + size], (), graph.rules)
        for start in range(0, len(graph.layers), size)
    ]


def test_distractors_only_take_away() -> None:
    models = some(40)
    with scripts_of(FOLDER) as module:
        measuring, rankers = module("measuring"), module("rankers")
        ground = measuring.Ground(models, 40)
        for name in ("weisfeiler-lehman, 64 bits", "shape statistics"):
            found = measuring.measured(rankers.untrained()[name], ground, 0)
            asked, zoo, noise = found["databases"]
            assert 0 < asked < zoo == len(models) == noise - 40
            for suite, value in found["map"].items():
                assert 1 >= found["map_asked"][suite] >= value >= found["map_noise"][suite] > 0
            assert sum(found["map_noise"].values()) < sum(found["map_asked"].values())
            assert -1 <= found["edits"]["spearman"] <= 1
            coded = found["bits"] is not None
            assert bool(found["near"]) == coded
            assert all(0 <= none <= two <= 1 for none, two in found["near"].values())


def test_agreement_counts_only_orders_that_the_bounds_decide() -> None:
    rng = np.random.default_rng(0)
    with scripts_of(FOLDER) as module:
        agreement = module("edit_ranking").agreement
        lower = rng.random(20)
        bounds = np.stack([lower, lower + 0.3 * rng.random(20)], axis=1)
        distances = rng.integers(0, 12, 20).astype(float)
        signs = []
        for a, b in combinations(range(20), 2):
            nearer, farther = (a, b) if bounds[a, 1] < bounds[b, 0] else (b, a)
            if bounds[nearer, 1] < bounds[farther, 0]:
                signs.append(np.sign(distances[farther] - distances[nearer]))
        found = agreement(distances, bounds)
        assert found["decided"] == pytest.approx(np.mean(signs), abs=1e-4)
        assert found["share_decided"] == pytest.approx(len(signs) / 190, abs=1e-4)
        assert agreement(bounds[:, 0], bounds)["decided"] == 1
        assert agreement(bounds.mean(1), bounds)["spearman"] == 1
        assert agreement(-bounds.mean(1), bounds)["spearman"] == -1


def test_pairs_for_edit_distances_are_small_and_of_the_asked() -> None:
    models = some(8)
    asked = [*range(0, len(models), 3)]
    with scripts_of(FOLDER) as module:
        ranking, changes = module("edit_ranking"), CHANGES
        pairs = ranking.edit_pairs(models, asked, changes, 0)
        own = [models[i].graph for i in asked]
        assert all(graph in own for graph in pairs.second)
        assert max(len(graph.layers) for graph in pairs.second) <= ranking.LARGEST
        assert (pairs.bounds[:, 0] <= pairs.bounds[:, 1]).all()
        assert pairs.bounds[:, 1].min() < 0.1 < 0.5 < pairs.bounds[:, 0].max()
        again = ranking.edit_pairs(models, asked, changes, 0)
        assert (again.bounds == pairs.bounds).all()


def test_tables_have_the_mean_the_least_and_the_most() -> None:
    with scripts_of(FOLDER) as module:
        tables = module("ranking_tables")
        runs = [
            {
                "ranker": "x",
                **{key: {"first": value} for key in ("map", "map_asked", "map_noise")},
                "near": {"by y": [value / 2, value]},
                "edits": {"spearman": value, "decided": 0},
                "databases": [10 * size, 50, 60],
                "ms_per_graph": 2,
            }
            for value, size in ((0.5, 1), (1.0, 2))
        ]
        assert "| first | 0.750 (0.50–1.00) |" in tables.table(runs)
        assert "that are asked for: 10–20 | 0.750 (0.50–1.00) |" in tables.noise_table(runs)
        assert "made-up networks: 60 |" in tables.noise_table(runs)
        assert "| by y, 0 bits | 0.375 (0.25–0.50) |" in tables.near_table(runs)
        assert "| Spearman, with the middle | 0.750" in tables.edit_table(runs)


def test_a_small_run_ranks_a_kernel_above_its_codes() -> None:
    names = ("weisfeiler-lehman, 64 bits", "weisfeiler-lehman kernel")
    lines = run_small(FOLDER, *names)
    found = {line.split(", seed")[0]: float(line.split()[-1]) for line in lines}
    assert 0.5 < found[names[0]] < found[names[1]] <= 1
