"""``license``: levels that holders tune, rates that are of use, a model held against a claim."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_files import save_examples, save_network
from small_tasks import squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from assay.cli._license_files import licensed  # noqa: E402
from assay.keys.signing import SigningKey  # noqa: E402
from assay.licenses._signed import sign, text_of  # noqa: E402
from assay.running.modules import accuracy, copy_of  # noqa: E402
from assay.zoo.datasets import load  # noqa: E402

Run = Callable[..., Any]
TUNING = (
    "--set", "training.epochs=8", "--set", "training.batch=32", "--set",
    "training.optimizer.rate=0.005", "--set", "training.optimizer.schedule=constant",
)  # fmt: skip
KEPT: dict[str, bytes] = {}  # files of a distributable, and of the keys that belong to it


@pytest.fixture
def shipped(run: Run) -> Run:
    """Ann's model in two levels that Bob tunes himself; it is the same each time."""
    if not KEPT:
        save_network("vgg", "model.onnx")
        save_examples("data.npz", squares(300, 2))
        for name, kind in (("ann", "owner"), ("bob", "licensee")):
            assert run("key", "new", f"{name}.key", "--kind", kind).status == 0
        issued = run("license", "issue", "model.onnx", "--data", "data.npz", "--method", "tuning",
            "--set", "tuned_by=holder", "--set", "rate=0.5", "--set", "steps=12.5,6", *TUNING,
            "--owner-key", "ann.key", "--output", "out.onnx")  # fmt: skip
        assert issued.status == 0, issued.error
        give(run, 1)
        KEPT.update((file.name, file.read_bytes()) for file in Path().iterdir())
    for name, content in KEPT.items():
        Path(name).write_bytes(content)
    return run


def give(run: Run, level: int) -> None:
    (about,) = run("key", "show", "bob.key", "--json").json
    given = run("license", "key", "out.onnx", "--level", str(level), "--to", "Bob", "--public",
        about["public"], "--owner-key", "ann.key", "--output", "bob.license")  # fmt: skip
    assert given.status == 0, given.error


def activate(run: Run, *more: str) -> Any:
    return run("license", "activate", "out.onnx", "--license", "bob.license", "--key", "bob.key",
        "--output", "mine.onnx", *more)  # fmt: skip


def test_a_holder_makes_the_level_that_the_owner_measured_where_he_has_the_same_examples(
    shipped: Run,
) -> None:
    run = shipped
    (about,) = run("license", "inspect", "out.onnx", "--json").json
    _, one, two = about["levels"]
    assert max(one["restored"]["size"], two["restored"]["size"]) < 500  # no weights
    refused = activate(run)
    assert (refused.status, refused.error) == (
        2, "bob.license: opens how to tune level 1: give --data",
    )  # fmt: skip
    assert not Path("mine.onnx").exists()
    (made,) = activate(run, "--data", "data.npz", "--json").json
    assert made["accuracy"] == one["about"]["accuracy"]
    assert (made["steps"], made["examples"], made["level"]) == (12.5, 240, 1)
    tests = load("data.npz", "test")
    found = licensed("mine.onnx", None, {}, tests).module
    assert f"{accuracy(found, tests):.4f}" == made["accuracy"]
    shown = activate(run, "--data", "data.npz", "--limit", "50").out
    assert shown.startswith("level 1, accuracy ")
    assert "after 12.5 steps on 50; its owner's has " + one["about"]["accuracy"] in shown
    kept = activate(run, "--data", "data.npz", "--output", "out.onnx.level-2")
    assert (kept.status, "name another file" in kept.error) == (2, True)


def test_examples_for_a_level_that_is_a_model_are_refused(shipped: Run) -> None:
    give(shipped, 0)
    refused = activate(shipped, "--data", "data.npz")
    assert refused.error == "--data data.npz: level 0 is a model: there is nothing to tune"
    assert activate(shipped).status == 0
    assert Path("mine.onnx").read_bytes() == Path("model.onnx").read_bytes()


