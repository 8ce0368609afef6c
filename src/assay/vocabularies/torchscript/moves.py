"""ATen's operators that move, cut, join and repeat elements, in ONNX's words [ATen]."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from assay.graphs.operators import BOOL, Tensor
from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.layers import tuple_of
from assay.vocabularies.torchscript.values import Traced, Value

Rule = Callable[..., Value]
_END = 2**63 - 1


def same(g: TorchGraph, x: Value, *rest: Value) -> Traced:
    """What hands its operand on: a copy, or the same elsewhere."""
    return Traced(x.name, x.number) if isinstance(x, Traced) else g.constant(x)


def view(g: TorchGraph, x: Traced, size: list[Value]) -> Traced:
    """The same elements in another shape."""
    return g.add("Reshape", [x, g.integers(size)])


def _view_as(g: TorchGraph, x: Traced, other: Traced) -> Traced:
    return view(g, x, list(g.sizes(other)))


def _flatten(g: TorchGraph, x: Traced, start_dim: int = 0, end_dim: int = -1) -> Traced:
    rank = g.rank(x)
    if rank == 0:
        return view(g, x, [1])
    start, end = start_dim % rank, end_dim % rank
    shape = g.shape(x) or ()
    if start == 1 and end == rank - 1 and -1 in shape:
        return g.add("Flatten", [x], {"axis": 1})
    sizes = [g.size(x, axis) for axis in range(rank)]
    return view(g, x, [*sizes[:start], -1, *sizes[end + 1 :]])


def _unflatten(g: TorchGraph, x: Traced, dim: int, sizes: list[Value], *rest: Value) -> Traced:
    dim %= g.rank(x)
    whole = [g.size(x, axis) for axis in range(g.rank(x))]
    return view(g, x, [*whole[:dim], *sizes, *whole[dim + 1 :]])


def _permute(g: TorchGraph, x: Traced, dims: list[int]) -> Traced:
    rank = len(dims)
    return g.add("Transpose", [x], {"perm": tuple(d % rank for d in tuple_of(dims, rank))})


def transpose(g: TorchGraph, x: Traced, dim0: int, dim1: int) -> Traced:
    """Two axes change places."""
    order = list(range(g.rank(x)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return g.add("Transpose", [x], {"perm": tuple(order)})


def _turned(g: TorchGraph, x: Traced) -> Traced:
    return g.add("Transpose", [x], {"perm": tuple(reversed(range(g.rank(x))))})


def _moved(g: TorchGraph, x: Traced, source: Value, destination: Value) -> Traced:
    rank = g.rank(x)
    sources = [s % rank for s in (source if isinstance(source, list) else [source])]
    places = [d % rank for d in (destination if isinstance(destination, list) else [destination])]
    left = iter(axis for axis in range(rank) if axis not in sources)
    to = dict(zip(places, sources, strict=True))
    return _permute(g, x, [to[axis] if axis in to else next(left) for axis in range(rank)])


def _squeeze(g: TorchGraph, x: Traced, dim: Value = None) -> Traced:
    if dim is None:
        return g.add("Squeeze", [x])
    axes = [dim] if type(dim) is int else dim
    shape = g.shape(x)
    if shape is not None:
        axes = [axis for axis in axes if shape[axis] == 1]
    return g.add("Squeeze", [x, g.integers(axes)]) if axes else same(g, x)


def unsqueeze(g: TorchGraph, x: Traced, dim: int) -> Traced:
    """One more axis, of one place."""
    return g.add("Unsqueeze", [x, g.integers([dim])])


def expand(g: TorchGraph, x: Traced, size: list[Value], *rest: Value) -> Traced:
    """Repeated along axes of one place; -1 leaves an axis as it is."""
    result = g.add("Expand", [x, g.integers([1 if n == -1 else n for n in size])])
    if g.shape(result) is None:  # some of it is only known when it is run
        shape = tuple(n if type(n) is int else -1 for n in size)
        g.build.written[result.name] = Tensor(g.dtype(x), shape)
    return result


def _expand_as(g: TorchGraph, x: Traced, other: Traced) -> Traced:
    return expand(g, x, list(g.sizes(other)))


def _repeat(g: TorchGraph, x: Traced, repeats: list[Value]) -> Traced:
    for _ in range(len(repeats) - g.rank(x)):
        x = unsqueeze(g, x, 0)
    whole = [1] * (g.rank(x) - len(repeats)) + list(repeats)  # of axes that ``tile`` leaves out
    return g.add("Tile", [x, g.integers(whole)])


def _repeat_interleave(g: TorchGraph, x: Traced, times: Value, dim: int, *rest: Value) -> Traced:
    repeats = g.number(times)
    dim %= g.rank(x)
    sizes = list(g.sizes(x))
    wide = expand(g, unsqueeze(g, x, dim + 1), [*sizes[: dim + 1], repeats, *sizes[dim + 1 :]])
    return view(g, wide, [*sizes[:dim], sizes[dim] * repeats, *sizes[dim + 1 :]])


def _meshgrid(g: TorchGraph, tensors: Sequence[Traced], indexing: str = "ij") -> tuple[Traced, ...]:
    sizes = [g.sizes(tensor)[0] for tensor in tensors]
    grids = []
    for axis, tensor in enumerate(tensors):
        line = [-1 if other == axis else 1 for other in range(len(sizes))]
        grids.append(expand(g, view(g, tensor, line), sizes))
    return tuple(transpose(g, grid, 0, 1) for grid in grids) if indexing == "xy" else tuple(grids)


def concat(g: TorchGraph, tensors: Sequence[Traced], dim: int = 0) -> Traced:
    """Joined along an axis."""
    kept = [t for t in tensors if g.shape(t) != (0,)]  # as torch does
    return g.add("Concat", kept, {"axis": int(dim)})


def _stack(g: TorchGraph, tensors: Sequence[Traced], dim: int = 0) -> Traced:
    parts = [unsqueeze(g, tensor, dim) for tensor in tensors]
    return g.add("Concat", parts, {"axis": int(dim)})


def _split(g: TorchGraph, x: Traced, sizes: Value, dim: int = 0) -> Value:
    whole = g.sizes(x)[dim]
    if type(sizes) is int:
        if not sizes > 0 or whole > 4096 * sizes:
            raise ValueError("too many parts")
        sizes = [min(sizes, whole - at) for at in range(0, whole, sizes)]
    parts = g.several("Split", [x, g.integers(sizes)], len(sizes), {"axis": int(dim)})
    return list(parts)


def chunk(g: TorchGraph, x: Traced, chunks: int, dim: int = 0) -> Value:
    """As many parts, the last one smaller."""
    return _split(g, x, -(-g.sizes(x)[dim] // chunks), dim)


def _tensor_split(g: TorchGraph, x: Traced, sections: int, dim: int = 0) -> Value:
    whole = g.sizes(x)[dim]
    if not 0 < sections <= 4096:
        raise ValueError("too many parts")
    return _split(g, x, [whole // sections + (i < whole % sections) for i in range(sections)], dim)


def _unbind(g: TorchGraph, x: Traced, dim: int = 0) -> Value:
    return [g.add("Squeeze", [part, np.array([dim])]) for part in _split(g, x, 1, dim)]


def _select(g: TorchGraph, x: Traced, dim: int, index: Value) -> Traced:
    place = index if isinstance(index, Traced) else np.asarray(index, np.int64)
    result = g.add("Gather", [x, place], {"axis": int(dim)})
    if type(index) is int:
        result.part = (x, dim, index, index + 1, 1)
    return result


def cut(
    g: TorchGraph,
    x: Traced,
    dim: int = 0,
    start: Value = None,
    end: Value = None,
    step: Value = 1,
) -> Traced:
    """From ``start`` to before ``end``; what is written into it is written into the whole."""
    start, end = (0 if start is None else start), (_END if end is None else end)
    bounds = [g.integers([value]) for value in (start, end, dim, step)]
    result = g.add("Slice", [x, *bounds])
    if all(type(value) is int for value in (start, end, step)):
        result.part = (x, dim, start, end, step)
    return result


def _narrow(g: TorchGraph, x: Traced, dim: int, start: Value, length: Value) -> Traced:
    if type(start) is int and type(length) is int:
        return cut(g, x, dim, start, start + length)
    return cut(g, x, dim, start, g.add("Add", [g.like(start, 0), g.like(length, 0)]))


def _index(g: TorchGraph, x: Traced, indices: list[Value]) -> Traced:
    """``x[a, :, b]``: of one list of places, Gather; of several side by side, GatherND."""
    given = [(axis, i) for axis, i in enumerate(indices) if i is not None]
    if len(given) == 1 and g.dtype(given[0][1]) != BOOL:
        return g.add("Gather", [x, given[0][1]], {"axis": given[0][0]})
    axes = [axis for axis, _ in given]
    if axes != list(range(axes[0], axes[0] + len(axes))) or any(
        g.dtype(i) == BOOL for _, i in given
    ):
        raise ValueError("places of another kind")
    rank = g.rank(x)
    order = (*axes, *(axis for axis in range(rank) if axis not in axes))
    first = x if not axes[0] else _permute(g, x, list(order))
    shape = np.broadcast_shapes(*(g.sizes(i) for _, i in given))
    places = _stack(g, [expand(g, i, list(shape)) for _, i in given], -1)
    found = g.add("GatherND", [first, places])
    if not axes[0]:
        return found
    count, left = len(shape), axes[0]
    back = (*range(count, count + left), *range(count), *range(count + left, g.rank(found)))
    return _permute(g, found, list(back))


def _index_put(g: TorchGraph, x: Traced, indices: Value, values: Traced, *rest: Value) -> Traced:
    given = [i for i in indices if i is not None]
    return g.add("ScatterND", [x, *given[:1], values])


def _gather(g: TorchGraph, x: Traced, dim: int, index: Traced, *rest: Value) -> Traced:
    return g.add("GatherElements", [x, index], {"axis": int(dim)})


def _index_select(g: TorchGraph, x: Traced, dim: int, index: Traced) -> Traced:
    return g.add("Gather", [x, index], {"axis": int(dim)})


def _roll(g: TorchGraph, x: Traced, shifts: Value, dims: Value = ()) -> Traced:
    shifts = shifts if isinstance(shifts, list | tuple) else [shifts]
    dims = dims if isinstance(dims, list | tuple) else [dims]
    for shift, dim in zip(shifts, dims, strict=True):
        size = g.sizes(x)[dim]
        if size and shift % size:
            first = cut(g, x, dim, size - shift % size)
            x = concat(g, [first, cut(g, x, dim, 0, size - shift % size)], dim)
    return same(g, x)


def _flip(g: TorchGraph, x: Traced, dims: list[int]) -> Traced:
    for dim in dims:
        bounds = [np.array([n], np.int64) for n in (-1, -_END, dim, -1)]
        x = g.add("Slice", [x, *bounds])
    return same(g, x)


_SAME = (
    "contiguous", "clone", "detach", "alias", "cpu", "cuda", "lift_fresh", "requires_grad",
    "dropout", "feature_dropout", "alpha_dropout", "native_dropout", "float", "resolve_conj",
    "resolve_neg", "view_copy", "positive", "identity", "feature_alpha_dropout", "wait",
)  # fmt: skip
MOVES: dict[str, Rule] = {
    **dict.fromkeys(_SAME, same),
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "_reshape_alias"), view),
    **dict.fromkeys(("view_as", "reshape_as"), _view_as),
    **dict.fromkeys(("transpose", "swapaxes"), transpose),
    **dict.fromkeys(("t", "numpy_T"), _turned),
    **dict.fromkeys(("repeat", "tile"), _repeat),
    **dict.fromkeys(("cat", "concat"), concat),
    **dict.fromkeys(("split", "split_with_sizes", "unsafe_split"), _split),
    **dict.fromkeys(("chunk", "unsafe_chunk"), chunk),
    **dict.fromkeys(("index_put", "index_put_"), _index_put),
    "flatten": _flatten,
    "unflatten": _unflatten,
    "permute": _permute,
    "movedim": _moved,
    "squeeze": _squeeze,
    "unsqueeze": unsqueeze,
    "expand": expand,
    "expand_as": _expand_as,
    "repeat_interleave": _repeat_interleave,
    "meshgrid": _meshgrid,
    "stack": _stack,
    "tensor_split": _tensor_split,
    "unbind": _unbind,
    "select": _select,
    "slice": cut,
    "narrow": _narrow,
    "index": _index,
    "gather": _gather,
    "index_select": _index_select,
    "roll": _roll,
    "flip": _flip,
}
