"""Trainings of hash networks in a process of their own, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import assay

EAGER = "import assay.trainers._loop as l; l.SAVE_EVERY_S = 0.0; from assay.cli import main; main()"


def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    """The command in a process of its own, begun by ``code``."""
    source = str(Path(assay.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", code, "train", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip


def kill_after(process: subprocess.Popen[bytes], folder: Path, file: str) -> None:
    """Kill it with -9 once there is such a file in the folder."""
    while process.poll() is None and not any(folder.glob(file)):
        sleep(0.001)  # the processor is for the one that is watched
    process.kill()
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
