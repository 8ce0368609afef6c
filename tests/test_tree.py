"""The Merkle tree: RFC 6962 written down once more as its judge, and its published vectors."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.transparency import tree

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
# Of the reference implementation of certificate transparency, for these leaves.
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATH_OF_0_IN_8 = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def naive_root(leaves: Sequence[bytes]) -> bytes:  # MTH of §2.1
    if len(leaves) < 2:
        return sha(b"\0" + leaves[0]) if leaves else sha(b"")
    k = cut(len(leaves))
    return sha(b"\1" + naive_root(leaves[:k]) + naive_root(leaves[k:]))


def naive_inclusion(m: int, leaves: Sequence[bytes]) -> list[bytes]:  # PATH of §2.1.1
    if len(leaves) == 1:
        return []
    k = cut(len(leaves))
    if m < k:
        return [*naive_inclusion(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_inclusion(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_consistency(m: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    if m == len(leaves):  # SUBPROOF of §2.1.2
        return [] if whole else [naive_root(leaves)]
    k = cut(len(leaves))
    if m <= k:
        return [*naive_consistency(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_consistency(m - k, leaves[k:], False), naive_root(leaves[:k])]


def cut(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def leaves_of(count: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(count)]


def stored(leaves: Sequence[bytes]) -> tree.Nodes:
    """What a store keeps after these leaves came one by one."""
    nodes: dict[tuple[int, int], bytes] = {}

    def node(level: int, position: int) -> bytes:
        return nodes[level, position]

    for size, leaf in enumerate(leaves):
        for level, position, made in tree.grown(node, size, tree.leaf_hash(leaf)):
            assert (level, position) not in nodes  # nothing is ever written over
            nodes[level, position] = made
    return node


NODES = stored(leaves_of(40))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_implementation(size: int) -> None:
    assert tree.root(stored(LEAVES), size).hex() == ROOTS[size]
    assert naive_root(LEAVES[:size]).hex() == ROOTS[size]


def test_a_path_is_that_of_the_reference_implementation() -> None:
    path = tree.inclusion(stored(LEAVES), 0, 8)
    assert [each.hex() for each in path] == PATH_OF_0_IN_8


@pytest.mark.parametrize("size", [*range(1, 18), 31, 32, 33])
def test_every_root_and_path_is_that_of_the_definition_and_is_accepted(size: int) -> None:
    leaves = leaves_of(size)
    nodes, root = NODES, naive_root(leaves)
    assert tree.root(nodes, size) == root
    for index in range(size):
        path = tree.inclusion(nodes, index, size)
        assert path == naive_inclusion(index, leaves)
        assert tree.included(tree.leaf_hash(leaves[index]), index, size, path, root)
    for old in range(1, size + 1):
        path = tree.consistency(nodes, old, size)
        assert path == naive_consistency(old, leaves)
        assert tree.consistent(old, naive_root(leaves[:old]), size, root, path)
    assert tree.consistency(nodes, 0, size) == []
    assert tree.consistent(0, tree.EMPTY, size, root, [])
    assert not tree.consistent(0, root, size, root, [])


ANY = st.integers(0, 2**16)
DRAWN = given(size=st.integers(1, 40), place=ANY, other=ANY, bit=st.integers(0, 255))


@DRAWN
def test_a_path_shows_one_leaf_at_one_place_of_one_tree(
    size: int, place: int, other: int, bit: int
) -> None:
    leaves, index = leaves_of(size), place % size
    root, leaf = naive_root(leaves), tree.leaf_hash(leaves[index])
    path = tree.inclusion(NODES, index, size)
    for wrong in {-1, other, other % size, index + 2**64} - {index}:
        assert not tree.included(leaf, wrong, size, path, root)
    assert not tree.included(flip(leaf, bit), index, size, path, root)
    assert not tree.included(leaf, index, size, path, flip(root, bit))
    assert not tree.included(leaf, index, size, [*path, leaf], root)
    for at in range(len(path)):
        bad = [flip(each, bit) if at == here else each for here, each in enumerate(path)]
        assert not tree.included(leaf, index, size, bad, root)
        assert not tree.included(leaf, index, size, path[:at] + path[at + 1 :], root)


@DRAWN
def test_a_tree_begins_with_no_other_than_the_one_that_it_grew_from(
    size: int, place: int, other: int, bit: int
) -> None:
    leaves, old = leaves_of(size), place % size + 1
    root, old_root = naive_root(leaves), naive_root(leaves[:old])
    path = tree.consistency(NODES, old, size)
    assert not tree.consistent(old, flip(old_root, bit), size, root, path)
    assert not tree.consistent(old, old_root, size, flip(root, bit), path)
    assert not tree.consistent(old, old_root, size, root, [*path, root])
    for wrong in {-1, 0, other, other % size, size + 1} - {old}:
        assert not tree.consistent(wrong, old_root, size, root, path)
    for at in range(len(path)):
        bad = [flip(each, bit) if at == here else each for here, each in enumerate(path)]
        assert not tree.consistent(old, old_root, size, root, bad)
        assert not tree.consistent(old, old_root, size, root, path[:at] + path[at + 1 :])


def test_a_leaf_that_is_made_like_a_node_is_not_one() -> None:
    left, right = tree.leaf_hash(b"a"), tree.leaf_hash(b"b")
    pair = naive_root([b"a", b"b"])
    assert tree.leaf_hash(left + right) != pair
    assert tree.leaf_hash(b"\1" + left + right) != pair
    assert not tree.included(tree.leaf_hash(left + right), 0, 1, [], pair)


def test_what_is_not_in_the_tree_has_no_path() -> None:
    nodes = stored(LEAVES)
    for index, size in ((-1, 8), (8, 8), (0, 0)):
        with pytest.raises(IndexError):
            tree.inclusion(nodes, index, size)
    for old, size in ((-1, 8), (9, 8)):
        with pytest.raises(IndexError):
            tree.consistency(nodes, old, size)


def flip(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
