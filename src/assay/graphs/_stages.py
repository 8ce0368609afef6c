"""Where the stages of a layer graph end, and its rows of equal blocks.

Each tower, which is what one beginning leads to before others do, is looked at by its dominator
tree: what is a block, and which blocks are equal, depends on what leads there alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import prod

from assay.graphs.dominators import ROOT, dominators
from assay.graphs.neighborhoods import exact_label
from assay.graphs.running_order import Neighbors
from assay.values import Layer

SHALLOW = 32  # edges: a block that is no deeper is never cut
LONGEST_PERIOD = 6  # blocks that repeat as one: a transformer's layer is two or more
TOWERS = 4  # that are looked at
ROWS = 2  # of a tower, the longest
SMALLEST_TOWER = 10  # layers


@dataclass(frozen=True, slots=True)
class End:
    """A layer that a stage ends with, or that some equal blocks end with."""

    layer: int
    depth: int  # edges on the longest way to it
    rank: int  # 0: a picture's size changes, or a row of blocks ends; 1: shapes do; 2: nothing
    label: bytes  # of all blocks that lead to it


@dataclass(frozen=True, slots=True)
class Stages:
    """What was found in one tower."""

    ends: tuple[End, ...]
    rows: tuple[tuple[int, ...], ...]  # layers of 2, 4, 8 … equal blocks in a row


@dataclass(frozen=True, slots=True)
class _Run:
    """How many equal blocks end with a layer."""

    period: int  # steps of the trunk that are one block
    steps: int  # of the trunk, from where the blocks begin


def stages(
    layers: Sequence[Layer], order: Sequence[int], reads: Neighbors, readers: Neighbors
) -> list[Stages]:
    """Those of each tower; ``order`` has each layer after those that it reads."""
    return [
        _Tower(layers, [i for i in order if inside[i]], reads, readers, inside).stages()
        for inside in _towers(layers, order, reads, readers)
    ]


def _towers(
    layers: Sequence[Layer], order: Sequence[int], reads: Neighbors, readers: Neighbors
) -> list[list[bool]]:
    """Which layers (n) each tower has, those with the longest way of weighted layers ahead first.

    Ways are counted by layers with parameters, so that masks begin nothing.
    """
    ahead = [0] * len(order)
    for layer in reversed(order):
        most = max((ahead[reader] for reader in readers[layer]), default=0)
        ahead[layer] = most + (layers[layer].parameters > 0)
    starts = defaultdict[int, list[int]](list)
    for layer in order:
        if not reads[layer]:
            starts[ahead[layer]].append(layer)
    found: list[list[bool]] = []
    taken = [False] * len(order)
    for way in sorted(starts, reverse=True):
        waiting, members = starts[way], list[int]()
        while waiting:
            layer = waiting.pop()
            if not taken[layer]:
                taken[layer] = True
                members.append(layer)
                waiting += readers[layer]
        if len(members) >= SMALLEST_TOWER:
            inside = [False] * len(order)
            for layer in members:
                inside[layer] = True
            found.append(inside)
        if len(found) == TOWERS:
            break
    return found


class _Tower:
    """One tower's trunk: its layers but those inside of blocks, as a tree."""

    def __init__(
        self,
        layers: Sequence[Layer],
        order: Sequence[int],
        reads: Neighbors,
        readers: Neighbors,
        inside: Sequence[bool],
    ) -> None:
        self.layers, self.order = layers, order
        self.reads = {i: [source for source in reads[i] if inside[source]] for i in order}
        self.ties = {i: len(reads[i]) - len(self.reads[i]) for i in order}  # to what lies outside
        self.depth: dict[int, int] = {}
        for layer in order:
            above = (self.depth[source] + 1 for source in self.reads[layer])
            self.depth[layer] = max(above, default=0)
        self.above = dominators(order, reads, inside)
        self.hidden = self._hidden()
        self.trunk = [layer for layer in order if layer not in self.hidden]
        self.before = {layer: self._before(layer) for layer in self.trunk}
        self.labels = self._labels()
        self.runs = self._runs()

    def stages(self) -> Stages:
        """Ends of stages, and rows."""
        after = defaultdict[int, list[int]](list)
        for layer in self.trunk:
            after[self.before[layer]].append(layer)
        ends, rows = [], list[tuple[int, bytes, int, _Run]]()
        chained: dict[int, bytes] = {ROOT: b""}
        for layer in self.trunk:
            chained[layer] = _digest(chained[self.before[layer]], self.labels[layer])
            run, shape = self.runs.get(layer), self.layers[layer].shape
            goes_on = run is not None and any(
                (other := self.runs.get(reader)) is not None
                and (other.period, other.steps) == (run.period, run.steps + 1)
                for reader in after[layer]
            )
            blocks = 0 if run is None or run.steps % run.period else run.steps // run.period
            changes = all(self.layers[reader].shape != shape for reader in after[layer])
            row_ends = blocks > 1 and not self._repeats(layer, after[layer])
            size = area(self.layers[layer])
            resized = any(0 < area(self.layers[reader]) != size > 0 for reader in after[layer])
            if changes or row_ends or (blocks > 1 and blocks & (blocks - 1) == 0):
                rank = 0 if row_ends or (changes and resized) else 1 if changes else 2
                ends.append(End(layer, self.depth[layer], rank, chained[layer]))
            if run is not None and not goes_on:
                rows.append((-self._extent(layer, run), chained[layer], layer, run))
        rows.sort(key=lambda row: row[:2])
        longest = (each for _, _, layer, run in rows[:ROWS] for each in self._rows(layer, run))
        return Stages(tuple(ends), tuple(longest))

    def _repeats(self, layer: int, after: Sequence[int]) -> bool:
        """Whether one more block follows that is as the last one."""
        run = self.runs[layer]
        first = layer
        for _ in range(run.period - 1):
            first = self.before[first]
        return any(self.labels[reader] == self.labels[first] for reader in after)

    def _extent(self, layer: int, run: _Run) -> int:
        """About how deep the row is, by its last step: edges."""
        return run.steps * (self.depth[layer] - self.depth.get(self.before[layer], 0))

    def _rows(self, layer: int, run: _Run) -> list[tuple[int, ...]]:
        """The layers of the most blocks of a row that are a power of two, and of half of them."""
        steps = [layer]
        while len(steps) < run.steps:
            steps.append(self.before[steps[-1]])
        steps.reverse()
        entry = self.before[steps[0]]
        count = 1 << ((run.steps // run.period).bit_length() - 1)
        return [
            tuple(self._between(entry, steps[blocks * run.period - 1]))
            for blocks in {count, count // 2}
            if blocks > 1
        ]

    def _between(self, entry: int, end: int) -> set[int]:
        found, waiting = {end}, [end]
        while waiting:
            for source in self.reads[waiting.pop()]:
                if source != entry and source not in found:
                    found.add(source)
                    waiting.append(source)
        return found

    def _hidden(self) -> set[int]:
        """What lies inside of blocks: on a way that another one leads past soon.

        But not where pictures become smaller than at both of its ends: a pyramid leads past a
        backbone's stages, too.
        """
        hidden: set[int] = set()
        for layer in self.order:
            entry = self.above[layer]
            if entry == ROOT or self.depth[layer] - self.depth[entry] > SHALLOW:
                continue
            inner = set()
            for source in self.reads[layer]:
                while source not in (entry, ROOT) and source not in inner:
                    inner.add(source)
                    source = self.above[source]
            if not any(1 < area(self.layers[i]) < area(self.layers[layer]) for i in inner):
                hidden |= inner
        return hidden

    def _before(self, layer: int) -> int:
        """The layer of the trunk before, or ROOT."""
        layer = self.above[layer]
        while layer != ROOT and layer in self.hidden:
            layer = self.above[layer]
        return layer

    def _labels(self) -> dict[int, bytes]:
        """For each layer of the trunk, a hash of the block that ends with it."""
        labels: dict[int, bytes] = {}
        for layer in self.order:
            read = (labels[i] if i in self.hidden else b"" for i in self.reads[layer])
            ties = b"-" * self.ties[layer]
            labels[layer] = _digest(exact_label(self.layers[layer]), ties, *sorted(read))
        return labels

    def _runs(self) -> dict[int, _Run]:
        """The equal blocks that end with each layer of the trunk, in the shortest period."""
        repeated: dict[int, list[int]] = {}  # for each period, how many steps are as those before
        runs = {}
        for layer in self.trunk:
            before = self.before[layer]
            counts, other = [], layer
            for period in range(1, LONGEST_PERIOD + 1):
                other = self.before[other] if other != ROOT else ROOT
                same = other != ROOT and self.labels[other] == self.labels[layer]
                so_far = repeated[before][period - 1] if before != ROOT else 0
                counts.append(so_far + 1 if same else 0)
                if counts[-1] >= period and layer not in runs:
                    runs[layer] = _Run(period, counts[-1] + period)
            repeated[layer] = counts
        return runs


def _digest(*texts: bytes) -> bytes:
    return blake2b(b"|".join(texts), digest_size=8).digest()


def area(layer: Layer) -> int:
    """Pixels of a layer's output; 0 where it is no picture."""
    return prod(layer.shape[2:]) if layer.shape and len(layer.shape) == 4 else 0
