"""Proofs, heads and log keys that were touched: refused with one line, whatever was touched."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutated_json import changed
from small_claims import claim, log_of_eleven, proof_of_nine

from assay.errors import Unproved, UnreadableProof
from assay.keys.signing import SigningKey
from assay.registry import Registry
from assay.transparency import Entry, SignedHead, Verifier
from assay.transparency.heads import message
from assay.transparency.proofs import Proof, Proved, _checksum
from assay.transparency.tree import leaf_hash

HEX = "0123456789abcdef"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    yield from log_of_eleven(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def proof(registry: Registry) -> Proof:
    return proof_of_nine(registry)


def test_a_bit_flipped_anywhere_in_a_proof_is_refused(proof: Proof) -> None:
    content = proof.text.encode()
    for byte in range(len(content)):
        damaged = bytearray(content)
        damaged[byte] ^= 1 << byte * 5 % 8
        with pytest.raises(UnreadableProof):
            Proof.parse(damaged.decode("utf-8", "replace"))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a proof's values are."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        if isinstance(each, dict | list):
            yield from leaves(each, (*path, key))
        else:
            yield (*path, key)


def test_no_value_of_a_proof_can_be_another_even_with_a_new_checksum(
    registry: Registry, proof: Proof
) -> None:
    places = [path for path in leaves(json.loads(proof.text)) if path != ("sha256",)]
    assert len(places) > 15
    for path in places:
        row = json.loads(proof.text)
        holder = row
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = other_than(holder[path[-1]])
        row["sha256"] = _checksum({key: row[key] for key in row if key != "sha256"})
        with pytest.raises((Unproved, UnreadableProof)):
            Proof.parse(json.dumps(row)).check(trusted=registry.log.head(6))


def other_than(value: Any) -> Any:
    """Nearly the same value."""
    if value is None:
        return "1" * 64
    if isinstance(value, int):
        return value + 1
    digit = next((at for at in (len(value) // 2, 0) if value[at] in HEX), 0)
    return value[:digit] + ("1" if value[digit] != "1" else "2") + value[digit + 1 :]


@given(st.data())
def test_a_proof_that_is_changed_anywhere_is_refused_in_one_line(data: Any) -> None:
    row = json.loads(SAMPLE.text)
    changed(data, row)
    new = data.draw(st.booleans())  # a checksum that fits
    if new:
        row["sha256"] = _checksum({key: row[key] for key in row if key != "sha256"})
    proved = outcome(json.dumps(row))
    if isinstance(proved, str):
        assert "\n" not in proved
    else:  # what may be left out: the opening, a stamp, the way from an older head
        assert new or row == json.loads(SAMPLE.text)
        assert (proved.index, proved.entry) == (0, SAMPLE.entry)
        assert proved.statement in (None, claim(0).statement)


def outcome(text: str) -> Proved | str:
    """What a proof shows, or why it does not."""
    try:
        return Proof.parse(text).check(key=SAMPLE.log)
    except (Unproved, UnreadableProof) as error:
        return str(error)


def sample() -> Proof:
    """Of a log of one entry, whose key is known."""
    key, opening = SigningKey.new("log"), claim(0)
    entry, log = Entry.now(opening.commitment), Verifier("assay.registry/0", key.public)
    root = leaf_hash(entry.leaf)
    signature = key.sign(message(log.origin, 1, root))
    head = SignedHead(log.origin, 1, root, log.id, signature)
    return Proof(log, 0, entry, head, (), None, opening, (b"stamp",))


SAMPLE = sample()


def test_the_sample_holds() -> None:
    assert Proof.parse(SAMPLE.text).check(key=SAMPLE.log).statement == claim(0).statement


@given(st.text(max_size=200) | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
def test_whatever_a_file_holds_is_a_proof_or_refused(text: str) -> None:
    for parse in (Proof.parse, SignedHead.parse, Verifier.parse):
        with pytest.raises(UnreadableProof):
            parse(text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": 1, "a": 1}', "1e5", "NaN", "9" * 5000, '"\\ud800"', "x" * 2**25]
)
def test_json_that_is_hostile_is_refused(text: str) -> None:
    with pytest.raises(UnreadableProof):
        Proof.parse(text)


def test_a_bit_flipped_anywhere_in_a_head_or_a_key_is_refused(registry: Registry) -> None:
    head, verifier = registry.log.head(), registry.log.verifier
    assert verifier is not None

    def parse_head(text: str) -> None:
        SignedHead.parse(text).check(verifier)

    for text, parse in ((str(head), parse_head), (str(verifier), Verifier.parse)):
        content = text.encode()
        for bit in range(8 * len(content)):
            damaged = bytearray(content)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises((UnreadableProof, Unproved)):
                parse(damaged.decode("utf-8", "replace"))
