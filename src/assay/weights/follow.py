"""Follows constants of a graph to the operators that read them.

What only hands a weight on becomes a step: moves, casts, dequantization, parts that are cut and
joined in another order.  What the reader says of its axes comes last (``readers``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import gcd

from assay.graphs.operators import UINT8, Operator, Shape, Tensor
from assay.weights.numbers import elements
from assay.weights.readers import INTEGER, QUANTIZED, RECURRENT, RULES
from assay.weights.steps import Dequantize, Reorder, Reshape, Step, Transpose, Unpack

End = tuple[tuple[Step, ...], bool]  # the way to a reader, and whether that knows the layout

_DEEPEST = 16  # operators between a weight and its reader
_MOST_READERS = 1000  # of one weight that are followed
_MOST_PARTS = 64  # that a weight is cut into
_SAME = frozenset({"Identity", "Cast", "CastLike", "Dropout", "QuantizeLinear"})
_DEQUANTIZE = frozenset({"DequantizeLinear", "com.microsoft::DequantizeLinear"})
_MOVES = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})


class Follower:
    """Follows constants through one graph, given as the list of all its operators."""

    def __init__(
        self,
        operators: Sequence[Operator],
        constants: Mapping[str, Tensor],
        stored: frozenset[str],
    ) -> None:
        self.constants, self.stored = constants, stored
        self.readers: dict[str, list[tuple[Operator, int]]] = {}
        for node in operators:
            for place, name in enumerate(node.inputs):
                if name:
                    self.readers.setdefault(name, []).append((node, place))
        self.writers = {name: node for node in operators for name in node.outputs if name}

    def ends(self, name: str, shape: Shape) -> list[End]:
        """Where a constant ends up."""
        found: list[End] = []
        waiting: list[tuple[str, Shape, tuple[Step, ...], bool]] = [(name, shape, (), False)]
        seen = 0
        while waiting and seen < _MOST_READERS:
            name, shape, steps, is_quantized = waiting.pop()
            if len(steps) < _DEEPEST:
                for joined, order in self._regrouped(name, shape).items():
                    waiting.append((joined, shape, (*steps, order), is_quantized))
            for node, place in self.readers.get(name, ())[:_MOST_READERS]:
                seen += 1
                passed = self._pass(node, place, shape, is_quantized)
                if passed is None or len(steps) >= _DEEPEST:
                    more = self._end(node, place, shape)
                    found.append((steps + (more or ()), more is not None))
                    continue
                after = shape
                for step in passed:
                    after = step.shape(after)
                still = node.op == "QuantizeLinear" or (is_quantized and node.op not in _DEQUANTIZE)
                waiting.append((node.outputs[0], after, steps + passed, still))
        return found

    def _pass(
        self, node: Operator, place: int, shape: Shape, is_quantized: bool
    ) -> tuple[Step, ...] | None:
        """What an operator that only hands the weight on does with it; None for all others."""
        if place != 0:
            return None
        if node.op in _SAME:
            return ()
        if node.op in _DEQUANTIZE:
            if is_quantized:  # of floats that the graph itself has quantized
                return ()
            real = self._dequantize(node, 1, 2, node.integer("axis", 1), shape)
            return None if real is None else (real,)
        if node.op in _MOVES:
            step = self._move(node, shape)
            return None if step is None else (step,)
        return None

    def _regrouped(self, name: str, shape: Shape) -> dict[str, Reorder]:
        """Where the tensor is cut along an axis, and the parts are joined in another order.

        So exporters turn the gates of another framework's recurrent layer into ONNX's order.
        """
        parts: dict[str, tuple[int, int, int]] = {}  # output → axis, start, end
        for node, place in self.readers.get(name, ())[:_MOST_READERS]:
            part = self._slice(node, shape) if node.op == "Slice" and place == 0 else None
            if part is not None:
                parts[node.outputs[0]] = part
        joins = {
            node.outputs[0]: node
            for part in parts
            for node, _ in self.readers.get(part, ())
            if node.op == "Concat" and all(name in parts for name in node.inputs)
        }
        found = {}
        for output, join in joins.items():
            cuts = [parts[part] for part in join.inputs]
            order = _order(cuts, join.integer("axis", 0), shape)
            if order is not None:
                found[output] = order
        return found

    def _slice(self, node: Operator, shape: Shape) -> tuple[int, int, int] | None:
        """Axis, start and end of a Slice that cuts one axis in steps of one."""
        if len(node.inputs) > 1:
            starts, ends = self._numbers(node, 1), self._numbers(node, 2)
            axes, strides = self._numbers(node, 3), self._numbers(node, 4)
        else:
            starts, ends = node.ints("starts"), node.ints("ends")
            axes, strides = node.ints("axes", (0,)), None
        axes = (0,) if axes is None else axes
        if starts is None or ends is None or {len(starts), len(ends), len(axes)} != {1}:
            return None
        if strides not in (None, (1,)) or not -len(shape) <= axes[0] < len(shape):
            return None
        axis = axes[0] % len(shape)
        start, end, _ = slice(starts[0], ends[0]).indices(shape[axis])
        return axis, start, end

    def _dequantize(
        self, node: Operator, scale: int, zero_point: int, axis: int, shape: Shape
    ) -> Dequantize | None:
        """None where scale or zero point are not stored."""
        scale_name, zero_name = _input(node, scale), _input(node, zero_point)
        if scale_name not in self.stored or (zero_name and zero_name not in self.stored):
            return None
        axis = axis + len(shape) if axis < 0 else axis
        block = node.integer("block_size", 0)
        return Dequantize(scale_name, zero_name, max(axis, 0), max(block, 0))

    def _move(self, node: Operator, shape: Shape) -> Step | None:
        """The step of an operator that rearranges; None where its target is not a constant."""
        if node.op == "Transpose":
            axes = node.ints("perm", tuple(reversed(range(len(shape)))))
            return Transpose(axes) if sorted(axes) == list(range(len(shape))) else None
        if node.op == "Flatten":
            axis = node.integer("axis", 1)
            axis = axis + len(shape) if axis < 0 else axis
            return Reshape((elements(shape[:axis]), elements(shape[axis:])))
        target = self._numbers(node, 1)
        if node.op == "Reshape":
            whole = None if target is None else _resolved(target, shape, node)
            return None if whole is None else Reshape(whole)
        axes = node.ints("axes") if target is None else target
        if node.op == "Squeeze":
            return _squeezed(shape, axes, node)
        return _unsqueezed(shape, axes)

    def _numbers(self, node: Operator, place: int) -> Shape | None:
        """The values of a small constant input."""
        tensor = self.constants.get(_input(node, place))
        if tensor is None or tensor.value is None or tensor.value.dtype.kind not in "iu":
            return None
        return tuple(int(v) for v in tensor.value.reshape(-1))

    def _end(self, node: Operator, place: int, shape: Shape) -> tuple[Step, ...] | None:
        """What makes the weight canonical for the operator that reads it; None if it cannot say."""
        before: tuple[Step, ...] = ()
        if (node.op, place) in QUANTIZED:
            scale, zero_point, axis = QUANTIZED[node.op, place]
            if node.integer("transB", 0):  # scales are of columns as they are multiplied
                axis = -2
            real = self._dequantize(node, scale, zero_point, axis, shape)
            if real is None:
                return None
            before = (real,)
        elif (node.op, place) in INTEGER:
            zero_point, axis = INTEGER[node.op, place]
            step = self._scaled_later(node, zero_point, axis, shape)
            before = () if step is None else (step,)
        if node.op == "com.microsoft::MatMulNBits" and place == 1:
            return self._packed(node, shape)
        if node.op == "Concat":  # one gate of a recurrent layer: rows of all its gates' rows
            if self._joins_gates(node):
                return before
            after = self._direction(node, shape)
            return None if after is None else before + after
        if node.op == "Gather":
            dynamic = _input(node, 1) not in self.constants and node.integer("axis", 0) == 0
            return before if dynamic and place == 0 else None
        rule = RULES.get((node.op, place))
        after = None if rule is None else rule(node, place, shape)
        return None if after is None else before + after

    def _packed(self, node: Operator, shape: Shape) -> tuple[Step, ...] | None:
        """Rows of outputs, each in blocks of a few bits with a scale of their own."""
        bits, block = node.integer("bits", 4), node.integer("block_size", 0)
        rows, columns = node.integer("N", 0), node.integer("K", 0)
        zero, scale = _input(node, 3), _input(node, 2)
        known = scale in self.stored and (not zero or zero in self.stored) and not _input(node, 4)
        if not known or bits not in (2, 4, 8) or block < 1 or min(rows, columns) < 1:
            return None
        if elements(shape) != rows * -(-columns // block) * (block * bits // 8):
            return None
        is_packed = zero in self.constants and self.constants[zero].dtype == UINT8
        real = Dequantize(scale, zero, 1, block, 2 ** (bits - 1), bits if is_packed else 0)
        return Unpack(bits, (rows, columns)), real

    def _joins_gates(self, node: Operator) -> bool:
        """Whether parts are joined along their rows, for a recurrent layer of one direction."""
        after = self.readers.get(node.outputs[0], ())
        return node.integer("axis", 1) == 0 and any(
            reader.op in RECURRENT and place in (1, 2)
            for unsqueeze, _ in after
            if unsqueeze.op == "Unsqueeze"
            for reader, place in self.readers.get(unsqueeze.outputs[0], ())
        )

    def _direction(self, node: Operator, shape: Shape) -> tuple[Step, ...] | None:
        """What the reader says, where the directions of a recurrent layer are joined for it."""
        is_one = node.integer("axis", 1) == 0 and shape[:1] == (1,)
        for reader, place in self.readers.get(node.outputs[0], ()) if is_one else ():
            if reader.op in RECURRENT and place in (1, 2):
                return RULES[reader.op, place](reader, place, shape)
        return None

    def _scaled_later(
        self, node: Operator, zero_point: int, axis: int, shape: Shape
    ) -> Dequantize | None:
        """The weight's scale, where it is multiplied to the result [ONNX Runtime, dynamic].

        A bias, where there is one, and Cast; then Mul by the product of the input's scale and the
        weight's.
        """
        name = node.outputs[0]
        for _ in range(3):
            reader, place = next(iter(self.readers.get(name, ())), (None, 0))
            if reader is None or reader.op not in ("Add", "Cast", "Mul"):
                return None
            if reader.op == "Mul":
                product = self.writers.get(reader.inputs[1 - place])
                if product is None or product.op != "Mul":
                    return None
                scales = [name for name in product.inputs if name in self.stored]
                zero = _input(node, zero_point)
                if len(scales) != 1 or (zero and zero not in self.stored):
                    return None
                return Dequantize(scales[0], zero, axis + len(shape) if axis < 0 else axis, 0)
            name = reader.outputs[0]
        return None


def _input(node: Operator, place: int) -> str:
    return node.inputs[place] if place < len(node.inputs) else ""


def _resolved(target: Shape, shape: Shape, node: Operator) -> Shape | None:
    """A Reshape's target with 0 (as before) and -1 (what is left) filled in."""
    keep = not node.integer("allowzero", 0)
    dims = [shape[i] if d == 0 and keep and i < len(shape) else d for i, d in enumerate(target)]
    rest = elements([d for d in dims if d != -1])
    if -1 in dims:
        if rest < 1 or elements(shape) % rest or dims.count(-1) > 1:
            return None
        dims[dims.index(-1)] = elements(shape) // rest
    fits = min(dims, default=1) >= 0 and elements(dims) == elements(shape)
    return tuple(dims) if fits else None


