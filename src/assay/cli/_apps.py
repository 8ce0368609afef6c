"""Apps, as a command line names them: each stands for the models inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assay.cli._terminal import remark
from assay.errors import AssayError


def opened(paths: Sequence[str]) -> list[str]:
    """The paths, and instead of each app those of its models, as ``app.apk!/assets/a.tflite``.

    An app that cannot be opened stays in the list: whoever reads it is told why.
    """
    from assay.containers.archives import MARK
    from assay.formats import naming
    from assay.formats._apps import is_app, listed

    found = list[str]()
    for path in paths:
        try:
            with naming(path):
                inside = listed(Path(path)) if is_app(Path(path)) else None
        except AssayError:
            inside = None
        if inside is None:
            found.append(path)
            continue
        found += [f"{path}{MARK}{name}" for name in inside.models]
        if not inside.models:
            remark(f"{path}: no model among its {inside.others:,} files")
    return found
