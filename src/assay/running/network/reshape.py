"""ONNX's Reshape, also for batches that a literal target was not made for [ONNX operators].

Files made for one input at a time write their shapes out.  Elements keep their order in a reshape:
where the first of an axis lands tells which axis after it grows with the batch.
"""

from __future__ import annotations

from math import prod

from torch import Tensor

from assay.graphs.operators import Operator, Shape
from assay.running.network.elementwise import Numbers
from assay.running.network.sizes import listed

EXTRA = "torch"


def reshape(node: Operator, x: Tensor, shape: Numbers = None) -> Tensor:
    """The shape, or what it becomes where ``x`` has not the shape that the file was made for.

    ``made_for`` and ``made`` are the shapes before and after, as the file has them.
    """
    target = listed(node, "shape", shape) or []
    before, after = node.ints("made_for"), node.ints("made")
    if before and after and tuple(x.shape) != before:
        target = _rescaled(target, before, after, list(x.shape))
    if not node.integer("allowzero", 0):
        target = [x.shape[i] if isinstance(d, int) and d == 0 else d for i, d in enumerate(target)]
    return x.reshape(target)


def _rescaled(target: list[int], before: Shape, after: Shape, found: list[int]) -> list[int]:
    """A literal target for another batch: the axis that the changed axis fell on changes alike."""
    changed = [axis for axis in range(len(before)) if found[axis] != before[axis]]
    if len(found) != len(before) or len(changed) != 1:
        return target
    axis = changed[0]
    places = _fell_on(axis, before, after)
    if not places or any(target[place] == -1 for place in places):
        return target
    fixed = [after[i] if size == -1 else size for i, size in enumerate(target)]
    place = places[0]
    times, rest = divmod(found[axis], before[axis])
    own = _of_one(axis, before, after) if rest == 0 else None
    if own is not None:
        fixed[own] = times
    elif target[place] != 0 and after[place] * found[axis] % before[axis] == 0:
        fixed[place] = after[place] * found[axis] // before[axis]
    return fixed


def _fell_on(axis: int, before: Shape, after: Shape) -> list[int]:
    """The axes after a reshape that begin where ``axis`` began: of its size, or else the one.

    A batch of one that lies before the last axis belongs to what is in front of that.
    """
    start = prod(before[:axis])
    places = [place for place in range(len(after)) if prod(after[:place]) == start]
    same = [place for place in places if after[place] == before[axis]]
    if same or not places:
        return same
    if before[axis] != 1:
        return places[-1:]
    return [places[0] - 1] if places[0] == len(after) - 1 > 0 else places[:1]


def _of_one(axis: int, before: Shape, after: Shape) -> int | None:
    """An axis of one place at either end of what ``axis`` became: a batch of its own."""
    ends = (prod(before[:axis]), prod(before[: axis + 1]))
    places = (p for p, size in enumerate(after) if size == 1 and prod(after[:p]) in ends)
    return next(places, None)
