"""Whether a stored log is whole: all of its hashes are made anew, all of its heads are checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from assay.errors import Unproved, UnreadableProof
from assay.transparency.entries import Entry
from assay.transparency.heads import SignedHead, Verifier
from assay.transparency.tree import leaf_hash, node_hash

MOST = 20  # lines
KEPT = "SELECT max((position + 1) << level) FROM log_nodes"  # entries that hashes are stored of
Frontier = list[tuple[int, bytes]]  # level and hash of the complete subtrees, largest first


def audit(connection: sqlite3.Connection, verifier: Verifier | None) -> Iterator[str]:
    """What is wrong, each in a line that names the entry; at most MOST lines and one.

    Raises MissingExtra where signatures cannot be checked.
    """
    for number, wrong in enumerate(_Audit(connection, verifier).wrong()):
        if number == MOST:
            yield "and more that is not listed"
            return
        yield wrong


class _Audit:
    """One walk through the log.

    Each entry has its hash twice: made of what is stored, and stored.  Where they differ, the
    signed root says which one was changed; the walk goes on with the other.
    """

    def __init__(self, connection: sqlite3.Connection, verifier: Verifier | None) -> None:
        self._connection = connection
        self._verifier = verifier
        self._frontier: Frontier = []
        self._size = 0
        self._lost = False  # whether no root can be made any more
        self._astray = False  # whether the last root was not the one that was signed

    def wrong(self) -> Iterator[str]:
        query = "SELECT position, commitment, logged, root, signature FROM log ORDER BY position"
        for position, commitment, logged, root, signature in self._connection.execute(query):
            yield from self._missing(position)
            yield from self._entry(commitment, logged, root)
            if self._verifier is None:
                continue
            origin, key_id = self._verifier.origin, self._verifier.id
            try:
                SignedHead(origin, position + 1, root, key_id, signature).check(self._verifier)
            except Unproved:
                yield f"the head that ends with entry {position} is not signed with the log's key"
        if self._size and self._verifier is None:
            yield "the log's public key is missing"
        (kept,) = self._connection.execute(KEPT).fetchone()
        yield from self._missing(kept or 0)

    def _missing(self, position: int) -> Iterator[str]:
        """The entries before ``position`` that are not there; their hashes may still be."""
        while self._size < position:
            yield f"entry {self._size} is missing"
            leaf = self._stored(0, self._size)
            if leaf is None:
                self._lost = True
            yield from self._grow(leaf or b"")

    def _entry(self, commitment: str, logged: str, root: bytes) -> Iterator[str]:
        number, stored = self._size, self._stored(0, self._size)
        try:
            made = leaf_hash(Entry(commitment, logged).leaf)
        except UnreadableProof:
            made = None
        fits = [leaf for leaf in (made, stored) if leaf and self._root(leaf) == root]
        if not self._lost and fits and made not in fits:
            yield f"entry {number} was changed"
        elif not self._lost and not fits and not self._astray:
            yield f"entry {number}, or the root after it, was changed"
        self._astray = not fits
        yield from self._grow((fits or [made or stored or b""])[0])

    def _grow(self, leaf: bytes) -> Iterator[str]:
        """Take up a leaf; say which of the stored hashes that it completes are others."""
        number, made = self._size, self._completed(leaf)
        self._frontier = self._with(made)
        self._size += 1
        for level, each in made:
            if not self._lost and self._stored(level, number >> level) != each:
                first = number >> level << level
                yield f"the stored hash of entries {first} to {number} was changed or is missing"

    def _completed(self, leaf: bytes) -> Frontier:
        """The subtrees that a leaf completes, smallest first."""
        made = [(0, leaf)]
        for level, other in reversed(self._frontier):
            if level != made[-1][0]:
                break
            made.append((level + 1, node_hash(other, made[-1][1])))
        return made

    def _with(self, made: Frontier) -> Frontier:
        return [*self._frontier[: len(self._frontier) - len(made) + 1], made[-1]]

    def _root(self, leaf: bytes) -> bytes:
        """The root of what was taken up and a leaf."""
        (_, root), *rest = reversed(self._with(self._completed(leaf)))
        for _, other in rest:
            root = node_hash(other, root)
        return root

    def _stored(self, level: int, position: int) -> bytes | None:
        query = "SELECT hash FROM log_nodes WHERE level = ? AND position = ?"
        row = self._connection.execute(query, [level, position]).fetchone()
        return None if row is None else bytes(row[0])
