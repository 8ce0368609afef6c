"""Graded authorization reproduced: the small run end to end, its parts, and whole results."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts_of import Module, scripts_of
from small_data import write_binary_cifar

FOLDER = Path(__file__).parents[1] / "papers" / "graded_authorization"
pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")


@pytest.fixture
def paper() -> Iterator[Module]:
    """Imports a module of the paper's folder by its name."""
    with scripts_of(FOLDER) as module:
        yield module


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run."""
    folder = tmp_path_factory.mktemp("graded")
    small(folder)
    return folder


def small(folder: Path) -> None:
    """A small run to its end, here: torch is imported already."""
    with scripts_of(FOLDER) as module, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run.py", "--small", "--folder", str(folder)])
        module("run").main()


def entries(folder: Path) -> list[dict[str, Any]]:
    """All of the ledger; a line cut short is none."""
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def test_a_small_run_has_every_kind_of_cell(whole: Path) -> None:
    found = json.loads((whole / "results.json").read_text())
    assert {(e["network"], e["penalty"]) for e in found["trained"]} == {
        (network, penalty)
        for network in ("vgg-19", "densenet-40")
        for penalty in ("dense", "l1", "polarization")
    }
    learned = [e["judged"]["top1"] for e in found["trained"] if e["network"] == "vgg-19"]
    assert min(learned) > 50
    assert {e["step"] for e in found["tuned"]} == {None, 0.02}
    for entry in found["tuned"] + found["levels"]:
        assert entry["removed"] == round(entry["rate"] / 100 * entry["of"])
        assert entry["fewest_left"] > 0
    for entry in found["levels"]:
        for level in entry["levels"]:
            assert level["chosen"] >= level["target"]
            assert entry["curve"][level["epoch"] - 1] == level["chosen"]


def test_a_second_run_makes_a_lost_cell_again_the_same_and_no_other(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = entries(whole)
    lost = next(e for e in before if e["kind"] == "tuned" and e["network"] == "vgg-19")
    ledger = whole / "ledger.jsonl"
    ledger.write_text("".join(json.dumps(e) + "\n" for e in before if e != lost) + '{"key": "cut')
    small(whole)
    (printed,) = capsys.readouterr().out.splitlines()
    assert printed.startswith(lost["key"])
    again = entries(whole)[-1]
    assert again | {"cpu_seconds": 0} == lost | {"cpu_seconds": 0}


def test_the_networks_have_the_sizes_of_their_papers(paper: Module) -> None:
    build = paper("networks").build
    sizes = {
        "vgg-16": 14_728_266,  # 13 convolutions with normalization, and one linear layer
        "vgg-19": 20_040_522,
        "resnet-56": 855_770,  # He et al.: .85 million
        "densenet-40": 1_059_298,  # Huang et al.: 1.0 million, with 16 channels at first, not 24
    }
    for name, size in sizes.items():
        with torch.device("meta"):
            module = build(name, (3, 32, 32), 10, 0)
        found = sum(parameter.numel() for parameter in module.parameters())
        assert found == pytest.approx(size, rel=5e-3), (name, found)


def test_the_largest_scales_go_first_and_every_layer_keeps_a_channel(paper: Module) -> None:
    from assay.running.find_channels import find_channels

    pruned, layers = paper("measure").pruned, []
    torch.manual_seed(0)
    for inputs, outputs in ((1, 4), (4, 6)):
        layers += [torch.nn.Conv2d(inputs, outputs, 3), torch.nn.BatchNorm2d(outputs)]
        layers += [torch.nn.ReLU()]
    ends = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(6, 3)]
    module = torch.nn.Sequential(*layers, *ends).eval()
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([0.9, 0.8, -0.95, 0.7]))
        module[4].weight.copy_(torch.tensor([0.1, 0.2, 0.6, 0.3, 0.4, 0.5]))
    groups = list(find_channels(module, torch.randn(2, 1, 8, 8)).groups)
    small, about = pruned(module, groups, 0.5)
    assert about | {"removed": 5, "of": 10, "fewest_left": 0.25} == about
    assert small[1].weight.tolist() == pytest.approx([0.7])
    assert small[4].weight.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert module[1].weight.numel() == 4
    with torch.no_grad():  # the same as leaving out what they say
        module[3].weight[:, :3] = 0
        module[6 + 2].weight[:, [2, 5]] = 0
        inputs = torch.randn(3, 1, 8, 8)
        assert torch.allclose(small(inputs), module(inputs), atol=1e-6)


def test_answers_are_judged_by_the_first_and_the_first_three(paper: Module) -> None:
    answers = np.log(np.full((4, 10), 0.05))
    answers[:, 7] = np.log([0.55, 0.06, 0.06, 0.01])
    answers[1, 2] = answers[2, [1, 2, 3]] = np.log(0.2)
    found = paper("measure").said(answers, np.array([7, 7, 7, 0]))
    assert found["top1"] == pytest.approx(50)  # the last one: class 0 is the first of its equals
    assert found["top3"] == pytest.approx(75)
    assert (found["one"]["top1"], found["one"]["top3"]) == pytest.approx((33.33, 66.67))
    assert sum(found["one"]["probabilities"]) == pytest.approx(1, abs=1e-3)
    expected = np.mean([0.55, 0.06 / 0.66, 0.06 / 1.01])
    assert found["one"]["probabilities"][7] == pytest.approx(expected, abs=2e-3)


def test_rates_are_graded_as_the_paper_grades_its_own(paper: Module) -> None:
    pruned = [80, 40, 14, 12, 10, 10, 10, 10]
    tuned = [75, 92, 91, 91.1, 91.2, 90, 81.5, 73.6]
    assert paper("page").grades(pruned, tuned, 10) == [
        *["×", "×", "usable", "usable"],
        *["Level 1", "usable", "Level 2", "Level 3"],
    ]
    assert paper("page").grades([10, 10], [12, 11], 10) == ["×", "×"]


def test_cifar_s_own_files_are_read_for_the_full_run(paper: Module, tmp_path: Path) -> None:
    write_binary_cifar(tmp_path / "cifar-10", 10)
    run, plan = paper("run"), paper("plan")
    scope = plan.replace(plan.FULL, chosen_by=4, judged=3)
    place = run.ground("cifar-10", scope, tmp_path, tmp_path / "work", "cpu")
    assert place.ground.training.inputs.shape[1:] == (3, 32, 32)
    assert (len(place.chosen_by), len(place.ground.test)) == (4, 3)
    own = {row.tobytes() for row in place.chosen_by.inputs}
    assert own.isdisjoint(row.tobytes() for row in place.ground.training.inputs)


def test_the_page_has_the_tables_of_the_results_and_these_the_ledger_s_cells(
    paper: Module,
) -> None:
    from assay.zoo.experiments import finished, with_tables

    results = json.loads((FOLDER / "results.json").read_text())
    page, plan = (FOLDER / "README.md").read_text(), paper("plan")
    assert with_tables(page, paper("page").tables(results)) == page
    known = finished(plan.jobs(plan.HERE), FOLDER / "ledger.jsonl")
    found = {
        (kind, e["data"], e["network"], e["seed"], e["penalty"], e["rate"], e["step"])
        for kind in ("trained", "tuned", "levels")
        for e in results.get(kind, [])
    }
    assert {
        (e["kind"], e["data"], e["network"], e["seed"], e["penalty"], e["rate"], e["step"])
        for e in known.values()
    } == found
