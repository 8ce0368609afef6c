"""Folders of scripts beside the library: run as a command, or imported and forgotten afterwards.

They have modules of one name, such as ``page``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

Module = Callable[[str], Any]
_SOURCES = Path(__file__).parents[1] / "src"


def run_small(folder: Path, *words: str) -> list[str]:
    """The lines that a folder's run.py prints, run to its end with ``--small``."""
    command = [sys.executable, str(folder / "run.py"), "--small", *words]
    environment = {**os.environ, "PYTHONPATH": str(_SOURCES)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@contextmanager
def scripts_of(folder: Path) -> Iterator[Module]:
    """Gives what imports a module of ``folder`` by its name."""
    known = {*sys.modules}
    sys.path.insert(0, str(folder))
    try:
        yield import_module
    finally:
        sys.path.remove(str(folder))
        for name in {*sys.modules} - known:
            if Path(getattr(sys.modules[name], "__file__", None) or "").parent == folder:
                del sys.modules[name]
