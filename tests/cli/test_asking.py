"""``hash``, ``check`` and ``compare``: what they print and what they end with."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import onnx
import pytest
from small_networks import CATEGORIES, learned, network, saved

import assay
from assay.cli import main
from assay.examine import DEFAULT_HASHER

Run = Callable[..., Any]
SUSPECT_KEYS = {"path", "sha256", "format", "code", "layers", "parameters", "quality"}
PREDICTED = {"category", "confidence"}  # of hashers that know categories


def test_hash_prints_code_and_path(run: Run, models: Path) -> None:
    answer = run("hash", "vgg19.onnx", "suspect.onnx")
    codes = [assay.hash("vgg19.onnx"), assay.hash("squeezenet.onnx")]
    assert answer.out == f"{codes[0]}  vgg19.onnx\n{codes[1]}  suspect.onnx\n"
    assert (answer.status, answer.err) == (0, "")


def test_hash_json_is_the_suspect_without_sha256(run: Run, models: Path) -> None:
    (line,) = run("hash", "--json", "vgg19.onnx").json
    assert {*line} - PREDICTED == SUSPECT_KEYS - {"sha256"}
    assert line["path"] == "vgg19.onnx"
    assert line["code"] == str(assay.hash("vgg19.onnx"))


def test_hash_goes_on_past_bad_files_in_the_order_of_the_arguments(run: Run, models: Path) -> None:
    Path("empty.onnx").touch()
    Path("text.onnx").write_text("Dear reader,\nthis is no model.\n")
    Path("cut.onnx").write_bytes(Path("vgg19.onnx").read_bytes()[:5000])
    Path("folder").mkdir()
    bad = ["missing.onnx", "empty.onnx", "text.onnx", "cut.onnx", "folder"]
    answer = run("hash", "--json", bad[0], "vgg19.onnx", *bad[1:], "squeezenet.onnx")
    assert answer.status == 2
    assert [line["path"] for line in answer.json] == [
        bad[0], "vgg19.onnx", *bad[1:], "squeezenet.onnx",
    ]  # fmt: skip
    failed = [line for line in answer.json if "error" in line]
    assert [set(line) for line in failed] == [{"path", "error"}] * len(bad)
    assert answer.err.splitlines() == [f"assay: {line['error']}" for line in failed]
    assert all(line["error"].startswith(f"{line['path']}: ") for line in failed)


def test_no_file_is_refused_before_the_others_are_read(run: Run, models: Path) -> None:
    Path("vgg19.onnx").chmod(0)  # the superuser reads it nevertheless
    answer = run("hash", "--json", "vgg19.onnx", "squeezenet.onnx")
    assert [line["path"] for line in answer.json] == ["vgg19.onnx", "squeezenet.onnx"]
    types = [param.type for verb in main.commands.values() for param in verb.params]
    assert not [kind for kind in types if isinstance(kind, click.Path) and kind.readable]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b.onnx", "  a b.onnx"),
        ("прочее 日本.onnx", "  прочее 日本.onnx"),
        ("-dash.onnx", "  -dash.onnx"),
        ("new\nline.onnx", "  new\\nline.onnx"),
        ("back\\slash.onnx", "  back\\\\slash.onnx"),
        ("red\033[31m.onnx", "  red\\x1b[31m.onnx"),
        (os.fsdecode(b"latin\xe9.onnx"), "  latin\\udce9.onnx"),
    ],
)
def test_hash_takes_any_name_and_prints_one_line(
    run: Run, models: Path, name: str, shown: str
) -> None:
    Path("vgg19.onnx").rename(name)
    line = run("hash", "--", name).out.removesuffix("\n")
    assert line.endswith(shown)
    assert line.startswith("\\") == (shown != f"  {name}")
    assert run("hash", "--json", "--", name).json[0]["path"] == name
    missing = run("hash", "--", f"no{name}")
    assert missing.status == 2
    assert missing.error.isprintable()


def test_hash_options_change_the_code(run: Run, models: Path) -> None:
    def code(*options: str) -> str:
        return run("hash", *options, "squeezenet.onnx").out.removesuffix("\n").split()[0]

    baseline = ("--hasher", "weisfeiler-lehman")
    assert code() == code("--hasher", DEFAULT_HASHER) == code("--bits", "64")
    assert code(*baseline) == code(*baseline, "--bits", "64")
    assert code(*baseline, "--bits", "128").startswith("weisfeiler-lehman-128+")
    assert code("--raw").partition(":")[0].endswith("-raw")


def test_a_network_of_ones_own_names_its_hasher_and_the_category(run: Run, models: Path) -> None:
    scheme = learned(saved(models)).scheme
    given = ("--weights", "network.safetensors")
    for options in (given, (*given, "--hasher", "hnn-net"), (*given, "--bits", "64")):
        (line,) = run("hash", "--json", *options, "vgg19.onnx").json
        assert set(line) == SUSPECT_KEYS - {"sha256"} | PREDICTED
        assert line["code"].startswith(f"{scheme}+g1:")
        assert line["category"] in CATEGORIES
        assert 0.5 <= line["confidence"] <= 1
    shown = run("hash", *given, "vgg19.onnx").out
    assert shown == f"{line['code']}  vgg19.onnx\n"  # programs read it
    assert run("add", *given, "vgg19.onnx").status == 0
    checked = run("check", "--html", "page.html", "vgg19.onnx").out
    said = f"category {line['category']}, confidence {line['confidence']:.3f}"
    assert f"\n  {said}\n" in checked
    assert said in Path("page.html").read_text()
    (report,) = run("check", "--json", "vgg19.onnx").json
    assert report["suspect"]["category"] == line["category"]
    assert set(run("hash", "--json", "--hasher", "weisfeiler-lehman", "vgg19.onnx").json[0]) == (
        SUSPECT_KEYS - {"sha256"}
    )


def test_a_graph_without_layers_is_of_no_category(run: Run) -> None:
    saved(Path.cwd())
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> idle (float[1] x) => (float[1] y) '
        "{ y = Identity(x) }"
    )
    onnx.save(model, "idle.onnx")
    (line,) = run("hash", "--json", "--weights", "network.safetensors", "idle.onnx").json
    assert (line["code"], "category" in line) == (None, False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--weights", "gone"], "gone: cannot be read"),
        (["--weights", "vgg19.onnx"], "vgg19.onnx: is no trained hash network"),
        (["--weights", "."], ".: cannot be read"),
        (["--weights", "network.safetensors", "--bits", "32"], "has 64 bits"),
        (["--weights", "network.safetensors", "--hasher", "ghashing"], "hnn-net, not ghashing"),
        (["--weights", "odd"], "is a network for 'sha1', which is none of boosted-minhash"),
    ],
)
def test_what_is_no_network_is_refused(
    run: Run, models: Path, options: list[str], said: str
) -> None:
    saved(models)
    replace(network(), method="sha1").save("odd")
    for verb in (["hash", "vgg19.onnx"], ["add", "vgg19.onnx"], ["rehash"]):
        answer = run(*verb, *options)
        assert (answer.status, answer.out) == (2, "")
        assert said in answer.error


def test_a_shape_makes_an_open_input_concrete(run: Run, models: Path) -> None:
    model = onnx.load("squeezenet.onnx")
    (image,) = [value for value in model.graph.input if value.name == "data_0"]
    for dim in image.type.tensor_type.shape.dim[2:]:
        dim.dim_param = "size"
    onnx.save(model, "open.onnx")

    def code(*options: str) -> str:
        return run("hash", "--hasher", "weisfeiler-lehman", *options, "open.onnx").out

    wide = code("--input-shape", "1x3x448x448")
    assert wide == code("--input-shape", "data_0=1x3x448x448") != code()
    for shape, said in (("1x4x448x448", "data_0"), ("other=1x3x448x448", "'other'")):
        refused = run("hash", "--input-shape", shape, "open.onnx")
        assert (refused.status, refused.out) == (2, "")
        assert said in refused.error


def test_a_graph_without_layers_has_no_code(run: Run) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> idle (float[1] x) => (float[1] y) '
        "{ y = Identity(x) }"
    )
    onnx.save(model, "idle.onnx")
    assert run("hash", "idle.onnx").out == "null  idle.onnx\n"
    assert run("hash", "--json", "idle.onnx").json[0]["code"] is None


def test_check_finds_the_origin_and_accuses_nobody(run: Run, registered: Path) -> None:
    answer = run("check", "--json", "suspect.onnx")
    (line,) = answer.json
    assert (answer.status, answer.err) == (0, "")
    assert list(line) == ["suspect", "verdict", "matches"]
    assert {*line["suspect"]} - PREDICTED == SUSPECT_KEYS
    assert line["verdict"] == "same-architecture"
    first = line["matches"][0]
    assert set(first) == {
        "name", "path", "owner", "sha256", "relation", "score", "log10_false_alarm", "evidence",
    }  # fmt: skip
    assert (first["name"], first["path"], first["owner"]) == (
        "squeezenet", "squeezenet.onnx", "alice",
    )  # fmt: skip
    assert first["log10_false_alarm"] is None
    shown = run("check", "suspect.onnx")
    assert shown.status == 0
    assert "Verdict: same-architecture (nothing to review)" in shown.out
    assert "not evidence of copying" in shown.out


def test_check_asks_for_review_of_registered_bytes(run: Run, registered: Path) -> None:
    answer = run("check", "--json", "suspect.onnx", "vgg19.onnx", "suspect.onnx")
    assert answer.status == 1
    verdicts = ["same-architecture", "identical", "same-architecture"]
    assert [line["verdict"] for line in answer.json] == verdicts


def test_check_goes_on_past_a_bad_file_and_keeps_the_keys(run: Run, registered: Path) -> None:
    answer = run("check", "--json", "missing.onnx", "vgg19.onnx")
    assert answer.status == 2
    failed, good = answer.json
    assert {**failed, "error": ""} == {
        "path": "missing.onnx",
        "suspect": {"path": "missing.onnx"},
        "verdict": None,
        "matches": [],
        "error": "",
    }
    assert good["verdict"] == "identical"
    assert answer.error == failed["error"]
    text = run("check", "missing.onnx", "vgg19.onnx")
    assert (text.status, text.error) == (2, answer.error)
    assert "Verdict: identical" in text.out


def test_check_lists_so_many_and_only_those_that_are_meant(run: Run, registered: Path) -> None:
    shutil.copy("suspect.onnx", "again.onnx")
    run("add", "--owner", "carol", "--name", "twin", "again.onnx")

    def names(*options: str) -> list[str]:
        (line,) = run("check", "--json", *options, "squeezenet.onnx").json
        return [match["name"] for match in line["matches"]]

    assert names()[:2] == ["squeezenet", "twin"]
    assert names("--top", "1") == ["squeezenet"]
    assert names("--owner", "carol") == names("--name", "tw*") == ["twin"]
    assert names("--owner", "nobody") == []
    assert names("--format", "onnx") == names()
    assert names("--format", "torch-export") == []


def test_check_writes_a_page_beside_its_answer(run: Run, registered: Path) -> None:
    answer = run("check", "--html", "page.html", "--json", "suspect.onnx", "gone.onnx")
    assert (answer.status, len(answer.json)) == (2, 2)
    page = Path("page.html").read_text()
    assert "Verdict: same-architecture" in page
    assert "squeezenet.onnx" in page
    assert "gone.onnx: no such file" in page
    for place in ("no/such/folder/page.html", "."):
        refused = run("check", "--html", place, "suspect.onnx")
        assert (refused.status, refused.out) == (2, "")
        assert refused.error.startswith(f"--html {place}: ")


def test_check_without_a_registry_is_an_error_and_makes_none(run: Run, models: Path) -> None:
    for verb in (["check", "vgg19.onnx"], ["list"], ["show", "x"], ["remove", "x"], ["rehash"]):
        answer = run(*verb, "--registry", "mistyped")
        assert (answer.status, answer.out) == (2, "")
        assert answer.error.startswith("mistyped: no registry there")
        assert not Path("mistyped").exists()


@pytest.mark.parametrize(
    ("suspect", "source", "relation", "status"),
    [
        ("suspect.onnx", "squeezenet.onnx", "same-architecture", 0),
        ("vgg19.onnx", "vgg19.onnx", "identical", 1),
        ("vgg19.onnx", "squeezenet.onnx", "unrelated", 0),
    ],
)
def test_compare_says_how_two_files_are_related(
    run: Run, models: Path, suspect: str, source: str, relation: str, status: int
) -> None:
    answer = run("compare", "--json", suspect, source)
    (line,) = answer.json
    assert (answer.status, line["verdict"]) == (status, relation)
    assert line["suspect"]["path"] == suspect
    assert [match["path"] for match in line["matches"]] == [source]
    assert line["matches"][0]["evidence"]
    assert f"Verdict: {relation}" in run("compare", suspect, source).out


def test_compare_names_both_bad_files(run: Run, models: Path) -> None:
    answer = run("compare", "--json", "gone.onnx", "lost.onnx")
    assert answer.status == 2
    assert [line["suspect"] for line in answer.json] == [
        {"path": "gone.onnx"},
        {"path": "lost.onnx"},
    ]
    assert len(answer.err.splitlines()) == 2
    assert run("compare", "vgg19.onnx", "lost.onnx").status == 2
