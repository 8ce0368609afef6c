"""Families of trained models: their lineage holds; a killed build ends as if it had not been."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from statistics import median
from time import sleep

import pytest

from assay.errors import BadData, BadOption, UnknownModel
from assay.values import Json
from assay.zoo.families import EDITIONS, Failed, build, load, members, records

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import digest  # noqa: E402
from assay.training import train  # noqa: E402
from assay.zoo._families import training  # noqa: E402
from assay.zoo._making import task  # noqa: E402
from assay.zoo.networks import build as fresh  # noqa: E402

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("families")
    build(made, "small", jobs=2)
    return made


@pytest.fixture(scope="module")
def about(folder: Path) -> dict[str, Json]:
    return {record["name"]: record for record in records(folder)}


def test_every_member_is_there_with_what_its_record_says(
    folder: Path, about: dict[str, Json]
) -> None:
    assert [*about] == [member.name for member in members(EDITIONS["small"])]
    for name, record in about.items():
        module = load(folder, name)
        assert not module.training
        assert digest(module) == record["weights"]
        content = (folder / record["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == record["sha256"]
    assert not (folder / "checkpoints").exists()


def test_lineage_is_that_of_the_parents_files(folder: Path, about: dict[str, Json]) -> None:
    for record in about.values():
        if not record["parents"]:
            assert record["lineage"] is None
            assert record["training"]["losses"]
            continue
        assert record["lineage"]["method"] == record["method"]
        if record["file"].endswith(".safetensors"):  # ONNX stores some weights otherwise
            assert record["lineage"]["child"] == record["weights"]
        assert record["lineage"]["parents"] == [digest(load(folder, p)) for p in record["parents"]]
    generations = {name.count(".") for name in about}
    assert generations == {2, 3, 4}  # from scratch, children, grandchildren


def test_no_two_members_are_the_same(about: dict[str, Json]) -> None:
    weights = [record["weights"] for record in about.values()]
    assert len({*weights}) == len(weights)


def test_twins_begin_alike_and_strangers_do_not(folder: Path, about: dict[str, Json]) -> None:
    """Cosines of a hidden layer's weights: what is trained apart from one seed stays near."""

    def cosine(a: str, b: str) -> float:
        first, second = (load(folder, name).stage1[0].weight.flatten() for name in (a, b))
        return torch.nn.functional.cosine_similarity(first, second, dim=0).item()

    tasks = ("digits", "digits-half-a", "digits-half-b")
    for one, other in combinations(tasks, 2):
        twins = cosine(f"mlp.{one}.0", f"mlp.{other}.0")
        strangers = cosine(f"mlp.{one}.0", f"mlp.{other}.1")
        assert twins > 0.3
        assert abs(strangers) < twins / 2


def test_the_networks_have_learned_their_tasks(about: dict[str, Json]) -> None:
    assert about["vgg.digits.0"]["accuracy"] > 0.8
    assert about["vgg.digits.0.fine-tune"]["accuracy"] > 0.8
    assert about["vgg.digits.0.transfer-100"]["accuracy"] > 0.5
    assert about["vgg.digits-shuffled.0"]["accuracy"] < 0.3  # what it has learned is nothing


