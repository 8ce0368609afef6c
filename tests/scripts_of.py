"""Modules of a folder of scripts, imported by their own names and forgotten afterwards.

Folders beside the library have modules of one name, such as ``page``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

Module = Callable[[str], Any]


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
