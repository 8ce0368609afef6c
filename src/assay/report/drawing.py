"""Two layer graphs side by side as SVG: layers that became one another in one color.

Nothing in it runs or is loaded, and colors are classes, so that a page decides about light and
dark.  What a color says, a number in the box says too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from assay.report.compared import Compared, LayerPair
from assay.report.layer_words import layer_words, shape_text, shortened
from assay.report.layered import Item, Ranks, ranks
from assay.report.rows import cuts, grid
from assay.report.words import escaped, score_text
from assay.values import WeightedGraph

WIDTH = 1200  # of both sides, in pixels of the page at its usual size
MOST_LAYERS = 200  # that are drawn in one piece
_SIDE, _MARGIN = 582, 10  # width of a side; left of it long edges run
_BOX, _PITCH = 36, 58  # heights of a box and of a row
_WIDEST, _GAP, _LANE = 250, 8, 10
_LETTER, _STRIP = 7.2, 330  # pixels: a letter, on average; a strip of small cells
_STEPS = ((0.99, "k4"), (0.9, "k3"), (0.6, "k2"), (0.3, "k1"))

Box = tuple[float, float]  # center and width


@dataclass(frozen=True)
class Block:
    """Some rows of both graphs."""

    start: int
    end: int
    layers: tuple[tuple[int, ...], tuple[int, ...]]  # of source and suspect


class Drawing:
    """Both graphs of a comparison in one grid."""

    def __init__(self, compared: Compared) -> None:
        self.compared = compared
        self.sides = tuple(
            _Side(graph, ranks(graph.graph), left)
            for graph, left in zip(compared.graphs, (_MARGIN, WIDTH - _SIDE), strict=True)
        )
        pairs = [(pair.source, pair.suspect) for pair in compared.pairs]
        self.rows = grid(self.sides[0].ranks, self.sides[1].ranks, pairs)
        for place, side in enumerate(self.sides):
            side.row = {r[place]: i for i, r in enumerate(self.rows) if r[place] is not None}
        self.pair_of: tuple[dict[int, LayerPair], dict[int, LayerPair]] = (
            {pair.source: pair for pair in compared.pairs},
            {pair.suspect: pair for pair in compared.pairs},
        )

    @property
    def is_large(self) -> bool:
        """Whether it is drawn block by block."""
        return max(len(side.graph.graph.layers) for side in self.sides) > MOST_LAYERS

    def blocks(self) -> list[Block]:
        """All rows, cut where few edges cross."""
        crossing = [0] * (len(self.rows) + 1)
        for side in self.sides:
            for upper, lower in side.segments():
                for row in range(side.row_of(upper) + 1, side.row_of(lower) + 1):
                    crossing[row] += 1
        return [self._block(start, end) for start, end in cuts(self.rows, crossing)]

    def whole(self) -> Block:
        """All rows."""
        return self._block(0, len(self.rows))

    def svg(self, block: Block) -> str:
        """The picture of some rows."""
        height = (block.end - block.start) * _PITCH
        parts = [
            part
            for place, side in enumerate(self.sides)
            for part in (*side.edges(block), *self._boxes(place, block))
        ]
        return (
            f'<svg viewBox="0 0 {WIDTH} {height}" role="img">'
            f"<title>Layers of the source, left, and of the suspect, right</title>"
            f"{''.join(parts)}</svg>"
        )

    def strip(self, block: Block) -> str:
        """A small cell for each layer, the source's above the suspect's."""
        size = min(_STRIP / max(1, *map(len, block.layers)), 9)
        cells = "".join(
            f'<rect class="box {self.kind(place, layer)}" x="{at * size + 0.5:.1f}"'
            f' y="{place * 12 + 1}" width="{max(size - 1.5, 1):.1f}" height="10"/>'
            for place, layers in enumerate(block.layers)
            for at, layer in enumerate(layers)
        )
        return f'<svg class="strip" viewBox="0 0 {_STRIP} 25" width="{_STRIP}">{cells}</svg>'

    def summary(self, block: Block) -> str:
        """What a block holds, on one line."""
        sizes = [len(layers) for layers in block.layers]
        pairs = [self.pair_of[0].get(layer) for layer in block.layers[0]]
        told = [pair.match.correlation for pair in pairs if pair and pair.match]
        counts = f"{sizes[0]} layers"
        if sizes[0] != sizes[1]:
            counts += f" of the source, {sizes[1]} of the suspect"
        if not told:
            return f"{counts}: no weights matched"
        numbers = [pair.number for pair in pairs if pair]
        said = f"#{min(numbers)} – #{max(numbers)}: {counts}; {len(told)} matched"
        return f"{said}, correlation {score_text(min(told))} or more"

    def kind(self, place: int, layer: int) -> str:
        """The class of a layer's box."""
        pair, graph = self.pair_of[place].get(layer), self.sides[place].graph
        if pair is not None and pair.match is not None:
            return step(pair.match.correlation)
        if layer in self.compared.alone[place]:
            return "lone"
        return "left" if graph.weights[layer] or graph.graph.layers[layer].parameters else "bare"

    def _block(self, start: int, end: int) -> Block:
        layers = tuple(
            tuple(
                layer
                for row in self.rows[start:end]
                if row[place] is not None
                for layer in side.ranks.rows[row[place]]  # type: ignore[index]
                if layer >= 0
            )
            for place, side in enumerate(self.sides)
        )
        return Block(start, end, (layers[0], layers[1]))

    def _boxes(self, place: int, block: Block) -> Iterator[str]:
        side = self.sides[place]
        for layer in block.layers[place]:
            center, width = side.boxes[layer]
            top = (side.row_of(layer) - block.start) * _PITCH + (_PITCH - _BOX) / 2
            pair = self.pair_of[place].get(layer)
            first, second = self._labels(place, layer, pair, width)
            yield (
                f'<g class="box {self.kind(place, layer)}"><title>'
                f"{escaped(layer_words(side.graph, layer, pair))}</title>"
                f'<rect x="{center - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}"'
                f' height="{_BOX}" rx="4"/>'
                f'<text x="{center:.1f}" y="{top + 15:.1f}">{escaped(first)}</text>'
                f'<text x="{center:.1f}" y="{top + 29:.1f}" class="small">{escaped(second)}</text>'
                "</g>"
            )

    def _labels(
        self, place: int, layer: int, pair: LayerPair | None, width: float
    ) -> tuple[str, str]:
        """What is written into a box, as much of it as there is room for."""
        side = self.sides[place].graph
        room = int((width - 6) / _LETTER)
        op = side.graph.layers[layer].op
        number = str(pair.number) if pair is not None else ""
        first = f"{number} {shortened(op, max(room - len(number) - 1, 0))}".strip()
        told = score_text(pair.match.correlation) if pair and pair.match else ""
        space = room - len(told) - 3
        shape = side.graph.layers[layer].shape
        about = self.compared.weight(place, layer) if side.whole else ""
        about = about or (shape_text(shape) if shape else "")
        name = shortened(about, space) if space >= 8 else ""
        return (first if len(first) <= room else number), " · ".join(filter(None, (told, name)))