def test_a_finished_folder_is_not_made_again(folder: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    shown: list[str] = []
    build(folder, "small", progress=lambda name, done, total: shown.append(name))
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    assert not shown


def test_a_killed_build_goes_on_and_ends_with_the_same_models(
    folder: Path, about: dict[str, Json], tmp_path: Path
) -> None:
    """What a base and its children are made of, by every method, in other processes."""
    missing = {name for name in about if f"{name}.".startswith("mlp.digits.0.")}
    copy(folder, tmp_path, missing)
    assert {about[name]["method"] for name in missing} == {r["method"] for r in about.values()}
    command = [sys.executable, str(ROOT / "scripts" / "make_families.py"), str(tmp_path)]
    command += ["--edition", "small", "--jobs", "2"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    while len(made(tmp_path)) < len(about) - len(missing) + 4:
        assert process.poll() is None, "it ended before it was killed"
        sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert len(made(tmp_path)) < len(about)
    again = {record["name"]: record for record in build(tmp_path, "small", jobs=1)}
    assert {n: r["weights"] for n, r in again.items()} == {
        n: r["weights"] for n, r in about.items()
    }
    for name in about:
        file = about[name]["file"]
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), name


def copy(folder: Path, other: Path, missing: set[str]) -> None:
    """A folder of families without some of them."""
    for file in folder.iterdir():
        if file.stem not in missing:
            (other / file.name).write_bytes(file.read_bytes())


def made(folder: Path) -> list[str]:
    """Names of those that have a record."""
    return [file.stem for file in folder.glob("*.*.json")]


def test_what_cannot_be_made_is_named_and_the_rest_is_made(folder: Path, tmp_path: Path) -> None:
    copy(folder, tmp_path, {name for name in made(folder) if name.startswith("mlp.digits.0.")})
    parent = tmp_path / "mlp.digits.0.safetensors"
    parent.write_bytes(parent.read_bytes()[:50])
    with pytest.raises(Failed) as failed:
        build(tmp_path, "small")
    assert "mlp.digits.0.fine-tune" in failed.value.reasons
    assert "its parents could not be made" in str(failed.value)
    assert all(name.startswith("mlp.digits.0.") for name in failed.value.reasons)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda folder: build(folder, "small", jobs=0), "jobs must be 1 or more"),
        (lambda folder: build(folder, "large"), "no edition 'large'"),
        (lambda folder: build(folder, "full"), "holds the edition 'small', not 'full'"),
        (lambda folder: load(folder, "vgg.digits.9"), "has no model 'vgg.digits.9'"),
    ],
)
def test_what_cannot_be_is_refused(
    wrong: Callable[[Path], object], says: str, folder: Path
) -> None:
    with pytest.raises((BadOption, UnknownModel), match=says):
        wrong(folder)


def test_a_member_is_what_its_record_says_how_to_train(about: dict[str, Json]) -> None:
    edition, record = EDITIONS["small"], about["mlp.digits.0"]
    shape, width = tuple(record["input_shape"]), record["width"]
    trained = {}
    for seed in (0, 1):
        module = fresh("mlp", shape, record["classes"], seed, width)
        examples = task("digits", "train", edition.examples, None)
        train(module, examples, training(edition, "digits"), seed=seed)
        trained[seed] = digest(module)
    assert trained == {seed: about[f"mlp.digits.{seed}"]["weights"] for seed in (0, 1)}


def test_a_process_that_is_killed_is_named_and_the_rest_is_made_later(tmp_path: Path) -> None:
    def kill(name: str, done: int, total: int) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(Failed, match="BrokenProcessPool") as failed:
        build(tmp_path, "small", progress=kill)
    made = {record["name"] for record in records(tmp_path)}
    everyone = {member.name for member in members(EDITIONS["small"])}
    assert made
    assert made | {*failed.value.reasons} == everyone


def test_a_folder_of_another_plan_is_not_gone_on_with(tmp_path: Path) -> None:
    held = {"edition": "small", "plan": "0" * 64}
    (tmp_path / "edition.json").write_text(json.dumps(held))
    with pytest.raises(BadOption, match="was made by another version's plan"):
        build(tmp_path, "small")


def test_a_folder_of_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="nowhere: no such folder"):
        build(tmp_path / "families", "small", data=tmp_path / "nowhere")
    assert not (tmp_path / "families").exists()


def test_the_page_of_the_full_edition_tells_what_its_table_holds() -> None:
    folder = ROOT / "benchmarks" / "families"
    about = json.loads((folder / "results.json").read_text())
    page = (folder / "README.md").read_text()
    assert [r["name"] for r in about["records"]] == [m.name for m in members(EDITIONS["full"])]
    assert f"{about['models']} models, took {about['seconds_of_this_run'] // 60} minutes" in page
    for network, seeds in EDITIONS["full"].networks.items():
        cells = []
        for name in EDITIONS["full"].tasks:
            found = [
                record["accuracy"]
                for record in about["records"]
                if (record["network"], record["task"], record["method"]) == (network, name, "train")
            ]
            cells.append(f"{median(found):.3f} ({min(found):.3f} – {max(found):.3f})")
        assert f"| {network} | {seeds} | {' | '.join(cells)} |" in page