def test_rates_are_shown_with_what_they_are_of_use_for(shipped: Run) -> None:
    arguments = ("license", "rates", "model.onnx", "--data", "data.npz", "--rates", "0.05,0.6")
    rows = shipped(*arguments, *TUNING, "--json").json
    assert [(row["rate"], row["usable"]) for row in rows] == [(0.05, False), (0.6, True)]
    assert rows[0]["fault"].startswith("pruned, it has more than")
    assert rows[1]["pruned"] <= rows[1]["chance"] < rows[1]["tuned"]
    shown = shipped(*arguments, *TUNING).out.splitlines()
    assert shown[1].split() == ["RATE", "PRUNED", "TUNED", "USE"]
    assert shown[3].endswith("of use")
    assert "is not like 0.01,0.02" in shipped(*arguments[:-1], "many").error


def test_a_model_is_held_against_what_its_owner_says(shipped: Run) -> None:
    plain = ("license", "verify", "model.onnx", "--data", "data.npz")
    verify = (*plain, *TUNING)
    own = shipped(*plain, "--claim", "out.onnx", "--level", "2", "--json")  # it says how it tunes
    assert own.out == shipped(*verify, "--claim", "out.onnx", "--level", "2", "--json").out
    ended = shipped(*plain, "--claim", "out.onnx", "--set", "training.epochs=1")
    assert "the training ends before step 12.5" in ended.error
    (found,) = own.json
    assert (own.status, found["agrees"], found["rate"]) == (0, True, 0.5)
    for name in ("pruned", "tuned"):
        assert found[name]["claimed"] == pytest.approx(found[name]["found"], abs=1e-4)
    other = shipped(*verify, "--rate", "0.05", "--pruned", "0.3", "--tuned", "0.9")
    assert other.status == 1
    assert "pruned  claimed 0.3000, found" in other.out
    assert "weak evidence" not in other.out
    said = shipped(*verify, "--claim", "out.onnx", "--level", "2")
    assert said.out.rstrip().endswith("that learned this task often agree, too")
    for more, error in (
        ((), "what is claimed?  Say --rate, or --claim FILE --level N"),
        (("--claim", "out.onnx", "--level", "3"), "out.onnx: there is no level 3: they go to 2"),
        (("--claim", "data.npz"), "data.npz: is no distributable"),
    ):
        refused = shipped(*verify, *more)
        assert (refused.status, refused.error.startswith(error)) == (2, True)


def test_a_claim_that_asks_for_too_much_is_refused(shipped: Run) -> None:
    manifest = json.loads(Path("out.onnx.manifest.json").read_text())
    body = {n: v for n, v in manifest.items() if n not in ("assay manifest", "owner", "signature")}
    for method, error in (
        (body["method"].replace("epochs=8", "epochs=900000"), "training.epochs: 900000 is more"),
        (body["method"].replace("epochs=8", "epochs=0"), "training.epochs must be 1 or more"),
        ("Tuning(cap='nan')", "the key: cap must be from 0 to 1, not nan"),
        ("Tuning(training=__import__('os'))", "what it says of its method cannot be read"),
    ):
        signed = sign("manifest", {**body, "method": method}, SigningKey.new())
        Path("out.onnx.manifest.json").write_text(text_of(signed))
        answer = shipped("license", "verify", "model.onnx", "--data", "data.npz", "--claim",
            "out.onnx", "--level", "2")  # fmt: skip
        assert answer.error.startswith(f"out.onnx: its manifest: {error}")


