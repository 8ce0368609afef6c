"""Commitments, heads and proofs: what they show, and that nothing else passes for one."""

import base64
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from small_claims import KEY, claim, log_of_eleven, logged, owner, proof_of_nine

from assay.errors import BadOption, Unproved, UnreadableProof
from assay.keys.signing import SigningKey
from assay.registry import Registry
from assay.transparency import Entry, Opening, SignedHead, Statement, Verifier, corrected
from assay.transparency.claims import check, commit
from assay.transparency.proofs import Proof, first

HEX = "0123456789abcdef"

OLD = Path(__file__).parent / "fixtures" / "log"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    yield from log_of_eleven(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def proof(registry: Registry) -> Proof:
    return proof_of_nine(registry)


def test_a_commitment_is_the_same_again_and_tells_nothing_without_the_owner_s_key() -> None:
    made, statement = claim(1), claim(1).statement
    assert claim(1) == made
    assert made.commitment != claim(2).commitment
    assert claim(1, who=1).commitment != made.commitment
    # who guesses everything but the salt cannot tell whether he is right
    guess = replace(statement, salt="0" * 64)
    assert Opening(guess, made.signature).commitment != made.commitment
    assert owner().sign(guess.message).hex() != made.signature
    entry = Entry.now(made.commitment)
    for secret in (statement.owner, statement.model, statement.salt, KEY, made.signature):
        assert secret.encode() not in entry.leaf


def test_a_commitment_is_what_its_docstring_says() -> None:
    made = claim(1)
    text = json.dumps(
        {"signature": made.signature, "statement": asdict(made.statement)},
        sort_keys=True, separators=(",", ":"),
    )  # fmt: skip
    content = f"assay commitment 1\n{text}".encode()
    assert made.commitment == hashlib.sha256(content).hexdigest()


def test_an_opening_under_another_s_signature_is_refused() -> None:
    made = claim(1)
    check(made)
    for name, value in (("model", "1" * 64), ("key", None), ("owner", owner(1).public),
        ("scheme", ""), ("salt", "1" * 64), ("template", "1" * 64)):  # fmt: skip
        with pytest.raises(Unproved, match="not signed with its owner's key"):
            check(Opening(replace(made.statement, **{name: value}), made.signature))


@pytest.mark.parametrize("field", ["owner", "model", "salt", "key", "template", "fingerprint"])
@pytest.mark.parametrize("value", ["", "1" * 63, "G" * 64, "A" * 64, 1, "1" * 64 + "\n"])
def test_a_statement_has_hashes_where_they_belong(field: str, value: Any) -> None:
    sound = Statement(owner="1" * 64, model="2" * 64, salt="3" * 64)
    with pytest.raises(UnreadableProof, match=f"{field}: is not 64 hexadecimal digits"):
        replace(sound, **{field: value})
    with pytest.raises(UnreadableProof, match="scheme: is not text"):
        replace(sound, scheme="x" * 1001)


@pytest.mark.parametrize("logged_at", ["", "2026-02-30T00:00:00Z", "2026-1-1T00:00:00Z", None, 1])
def test_an_entry_has_a_moment(logged_at: Any) -> None:
    with pytest.raises(UnreadableProof, match="logged: is not a moment"):
        Entry("1" * 64, logged_at)


def test_a_proof_shows_what_was_committed_to_when_and_by_whom(
    registry: Registry, proof: Proof
) -> None:
    proved = Proof.parse(proof.text).check(trusted=registry.log.head(6), key=registry.log.verifier)
    assert (proved.index, proved.size, proved.before, proved.tries) == (9, 11, False, None)
    assert proved.statement == claim(9).statement
    assert proved.entry.commitment == claim(9).commitment
    sealed = proof.without_opening().check(key=registry.log.verifier)
    assert (sealed.statement, sealed.tries) == (None, None)
    kept = registry.log.head(10)
    proved = registry.log.prove(4, since=kept).check(trusted=kept)
    assert (proved.index, proved.size, proved.before, proved.tries) == (4, 10, True, 10)


def test_every_entry_is_proved_for_who_kept_any_head(registry: Registry) -> None:
    for size in range(1, 12):
        kept = registry.log.head(size)
        for index in range(11):
            proved = registry.log.prove(index, since=kept).check(trusted=kept)
            assert (proved.index, proved.before) == (index, index < size)


def test_a_proof_is_worth_what_is_trusted(registry: Registry, proof: Proof) -> None:
    with pytest.raises(Unproved, match="a log's word for itself proves nothing"):
        proof.check()
    other = Verifier(proof.log.origin, owner().public)
    with pytest.raises(Unproved, match="which is not the trusted one"):
        proof.check(key=other)
    with pytest.raises(Unproved, match="older than the trusted one of 11: have the proof made"):
        registry.log.prove(3, since=registry.log.head(5)).check(trusted=registry.log.head())
    with pytest.raises(Unproved, match="does not begin at the trusted head"):
        proof.check(trusted=registry.log.head(7))


def test_a_log_that_signed_two_histories_is_found_out(tmp_path: Path) -> None:
    with Registry.open(tmp_path / "one") as one:
        logged(one, 0, 1)
    two = tmp_path / "two"
    two.mkdir()
    for name in ("registry.sqlite", "log-key"):
        (two / name).write_bytes((tmp_path / "one" / name).read_bytes())
    with Registry.open(tmp_path / "one") as one, Registry.open(two) as other:
        logged(one, 2, 3)
        kept = one.log.head(3)
        logged(other, 4, 2, 3)
        with pytest.raises(Unproved, match="it was made anew"):
            other.log.prove(3, since=kept)
        blind = other.log.prove(3, since=other.log.head(3))  # made for a head of that size
        blind.check(key=one.log.verifier)  # the key alone does not tell
        with pytest.raises(Unproved, match="not the one that the trusted head was taken of"):
            blind.check(trusted=kept)
        blind = other.log.prove(2, since=other.log.head(3))
        with pytest.raises(Unproved, match="not the one that the trusted head was taken of"):
            blind.check(trusted=kept)
        assert [*other.log.audit()] == []
        assert [*other.log.audit(kept)] == [
            "the log is not the one that the head was taken of: it was made anew"
        ]


def test_the_mark_that_was_put_on_later_comes_later(registry: Registry) -> None:
    kept = registry.log.head()
    owner_s, thief_s = (registry.log.prove(at, since=kept).check(trusted=kept) for at in (2, 7))
    assert first([thief_s, owner_s]) == owner_s
    elsewhere = replace(thief_s, log=Verifier("elsewhere", thief_s.log.public))
    assert first([elsewhere, owner_s]) is None
    assert first([]) is None


def test_a_head_is_a_signed_note(registry: Registry) -> None:
    head, verifier = registry.log.head(), registry.log.verifier
    assert verifier is not None
    body, signed = str(head).split("\n\n")
    assert body.split("\n") == [verifier.origin, "11", base64.b64encode(head.root).decode()]
    dash, name, encoded = signed.removesuffix("\n").split(" ")
    raw = base64.b64decode(encoded)
    public = b"\1" + bytes.fromhex(verifier.public)
    key_id = hashlib.sha256(f"{name}\n".encode() + public).digest()[:4]
    assert (dash, name, raw[:4]) == ("—", verifier.origin, key_id)
    assert raw[4:] == SigningKey.read(registry.log.file, "log").sign(f"{body}\n".encode())
    assert SignedHead.parse(str(head)) == head
    witnessed = str(head) + "— witness.example/w1 AAAAAAAA\n"
    assert SignedHead.parse(witnessed) == head
    assert Verifier.parse(str(verifier)) == verifier


def test_a_claim_is_worth_less_the_more_could_have_been_claimed() -> None:
    assert corrected(-12.0, 1) == -12
    assert corrected(-12.0, 10**6) == pytest.approx(-6)
    assert corrected(-12.0, 1000, 50) == pytest.approx(-12 + math.log10(50_000))
    assert corrected(-5.0, 10**6) == 0
    assert corrected(-math.inf, 10) == -math.inf
    for wrong in ((-1.0, 0, 1), (-1.0, 1, 0), (0.1, 1, 1), (math.nan, 1, 1)):
        with pytest.raises(BadOption):
            corrected(*wrong)


def test_a_million_keys_of_which_the_best_is_claimed_are_worth_one_try() -> None:
    """The least of n p-values, times n, is below a level no oftener than the level says."""
    import numpy as np

    rng, entries, level = np.random.default_rng(10), 1000, 0.05
    best = rng.random((2000, entries)).min(axis=1)
    claimed = [10 ** corrected(float(np.log10(p)), entries) for p in best]
    assert np.mean(best < level) > 0.99  # uncorrected, every claimant would win
    assert 0.035 < np.mean(np.array(claimed) < level) < 0.065  # three standard errors


def test_a_commitment_needs_hashes() -> None:
    with pytest.raises(UnreadableProof, match="model: is not 64 hexadecimal digits"):
        commit(owner(), "model.onnx")


def test_what_an_older_version_wrote_still_holds() -> None:
    key = SigningKey.read(OLD / "owner.key")
    sealed = SigningKey.read(OLD / "sealed.key", passphrase="correct horse battery staple")
    assert sealed.public == key.public
    statement = json.loads((OLD / "statement.json").read_text())
    made = commit(key, "3" * 64, key="a" * 64)
    assert asdict(made.statement) == statement
    for size, before in ((5, True), (2, False)):
        head = SignedHead.parse((OLD / f"head-{size}.txt").read_text(encoding="utf-8"))
        proof = Proof.parse((OLD / f"proof-{size}.json").read_text())
        proved = proof.check(trusted=head)
        assert (proved.index, proved.before, proved.size) == (3, before, 5)
        assert proved.statement == made.statement
        assert proved.entry.commitment == made.commitment
