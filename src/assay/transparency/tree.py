"""A Merkle tree that only grows [RFC 6962 §2.1; proofs are checked as in RFC 9162 §2.1.3–2.1.4].

The tree of n leaves is a complete one of the largest power of two below n, beside the tree of the
rest.  So whatever is complete never changes again: a store keeps the hashes of complete subtrees,
``nodes(level, position)`` being that of the leaves from position·2^level on, 2^level of them; an
append adds two of them on average, and a proof reads a logarithm of the size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

Nodes = Callable[[int, int], bytes]
EMPTY = hashlib.sha256(b"").digest()  # the root of no leaves


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256 of a leaf; the first byte tells it from a node, so that neither passes for one."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of a node with two children."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root(nodes: Nodes, size: int) -> bytes:
    """The root of the tree of the first ``size`` leaves."""
    return _subtree(nodes, 0, size) if size else EMPTY


def grown(nodes: Nodes, size: int, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Level, position and hash of each subtree that a leaf's hash completes, smallest first."""
    level, position, made = 0, size, leaf
    yield level, position, made
    while position & 1:
        made = node_hash(nodes(level, position - 1), made)
        level, position = level + 1, position >> 1
        yield level, position, made


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The path that shows that leaf ``index`` is in the tree of ``size`` leaves, lowest first."""
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} of {size}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_subtree(nodes, middle, end))
            end = middle
        else:
            path.append(_subtree(nodes, start, middle))
            start = middle
    return path[::-1]


def consistency(nodes: Nodes, old: int, size: int) -> list[bytes]:
    """The path that shows that the tree of ``size`` leaves begins with the one of ``old``."""
    if not 0 <= old <= size:
        raise IndexError(f"{old} leaves of {size}")
    path: list[bytes] = []
    start, end, whole = 0, size, True  # whole: the old tree is what was cut off on its right only
    while old not in (0, end):
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_subtree(nodes, middle, end))
            end = middle
        else:
            path.append(_subtree(nodes, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(_subtree(nodes, start, end))
    return path[::-1]


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path shows that a leaf's hash is number ``index`` in the tree of that root."""
    if not 0 <= index < size:
        return False
    last, made = size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if index & 1 or index == last:
            made = node_hash(other, made)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            made = node_hash(made, other)
        index, last = index >> 1, last >> 1
    return last == 0 and made == root


def consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path shows that a tree begins with the one of ``old`` leaves and ``old_root``."""
    if not 0 <= old <= size:
        return False
    if old in (0, size):
        return not path and old_root == (EMPTY if old == 0 else root)
    rest = list(path) if old & (old - 1) else [old_root, *path]
    if not rest:
        return False
    index, last = old - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    first = second = rest[0]
    for other in rest[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            second = node_hash(second, other)
        index, last = index >> 1, last >> 1
    return last == 0 and (first, second) == (old_root, root)


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(nodes: Nodes, start: int, end: int) -> bytes:
    size = end - start
    if size & (size - 1) == 0:  # complete, and at a multiple of its size, as all cuts are
        level = size.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(size)
    return node_hash(_subtree(nodes, start, middle), _subtree(nodes, middle, end))
