"""Where the shape of a TorchScript program's input shows, followed back from a layer that says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from assay.graphs import _vocabulary as vocabulary
from assay.graphs.operators import Operator, Tensor

_KEEPING_RANK = vocabulary.ELEMENTWISE | vocabulary.BROADCAST | {"Cast", "CastLike", "Loop"}
_KEEPING_RANK |= vocabulary.NORMALIZATIONS | {"Resize", "MaxPool", "AveragePool"}
_MOST_CHANNELS = 4  # of an image or a sound: other sizes may be made by what is between


class NeedsShape(Exception):
    """An operator says what shape an input of the program has; it is followed once more."""

    def __init__(self, name: str, dims: list[int | None], dtype: int) -> None:
        self.name, self.dims, self.dtype = name, dims, dtype


class NeedsNumber(Exception):
    """A number among the inputs of the program is compared with this one."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number


class NeedsSize(Exception):
    """Operands do not fit each other: images of the assumed size are not what it reads."""


def before(
    node: Operator,
    dims: list[int | None],
    known: Callable[[str], Tensor],
    inputs: Collection[str],
) -> Iterator[tuple[str, list[int | None]]]:
    """The operands that an operator's result has its shape from, and their shapes."""
    operands = node.inputs
    if node.op in ("Unsqueeze", "Squeeze"):
        axes = known(operands[1]).value if len(operands) > 1 else None
        if axes is None or axes.size != 1:
            return
        axis = int(axes.reshape(-1)[0])
        if node.op == "Squeeze":
            axis += len(dims) + 1 if axis < 0 else 0
            dims = [*dims[:axis], 1, *dims[axis:]]
        else:
            axis %= len(dims)
            dims = [*dims[:axis], *dims[axis + 1 :]]
        operands = operands[:1]
    elif node.op == "Transpose":
        order = node.ints("perm")
        dims = [dims[order.index(axis)] for axis in range(len(dims))]
    elif node.op in ("Slice", "Pad", "Concat") or (
        node.op.startswith("aten::") and "pad" in node.op
    ):
        dims = [dims[0], *(None if size and size > _MOST_CHANNELS else size for size in dims[1:])]
        operands = operands if node.op == "Concat" else operands[:1]
    elif node.op == "If":  # a branch that leaves an input as it is comes first
        operands = tuple(sorted(operands[1:], key=lambda name: name not in inputs))
    elif node.op not in _KEEPING_RANK:
        return
    for name in operands:
        if name and not known(name).constant:
            yield name, dims
