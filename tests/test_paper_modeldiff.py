"""ModelDiff's reproduction: the small run end to end, also when killed, and whole results."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripts_of import Module, scripts_of

from assay.zoo.experiments import with_tables

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "papers" / "modeldiff"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
OWNED = "lenet-5.root.0.five.transfer-100"
NAMES = {
    "lenet-5.five.half-a.0", "lenet-5.five.half-b.0", "lenet-5.root.0", "lenet-5.root.1", OWNED,
    f"{OWNED}.prune-50", f"{OWNED}.soft-same",
}  # fmt: skip
TIMED = ("costs", "cpu_seconds_of_jobs")
Json = dict[str, Any]

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def paper() -> Iterator[Module]:
    """Imports a module of the paper's folder by its name."""
    with scripts_of(FOLDER) as module:
        yield module


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven models of the small edition, hardly trained."""
    from assay.zoo._making import make
    from assay.zoo._reused import plan

    folder: Path = tmp_path_factory.mktemp("models")
    whole = plan("reuse-small")
    (folder / "edition.json").write_text(json.dumps({"edition": "reuse-small", "plan": ""}))
    for member in whole.members:
        if member.name in NAMES:
            training = member.options.get("training")
            quick = {} if training is None else {"training": replace(training, epochs=5)}
            options = {**member.options, **quick}
            make(folder, whole.setting, None, replace(member, options=options))
    return folder


def call(paper: Module, *arguments: object) -> int:
    """The script's main function with these arguments."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["run.py", *map(str, arguments), "--jobs", "1", "--small"])
        found: int = paper("run").main()
    return found