def _squeezed(shape: Shape, axes: Shape, node: Operator) -> Step | None:
    if not axes and len(node.inputs) > 1 and node.inputs[1]:
        return None
    gone = {axis % len(shape) for axis in axes} if axes and shape else set()
    if not axes:
        gone = {axis for axis, dim in enumerate(shape) if dim == 1}
    if any(shape[axis] != 1 for axis in gone):
        return None
    return Reshape(tuple(dim for axis, dim in enumerate(shape) if axis not in gone))


def _unsqueezed(shape: Shape, axes: Shape) -> Step | None:
    rank = len(shape) + len(axes)
    new = {axis + rank if axis < 0 else axis for axis in axes}
    if not axes or len(new) != len(axes) or not all(0 <= axis < rank for axis in new):
        return None
    dims: Iterator[int] = iter(shape)
    return Reshape(tuple(1 if axis in new else next(dims) for axis in range(rank)))


def _order(cuts: Sequence[tuple[int, int, int]], axis: int, shape: Shape) -> Reorder | None:
    """The parts as blocks of one size; None where they are not the whole tensor, each once."""
    axis = axis + len(shape) if axis < 0 else axis
    if any(cut[0] != axis or cut[1] >= cut[2] for cut in cuts):
        return None
    unit = gcd(*(edge for cut in cuts for edge in cut[1:]))
    blocks = tuple(b for _, start, end in cuts for b in range(start // unit, end // unit))
    whole = sorted(blocks) == list(range(shape[axis] // unit)) and len(blocks) <= _MOST_PARTS
    return Reorder(axis, blocks) if whole else None
