"""The zoo of layer graphs: what it holds, that it is sound, and that it can be made again."""

import hashlib
import json
import lzma
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from _zoo_designs import Design, nested
from _zoo_families import families, sizes, source_of
from make_zoo_graphs import Contents, contents

from assay.errors import BadData
from assay.examine import quality
from assay.graphs import RULES, VERSION, layer_graph
from assay.graphs.drop_layout import drop_layout
from assay.graphs.merge_blocks import merge_blocks
from assay.graphs.neighborhoods import fingerprint
from assay.values import Layer, LayerGraph
from assay.zoo import (
    GRAPHS,
    HNN_NET,
    Architecture,
    architectures,
    paper_architectures,
    write_zoo,
)
from assay.zoo._stored import listed, pack, unpack

CONTENTS = json.loads(GRAPHS.with_name("contents.json").read_text())
BY_NAME = {architecture.name: architecture for architecture in architectures()}
FAMILIES = sorted({architecture.family for architecture in architectures()})
SOURCES = ("torchvision", "timm", "transformers", "diffusers")
PRODUCTS = ("Conv", "Gemm", "MatMul")  # what torch counts as multiply-accumulates


def test_the_zoo_is_large_and_every_name_in_it_is_its_own() -> None:
    assert len(architectures()) == len(BY_NAME) == CONTENTS["networks"] >= 1_000
    assert len(FAMILIES) == len(CONTENTS["families"]) >= 280
    assert list(BY_NAME) == sorted(BY_NAME)


def test_the_files_are_those_whose_checksum_was_kept() -> None:
    content = GRAPHS.read_bytes()
    assert hashlib.sha256(content).hexdigest() == CONTENTS["sha256"]
    assert len(content) <= 4_000_000


def test_packing_again_gives_the_same_content() -> None:
    # Not the same bytes: another version of the compressor may compress better.
    assert listed(reversed(architectures())) == lzma.decompress(GRAPHS.read_bytes())
    some = architectures("torchvision")
    assert unpack(pack(reversed(some))) == some


def test_what_is_written_is_never_larger_than_what_is_read(tmp_path: Path) -> None:
    (one,) = (each for each in architectures() if each.name == "alexnet")
    size = len(listed([one]))
    write_zoo(tmp_path / "a.jsonl.xz", [one], largest=size)
    content = (tmp_path / "a.jsonl.xz").read_bytes()
    assert unpack(content, largest=size) == (one,)
    said = f"a.jsonl.xz: the layer graphs take {size:,} bytes .* a zoo holds {size - 1:,}"
    with pytest.raises(BadData, match=said):
        write_zoo(tmp_path / "a.jsonl.xz", [one], largest=size - 1)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        ("a.jsonl.xz", content)
    ]
    with pytest.raises(BadData, match=f"larger than {size - 1:,} bytes"):
        unpack(content, largest=size - 1)


def test_attributes_that_are_equal_but_not_alike_are_kept_apart() -> None:
    layers = tuple(Layer("Clip", (1,), attributes=(("max", bound),)) for bound in (1, 1.0))
    graph = LayerGraph(layers, ((0, 1),), "g1")
    architecture = Architecture("a", "a", "none 1", ((1, 3, 8, 8),), graph, graph)
    (again,) = unpack(pack([architecture]))
    assert repr(again) == repr(architecture)


def test_each_family_is_that_of_the_list_that_the_script_makes() -> None:
    assert {a.name: a.family for a in architectures()}.items() <= families().items()
    assert {name for names in CONTENTS["families"].values() for name in names} == set(BY_NAME)
    assert all(BY_NAME[n].family == f for f, names in CONTENTS["families"].items() for n in names)


def test_what_could_not_be_read_is_listed_with_a_reason() -> None:
    assert {*CONTENTS["failed"], *CONTENTS["same"]} == set(families()) - set(BY_NAME)
    assert all(CONTENTS["failed"].values())
    assert CONTENTS["failed"].keys().isdisjoint(CONTENTS["same"])


def test_no_two_networks_have_one_graph_and_the_others_say_whose_they_have() -> None:
    assert len({fingerprint(a.graph) for a in architectures()}) == len(BY_NAME)
    assert set(CONTENTS["same"].values()) <= set(BY_NAME)
    assert CONTENTS["same"]["vgg11_bn"] == "vgg11"  # once its batch norms are folded


