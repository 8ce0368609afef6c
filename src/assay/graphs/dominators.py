"""Which layers all ways to a layer pass: the dominator tree of an acyclic graph.

[Cooper, Harvey and Kennedy, A simple, fast dominance algorithm, 2001; Myers, An applicative
random-access stack, 1983.]  A layer's dominators depend on what leads to it and on nothing behind
it, so that they are the same where a network stands alone and where it is a part of another.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay.graphs.running_order import Neighbors

ROOT = -1  # above the layers that begin


class Tree:
    """The tree that grows as layers are added, each after those that it reads."""

    def __init__(self, size: int) -> None:
        self.parents = [ROOT] * size  # (n) the immediate dominator; ROOT also where none is added
        self._depth = [0] * (size + 1)  # the root's is last, at ROOT
        self._jump = [ROOT] * (size + 1)  # some ancestor: few jumps lead to any

    def add(self, layer: int, sources: Sequence[int]) -> None:
        """Put ``layer`` below what all ways to its sources have in common; none: below the root."""
        parent = sources[0] if sources else ROOT
        for source in sources[1:]:
            parent = self._common(parent, source)
        depth, jump = self._depth, self._jump
        far = jump[parent]
        even = depth[parent] - depth[far] == depth[far] - depth[jump[far]]
        self.parents[layer], depth[layer] = parent, depth[parent] + 1
        jump[layer] = jump[far] if even else parent

    def _common(self, a: int, b: int) -> int:
        """The lowest layer above both, or ROOT, in time logarithmic in their depth."""
        depth, jump = self._depth, self._jump
        if depth[a] < depth[b]:
            a, b = b, a
        while depth[a] > depth[b]:
            a = jump[a] if depth[jump[a]] >= depth[b] else self._parent(a)
        while a != b:
            apart = jump[a] != jump[b]
            a, b = (jump[a], jump[b]) if apart else (self._parent(a), self._parent(b))
        return a

    def _parent(self, layer: int) -> int:
        return self.parents[layer] if layer != ROOT else ROOT


def dominators(order: Sequence[int], reads: Neighbors, inside: Sequence[bool]) -> list[int]:
    """The immediate dominator (n) of each layer ``inside``, of which ``order`` lists all.

    What lies outside is not read; ROOT stands above what reads nothing else.  Time: e log n.
    """
    tree = Tree(len(inside))
    for layer in order:
        if inside[layer]:
            tree.add(layer, [source for source in reads[layer] if inside[source]])
    return tree.parents
