"""``license issue --trace``, ``license trace`` and ``license record``, from end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_files import save_examples, save_network
from small_tasks import squares

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.numpy import save_file  # noqa: E402

from assay.formats import read  # noqa: E402
from assay.keys.signing import SigningKey  # noqa: E402
from assay.licenses._signed import sign, text_of  # noqa: E402

Run = Callable[..., Any]
ISSUE = (
    "license", "issue", "model.onnx", "--data", "data.npz", "--limit", "200", "--owner-key",
    "ann.key", "--set", "rates=0.2,0.6",
)  # fmt: skip
TRACE = ("--trace", "constant-weight", "--trace-set", "code.redundancy=1")
NAMES = ("bob", "eve", "kim")
KEPT: dict[str, bytes] = {}


@pytest.fixture
def shipped(run: Run) -> Run:
    """Ann has shipped a model, and licensed it to three; it is the same each time."""
    if not KEPT:
        save_network("vgg", "model.onnx")
        save_examples("data.npz", squares(600, 2))
        for name, kind in (("ann", "owner"), *((each, "licensee") for each in NAMES)):
            assert run("key", "new", f"{name}.key", "--kind", kind).status == 0
        assert run(*ISSUE, *TRACE, "--output", "out.onnx").status == 0
        Path("given").mkdir()
        for name in NAMES:
            public = run("key", "show", f"{name}.key", "--json").json[0]["public"]
            given = run("license", "key", "out.onnx", "--level", "0", "--to", name, "--public",
                public, "--owner-key", "ann.key", "--output", f"given/{name}.license")  # fmt: skip
            assert given.status == 0
        KEPT.update((str(f), f.read_bytes()) for f in Path().rglob("*") if f.is_file())
    Path("given").mkdir(exist_ok=True)
    for file, content in KEPT.items():
        Path(file).write_bytes(content)
    return run


def opened(run: Run, name: str) -> str:
    """The copy of a licensee."""
    answer = run("license", "activate", "out.onnx", "--license", f"given/{name}.license", "--key",
        f"{name}.key", "--output", f"{name}.onnx")  # fmt: skip
    assert answer.status == 0
    return f"{name}.onnx"


def values(file: str) -> dict[str, Any]:
    return {name: weight.read() for name, weight in read(Path(file)).weights.items()}


def trace(run: Run, suspect: str, *more: str) -> Any:
    return run("license", "trace", suspect, "out.onnx", "--owner-key", "ann.key", *more)


def test_a_copy_says_whose_it_is_and_so_do_two_that_were_averaged(shipped: Run) -> None:
    house, copies = shipped, [opened(shipped, name) for name in NAMES]
    assert len({Path(copy).read_bytes() for copy in copies}) == 3
    (found,) = trace(house, "eve.onnx", "--licenses", "given", "--json").json
    rows = {row["licensee"]: row for row in found["licensees"]}
    assert {name for name in NAMES if rows[name]["traced"]} == {"eve"}
    assert rows["eve"]["score"] > 0.99
    one, two = values("bob.onnx"), values("kim.onnx")
    mean = {name: ((one[name] + two[name]) / 2).astype(np.float32) for name in one}
    save_file({name: np.ascontiguousarray(each) for name, each in mean.items()}, "mean.safetensors")
    answer = trace(house, "mean.safetensors", "--licenses", "given")
    assert answer.status == 0
    said = {line.split()[0]: line.split()[1] for line in answer.out.splitlines()[2:]}
    assert said == {"bob": "yes", "kim": "yes", "eve": "no"}
    nobody = trace(house, "model.onnx", "--licenses", "given/bob.license")
    assert nobody.status == 1
    assert "yes" not in nobody.out


def test_copies_that_lack_slices_of_kernels_say_whose_they_are(shipped: Run) -> None:
    house, given = shipped, Path("given")
    issued = house(*ISSUE[:-2], *TRACE, "--method", "selective-encryption", "--set", "share=0.6",
        "--set", "select=magnitude", "--levels", "0.6", "--output", "less.onnx")  # fmt: skip
    assert issued.status == 0, issued.err
    (about,) = house("license", "inspect", "less.onnx", "--json").json
    assert about["damaged"] == []
    assert float(about["levels"][1]["about"]["accuracy"]) == pytest.approx(0.6, abs=0.1)
    missed = about["levels"][1]["about"].get("missed")
    assert bool(missed) == issued.err.startswith("level 1: copies have 0.")
    assert {path.name for path in Path().glob("less.onnx.*")} == {
        "less.onnx.manifest.json", "less.onnx.ledger", "less.onnx.level-0", "less.onnx.level-1",
    }  # fmt: skip
    for level, name in ((0, "bob"), (1, "eve")):
        public = house("key", "show", f"{name}.key", "--json").json[0]["public"]
        file = given / f"{name}.license"
        assert house("license", "key", "less.onnx", "--level", str(level), "--to", name, "--public",
            public, "--owner-key", "ann.key", "--output", str(file)).status == 0  # fmt: skip
        opened = house("license", "activate", "less.onnx", "--license", str(file), "--key",
            f"{name}.key", "--output", f"{name}.onnx")  # fmt: skip
        assert opened.out.startswith(f"level {level}, accuracy ")
    (given / "kim.license").unlink()
    own, bob, eve = (values(f"{name}.onnx") for name in ("model", "bob", "eve"))
    assert sum(not np.array_equal(bob[name], own[name]) for name in own) == 1  # the marked tensor
    assert sum(not np.array_equal(eve[name], own[name]) for name in own) > 3
    for name in ("bob", "eve"):
        answer = house("license", "trace", f"{name}.onnx", "less.onnx", "--owner-key", "ann.key",
            "--licenses", "given", "--json")  # fmt: skip
        (found,) = answer.json
        assert answer.status == 0
        assert {row["licensee"] for row in found["licensees"] if row["traced"]} == {name}


def test_a_recorded_copy_is_licensed_and_no_accusation(shipped: Run) -> None:
    house = shipped
    assert house("add", "model.onnx", "--owner", "Ann").status == 0
    for name in ("bob", "eve"):
        recorded = house("license", "record", "out.onnx", "--license", f"given/{name}.license",
            "--owner-key", "ann.key", "--owner", "Ann", "-o", f"kept-{name}.onnx")  # fmt: skip
        assert recorded.out == f"added   out.onnx, licensed to {name}, grade 0\n"
        assert Path(f"kept-{name}.onnx").read_bytes() == Path(opened(house, name)).read_bytes()
    checked = house("check", "bob.onnx", "--json")
    assert checked.status == 0
    (report,) = checked.json
    assert [(each["licensee"], each["level"]) for each in report["licensed"]] == [("bob", 0)]
    assert "(licensed to bob, grade 0)" in house("check", "bob.onnx").out
    again = values("bob.onnx")
    save_file({n: np.ascontiguousarray(v) for n, v in again.items()}, "again.safetensors")
    same = house("check", "again.safetensors", "--json")
    assert [each["licensee"] for each in same.json[0]["licensed"]] == ["bob"]
    assert same.status == 0
    unknown = house("check", opened(house, "kim"), "--json")  # his license was not recorded
    assert "licensed" not in unknown.json[0]
    assert unknown.status == 1
    (found,) = trace(house, "bob.onnx", "--json").json  # asked are those who were recorded
    assert [(row["licensee"], row["traced"]) for row in found["licensees"]] == [
        ("bob", True), ("eve", False),
    ]  # fmt: skip


def test_who_signs_licenses_of_what_is_not_his_is_not_recorded(shipped: Run) -> None:
    given = json.loads(Path("given/bob.license").read_text())
    known = {"assay license", "owner", "signature"}
    body = {name: value for name, value in given.items() if name not in known}
    mallory = SigningKey.new()
    for more in ({}, {"copy": None}):
        forged = sign("license", {**body, **more, "licensee": "Mallory"}, mallory)
        Path("forged.license").write_text(text_of(forged))
        answer = shipped("license", "record", "out.onnx", "--license", "forged.license",
            "--owner-key", "ann.key", "--output", "kept.onnx")  # fmt: skip
        assert (answer.status, answer.error) == (
            2, "forged.license: is for another model than this, or its owner has not signed it"
        )  # fmt: skip
        assert not Path("kept.onnx").exists()
    assert "licensed" not in shipped("check", "model.onnx").out


def test_a_license_clears_its_owners_models_alone(shipped: Run) -> None:
    """Mallory registers a copy of a license of his own to himself; the model is Ann's."""
    house = shipped
    assert house("add", "model.onnx", "--owner", "Ann").status == 0
    for owner in ("Mallory", "Ann"):
        recorded = house("license", "record", "out.onnx", "--license", "given/bob.license",
            "--owner-key", "ann.key", "--owner", owner, "-o", f"{owner}.onnx")  # fmt: skip
        assert recorded.status == 0
        checked = house("check", f"{owner}.onnx")  # first Mallory's alone, then claimed by both
        assert "licensed to bob, grade 0: to be reviewed" in checked.out
        assert checked.status == 1