def test_a_source_is_asked_for_with_or_without_its_version() -> None:
    of_torchvision = architectures("torchvision")
    assert {a.name for a in of_torchvision} == {n for n in BY_NAME if "/" not in n}
    assert architectures(of_torchvision[0].source) == of_torchvision
    assert sum(len(architectures(source)) for source in SOURCES) == len(architectures())
    assert architectures("torch") == ()


def test_a_design_that_several_sources_have_is_one_family() -> None:
    sources: dict[str, set[str]] = {}
    for architecture in architectures():
        sources.setdefault(architecture.family, set()).add(architecture.source.split()[0])
    several = {family for family, names in sources.items() if len(names) >= 2}
    assert {"resnet", "convnext", "mobilenet_v2", "mobilenet_v3", "swin_v2", "vit"} <= several


@pytest.mark.parametrize("family", FAMILIES)
def test_the_graphs_of_a_family_are_whole_and_understood(family: str) -> None:
    for architecture in (a for a in architectures() if a.family == family):
        for graph in (architecture.graph, architecture.raw):
            assert quality(graph) >= 0.95, architecture.name
            assert list(graph.edges) == sorted(set(graph.edges))
            assert all(0 <= source < target < len(graph.layers) for source, target in graph.edges)
            read_or_reads = {place for edge in graph.edges for place in edge}
            assert len(read_or_reads) >= 0.9 * len(graph.layers)  # the others read constants only
        assert architecture.source.split()[0] == source_of(architecture.name)


def test_the_inputs_are_those_that_were_traced() -> None:
    for architecture in architectures():
        if architecture.name in sizes():
            expected = tuple(sizes()[architecture.name].inputs.values())
            assert architecture.inputs == expected, architecture.name
        else:
            assert [shape[:2] for shape in architecture.inputs] == [(1, 3)], architecture.name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_merged_graph_is_the_raw_one_merged_by_the_rules_of_today(family: str) -> None:
    for architecture in (a for a in architectures() if a.family == family):
        assert architecture.raw.rules == f"{VERSION}-raw"
        merged = replace(merge_blocks(drop_layout(architecture.raw), RULES), rules=VERSION)
        assert merged == architecture.graph, architecture.name


def test_the_papers_dataset_is_21_models_of_10_categories() -> None:
    models = paper_architectures()
    assert [(model.name, model.family) for model in models] == list(HNN_NET)
    sizes = list(Counter(category for _, category in HNN_NET).values())
    assert sizes == [3, 3, 3, 3, 2, 3, 1, 1, 1, 1]
    assert all(model.graph == BY_NAME[model.name].graph for model in models)
    assert {model.inputs for model in models} == {((1, 3, 256, 256),)}


@pytest.mark.parametrize(
    ("name", "convolutions", "linear", "parameters"),
    [
        ("alexnet", 5, 3, 61_100_840),
        ("vgg11", 8, 3, 132_863_336),
        ("vgg16", 13, 3, 138_357_544),
        ("squeezenet1_0", 26, 0, 1_248_424),
        ("squeezenet1_1", 26, 0, 1_235_496),
        # Published counts less one of the two parameters of each of these normalized channels,
        # which are folded into the convolution before them: its bias stays.
        ("resnet18", 20, 1, 11_689_512 - 4_800),
        ("resnet34", 36, 1, 21_797_672 - 8_512),
        ("resnet101", 104, 1, 44_549_160 - 52_672),
        ("mobilenet_v2", 52, 1, 3_504_872 - 17_056),
    ],
)
def test_the_paper_models_have_the_published_layers_and_parameters(
    name: str, convolutions: int, linear: int, parameters: int
) -> None:
    counts = Counter(layer.op for layer in BY_NAME[name].raw.layers)
    assert counts["Conv"] == convolutions
    assert counts["Gemm"] + counts["MatMul"] == linear
    assert BY_NAME[name].graph.parameters == BY_NAME[name].raw.parameters == parameters


@pytest.mark.parametrize(
    ("name", "convolutions", "linear"),  # multiply-accumulates at 224×224, as torch counts them
    [
        ("resnet18", 1_813_561_344, 512_000),
        ("vgg11", 7_485_456_384, 123_633_664),
        ("mobilenet_v2", 299_494_272, 1_280_000),
    ],
)
def test_the_costs_are_the_published_ones_scaled_to_this_image(
    name: str, convolutions: int, linear: int
) -> None:
    products = sum(layer.macs for layer in BY_NAME[name].raw.layers if layer.op in PRODUCTS)
    assert products == convolutions * 256**2 // 224**2 + linear


