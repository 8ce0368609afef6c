"""ADMM-NN reproduced: the small run end to end, the schedules beside it, and whole results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scripts_of import Module, scripts_of

from assay.zoo.experiments import finished, with_tables

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "papers" / "admm_nn"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
SMALLEST = 8 * 25 + 20 * 8 * 25 + 200 * 80 + 10 * 200  # weights of the narrow network

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")


@pytest.fixture
def paper() -> Iterator[Module]:
    """Imports a module of the paper's folder by its name."""
    with scripts_of(FOLDER) as module:
        yield module


def finish(work: Path) -> str:
    """A small run to its end; what it printed."""
    command = [sys.executable, str(FOLDER / "run.py"), "--small", "--folder", str(work)]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run."""
    work = tmp_path_factory.mktemp("admm-nn")
    finish(work)
    return work


def test_a_small_run_has_every_method_and_files_that_are_read_back_bit_for_bit(whole: Path) -> None:
    found = json.loads((whole / "results.json").read_text())
    methods = {cell["method"] for cell in found["cells"]}
    assert methods == {"gradual", "progressive", "admm", "one-shot", "projected", "levels", "means"}
    for cell in found["cells"]:
        (first,) = cell["runs"]
        assert first["weights"] == SMALLEST // 20, "the ratio is met exactly"
        assert cell["loss"] == {"mean": first["loss"], "pairs": 1}
        if cell["method"] in ("levels", "means"):
            assert first["bit_for_bit"]
            distinct = first["values"].values()
            assert all(n <= most for n, most in zip(distinct, (8, 8, 8, 4), strict=True))
            assert first["data_ratio"] > first["with_places_ratio"] > first["file_ratio"] > 10
    assert {each["method"] for each in found["convergence"]} == {"admm", "projected"}
    for name in ("curve.svg", "convergence.svg"):
        assert (whole / name).read_text().startswith("<svg")


def test_all_but_gradual_pruning_take_the_split_that_its_first_seed_found(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "ledger.jsonl").read_text().splitlines()]
    (split,) = (e["left"] for e in lines if e["method"] == "gradual" and e["seed"] == 0)
    others = [e["left"] for e in lines if e["method"] not in ("dense", "gradual")]
    assert len(others) == 6
    assert all(left == split for left in others)


def test_a_second_run_trains_nothing_and_a_lost_line_is_made_again_the_same(whole: Path) -> None:
    ledger, results = whole / "ledger.jsonl", (whole / "results.json").read_text()
    assert finish(whole) == ""
    assert (whole / "results.json").read_text() == results
    lines = ledger.read_text().splitlines()
    lost = next(line for line in lines if '"admm"' in line)
    ledger.write_text("\n".join(line for line in lines if line != lost) + '\n{"key": "cut sh')
    assert finish(whole).count("\n") == 1
    again = json.loads(ledger.read_text().splitlines()[-1])
    wanted = json.loads(lost)
    assert {k: v for k, v in again.items() if k != "seconds"} == {
        k: v for k, v in wanted.items() if k != "seconds"
    }


def test_lamp_ranks_weights_by_what_is_no_smaller_in_their_layer(paper: Module) -> None:
    draw = torch.Generator().manual_seed(0)
    known = {name: torch.randn(5, 4, generator=draw) * (1 + 9 * (name == "b")) for name in "ab"}
    scores = []
    for name, weight in known.items():
        flat = [float(x) ** 2 for x in weight.flatten()]
        scores += [
            (x / sum(y for y in flat if y >= x), name, place) for place, x in enumerate(flat)
        ]
    best = {(name, place) for _, name, place in sorted(scores)[-7:]}
    masks = paper("schedules").lamp(known, 7)
    places = {(n, int(p)) for n, mask in masks.items() for p in mask.flatten().nonzero().flatten()}
    assert places == best
    assert {name for name, _ in places} == {"a", "b"}, "the size of a layer's weights is no matter"


def test_gradual_pruning_follows_the_cubic_and_ends_at_its_count(paper: Module) -> None:
    module = torch.nn.Linear(100, 10)
    gradual = paper("schedules").Gradual(paper("schedules").Objective(), 37, 400, 0.5)
    left = []
    for _ in range(400):
        with torch.no_grad():
            module.weight += 0.01 * torch.sign(module.weight)
        gradual.after_step(module)
        left.append(int(module.weight.count_nonzero()))
    for step in (20, 100, 180):
        assert left[step - 1] == round(1000 - (1 - (1 - step / 200) ** 3) * 963)
    assert left[199:] == [37] * 201
    at_once = paper("schedules").Gradual(paper("schedules").Objective(), {"weight": 9}, 400, 0.0)
    at_once.before(module)
    assert int(module.weight.count_nonzero()) == 9


def test_projected_training_that_was_halted_notes_the_distances_of_all_its_epochs(
    paper: Module, tmp_path: Path
) -> None:
    from assay.running.examples import Examples
    from assay.training import Training, train

    projected, loss = paper("schedules").Projected, paper("schedules").Objective()
    draw = np.random.default_rng(0)
    examples = Examples(draw.normal(size=(64, 6)).astype(np.float32), np.arange(64) % 3)

    class Halted(projected):
        def after_epoch(self, module: object, epoch: int) -> None:
            super().after_epoch(module, epoch)
            if epoch == 3:
                raise KeyboardInterrupt

    def trained(objective: object, checkpoint: Path) -> object:
        torch.manual_seed(0)
        module = torch.nn.Linear(6, 3)
        train(module, examples, Training(5, 16), objective=objective, checkpoint=checkpoint)
        return objective

    with pytest.raises(KeyboardInterrupt):
        trained(Halted(loss, {"weight": 4}), tmp_path / "halted")
    again = trained(projected(loss, {"weight": 4}), tmp_path / "halted")
    whole = trained(projected(loss, {"weight": 4}), tmp_path / "whole")
    assert again.noted() == whole.noted()
    assert len(whole.noted()["weight"]) == 5


def test_gaps_as_deep_compression_stores_them_take_weights_that_are_zero(paper: Module) -> None:
    array = np.zeros(100, np.float32)
    array[[3, 4, 40]] = 1  # gaps of 3, 0 and 35 zeros: with 4 bits two weights on the way
    assert paper("quantizing").relative([array], [2], 4) == (3 + 2) * (4 + 2) + 32 * 4


def test_the_page_has_the_tables_of_the_results_and_these_the_ledger_s_runs(paper: Module) -> None:
    tables, results = paper("tables"), json.loads((FOLDER / "results.json").read_text())
    page = (FOLDER / "README.md").read_text()
    assert with_tables(page, tables.tables(results)) == page
    lines = [json.loads(line) for line in (FOLDER / "ledger.jsonl").read_text().splitlines()]
    runs = [(c["data"], c["method"], c["ratio"], r) for c in results["cells"] for r in c["runs"]]
    scope = paper("scope")
    for each in (scope.DIGITS, scope.FASHION):
        for entry in finished(scope.jobs(each), FOLDER / "ledger.jsonl").values():
            found = {(data, method, ratio, run["seed"]) for data, method, ratio, run in runs}
            place = (entry["data"], entry["method"], entry["wanted"], entry["seed"])
            assert entry["method"] == "dense" or place in found
    known = {(e["data"], e["method"], e["wanted"], e["seed"]): e for e in lines}
    for data, method, ratio, run in runs:
        entry = known[data, method, ratio, run["seed"]]
        assert (
            entry["loss"] == run["loss"] == pytest.approx(run["dense"] - run["accuracy"], abs=2e-3)
        )
    for cell in results["cells"]:
        losses = [run["loss"] for run in cell["runs"]]
        assert cell["loss"]["mean"] == pytest.approx(np.mean(losses), abs=1e-3)
