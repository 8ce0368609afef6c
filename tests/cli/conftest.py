"""The command as tests call it, and folders of real models to call it in."""

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner
from onnx import compose
from small_files import save_examples, save_moved, save_network
from small_tasks import squares

import assay
from assay.cli import main


@dataclass
class Answer:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> list[dict[str, Any]]:
        """Its answers."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The one line on stderr."""
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("assay: ")
        return self.err.removeprefix("assay: ").removesuffix("\n")


RETYPE = 10  # times that the terminal was quiet, 3 s in all
CURSOR = b"\x1b[?25h"  # is shown again where a bar ends

Run = Callable[..., Answer]
Command = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in an empty folder, with a registry beside it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ASSAY_REGISTRY", str(tmp_path / "registry"))

    def call(*arguments: str) -> Answer:
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def models(run: Run, light_models: dict[str, Path]) -> Path:
    """Four networks in the folder, one of them also renamed inside: ``suspect.onnx``."""
    for name in ("bvlc_alexnet", "squeezenet", "vgg19", "zfnet512"):
        shutil.copy(light_models[name], f"{name}.onnx")
    renamed = compose.add_prefix(onnx.load(light_models["squeezenet"]), "mine/")
    onnx.save(renamed, "suspect.onnx")
    return Path.cwd()


@pytest.fixture
def registered(run: Run, models: Path) -> Path:
    """Three of the networks registered: two are Alice's, one is Bob's."""
    assert run("add", "--owner", "alice", "squeezenet.onnx", "vgg19.onnx").status == 0
    assert run("add", "--owner", "bob", "bvlc_alexnet.onnx").status == 0
    return models


@pytest.fixture
def task(run: Run) -> Path:
    """A model that has learned a task, and examples of it: ``model.onnx``, ``data.npz``."""
    save_network("cnn", "model.onnx")
    save_examples("data.npz", squares(300, 2))
    return Path.cwd()


@pytest.fixture
def asked(run: Run) -> Path:
    """``mine.onnx``, a noisy copy, a stranger, three more in a folder; and held-out examples."""
    save_network("cnn", "mine.onnx")
    save_moved("mine.onnx", "copy.onnx", 0.05)
    save_network("mlp", "stranger.onnx", 9)
    Path("strangers").mkdir()
    for seed in (1, 2, 3):
        save_network("mlp", f"strangers/{seed}.onnx", seed)
    save_examples("held.npz", squares(120, 7))
    return Path.cwd()


@pytest.fixture
def command(run: Run) -> Command:
    """The command as a process of its own."""

    def start(
        *arguments: str, env: dict[str, str] | None = None, **settings: Any
    ) -> subprocess.Popen[bytes]:
        inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        path = str(Path(assay.__file__).parents[1])
        environment = {**inherited, "PYTHONPATH": path, "COLUMNS": "100", "TERM": "xterm"}
        return subprocess.Popen(
            [sys.executable, "-m", "assay", *arguments], env=environment | (env or {}), **settings
        )

    return start


@pytest.fixture
def on_terminal(command: Command) -> Run:
    """The command on a pseudo-terminal, where something is typed once it has shown a text."""
    import fcntl
    import pty
    import signal
    import termios

    def own(terminal: int) -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)  # ^C comes as a signal
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # also where the tests run in the background

    def start(*arguments: str, typed: bytes = b"", after: bytes = b"", **env: str) -> Answer:
        ours, theirs = pty.openpty()
        process = command(
            *arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
            preexec_fn=lambda: own(theirs),
        )  # fmt: skip
        os.close(theirs)
        shown, waits, typed_at, before, heard = b"", 0, -RETYPE, 0, b""
        while True:
            quiet = not select.select([ours], [], [], 0.3)[0]
            waits += quiet
            if waits > 300:
                process.kill()
                raise AssertionError(f"{arguments} does not end; it showed {shown!r}")
            if not quiet:
                block = _read(ours)
                if not block:
                    break
                shown += block
            if typed and after in shown and waits >= typed_at + RETYPE and CURSOR not in heard:
                os.write(ours, typed)  # again if need be: Python may miss a ^C just before it waits
                typed_at, before = waits, len(shown)
            heard = shown[before:] if typed_at >= 0 else b""
        os.close(ours)
        return Answer(process.wait(), shown.decode(), "")

    return start


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""