@pytest.mark.torch
def test_networks_written_out_anew_have_the_stored_graphs() -> None:
    from torch import device, nn

    from assay.formats._torch import trace

    def head(size: int, width: int) -> list[nn.Module]:
        return [nn.AdaptiveAvgPool2d(size), nn.Flatten(), nn.Linear(size * size * width, 4096)]

    def features(plan: str) -> list[nn.Module]:
        layers: list[nn.Module] = []
        width = 3
        for word in plan.split():
            if word == "pool":
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(width, int(word), 3, padding=1), nn.ReLU()]
            width = int(word)
        return layers

    with device("meta"):
        alexnet = nn.Sequential(
            *[nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)],
            *[nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)],
            *[nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()],
            *[nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()],
            *[nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)],
            *[*head(6, 256), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)],
        )
        vgg11 = nn.Sequential(
            *features("64 pool 128 pool 256 256 pool 512 512 pool 512 512 pool"),
            *[*head(7, 512), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)],
        )
    for name, module in (("alexnet", alexnet), ("vgg11", vgg11)):
        layers = trace(module, {"": (1, 3, 256, 256)}).layers
        assert layers is not None
        assert fingerprint(layer_graph(layers)) == fingerprint(BY_NAME[name].graph)
        assert fingerprint(layer_graph(layers, ())) == fingerprint(BY_NAME[name].raw)


def entry(layers: tuple[Layer, ...]) -> dict[str, object]:
    graph = LayerGraph(layers, (), "g1").to_json()
    return {"source": "torchvision 1", "inputs": [[1, 3, 8, 8]], "graph": graph, "raw": graph}


def test_a_network_that_is_not_understood_is_left_out_with_the_reason() -> None:
    made = entry(tuple(Layer("a::b" if i < 2 else "Relu", (1,)) for i in range(10)))
    found = contents({"alexnet": made, "vgg11": {"failed": "too slow"}}, Contents())
    assert found.kept == {}
    assert found.failed["alexnet"] == "only 80% of it is understood"
    assert found.failed["vgg11"] == "too slow"
    assert found.failed["vgg13"] == "not made yet"


def test_what_is_packed_counts_as_made_until_the_ledger_has_it() -> None:
    first, second = BY_NAME["alexnet"], BY_NAME["vgg11"]
    before = Contents({"alexnet": first, "vgg11": second}, {"vgg13": "too slow"}, {})
    made = entry((Layer("Relu", (1,)),) * 8)
    found = contents({"vgg11": made}, before)
    assert found.kept["alexnet"] == first
    assert found.kept["vgg11"].graph == LayerGraph((Layer("Relu", (1,)),) * 8, (), "g1")
    assert found.failed["vgg13"] == "too slow"


def test_of_equal_graphs_the_first_is_kept() -> None:
    made = entry((Layer("Relu", (1,)),) * 8)
    found = contents({"vgg13_bn": made, "vgg11": made}, Contents())
    assert (set(found.kept), found.same) == ({"vgg11"}, {"vgg13_bn": "vgg11"})
    again = contents({}, found)
    assert (again.kept, again.same) == (found.kept, found.same)


def test_a_table_of_sizes_gives_each_row_its_options_and_inputs() -> None:
    rows = "one 8 [1,2]\ntwo 16 true"
    design = Design("f", "Made", "x:1x3x{a}x{a} ids:{a}", "a part.b", rows, {"c": 3})
    one, two = design.sizes("transformers")
    assert (one.name, one.family, one.made) == ("transformers/one", "f", "Made")
    assert one.options == {"a": 8, "part": {"b": [1, 2]}, "c": 3}
    assert (one.inputs, two.inputs["ids"]) == ({"x": (1, 3, 8, 8), "ids": (8,)}, (16,))
    assert next(Design("f", "Made", "x:1", "a b", "alone").sizes("timm")).options == {}
    with pytest.raises(ValueError, match="3 numbers for a b"):
        list(Design("f", "Made", "x:1", "a b", "one 1 2 3").sizes("timm"))
    assert nested({"a.b.c": 1, "a.b.d": 2, "e": 3}) == {"a": {"b": {"c": 1, "d": 2}}, "e": 3}