@pytest.fixture
def thief(shipped: Run) -> Callable[[str, str], Any]:
    """Mallory makes a distributable of Ann's model with a key of his own, and licenses himself.

    What he records, as a file, under a name.
    """
    for name, kind in (("mal", "owner"), ("mallory", "licensee")):
        assert shipped("key", "new", f"{name}.key", "--kind", kind).status == 0
    public = shipped("key", "show", "mallory.key", "--json").json[0]["public"]
    how = ["mal.key" if each == "ann.key" else each for each in ISSUE[:-1]]
    issued = shipped(*how, "rates=0.6", *TRACE, "--output", "theirs.onnx")
    assert issued.status == 0, issued.err
    assert shipped("license", "key", "theirs.onnx", "--level", "0", "--to", "Mallory", "--public",
        public, "--owner-key", "mal.key", "--output", "mal.license").status == 0  # fmt: skip

    def record(name: str, file: str) -> Any:
        return shipped("license", "record", "theirs.onnx", "--license", "mal.license",
            "--owner-key", "mal.key", "--owner", name, "--output", file)  # fmt: skip

    return record


def test_a_thief_cannot_record_a_license_under_his_victims_name(
    shipped: Run, thief: Callable[[str, str], Any]
) -> None:
    """Ann has recorded a license first, so the name is that of her key."""
    house = shipped
    assert house("add", "model.onnx", "--owner", "Ann").status == 0
    recorded = house("license", "record", "out.onnx", "--license", "given/bob.license",
        "--owner-key", "ann.key", "--owner", "Ann", "-o", "bob.onnx")  # fmt: skip
    (ann,) = house("key", "show", "ann.key", "--json").json
    assert recorded.err == f"Ann: the name stands for the key {ann['public'][:12]} from now on\n"
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    refused = thief("Ann", "stolen.onnx")
    assert refused.status == 2
    assert refused.error.startswith(
        f"owner 'Ann': the name stands for another key here, which begins with {ann['public'][:12]}"
    )
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    assert len(house("list", "--json").json) == 2
    assert house("check", "bob.onnx").status == 0
    again = house("license", "record", "out.onnx", "--license", "given/eve.license",
        "--owner-key", "ann.key", "--owner", "Ann", "-o", "eve.onnx")  # fmt: skip
    assert (again.status, again.err) == (0, "")
    assert house("check", "eve.onnx").status == 0


