"""``derive``, stopped: it goes on where it was, and ends with the same file."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Any

import pytest

import assay

pytestmark = pytest.mark.torch

Run = Callable[..., Any]
TUNE = ("derive", "model.onnx", "--method", "fine-tune", "--data", "data.npz")
EAGER = "import assay.training._loop as l; l.SAVE_EVERY_S = 0.0; from assay.cli import main; main()"
STATE = Path("child.onnx.checkpoint")


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    """The command in a process of its own that saves its state after every step."""
    source = str(Path(assay.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", EAGER, *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip


def kill_after(process: "subprocess.Popen[bytes]", saves: int) -> None:
    """Kill it with -9 once it has saved its state so often."""
    seen: set[int] = set()
    while process.poll() is None and len(seen) < saves:
        with suppress(FileNotFoundError):  # the file or the folder may be removed just now
            seen |= {f.stat().st_mtime_ns for f in STATE.glob("checkpoint-*.safetensors")}
        sleep(0.001)  # the processor is for the one that is watched
    process.kill()
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err


def test_what_was_killed_goes_on_and_ends_with_the_same_file(run: Run, task: Path) -> None:
    arguments = (*TUNE, "--set", "rates=0.01,0.001", "--set", "training.epochs=4", "--output")
    assert run(*arguments, "whole.onnx").status == 0
    kill_after(start(*arguments, "child.onnx"), saves=2)
    kill_after(start(*arguments, "child.onnx"), saves=12)
    assert not Path("child.onnx").exists()
    states = [*STATE.glob("checkpoint-*.safetensors")]
    assert states
    answer = run(*arguments, "child.onnx", "--json")
    assert (answer.status, answer.err) == (0, "")
    assert Path("child.onnx").read_bytes() == Path("whole.onnx").read_bytes()
    assert not STATE.exists()


def test_it_takes_up_what_is_there_unless_it_is_to_begin_anew(run: Run, task: Path) -> None:
    arguments = (*TUNE, "--set", "training.epochs=100000", "--output", "child.onnx")
    kill_after(start(*arguments), saves=2)
    (state,) = STATE.glob("checkpoint-*.safetensors")
    state.write_bytes(b"damaged")
    answer = run(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert "is damaged" in answer.error
    kill_after(start(*arguments, "--no-resume"), saves=2)
    assert state.stat().st_size > 1000


def test_an_interrupt_says_how_to_go_on(run: Run, task: Path, on_terminal: Run) -> None:
    arguments = (*TUNE, "--set", "training.epochs=100000", "--output", "child.onnx")
    answer = on_terminal(*arguments, typed=b"\x03", after=b"loss ")
    assert answer.status == 130
    assert "Traceback" not in answer.out
    assert "Fine-tuning" in answer.out
    assert "epoch 1/100000" in answer.out
    assert "stopped: the same command begins anew" in answer.out
    kill_after(start(*arguments), saves=2)
    answer = on_terminal(*arguments, typed=b"\x03", after=b"loss ")
    assert "stopped: the same command goes on from child.onnx.checkpoint" in answer.out
    assert not Path("child.onnx").exists()


def test_only_its_own_files_are_removed_and_none_of_a_folder_that_is_given(
    run: Run, task: Path
) -> None:
    STATE.mkdir()
    (STATE / "mine.txt").write_text("mine")
    arguments = (*TUNE, "--set", "training.epochs=1", "--output", "child.onnx")
    assert run(*arguments).status == 0
    assert [file.name for file in STATE.iterdir()] == ["mine.txt"]
    first = Path("child.onnx").read_bytes()
    assert run(*arguments, "--checkpoint", "state").status == 0
    assert [*Path("state").glob("checkpoint-*.safetensors")]
    assert run(*arguments, "--checkpoint", "state").status == 0
    assert Path("child.onnx").read_bytes() == first
