"""What ``check``, ``compare`` and ``show`` write beside their answers."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from reading_pages import words
from small_comparisons import AGREE, tuned

Run = Callable[..., Any]
WRITTEN = {"--html": "page.html", "--sarif": "log.sarif", "--model-explorer": "explorer"}


@pytest.fixture
def pair(run: Run) -> tuple[str, str]:
    """A network's tuned copy, and the network, in the folder."""
    suspect, source = tuned(Path.cwd())
    Path("source.onnx").write_bytes(source.read_bytes())
    return suspect.name, "source.onnx"


def test_compare_writes_what_it_says_and_says_how_it_was_called(
    run: Run, pair: tuple[str, str]
) -> None:
    options = [word for option in WRITTEN.items() for word in option]
    answer = run("compare", *pair, "--json", *options)
    (line,) = answer.json
    seen = words(Path("page.html").read_text())
    assert f"Verdict: {line['verdict']}" in seen
    assert shlex.join(["assay", "compare", *pair, *options]) in seen
    (log,) = json.loads(Path("log.sarif").read_text())["runs"]
    assert [result["ruleId"] for result in log["results"]] == [line["verdict"]]
    assert sorted(file.name for file in Path("explorer").iterdir()) == [
        "source.json",
        "source_correlation.json",
        "suspect.json",
        "suspect_correlation.json",
        "sync_navigation.json",
    ]
    assert answer.err.startswith("open with: model-explorer explorer/source.json")
    assert run("compare", *pair).out == run("compare", *pair, "--html", "page.html").out


def test_the_command_on_the_page_keeps_input_shapes(run: Run, pair: tuple[str, str]) -> None:
    shape = ("--input-shape", "1x6x12")
    assert run("compare", *pair, *shape, "--html", "a page.html").status in (0, 1)
    seen = words(Path("a page.html").read_text())
    assert f"assay compare {' '.join((*pair, *shape))} --html 'a page.html'" in seen


def test_files_without_a_graph_are_compared_on_a_page(run: Run, pair: tuple[str, str]) -> None:
    weights = str(AGREE / "attention.safetensors")
    assert run("compare", weights, pair[1], "--html", "page.html").status in (0, 1)
    assert "The file of the suspect holds no graph" in words(Path("page.html").read_text())


@pytest.mark.parametrize("verb", ["check", "compare"])
def test_where_nothing_can_be_written_is_known_before_the_work(
    run: Run, pair: tuple[str, str], verb: str
) -> None:
    files = pair if verb == "compare" else pair[:1]
    places = {"--html": ".", "--sarif": "no/such/log", "--model-explorer": "source.onnx"}
    for option in ("--html", "--sarif", *(["--model-explorer"] if verb == "compare" else [])):
        refused = run(verb, *files, option, places[option])
        assert (refused.status, refused.out) == (2, "")
        assert refused.error.startswith(f"{option} {places[option]}: ")


def test_check_writes_sarif_of_all_suspects(run: Run, registered: Path) -> None:
    answer = run("check", "--sarif", "log.sarif", "--json", "suspect.onnx", "gone.onnx")
    assert (answer.status, len(answer.json)) == (2, 2)
    (log,) = json.loads(Path("log.sarif").read_text())["runs"]
    assert {result["level"] for result in log["results"]} == {"none"}
    assert log["results"][0]["properties"]["name"] == "squeezenet"
    assert not log["invocations"][0]["executionSuccessful"]
    assert "gone.onnx: no such file" in json.dumps(log["invocations"])


def test_show_writes_layers_of_a_registered_model_and_of_a_file(run: Run, registered: Path) -> None:
    (record,) = run("show", "vgg19", "--json", "--onnx", "layers.onnx").json
    operators = [op for layer in record["graph"]["layers"] for op in layer[0].split("+")]
    assert [node.op_type for node in onnx.load("layers.onnx").graph.node] == operators
    shown = run("show", "zfnet512.onnx", "--onnx", "other.onnx")
    assert (shown.status, shown.err) == (0, "")
    assert "no: a file that is not registered" in shown.out
    assert onnx.load("other.onnx").graph.name == "zfnet512"
    bare = run("show", str(AGREE / "cnn.safetensors"), "--onnx", "none.onnx")
    assert bare.status == 2
    assert bare.error == "cnn: its file holds no graph"
    assert not Path("none.onnx").exists()


def test_show_needs_no_registry_for_a_file(run: Run, models: Path) -> None:
    shown = run("show", "vgg19.onnx", "--registry", "mistyped")
    assert "27 layers" in shown.out
    assert not Path("mistyped").exists()
    assert run("show", "gone.onnx", "--registry", "mistyped").error.startswith("mistyped: ")