def test_a_license_clears_nobody_under_a_name_that_its_copy_is_given_later(
    shipped: Run, thief: Callable[[str, str], Any]
) -> None:
    """Without a name nobody's is taken; then the copy is added under Ann's, who has said hers."""
    house = shipped
    assert house("add", "model.onnx", "--owner", "Ann").status == 0
    assert thief("", "stolen.onnx").status == 0
    assert house("add", "stolen.onnx", "--owner", "Ann").status == 0
    said = "licensed to Mallory, grade 0: with no key known as Ann's: to be reviewed"
    for _ in range(2):
        checked = house("check", "stolen.onnx")
        assert (checked.status, said in checked.out) == (1, True)
        (report,) = house("check", "stolen.onnx", "--json").json
        assert [each["unproved"] for each in report["licensed"]] == ["Ann"]
        (ann,) = house("key", "show", "ann.key", "--json").json
        assert house("registry", "owner", "Ann", "--public", ann["public"]).status == 0


def test_copies_under_many_names_of_files_do_not_hide_whom_they_were_stolen_from(
    shipped: Run, thief: Callable[[str, str], Any]
) -> None:
    house = shipped
    assert house("add", "model.onnx", "--owner", "Ann").status == 0
    assert thief("Mallory", "stolen.onnx").status == 0
    for number in range(3):
        Path(f"{number}.onnx").write_bytes(Path("stolen.onnx").read_bytes())
        assert house("add", f"{number}.onnx", "--owner", "Mallory").status == 0
    for top in ("1", "3"):
        checked = house("check", "stolen.onnx", "--top", top, "--json")
        assert checked.status == 1
        assert checked.json[0]["matches"][0]["owner"] == "Ann"


def test_a_license_that_has_ended_is_said_to(shipped: Run) -> None:
    house = shipped
    public = house("key", "show", "bob.key", "--json").json[0]["public"]
    assert house("license", "key", "out.onnx", "--level", "0", "--to", "Bob Ltd", "--public",
        public, "--owner-key", "ann.key", "--output", "old.license", "--expires",
        "2020-01-01").status == 0  # fmt: skip
    assert house("license", "record", "out.onnx", "--license", "old.license", "--owner-key",
        "ann.key", "--output", "old.onnx").status == 0  # fmt: skip
    checked = house("check", "old.onnx")
    assert checked.status == 1
    assert "licensed to Bob Ltd, grade 0, until 2020-01-01: expired: to be reviewed" in checked.out


def test_what_cannot_be_traced_is_refused(shipped: Run) -> None:
    house = shipped
    for name, words in (
        ("structural", "its marks are not told weight by weight"),
        ("uchida", "its marks are not told weight by weight"),
        ("nothing", "is none of"),
    ):
        answer = house(*ISSUE, "--output", "no.onnx", "--trace", name)
        assert (answer.status, words in answer.error) == (2, True)
        assert not Path("no.onnx").exists()
    alone = house(*ISSUE, "--output", "no.onnx", "--trace-set", "margin=1")
    assert alone.error == "--trace-set margin=1: is for --trace"
    assert trace(house, "bob.key", "--licenses", "given").status == 2
    missing = trace(house, "model.onnx")
    assert missing.status == 2
    wrong = trace(house, "model.onnx", "--licenses", "data.npz")
    assert wrong.error.startswith("data.npz: is no license that can be read")
    Path("out.onnx.ledger").unlink()
    lost = trace(house, "model.onnx", "--licenses", "given")
    assert lost.error.startswith("out.onnx: there is no out.onnx.ledger beside it")
