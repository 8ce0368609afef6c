"""Dynamic inputs made concrete: batch 1, images 3×256×256 [HNN-Net, section 4.1], sequences 128."""

from __future__ import annotations

from assay.errors import UnreadableModel
from assay.formats import InputShapes
from assay.graphs.operators import MOST_AXES, Shape, Tensor

IMAGE, CHANNELS, SEQUENCE, FRAMES = 256, 3, 128, 16
LARGEST = 2**31 - 1  # of one dimension
_INTEGERS = {2, 3, 4, 5, 6, 7, 12, 13}  # data types of token ids

Dimension = int | str | None  # known, named, or neither


def concrete(name: str, dtype: int, dims: list[Dimension] | None, given: InputShapes) -> Tensor:
    """The type of one input.

    Raises:
        UnreadableModel: a given shape contradicts the file, or a dimension is absurd.
    """
    wanted = given.get(name, given.get(""))
    if wanted is not None:
        if dims is not None and not _fits(dims, wanted):
            raise UnreadableModel(f"input {name!r} is {_text(dims)}, not {_text(list(wanted))}")
        return Tensor(dtype, tuple(wanted))
    if dims is None:
        return Tensor(dtype)
    if len(dims) > MOST_AXES or any(isinstance(d, int) and d > LARGEST for d in dims):
        raise UnreadableModel(f"input {name!r} has an absurd shape {_text(dims[:8])}")
    usual = _usual(dtype, dims)
    shape = (
        dim if isinstance(dim, int) and dim > 0 else _named(dim, usual[axis])
        for axis, dim in enumerate(dims)
    )
    return Tensor(dtype, tuple(shape))


def _usual(dtype: int, dims: list[Dimension]) -> Shape:
    """What each axis usually is, by rank."""
    rank = len(dims)
    if rank == 4 and dims[3] in (1, 3, 4) and dims[1] not in (1, 3, 4):
        return (1, IMAGE, IMAGE, CHANNELS)
    if rank == 4:
        return (1, CHANNELS, IMAGE, IMAGE)
    if rank == 5:
        return (1, CHANNELS, FRAMES, IMAGE, IMAGE)
    if rank == 3 and dtype not in _INTEGERS and dims[0] in (1, 3):
        return (CHANNELS, IMAGE, IMAGE)
    return (1, *(SEQUENCE for _ in dims[1:]))


def _named(dim: Dimension, usual: int) -> int:
    """Names say more than places: exporters write ``batch``, ``sequence``, ``height`` …"""
    name = dim.lower() if isinstance(dim, str) else ""
    for words, size in (
        (("batch",), 1),
        (("seq", "length", "time", "tokens"), SEQUENCE),
        (("height", "width"), IMAGE),
        (("channel",), CHANNELS),
    ):
        if any(word in name for word in words):
            return size
    return usual


def _fits(dims: list[Dimension], wanted: Shape) -> bool:
    return len(dims) == len(wanted) and all(
        not isinstance(dim, int) or dim <= 0 or dim == want
        for dim, want in zip(dims, wanted, strict=True)
    )


def _text(dims: list[Dimension]) -> str:
    return "x".join("?" if dim is None else str(dim) for dim in dims) or "a scalar"