class _Side:
    """One of the graphs, in its half of the picture."""

    def __init__(self, graph: WeightedGraph, placed: Ranks, left: float) -> None:
        self.graph, self.ranks, self.left = graph, placed, left
        self.row: Mapping[int | None, int] = {}  # rank → row of the grid
        self._rank = {item: place for place, row in enumerate(placed.rows) for item in row}

    def row_of(self, item: Item) -> int:
        """The row of the grid that a layer or a lane is in."""
        return self.row[self._rank[item]]

    @cached_property
    def boxes(self) -> Mapping[Item, Box]:
        """Center and width of each layer and lane."""
        found: dict[Item, Box] = {}
        for row in self.ranks.rows:
            count = sum(item >= 0 for item in row)
            lanes = len(row) - count
            lane = min(_LANE, 0.3 * _SIDE / lanes) if lanes else 0.0
            room = (_SIDE - 16) / max(count, 1) - lanes * lane / max(count, 1)
            width = max(min(_WIDEST, room - _GAP), 4)
            sizes = [lane if item < 0 else width + _GAP for item in row]
            at = self.left + (_SIDE - sum(sizes)) / 2
            for item, size in zip(row, sizes, strict=True):
                found[item] = at + size / 2, (width if item >= 0 else 0)
                at += size
        return found

    def segments(self) -> Iterator[tuple[Item, Item]]:
        """Parts of edges from one rank to the next."""
        for chain in self.ranks.chains:
            yield from pairwise(chain)

    def edges(self, block: Block) -> Iterator[str]:
        """The lines of those that are in a block or lead out of it."""
        lines = [self._line(u, v, block) for u, v in self.segments()]
        lanes = sorted({item for chain in self.ranks.chains for item in chain[1:-1]})
        for lane in lanes:
            row, x = self.row_of(lane), self.boxes[lane][0]
            if block.start <= row < block.end:
                top = self._top(row, block)
                lines.append(f"M{x:.1f} {top:.1f}V{top + _BOX:.1f}")
        lines += [self._around(u, v, place, block) for place, (u, v) in enumerate(self.ranks.aside)]
        path = "".join(lines)
        if path:
            yield f'<path class="edge" d="{path}"/>'

    def _top(self, row: int, block: Block) -> float:
        return (row - block.start) * _PITCH + (_PITCH - _BOX) / 2

    def _line(self, upper: Item, lower: Item, block: Block) -> str:
        first, last = self.row_of(upper), self.row_of(lower)
        begins, ends = block.start <= first < block.end, block.start <= last < block.end
        (x, _), (u, _) = self.boxes[upper], self.boxes[lower]
        bottom, top = self._top(first, block) + _BOX, self._top(last, block)
        if begins and ends:
            bend = min(top - bottom, _PITCH) / 2
            return (
                f"M{x:.1f} {bottom:.1f}V{top - 2 * bend:.1f}"
                f"C{x:.1f} {top - bend:.1f} {u:.1f} {top - bend:.1f} {u:.1f} {top:.1f}"
            )
        if begins:
            return f"M{x:.1f} {bottom:.1f}V{(block.end - block.start) * _PITCH}"
        return f"M{u:.1f} 0V{top:.1f}" if ends else ""

    def _around(self, upper: Item, lower: Item, place: int, block: Block) -> str:
        """A long edge: between two rows to the left border, along it, between two rows back."""
        first, last = self.row_of(upper), self.row_of(lower)
        if first >= block.end or last < block.start:
            return ""
        height, gap = (block.end - block.start) * _PITCH, (_PITCH - _BOX) / 2
        outer = self.left + place % 5 * 2 - 8
        (x, _), (u, _) = self.boxes[upper], self.boxes[lower]
        start, end = self._top(first, block) + _BOX, self._top(last, block)
        line = f"M{outer:.1f} 0"
        if first >= block.start:
            line = f"M{x:.1f} {start:.1f}V{start + gap:.1f}H{outer:.1f}"
        if last >= block.end:
            return f"{line}V{height}"
        return f"{line}V{end - gap:.1f}H{u:.1f}V{end:.1f}"


def step(correlation: float) -> str:
    """The class of a correlation's color."""
    return next((name for least, name in _STEPS if correlation >= least), "k0")
