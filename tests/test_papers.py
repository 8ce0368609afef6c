"""Reproduced papers: the small run end to end, also when killed, and results that are whole."""

import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts_of import Module, scripts_of

from assay.zoo import paper_architectures

ROOT = Path(__file__).parents[1]
HNN_NET = ROOT / "papers" / "hnn_net"
RESULTS = json.loads((HNN_NET / "results.json").read_text())
EXPECTED = json.loads((HNN_NET / "expected.json").read_text())
ROWS = (
    "random codes",
    "operator 2-grams",
    "weisfeiler-lehman",
    "ghashing",
    "hnn-net without L_class, as printed",
    "hnn-net without L_class, as resolved",
    "hnn-net, as printed",
    "hnn-net, as resolved",
    "contrastive-gin",
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
CELLS = RESULTS["table2"] + RESULTS["figure7"]


@pytest.fixture
def hnn_net() -> Iterator[Module]:
    """Imports a module of the paper's folder by its name."""
    with scripts_of(HNN_NET) as module:
        yield module


def small(work: Path) -> list[str]:
    script = str(HNN_NET / "run.py")
    return [sys.executable, script, "--small", "--jobs", "2", "--folder", str(work)]


def finish(work: Path) -> str:
    """A small run to its end; what it printed."""
    run = subprocess.run(small(work), env=ENVIRONMENT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def ledger(work: Path) -> dict[str, dict[str, Any]]:
    """Finished jobs by name, without what a clock measured; a line cut short is none."""
    lines = (work / "ledger.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.endswith("}")]
    assert len({entry["key"] for entry in entries}) == len(entries)  # nothing is done twice
    timed = {"seconds", "hash_ms"}
    return {e["key"]: {k: v for k, v in e.items() if k not in timed} for e in entries}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder of a small run that nothing disturbed."""
    work = tmp_path_factory.mktemp("whole")
    finish(work)
    return work


@pytest.mark.torch
def test_the_small_run_fills_every_cell(whole: Path) -> None:
    found = json.loads((whole / "results.json").read_text())
    assert {cell["row"] for cell in found["table2"]} == set(ROWS)
    cells = found["table2"] + found["figure7"]
    seeds = [[run["seed"] for run in cell["runs"]] for cell in cells]
    assert seeds == [[0, 1]] * len(found["table2"]) + [[0]] * len(found["figure7"])
    assert all(0 <= run["model_map"] <= 1 for cell in cells for run in cell["runs"])
    (search,) = found["ghashing_search"]
    assert search["seeds"] == 2
    (known,) = found["distances"]
    assert known["pairs"] == 24 * 23 / 2


@pytest.mark.torch
def test_a_second_call_trains_nothing_and_writes_the_same(whole: Path) -> None:
    before = (whole / "results.json").read_text(), (whole / "ledger.jsonl").read_text()
    assert finish(whole) == ""
    assert ((whole / "results.json").read_text(), (whole / "ledger.jsonl").read_text()) == before


@pytest.mark.torch
def test_a_run_that_was_killed_and_lost_its_caches_goes_on_and_ends_with_the_same(
    whole: Path, tmp_path: Path
) -> None:
    """Without the caches each table is computed once more, and nothing that the ledger has."""
    lines = (whole / "ledger.jsonl").read_text().splitlines(keepends=True)
    trained = [line for line in lines if json.loads(line).get("row") == "hnn-net, as printed"]
    searched = [line for line in lines if line.startswith('{"key": "search')]
    missing = {*trained[:2], *searched[:1]}
    assert len(missing) == 3
    (tmp_path / "ledger.jsonl").write_text("".join(x for x in lines if x not in missing))
    with subprocess.Popen(
        small(tmp_path), env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert "hnn-net" in next(run.stdout)  # the first training is in the ledger
        os.kill(run.pid, signal.SIGKILL)
    finished = len(ledger(tmp_path))
    assert len(lines) - 3 < finished < len(lines)
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write('{"key": "cut sh')
    assert len(finish(tmp_path).splitlines()) == len(lines) - finished
    assert ledger(tmp_path) == ledger(whole)
    assert files(tmp_path, "distances/*.npz") == files(whole, "distances/*.npz")
    assert files(tmp_path, "*.npz") == files(whole, "*.npz")


def files(work: Path, pattern: str) -> dict[str, bytes]:
    """Caches by name; at least one."""
    found = {path.name: path.read_bytes() for path in (work / "work").glob(pattern)}
    assert found
    return found


@pytest.mark.torch
def test_all_trainings_of_a_data_set_share_one_table_of_distances(
    whole: Path, tmp_path: Path, hnn_net: Module
) -> None:
    run, plan = hnn_net("run"), hnn_net("plan")
    runs = list(plan.table2(plan.SMALL))
    run.prepare(runs, tmp_path / "ledger.jsonl", tmp_path / "work", 1)
    (key,) = ledger(tmp_path)
    assert key == f"distances, {plan.named('merged', 3)}"
    assert ledger(tmp_path)[key] == ledger(whole)[key]
    assert files(tmp_path, "distances/*.npz") == files(whole, "distances/*.npz")


def test_the_results_have_every_cell_of_the_table_and_of_figure_7() -> None:
    cells = {(cell["row"], cell["data"], cell["bits"]): cell for cell in RESULTS["table2"]}
    data, bits = ("raw", "merged"), (16, 32, 64)
    assert set(cells) == {(row, d, b) for row in ROWS for d in data for b in bits}
    assert len(cells) == len(RESULTS["table2"])
    for weight in ("beta", "gamma"):
        for row in ("hnn-net, as printed", "hnn-net, as resolved"):
            values = [c[weight] for c in RESULTS["figure7"] if weight in c and c["row"] == row]
            assert values == EXPECTED["figure7"][weight]
    for cell in CELLS:
        seeds = [run["seed"] for run in cell["runs"]]
        assert seeds == list(range(len(seeds)))
        assert seeds


def test_every_part_has_the_same_five_seeds_the_first_first(hnn_net: Module) -> None:
    plan = hnn_net("plan")
    table2, figure7 = list(plan.table2(plan.PAPER)), list(plan.figure7(plan.PAPER))
    seeds = [run.seed for run in table2]
    assert seeds == sorted(seeds)
    assert set(seeds) == {0, 1, 2, 3, 4}
    assert [run.seed for _, _, run in figure7] == sorted(20 * [0, 1, 2, 3, 4])
    trained = {run.key for run in table2 if run.trainer}
    assert len(trained) == 180
    assert len({run.key for _, _, run in figure7} - trained) == 80


def test_every_run_of_the_results_is_a_line_of_the_ledger() -> None:
    lines = [json.loads(line) for line in (HNN_NET / "ledger.jsonl").read_text().splitlines()]
    known = {json.dumps([e["method"], e["data"], e["seed"], e["f1"]]) for e in lines if "f1" in e}
    for cell in CELLS:
        for run in cell["runs"]:
            assert json.dumps([cell["method"], cell["data"], run["seed"], run["f1"]]) in known


def test_each_mean_and_deviation_follows_from_its_runs() -> None:
    for cell in CELLS:
        for name, mean in cell["mean"].items():
            values = [run[name] for run in cell["runs"]]
            assert mean == pytest.approx(statistics.fmean(values), abs=1e-6)
            deviation = statistics.stdev(values) if len(values) > 1 else 0
            assert cell["deviation"][name] == pytest.approx(deviation, abs=1e-6)


def test_no_run_is_above_the_ceiling() -> None:
    ceiling = RESULTS["ceiling"]
    assert ceiling["f1"] == pytest.approx((24 + 4 + 16 / 3) / 42)
    for cell in CELLS:
        for run in cell["runs"]:
            assert all(run[name] <= ceiling[name] + 1e-6 for name in ceiling)


def test_the_network_as_resolved_reaches_the_ceiling_with_every_seed() -> None:
    cells = [c for c in RESULTS["table2"] if c["row"] == "hnn-net, as resolved"]
    assert len(cells) == 6
    assert min(run["f1"] for cell in cells for run in cell["runs"]) >= 0.79


def test_the_default_tells_models_apart_better_than_the_baseline() -> None:
    found = {(c["row"], c["data"]): c for c in RESULTS["table2"] if c["bits"] == 64}
    for data in ("raw", "merged"):
        baseline = found["weisfeiler-lehman", data]["mean"]["model_map"]
        runs = found["contrastive-gin", data]["runs"]
        assert min(run["model_map"] for run in runs) > baseline


def test_one_training_takes_less_than_a_quarter_of_an_hour() -> None:
    distances = max(entry["seconds"] for entry in RESULTS["distances"])
    assert max(run["seconds"] for c in CELLS for run in c["runs"]) + distances <= 15 * 60


def test_the_tables_of_the_page_are_those_of_the_results(hnn_net: Module) -> None:
    page = (HNN_NET / "README.md").read_text()
    with_tables = hnn_net("page").with_tables
    assert with_tables(page, RESULTS, EXPECTED) == page
    changed = json.loads(json.dumps(RESULTS))
    changed["table2"][0]["mean"]["f1"] = 0.5
    assert with_tables(page, changed, EXPECTED) != page


def test_the_paper_numbers_are_no_higher_than_the_ceiling_but_for_one_copy_error() -> None:
    for row, by_data in EXPECTED["table2"].items():
        for data, by_bits in by_data.items():
            for bits, cell in by_bits.items():
                harmonic = (
                    2 * cell["recall"] * cell["precision"] / (cell["recall"] + cell["precision"])
                )
                impossible = cell["f1"] > harmonic + 0.002
                assert impossible == ((row, data, bits) == ("ghashing", "merged", "16"))


@pytest.mark.parametrize("data", ["raw", "merged"])
def test_the_dataset_is_ten_copies_of_each_model_without_a_tenth_of_its_layers(
    data: str, hnn_net: Module
) -> None:
    dataset = hnn_net("dataset").dataset
    training, test = dataset(data)
    assert (len(training), len(test)) == (168, 42)
    sizes = {
        m.name: len((m.raw if data == "raw" else m.graph).layers) for m in paper_architectures()
    }
    for sample in training + test:
        assert sample.kept is not None
        assert len(sample.graph.layers) == len(sample.kept)
        assert len(sample.kept) == sizes[sample.model] - round(0.1 * sizes[sample.model])
    # AlexNet has so few layers that one deletion of them was drawn twice.
    assert len({(sample.model, sample.kept) for sample in training + test}) == 209
    assert dataset(data) == (training, test)
    assert dataset(data, seed=1) != (training, test)
    few, _ = dataset(data, 2)
    assert all(sample in training for sample in few)


def test_a_search_keeps_what_each_stage_lets_pass(hnn_net: Module) -> None:
    search = hnn_net("ghashing_search")
    bits = np.array([[0, 3, 3, 4], [9, 9, 9, 9]])
    squared = np.array([[1.0, 2.0, 2.5, 0.0], [0.0, 0.0, 0.0, 0.0]])
    bounds = search.Bounds(
        np.array([[2, 1, 0, 0], [5, 5, 5, 5]]), np.array([[2, 3, 0, 1], [9, 9, 9, 9]])
    )
    found = search.stages(bits, squared, bounds, 2)
    assert found["wanted"] == 3 / 2  # the first, the third and the fourth of the first query
    assert (found["undecided"], found["undecided_to_verify"]) == (1 / 2, 1 / 2)  # the second
    counts = [found[stage]["count"] for stage in ("candidates", "filtered", "verified")]
    assert counts == [3 / 2, 2 / 2, 1 / 2]
    recalls = [found[stage]["recall"] for stage in ("candidates", "filtered", "verified")]
    assert recalls == pytest.approx([(2 / 3 + 1) / 2, (1 / 3 + 1) / 2, (1 / 3 + 1) / 2])
    assert found["candidates"]["precision"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["verified"]["f1"] == pytest.approx((2 / 4 + 1) / 2)
    assert found["verified"]["f1_answered"] == pytest.approx(2 / 4)
    assert found["candidates"]["recall_answered"] == pytest.approx(2 / 3)
    assert found["verified_if_all_undecided_are_within"]["recall"] == pytest.approx((2 / 4 + 1) / 2)
