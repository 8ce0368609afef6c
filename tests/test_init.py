"""The package is a light door: every public name opens, and no heavy module is loaded by it."""

import subprocess
import sys
from pathlib import Path

import pytest

import assay

SRC = str(Path(assay.__file__).parents[1])
HEAVY = {"numpy", "onnx", "google.protobuf", "torch", "click", "sqlite3"}


@pytest.mark.parametrize("name", assay.__all__)
def test_public_name_exists_and_is_documented(name: str) -> None:
    assert getattr(assay, name).__doc__
    assert name in dir(assay)


def test_public_names_are_sorted_and_say_that_they_are_public() -> None:
    assert assay.__all__ == sorted(assay.__all__)
    assert all(getattr(assay, name).__module__.startswith("assay") for name in assay.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'assay' has no attribute 'verdict'"):
        assay.verdict  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, assay; print(sorted({HEAVY} & sys.modules.keys()))"
    found = subprocess.check_output(
        [sys.executable, "-c", code], env={"PYTHONPATH": SRC}, text=True
    )
    assert found.strip() == "[]"


def test_a_code_minus_a_code_is_a_distance(light_models: dict[str, Path]) -> None:
    code = assay.hash(light_models["resnet50"])
    assert code is not None
    assert code - assay.hash(str(light_models["resnet50"])) == 0
    assert code - assay.hash(light_models["vgg19"]) > 0


@pytest.mark.parametrize("bits", [16, 128])
def test_bits_set_the_length_of_a_code(light_models: dict[str, Path], bits: int) -> None:
    code = assay.hash(light_models["squeezenet"], hasher="weisfeiler-lehman", bits=bits)
    assert code is not None
    assert len(code) == bits


def test_a_length_that_needs_training_is_refused_with_the_remedy(
    light_models: dict[str, Path],
) -> None:
    remedy = "train one of 32 .* or use weisfeiler-lehman"
    with pytest.raises(assay.AssayError, match=remedy):
        assay.hash(light_models["squeezenet"], bits=32)


def test_a_shape_makes_an_input_concrete(tmp_path: Path) -> None:
    from onnx import parser, save

    from assay.examine import examine

    text = """<ir_version: 8, opset_import: ["": 17]>
    open (float[N, 3, H, W] x) => (float[N, 3, 1, 1] y) { r = Relu(x) y = GlobalAveragePool(r) }"""
    save(parser.parse_model(text), tmp_path / "open.onnx")
    small, large = (
        examine(tmp_path / "open.onnx", input_shape={"x": (1, 3, size, size)}) for size in (8, 800)
    )
    assert small.graph is not None
    assert large.graph is not None
    assert [graph.layers[0].shape for graph in (small.graph, large.graph)] == [
        (1, 3, 8, 8),
        (1, 3, 800, 800),
    ]
    assert small.code == large.code, "no size of images is a part of the default's codes"


@pytest.mark.torch
def test_a_module_is_hashed_as_its_file_is(tmp_path: Path) -> None:
    import torch

    layers = (torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1))
    module = torch.nn.Sequential(*layers).eval()
    example = torch.zeros(1, 3, 32, 32)
    torch.export.save(torch.export.export(module, (example,)), tmp_path / "module.pt2")
    code = assay.hash(module, input_shape={"x": (1, 3, 32, 32)})
    assert code is not None
    assert code == assay.hash(tmp_path / "module.pt2")


def test_compare_says_how_two_files_are_related(light_models: dict[str, Path]) -> None:
    same = assay.compare(light_models["resnet50"], light_models["resnet50"])
    other = assay.compare(light_models["resnet50"], light_models["vgg19"])
    assert same.relation is assay.Relation.IDENTICAL
    assert other.relation < assay.Relation.SAME_ARCHITECTURE
