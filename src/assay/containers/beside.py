"""Files that belong together and lie side by side: a graph and its weights."""

from __future__ import annotations

from pathlib import Path

from assay.errors import UnreadableModel


def beside(path: Path, name: str) -> Path | None:
    """The file of that name in the folder of ``path``; None where there is none.

    Where both are links, what they lead to may lie side by side as well, as in a download cache.
    Raises UnreadableModel where it is a link to anywhere else.
    """
    other = path.parent / name
    if not other.is_file():
        return None
    if other.resolve().parent not in (path.parent.resolve(), path.resolve().parent):
        raise UnreadableModel(f"its file {name[:80]!r} lies outside its folder")
    return other
