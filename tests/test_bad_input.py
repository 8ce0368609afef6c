"""Hostile files: an error of one line that names file and cause, or an honest result, in bounds.

Each is read in a child process with limits of its own; what was resident is measured.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import ATTACKS, archives, building, worker

from assay.errors import AssayError
from assay.examine import examine

MOST_MEGABYTES = 500
LARGE = {name for name, (_, make) in ATTACKS.items() if make.__module__.rpartition(".")[2] in (
    "amounts", "nesting", "passes")}  # fmt: skip
LARGE |= {  # small files of which much is made
    "archive_of_many_members",
    "branches_that_call_branches",
    "caffe_blob_of_a_million_pieces",
    "caffe_network_of_a_million_layers",
    "caffe_text_of_a_million_fields",
    "calls_that_double_at_each_depth",
    "coreml_arguments_beyond_the_limit",
    "coreml_million_axes",
    "expanded_constants_divided",
    "frozen_attributes_without_end",
    "frozen_long_chain",
    "frozen_million_nodes",
    "gguf_with_a_million_words",
    "h5_a_million_chunks_of_one_number",
    "keras_a_layer_that_is_called_half_a_million_times",
    "keras_a_million_layers",
    "keras_configuration_of_a_gigabyte",
    "keras_models_that_are_called_twice_each",
    "lists_of_lists_that_branches_leave",
    "loops_in_loops",
    "million_dimensions",
    "packed_ones_up_to_the_limit",
    "safetensors_of_many_empty_tensors",
    "tfjs_a_chain_of_operators",
    "tfjs_manifest_of_many_weights",
    "tfjs_many_tensors_in_many_shards",
    "tfjs_operators_that_read_nothing",
    "tflite_a_large_branch_that_is_called_a_thousand_times",
    "tflite_tensors_and_operators_up_to_the_limit",
    "tflite_tensors_shared_by_a_thousand_graphs",
    "unpacked_numbers_that_are_too_many",
}

Reader = Callable[[Path], dict[str, Any]]


@pytest.fixture(scope="module")
def limited() -> Iterator[Reader]:
    """Reads a file in a process that may not take more than the limits."""
    command = [sys.executable, worker.__file__]
    source = Path(__file__).parents[1] / "src"
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def read(path: Path) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            return answer

        yield read
        process.stdin.close()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_file_is_refused_in_one_line_or_read_honestly(
    name: str, limited: Reader, tmp_path: Path
) -> None:
    error, make = ATTACKS[name]
    path = make(tmp_path)
    answer = limited(path)
    assert "killed" not in answer, "it took more than the limits"
    assert answer["megabytes"] <= MOST_MEGABYTES
    _is_honest(path, error, answer)


@pytest.mark.parametrize("name", sorted(ATTACKS.keys() - LARGE))
def test_a_small_hostile_file_does_no_harm_in_this_process(name: str, tmp_path: Path) -> None:
    error, make = ATTACKS[name]
    path = make(tmp_path)
    before = path.stat().st_mtime_ns
    _is_honest(path, error, worker.outcome(str(path)))
    assert path.stat().st_mtime_ns == before
    assert not (tmp_path / archives.CANARY).exists(), "something in the file was executed"


def _is_honest(path: Path, error: str, answer: dict[str, Any]) -> None:
    if not error:
        assert "error" not in answer
        assert "please report" not in answer["unreadable"], "an error that no reader foresaw"
        return
    message = answer["error"] if "error" in answer else answer["unreadable"]
    assert message.startswith(f"{path}: ")
    assert error in message
    assert message.isprintable()
    assert "please report" not in message, "an error that no reader foresaw"
    assert len(message) < len(str(path)) + 320


def test_what_is_not_understood_lowers_the_quality(
    tmp_path: Path, light_models: dict[str, Path]
) -> None:
    assert examine(light_models["squeezenet"], digest=False).quality == 1
    for name in ("unknown_operators", "axes_out_of_range", "resize_by_infinity", "tiles_of_tiles"):
        folder = tmp_path / name
        folder.mkdir()
        assert examine(ATTACKS[name][1](folder), digest=False).quality < 0.7, name


def test_unknown_operators_stay_in_the_graph_under_their_names(tmp_path: Path) -> None:
    record = examine(ATTACKS["unknown_operators"][1](tmp_path))
    assert record.graph is not None
    names = [layer.op for layer in record.graph.layers]
    assert names == ["acme::Op0", "ai.onnx.ml::Op1", "com.microsoft::Op2", "ai.onnx::Op3"]


def test_an_opset_that_nobody_knows_is_noted_and_halves_the_quality(tmp_path: Path) -> None:
    usual = examine(building.small(tmp_path))
    odd = examine(ATTACKS["opset_of_the_future"][1](tmp_path))
    assert odd.metadata["odd_opset"] == 2**62
    assert odd.quality == usual.quality / 2


def test_missing_external_data_are_noted(tmp_path: Path) -> None:
    record = examine(ATTACKS["external_data_at_no_file"][1](tmp_path))
    assert record.metadata["missing_external_data"] == ["weights.bin"]


@pytest.mark.parametrize("name", ["nothing.onnx", "no\x00thing.onnx", "x" * 300 + ".onnx"])
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(AssayError, match=r"no such file|File name too long"):
        examine(tmp_path / name)


def test_a_folder_and_a_pipe_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (tmp_path / "pipe.onnx", Path("/dev/zero")):
        with pytest.raises(AssayError, match="not a regular file"):
            examine(path)
    with pytest.raises(AssayError, match="a folder that is no model"):
        examine(tmp_path)


def test_a_file_of_no_known_kind_says_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "model.xyz").write_bytes(b"weights " * 100)
    with pytest.raises(
        AssayError, match=r"convert it to one of .*\.apk, \.bin, .*\.onnx, \.packed, \.params"
    ):
        examine(tmp_path / "model.xyz")


def test_a_name_with_line_breaks_makes_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nb\x1b[2J.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(AssayError) as caught:
        examine(path)
    assert str(caught.value).isprintable()
    assert "a\\nb\\x1b" in str(caught.value)


def test_an_error_that_no_reader_foresaw_names_the_file_and_asks_for_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay.formats.onnx import Onnx

    def broken(self: Onnx, path: Path, shapes: object) -> None:
        raise KeyError("ghost")

    monkeypatch.setattr(Onnx, "read", broken)
    path = ATTACKS["unpacked_numbers"][1](tmp_path)
    with pytest.raises(AssayError, match="please report this: KeyError") as caught:
        examine(path)
    assert str(caught.value).startswith(str(path))
