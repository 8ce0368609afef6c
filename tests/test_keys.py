"""Key files: what is written is read again, and what was touched is refused."""

import hashlib
import hmac
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError, UnreadableKey
from assay.keys import KeyFile, read, write
from assay.keys import _files as files
from assay.keys.deriving import derive
from assay.keys.signing import SigningKey, signed

# RFC 8032 §7.1, test 2: an OpenSSL of any age reads it from PKCS #8, too.
SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
PKCS8 = bytes.fromhex("302e020100300506032b657004220420" + SECRET)


@pytest.fixture
def known(tmp_path: Path) -> Path:
    write(tmp_path / "known.key", "owner", PUBLIC, PKCS8, None)
    return tmp_path / "known.key"


def test_a_key_signs_as_the_rfc_says(known: Path) -> None:
    key = SigningKey.read(known)
    assert key.public == PUBLIC
    assert key.sign(b"\x72").hex() == SIGNATURE
    assert signed(PUBLIC, b"\x72", bytes.fromhex(SIGNATURE))
    assert not signed(PUBLIC, b"\x73", bytes.fromhex(SIGNATURE))
    assert not signed(PUBLIC, b"\x72", bytes.fromhex(SIGNATURE)[:-1])
    assert not signed("02" + "0" * 62, b"\x72", bytes.fromhex(SIGNATURE))  # no point of the curve


def test_a_file_is_for_its_owner_alone_and_openssl_reads_it(known: Path) -> None:
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    openssl = shutil.which("openssl")
    assert openssl is not None, "the command openssl judges keys and gives time stamps"
    command = [openssl, "pkey", "-in", str(known), "-pubout", "-outform", "DER"]
    assert subprocess.run(command, capture_output=True, check=True).stdout[-32:].hex() == PUBLIC


def test_a_new_key_is_read_again_and_replaces_nothing(tmp_path: Path) -> None:
    first, second = SigningKey.new(), SigningKey.new()
    file = first.write(tmp_path / "a.key")
    assert (file.kind, file.public, file.sealed) == ("owner", first.public, "")
    assert SigningKey.read(tmp_path / "a.key").public == first.public != second.public
    with pytest.raises(AssayError, match=r"a\.key: is there already: a key replaces nothing"):
        second.write(tmp_path / "a.key")
    assert SigningKey.read(tmp_path / "a.key").public == first.public
    with pytest.raises(AssayError, match="cannot be written: No such file or directory"):
        second.write(tmp_path / "none" / "a.key")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "b.key")
    with pytest.raises(UnreadableKey, match="is a key of kind owner: give one of kind log"):
        SigningKey.read(tmp_path / "a.key", "log")


def test_a_sealed_key_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    key, path = SigningKey.new(), tmp_path / "sealed.key"
    file = key.write(path, "correct horse")
    assert file.sealed.startswith("scrypt 65536 8 2 ")
    assert read(path).public == key.public  # needs none
    assert SigningKey.read(path, passphrase="correct horse").public == key.public
    with pytest.raises(UnreadableKey, match=r"sealed\.key: the passphrase is wrong"):
        SigningKey.read(path, passphrase="correct house")
    with pytest.raises(UnreadableKey, match=r"sealed\.key: is sealed by a passphrase: give it"):
        SigningKey.read(path)
    moved = KeyFile("owner", "0" * 64, file.block, file.sealed)  # under another's public part
    path.write_text(moved.text)
    with pytest.raises(UnreadableKey, match="the passphrase is wrong"):
        SigningKey.read(path, passphrase="correct horse")


def test_no_repr_shows_a_secret(known: Path) -> None:
    shown = repr(SigningKey.read(known)) + repr(read(known))
    assert SECRET not in shown
    assert str(PKCS8)[2:-1] not in shown
    assert PUBLIC in shown


def test_a_bit_flipped_anywhere_is_refused(known: Path) -> None:
    content = known.read_bytes()
    assert files.parse(content).public == PUBLIC
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UnreadableKey):
            files.parse(bytes(damaged))


def test_a_file_that_is_cut_or_longer_or_laid_out_otherwise_is_refused(known: Path) -> None:
    content = known.read_bytes()
    others = [content[:end] for end in range(len(content))]
    others += [content + b"\n", content.replace(b"\n", b"\r\n"), b"\n" + content, content * 2]
    others += [content + b"x" * files.LARGEST, b"\xff" * 10]
    for other in others:
        with pytest.raises(UnreadableKey):
            files.parse(other)


def test_another_secret_under_a_public_part_is_refused(tmp_path: Path) -> None:
    for secret, said in ((b"", "damaged"), (b"x" * 48, "damaged"), (PKCS8, "another key's")):
        path = tmp_path / f"{len(secret)}{said[0]}.key"
        write(path, "owner", "0" * 64, secret, None)
        with pytest.raises(UnreadableKey, match=said):
            SigningKey.read(path)
    rsa = PKCS8.replace(bytes.fromhex("2b6570"), bytes.fromhex("2b656e"))  # X25519
    write(tmp_path / "x25519.key", "owner", PUBLIC, rsa, None)
    with pytest.raises(UnreadableKey, match=r"x25519\.key: is no Ed25519 key"):
        SigningKey.read(tmp_path / "x25519.key")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_lies_in_a_file_is_a_key_or_refused(content: bytes) -> None:
    for whole in (content, f"{files.FIRST}\n".encode() + content):
        with pytest.raises(UnreadableKey):
            files.parse(whole)


@given(
    st.lists(st.sampled_from(["kind: owner", f"public: {PUBLIC}", "public: ", "sealed: x", "sha256",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "AAAA", "A", "kind: x", ""]))
)  # fmt: skip
def test_lines_in_any_order_are_refused(lines: list[str]) -> None:
    with pytest.raises(UnreadableKey):
        files.parse("\n".join([files.FIRST, *lines, ""]).encode())


def test_derived_bytes_are_hkdf_s_and_others_for_each_purpose(known: Path) -> None:
    secret = bytes.fromhex(SECRET)
    extracted = hmac.digest(bytes(32), secret, hashlib.sha256)  # RFC 5869 §2.2, no salt
    first = hmac.digest(extracted, b"assay cwc\1", hashlib.sha256)
    second = hmac.digest(extracted, first + b"assay cwc\2", hashlib.sha256)
    assert derive(secret, b"cwc", 40) == (first + second)[:40]
    assert SigningKey.read(known).derive(b"cwc") == first
    assert derive(secret, b"cwd") != first
