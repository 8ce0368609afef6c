"""Time stamps of a real authority, the command openssl, checked by assay and by openssl."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_authority import Authority
from small_claims import logged

from assay.errors import Unproved, UnreadableProof
from assay.registry import Registry
from assay.transparency import stamps
from assay.transparency.proofs import Proof

MESSAGE = b"what is stamped"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "own", "Time stamps")


@pytest.fixture(scope="module")
def response(authority: Authority) -> bytes:
    return authority.answer(stamps.request(MESSAGE))


def test_a_stamp_says_when_and_who(authority: Authority, response: bytes) -> None:
    found = stamps.check(response, MESSAGE, stamps.roots(authority.root))
    age = datetime.now(UTC) - datetime.fromisoformat(found.moment)
    assert timedelta(0) <= age < timedelta(hours=1)
    assert found.authority == "CN=Time stamps"
    assert found.serial > 0
    assert authority.accepts(response, MESSAGE)


def test_a_stamp_of_something_else_is_refused(authority: Authority, response: bytes) -> None:
    trusted = stamps.roots(authority.root)
    with pytest.raises(Unproved, match="is of something else"):
        stamps.check(response, MESSAGE + b".", trusted)
    assert not authority.accepts(response, MESSAGE + b".")


def test_a_stranger_s_authority_is_refused(
    authority: Authority, response: bytes, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "other", "Time stamps")  # of the same name
    with pytest.raises(Unproved, match="does not hold"):
        stamps.check(response, MESSAGE, stamps.roots(stranger.root))
    with pytest.raises(Unproved, match="does not hold"):  # the signer is not a root
        stamps.check(
            stranger.answer(stamps.request(MESSAGE)), MESSAGE, stamps.roots(authority.root)
        )
    both = stamps.roots(stranger.root) + stamps.roots(authority.root)
    assert stamps.check(response, MESSAGE, both).authority == "CN=Time stamps"


def test_a_certificate_that_had_expired_is_refused(authority: Authority) -> None:
    answer = authority.answer(stamps.request(MESSAGE), "expired")
    with pytest.raises(Unproved, match="does not hold"):
        stamps.check(answer, MESSAGE, stamps.roots(authority.root))


def test_a_certificate_is_for_time_stamps_alone(authority: Authority) -> None:
    for signer, alone in (("tsa", True), ("twofold", False)):  # with it openssl does not sign
        (certificate,) = stamps.roots(authority.certificate(signer))
        assert stamps.for_stamps_alone(certificate) is alone


def test_another_hash_than_sha256_is_refused(authority: Authority) -> None:
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder().data(MESSAGE).hash_algorithm(HashAlgorithm.SHA512)
    answer = authority.answer(builder.build().as_bytes())
    with pytest.raises(Unproved, match="is not of a SHA-256"):
        stamps.check(answer, MESSAGE, stamps.roots(authority.root))


def test_a_request_that_was_refused_is_no_stamp(authority: Authority) -> None:
    sha256 = bytes.fromhex("608648016503040201")
    unknown = stamps.request(MESSAGE).replace(sha256, bytes.fromhex("608648016503040204"))  # 224
    with pytest.raises(UnreadableProof, match="the authority granted no time stamp: status 2"):
        stamps.decode(authority.answer(unknown))


def test_a_bit_flipped_in_a_stamp_never_makes_it_say_something_else(
    authority: Authority, response: bytes
) -> None:
    trusted = stamps.roots(authority.root)
    genuine = stamps.check(response, MESSAGE, trusted)
    refused = 0
    for byte in range(len(response)):
        damaged = bytearray(response)
        damaged[byte] ^= 1 << byte * 5 % 8
        try:
            assert stamps.check(bytes(damaged), MESSAGE, trusted) == genuine
        except (Unproved, UnreadableProof):
            refused += 1
    assert refused > 0.95 * len(response)  # what is not signed are versions and names of algorithms


@given(st.binary(max_size=200))
def test_whatever_is_given_for_a_stamp_is_refused(content: bytes) -> None:
    for text in (content, b"\x30\x03\x02\x01\x00" + content, b"\x30\x80" + content):
        with pytest.raises(UnreadableProof):
            stamps.decode(text)


def test_what_is_too_long_or_no_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableProof, match="more than 1048576 bytes"):
        stamps.decode(bytes(stamps.LARGEST + 1))
    (tmp_path / "none.pem").write_text("no certificate")
    with pytest.raises(UnreadableProof, match=r"none\.pem: no certificates in PEM"):
        stamps.roots(tmp_path / "none.pem")


def test_a_proof_brings_the_stamps_of_its_entry(authority: Authority, tmp_path: Path) -> None:
    trusted = stamps.roots(authority.root)
    with Registry.open(tmp_path) as registry:
        logged(registry, 0, 1)
        leaf = registry.log.entry(1).entry.leaf
        answers = [authority.answer(stamps.request(leaf)) for _ in range(2)]
        for answer in (*answers, answers[0]):
            registry.log.stamp(1, answer)
        assert registry.log.stamps(1) == answers
        assert registry.log.stamps(0) == []
        proof = Proof.parse(registry.log.prove(1).text)
        key = registry.log.verifier
        other = registry.log.prove(0)
    proved = proof.check(key=key, authorities=trusted)
    assert [each.authority for each in proved.stamps] == ["CN=Time stamps"] * 2
    assert proof.check(key=key).stamps == ()  # nobody is trusted, nothing is said
    with pytest.raises(Unproved, match="the time stamp does not hold"):
        proof.check(key=key, authorities=stamps.roots(Authority(tmp_path / "x", "x").root))
    with pytest.raises(Unproved, match="the time stamp is of something else"):
        replace(other, stamps=proof.stamps).check(key=key, authorities=trusted)
