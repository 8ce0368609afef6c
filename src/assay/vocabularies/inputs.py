"""Dynamic inputs made concrete: batch 1, images 3×256×256 [HNN-Net, section 4.1], sequences 128."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from assay.errors import UnreadableModel
from assay.graphs.operators import MOST_AXES, Shape, Tensor
from assay.weights.shapes import shape_of, spelled

IMAGE, CHANNELS, SEQUENCE, FRAMES = 256, 3, 128, 16
_INTEGERS = {2, 3, 4, 5, 6, 7, 12, 13}  # data types of token ids

InputShapes = Mapping[str, tuple[int, ...]]  # by input's name; "" for the only input
Dimension = int | str | None  # known, named, or neither


def match(given: InputShapes, names: Collection[str]) -> InputShapes:
    """The shapes that were given, by the input's name.

    Raises UnreadableModel where one is for an input that the model does not have.
    """
    if "" in given and len(names) != 1:
        raise UnreadableModel(f"name the input that the shape is for: {_listed(names)}")
    for name in given:
        if name and name not in names:
            raise UnreadableModel(f"it has no input {name!r}: {_listed(names)}")
    return {name or next(iter(names)): tuple(shape) for name, shape in given.items()}


def concrete(name: str, dtype: int, dims: list[Dimension] | None, wanted: Shape | None) -> Tensor:
    """The type of one input.

    Raises UnreadableModel where a wanted shape contradicts the file, or a dimension is absurd.
    """
    what = f"input {name!r}"
    if wanted is not None:
        if dims is not None and not _fits(dims, wanted):
            raise UnreadableModel(f"{what} is {spelled(dims)}, not {spelled(wanted)}")
        if min(wanted, default=1) < 1:
            raise UnreadableModel(f"{what} cannot be {spelled(wanted)}")
        return Tensor(dtype, shape_of(what, wanted))
    if dims is None:
        return Tensor(dtype)
    if len(dims) > MOST_AXES:
        raise UnreadableModel(f"{what} has an absurd shape {spelled(dims[:8])}")
    usual = _usual(dtype, dims)
    shape = (
        dim if isinstance(dim, int) and dim > 0 else _named(dim, usual[axis])
        for axis, dim in enumerate(dims)
    )
    return Tensor(dtype, shape_of(what, shape))


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
    """Names say more than places: exporters write batch, sequence, height."""
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


def _listed(names: Collection[str]) -> str:
    listed = ", ".join(repr(name) for name in sorted(names)[:8])
    return f"its inputs are {listed}" if names else "it has no inputs"
