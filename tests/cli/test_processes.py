"""The command as a process: terminals, pipes, interrupts, full disks and odd locales."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import assay

Run = Callable[..., Any]
Command = Callable[..., "subprocess.Popen[bytes]"]
SOURCE = Path(assay.__file__).parents[1]


def test_a_terminal_gets_a_bar_and_color_and_a_pipe_gets_neither(
    registered: Path, on_terminal: Run, command: Command
) -> None:
    shown = on_terminal("add", "zfnet512.onnx", "vgg19.onnx")
    assert "Adding" in shown.out
    assert "100%" in shown.out
    assert "added   zfnet512  (zfnet512.onnx)\r\n" in shown.out
    assert "\033[33mVerdict" in on_terminal("check", "--top", "1", "suspect.onnx").out
    assert "\033[33m" not in on_terminal("check", "suspect.onnx", NO_COLOR="1").out
    assert "\033" not in on_terminal("check", "vgg19.onnx", "suspect.onnx", TERM="dumb").out
    piped = command("check", "suspect.onnx", "vgg19.onnx", stdout=-1, stderr=-1)
    out, err = piped.communicate()
    assert (b"\033" in out, err) == (False, b"")


@pytest.mark.parametrize(("typed", "status", "kept"), [(b"y\n", 0, False), (b"n\n", 2, True)])
def test_remove_asks_on_a_terminal(
    run: Run, registered: Path, on_terminal: Run, typed: bytes, status: int, kept: bool
) -> None:
    answer = on_terminal("remove", "vgg19", typed=typed, after=b"[y/N]")
    assert answer.status == status
    assert ("vgg19" in run("list").out) == kept


def test_an_interrupt_ends_quietly(run: Run, registered: Path, on_terminal: Run) -> None:
    answer = on_terminal("remove", "vgg19", typed=b"\x03", after=b"[y/N]")
    assert answer.status == 130
    assert "Traceback" not in answer.out
    assert "vgg19" in run("list").out


def test_a_reader_that_leaves_ends_it_quietly(registered: Path, command: Command) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = command("list", "--json", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


def test_a_full_disk_is_an_error(registered: Path, command: Command) -> None:
    with Path("/dev/full").open("wb") as full:
        process = command("list", "--json", stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate()
    assert process.returncode == 2
    assert err.startswith(b"assay: ")
    assert err.count(b"\n") == 1


def test_a_report_on_a_full_disk_is_an_error_that_names_it(models: Path, command: Command) -> None:
    two = ("vgg19.onnx", "vgg19.onnx")
    for option in ("--html", "--sarif"):
        process = command("compare", *two, option, "/dev/full", stderr=subprocess.PIPE, stdout=-1)
        _, err = process.communicate()
        assert process.returncode == 2
        assert err == b"assay: /dev/full: No space left on device\n"


def test_a_locale_without_the_characters_is_no_error(models: Path, command: Command) -> None:
    Path("vgg19.onnx").rename("日本.onnx")
    process = command("hash", "日本.onnx", stdout=-1, env={"PYTHONIOENCODING": "latin-1"})
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"\\u65e5\\u672c.onnx" in out


def test_a_blink_is_enough_for_help() -> None:
    code = (
        "import sys, assay.cli\n"
        "print(sorted({'numpy', 'onnx', 'sqlite3', 'google.protobuf'} & sys.modules.keys()))"
    )
    started = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert started.stdout == "[]\n"