def test_a_claim_without_steps_is_followed_on_so_many_examples_as_end_in_good_time(
    shipped: Run,
) -> None:
    manifest = json.loads(Path("out.onnx.manifest.json").read_text())
    body = {n: v for n, v in manifest.items() if n not in ("assay manifest", "owner", "signature")}
    about = body["levels"][2]["about"]
    about["untuned"] = about["accuracy"]
    del about["steps"]
    how = body["method"].replace("epochs=8, batch=32", "epochs=10000, batch=2")
    assert how != body["method"]
    verify = ("license", "verify", "model.onnx", "--data", "data.npz", "--claim", "out.onnx",
        "--level", "2")  # fmt: skip

    def signed(**more: object) -> None:
        text = text_of(sign("manifest", {**body, **more}, SigningKey.new()))
        Path("out.onnx.manifest.json").write_text(text)

    signed(method=how)
    assert shipped(*verify).error == (
        "out.onnx: its manifest: steps: 1200000 is more than a holder may be asked: 200,000: give"
        " --limit, or --set training.epochs=N"
    )
    own = shipped(*verify, "--set", "training.epochs=1", "--set", "training.batch=32", "--json")
    assert own.json[0]["rate"] == 0.5
    body["levels"][0]["about"]["judged_on"] = "9" * 999
    signed()
    assert shipped(*verify).error.startswith("it was judged on 999")


def test_what_a_file_rounds_is_judged_as_the_file_has_it(run: Run) -> None:
    module = copy_of(trained("vgg"))
    state = {n: t.to(torch.bfloat16) if t.is_floating_point() else t for n, t in
             module.state_dict().items()}  # fmt: skip
    save_file(state, "half.safetensors")
    save_network("vgg", "model.onnx")
    source = licensed("half.safetensors", "model.onnx", {}, squares(20, 1))
    changed = copy_of(source.module)
    with torch.no_grad():
        changed.get_parameter("stage1.0.weight").add_(0.001)
    made = source.write(changed, Path("level.safetensors"))
    assert made is not None
    wanted = changed.get_parameter("stage1.0.weight")
    found = made.get_parameter("stage1.0.weight")
    assert torch.equal(found, wanted.to(torch.bfloat16).float())
    assert not torch.equal(found, wanted)


def test_scales_are_made_sparse_and_licensed_by_commands_alone(shipped: Run) -> None:
    derived = shipped("derive", "model.onnx", "--method", "fine-tune", "--data", "data.npz",
        "--set", "penalty.kind=polarization", "--set", "penalty.strength=1", "--set",
        "training.epochs=3", "--set", "training.batch=32", "--output", "sparse.onnx")  # fmt: skip
    assert derived.status == 0, derived.error
    record = json.loads(Path("sparse.onnx.lineage.json").read_text())
    assert record["notes"]["near_zero"]["after"] > record["notes"]["near_zero"]["before"]
    issued = shipped("license", "issue", "sparse.onnx", "--data", "data.npz", "--set",
        "rates=0.1,0.5", "--owner-key", "ann.key", "--output", "graded.onnx", "--json")  # fmt: skip
    assert issued.status == 0, issued.error
    (about,) = issued.json
    assert float(about["levels"][0]["about"]["accuracy"]) > float(about["about"]["accuracy"])


def test_files_that_are_read_are_not_written_over(shipped: Run) -> None:
    for option in ("--data", "--judge", "--graph"):
        Path("mine.onnx").write_bytes(b"his own")
        answer = activate(shipped, option, "mine.onnx")
        assert answer.error == "--output mine.onnx: is mine.onnx: name another file"
        assert Path("mine.onnx").read_bytes() == b"his own"
    for name in ("next.onnx.level-0", "next.onnx.ledger"):
        Path("model.onnx").rename(name)
        answer = shipped("license", "issue", name, "--data", "data.npz", "--owner-key", "ann.key",
            "--output", "next.onnx")  # fmt: skip
        assert answer.error == f"--output {name}: is {name}: name another file"
        Path(name).rename("model.onnx")


def test_what_holders_make_is_not_recorded_for_nobody_knows_it(shipped: Run) -> None:
    answer = shipped("license", "record", "out.onnx", "--license", "bob.license", "--owner-key",
        "ann.key", "--output", "kept.onnx")  # fmt: skip
    assert answer.error == "out.onnx: its copies are all alike: it was issued without --trace"
    assert not Path("kept.onnx").exists()