@pytest.fixture(scope="module")
def whole(paper: Module, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run that nothing disturbed."""
    folder: Path = tmp_path_factory.mktemp("modeldiff")
    assert call(paper, "--models", models, "--folder", folder) == 0
    return folder


def results(folder: Path) -> Json:
    found: Json = json.loads((folder / "results.json").read_text())
    return found


def untimed(folder: Path) -> Json:
    """What no clock has measured."""
    return {name: part for name, part in results(folder).items() if name not in TIMED}


def test_a_small_run_fills_every_table(paper: Module, whole: Path) -> None:
    found = results(whole)
    rows = {row.name for row in paper("plan").SMALL.rows}
    assert {*found["same_task"]["rows"]} == rows | {"together"}
    assert {*found["costs"]} == rows | {"together"}
    across = {row.name for row in paper("plan").SMALL.rows
              if row.method.across_tasks or row.method.needs == "features"}  # fmt: skip
    assert {*found["across_tasks"]["rows"]} == across | {"together"}
    contests = found["contests"]["two roots"]
    assert contests["pairs"] == 3  # transfer, and what was pruned from it and from the root
    for view in ("suspect", "owner"):
        cell = contests[view]["modeldiff"]["all"]
        assert 0 <= cell["right"] <= cell["answered"] == cell["of"] == 3
    assert {*found["ablations"]} == {"as published", *paper("plan").SMALL.ablations}
    hidden = paper("adversaries")
    abstained = {
        who: found["adversaries"][who]["akh"]["abstained"] for who in ("none", hidden.REMOVAL)
    }
    assert len({*abstained.values()}) == 1, abstained
    assert found["adversaries"][hidden.DETECTOR] == {}  # one of two references answers for him
    assert found["adversaries"]["top-1"].keys() >= {"akh", "together"}
    assert "zest" not in found["adversaries"]["top-1"], "it takes scores"
    assert found["failed"] == {}
    for name in ("calibration.svg", "found.svg"):
        assert (whole / name).read_text().startswith("<svg")
    for name, text in paper("page").tables(found).items():
        assert text != "Not run yet.\n" or name in ("against", "ranks"), name


def test_nobody_is_nearer_to_an_owner_s_model_than_itself(paper: Module, whole: Path) -> None:
    kept, lineage = paper("verdicts").archived(whole / "archive.npz")
    court = paper("judging").Court(kept, lineage, paper("plan").SMALL, OWNED)
    for row in paper("plan").SMALL.rows:
        if row.questions.made_on != "suspect" and not row.one_sided:
            near = {name: near for name, near in court.values(row).items() if " as " not in name}
            assert near[OWNED] == max(near.values()) == pytest.approx(0, abs=1e-6), row.name
            others = [near[name] for name in near if lineage.origins[name] != "lenet-5.root.0"]
            if row.name in ("deepjudge nod", "cka"):
                assert near[f"{OWNED}.prune-50"] > max(others), row.name


def test_who_is_derived_answers_in_disguise_and_nobody_else(
    paper: Module, models: Path, whole: Path
) -> None:
    kept, lineage = paper("verdicts").archived(whole / "archive.npz")
    hidden = paper("adversaries")
    of_owner = kept.of(("mistakes", OWNED, "scores"))
    worn = {name for name in of_owner if hidden.undisguised(name) != name}
    suspects = (f"{OWNED}.prune-50", f"{OWNED}.soft-same")
    assert worn == {hidden.disguised(n, d) for n in suspects for d in hidden.DISGUISES}
    ground = paper("ground").opened(models, None)
    for name in suspects:
        decoy = hidden.decoy(lineage, name)
        assert decoy == "lenet-5.five.half-b.0"
        court = paper("judging").Court(kept, lineage, paper("plan").SMALL, OWNED, hidden.DETECTOR)
        assert decoy not in court.references(name)
        assert court.shown(decoy) == decoy
        folder = whole / "work" / "disguises"
        evasive = hidden.DISGUISES[hidden.DETECTOR](ground, name, folder)
        pictures = ground.seeds(name).examples.inputs
        flagged = evasive.detector.flags(pictures)
        answers = evasive.ask(pictures).values
        for chosen, model in ((flagged, decoy), (~flagged, name)):
            told = ground.model(model).ask(pictures).values[chosen]
            assert answers[chosen] == pytest.approx(told, abs=1e-4)
        assert not flagged.all()


def test_whom_a_suspect_is_ranked_among_decides_who_is_accused(paper: Module) -> None:
    ranks, plan = paper("ranks"), paper("plan")
    kept, lineage = paper("archive").load(FOLDER / "archive.npz")
    owner = "vgg.digits.half-a.0"  # few others answer its task: one model of each root
    found = ranks.placed(paper("judging").Court(kept, lineage, plan.PAPER, owner))
    fewer = 0
    for suspect in sorted({e["suspect"] for e in found if lineage.origins[e["suspect"]] != owner}):
        placed = {(e["who"], e["how"]): e for e in found if e["suspect"] == suspect}
        everyone, others = (placed[who, ranks.HOW[1]] for who in (ranks.WHO[0], ranks.WHO[2]))
        assert 2 <= others["roots"] <= everyone["roots"]
        assert others["above"][0] <= everyone["roots"]
        assert len(placed[ranks.WHO[0], ranks.HOW[2]]["above"]) == ranks.DRAWS
        fewer += others["roots"] < everyone["roots"]
    assert fewer
    about = {"who": ranks.WHO[0], "how": ranks.HOW[2], "roots": 3}
    several = [(False, [0, 1]), (False, [2, 3]), (True, [0, 0])]
    parts = [[{**about, "is_derived": derived, "above": above}] for derived, above in several]
    (cell,) = (each for each in ranks.tallied(parts).values() if each)
    assert cell == {"strangers": 2, "first": 0.5, "first, by chance": 0.5, "second": 1,
                    "second, by chance": 1, "derived": 1, "found": 1}  # fmt: skip


def test_a_disguise_leaves_the_ledger_of_those_who_wear_none(paper: Module) -> None:
    """Their answers do not depend on it: a run asks only who is in disguise."""
    from assay.durable import read_ledger
    from assay.zoo.experiments import finished

    _, lineage = paper("archive").load(FOLDER / "archive.npz")
    jobs = [*paper("asking").jobs(paper("plan").PAPER, lineage)]
    done = finished(jobs, FOLDER / "ledger.jsonl")
    assert {*done} == {*read_ledger(FOLDER / "ledger.jsonl")}
    assert sum(job.is_disguised for job in jobs) == 22


def test_a_second_run_asks_nobody_and_writes_the_same(
    paper: Module, models: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("ledger.jsonl", "results.json", "archive.npz", "found.svg")
    before = [(whole / name).read_bytes() for name in names]
    assert call(paper, "--models", models, "--folder", whole) == 0
    assert capsys.readouterr().out == ""
    assert [(whole / name).read_bytes() for name in names] == before


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same(
    paper: Module,
    models: Path,
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = (whole / "ledger.jsonl").read_text().splitlines(keepends=True)
    shutil.copytree(whole / "work", tmp_path / "work")
    shutil.rmtree(tmp_path / "work" / "judged")
    lost = [line for line in lines if json.loads(line)["key"].startswith("suspect")][:3]
    (tmp_path / "ledger.jsonl").write_text("".join(line for line in lines if line not in lost))
    command = [sys.executable, str(FOLDER / "run.py"), "--small", "--models", str(models),
               "--folder", str(tmp_path), "--jobs", "1"]  # fmt: skip
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert "[1/3]" in next(run.stdout)  # the first of them is in the ledger
        os.kill(run.pid, signal.SIGKILL)
    done = len((tmp_path / "ledger.jsonl").read_text().splitlines())
    assert len(lines) - 3 < done <= len(lines)
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write('{"key": "cut sh')
    assert call(paper, "--models", models, "--folder", tmp_path) == 0
    assert capsys.readouterr().out.count("\n") == len(lines) - done
    assert (tmp_path / "archive.npz").read_bytes() == (whole / "archive.npz").read_bytes()
    assert untimed(tmp_path) == untimed(whole)


def test_tables_are_redrawn_of_the_archive_alone(
    paper: Module, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(paper, "--report", "--folder", tmp_path) == 2
    assert "no answers to judge" in capsys.readouterr().err
    for name in ("archive.npz", "ledger.jsonl"):
        shutil.copy(whole / name, tmp_path)
    shutil.copytree(whole / "work" / "judged", tmp_path / "work" / "judged")
    judged = next((tmp_path / "work" / "judged").iterdir())
    judged.write_text(json.dumps({"digest": "of other code"}))  # is judged again
    assert call(paper, "--report", "--folder", tmp_path) == 0
    assert results(tmp_path) == results(whole)


def test_a_folder_that_lacks_models_is_refused(
    paper: Module, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--models", models, "--folder", tmp_path)
    assert call(paper, *asked, "--edition", "reuse-small") == 2
    assert "lacks 57 models of reuse-small" in capsys.readouterr().err
    assert call(paper, *asked, "--edition", "reuse-subset") == 2
    assert "holds models of reuse-small" in capsys.readouterr().err


def test_the_page_has_the_tables_of_the_results(paper: Module) -> None:
    found = results(FOLDER)
    page = (FOLDER / "README.md").read_text()
    assert with_tables(page, paper("page").tables(found)) == page
    expected = json.loads((FOLDER / "expected.json").read_text())
    for cells in expected["ablations"].values():
        kinds = [cells[kind] for kind in ("transfer", "quantize", "prune", "distill", "steal")]
        assert [sum(column) for column in zip(*kinds, strict=True)] == cells["all"]
    assert expected["logs"] == expected["ablations"]["as published"]
