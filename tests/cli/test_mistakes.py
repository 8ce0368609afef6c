"""``methods``, help, and what the command says of a user's mistakes and its own."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import assay
from assay.cli._options import default_location
from assay.cli._terminal import attempts, message
from assay.cli.listing import listed
from assay.errors import AssayError, DamagedRegistry
from assay.methods import Methods

Run = Callable[..., Any]


def test_methods_lists_every_method_of_every_role(run: Run) -> None:
    from assay.comparisons import COMPARISONS
    from assay.derivations import DERIVATIONS
    from assay.fingerprints import FINGERPRINTS
    from assay.formats import FORMATS
    from assay.hashers import HASHERS
    from assay.indexes import INDEXES
    from assay.licenses import LICENSES
    from assay.trainers import TRAINERS
    from assay.watermarks import WATERMARKS

    roles: dict[str, Methods[Any]] = {
        "comparisons": COMPARISONS, "derivations": DERIVATIONS, "fingerprints": FINGERPRINTS,
        "formats": FORMATS, "hashers": HASHERS, "indexes": INDEXES, "licenses": LICENSES,
        "trainers": TRAINERS, "watermarks": WATERMARKS,
    }  # fmt: skip
    lines = run("methods", "--json").json
    assert [(line["role"], line["method"]) for line in lines] == [
        (role, name) for role, known in roles.items() for name in known
    ]
    assert {"role", "method", "options", "summary", "extra", "installed"} == set(lines[0])
    assert all(line["summary"] for line in lines)
    (baseline,) = [line for line in lines if line["method"] == "weisfeiler-lehman"]
    assert baseline["options"]["bits"] == 64
    shown = run("methods").out
    assert "bits=64" in shown
    assert len(shown.splitlines()) == 2 * len(lines) + 1
    assert all(f"    {line['summary']}\n" in shown for line in lines)


def test_a_method_whose_extra_is_missing_is_still_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = tmp_path / "metals"
    role.mkdir()
    (role / "__init__.py").write_text("class Metal: pass\n")
    (role / "lead.py").write_text('"""Heavy."""\nEXTRA = "torch"\nimport no_such_framework\n')
    (role / "tin.py").write_text('"""Light."""\nimport no_such_framework\n')
    monkeypatch.syspath_prepend(tmp_path)
    known = Methods(__import__("metals").Metal)
    lead = listed("metals", known, "lead")
    assert lead.to_json() == {
        "role": "metals", "method": "lead", "options": {}, "summary": "Heavy.",
        "extra": "torch", "installed": False,
    }  # fmt: skip
    assert "needs: pip install 'assay[torch]'" in lead.cells()
    with pytest.raises(ModuleNotFoundError):
        listed("metals", known, "tin")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["melt"], "No such command 'melt'"),
        (["--hot"], "No such option"),
        (["hash"], "Missing argument 'FILE...'"),
        (["hash", "--bitz", "3", "x"], "Did you mean '--bits'?"),
        (["hash", "--bits", "x", "x"], "'x' is not a valid integer"),
        (["hash", "--hasher", "weisfeiler-lehman", "--bits", "17", "x"], "bits must be one of"),
        (
            ["hash", "--hasher", "sha1", "x"],
            "'sha1' is not one of boosted-minhash, contrastive-gin",
        ),
        (["hash", "--input-shape", "1xx3", "x"], "'1xx3' is not like 1x3x224x224"),
        (["hash", "--input-shape", "1x0x3", "x"], "is not like"),
        (["hash", "--input-shape", "9" * 5000, "x"], "is not like"),
        (["hash", "--input-shape", "data=1x３", "x"], "is not like"),
        (["check", "--top", "0", "x"], "0 is not in the range x>=1"),
        (["check", "--format", "onx", "x"], "'onx' is not one of archive, caffe"),
        (["compare", "x"], "Missing argument 'SOURCE...'"),
        (["list", "--registry", "postgresql://host/db"], "postgresql://…: registries on a server"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(run: Run, arguments: list[str], said: str) -> None:
    answer = run(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.error


def test_without_a_verb_the_help_is_shown(run: Run) -> None:
    assert run().out == run("--help").out
    assert run().status == 0
    assert run("--version").out == f"assay {assay.__version__}\n"


def test_a_damaged_registry_ends_a_batch_at_once(run: Run, registered: Path) -> None:
    Path("broken").mkdir()
    Path("broken/registry.sqlite").write_text("no database at all " * 100)
    for verb in (["add", "vgg19.onnx", "squeezenet.onnx"], ["check", "vgg19.onnx"], ["list"]):
        answer = run(*verb, "--registry", "broken")
        assert (answer.status, answer.out) == (2, "")
        assert answer.error.startswith("broken")


def test_the_registry_is_where_the_user_says_or_where_data_are_kept(
    run: Run, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("add", "--registry", "here", "vgg19.onnx")
    assert Path("here").is_dir()
    assert not (tmp_path / "registry").exists()
    monkeypatch.delenv("ASSAY_REGISTRY")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    run("add", "vgg19.onnx")
    assert (tmp_path / "data" / "assay").is_dir()
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_location() == str(tmp_path / "home" / ".local" / "share" / "assay")
    for platform, place in (("darwin", "Library/Application Support"), ("win32", "AppData/Local")):
        monkeypatch.setattr(sys, "platform", platform)
        assert default_location() == str(tmp_path / "home" / place / "assay")


def test_a_flaw_of_ours_costs_one_file_and_no_traceback() -> None:
    def fail(path: str) -> str:
        if path == "b":
            raise ZeroDivisionError("by zero")
        return path.upper()

    def damaged(path: str) -> str:
        raise DamagedRegistry(path)

    found = [*attempts(("a", "b", "c"), fail)]
    assert [(path, result) for path, result, _ in found] == [("a", "A"), ("b", None), ("c", "C")]
    assert found[1][2] == "b: a flaw in assay (ZeroDivisionError: by zero): report it with the file"
    with pytest.raises(DamagedRegistry):  # no further file would fare better
        [*attempts(("a",), damaged)]
    assert message(MemoryError(), "a") == "a: does not fit into memory"
    assert message(PermissionError(13, "Permission denied", "x")) == "x: Permission denied"
    assert message(AssayError("y: why"), "a") == "y: why"
