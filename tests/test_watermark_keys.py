"""Keys of marks: what they draw, what they say, and files that are none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from safetensors.numpy import save_file

from assay.errors import BadData, BadOption
from assay.watermarks._key import Key, is_sealed, load_key, new_secret

TEMPLATE = {"payload_bytes": 4, "hosts": [{"name": "w", "shape": [10, 64], "place": 0}]}
KEY = Key("uchida", TEMPLATE, bytes(range(32)), b"\1\2\3\4", {"x": np.arange(6.0).reshape(2, 3)})


def test_each_purpose_has_a_stream_of_its_own() -> None:
    own = HKDF(SHA256(), 32, salt=None, info=b"assay uchida places").derive(KEY.secret)
    assert KEY.stream("places", 8) == hashlib.shake_256(own).digest(8)
    assert KEY.stream("places", 64)[:8] == KEY.stream("places", 8)
    streams = [
        KEY.stream("places", 32),
        KEY.stream("levels", 32),
        KEY.wrong(0).stream("places", 32),
    ]
    assert len({*streams, KEY.wrong(1).stream("places", 32)}) == 4


def test_what_is_drawn_is_spread_as_it_says() -> None:
    uniform, normal = KEY.uniform("u", 200, 50), KEY.normal("n", 200, 50)
    assert abs(uniform.mean() - 0.5) < 0.02
    assert 0 < uniform.min() < uniform.max() < 1
    assert abs(normal.mean()) < 0.04
    assert abs(normal.std() - 1) < 0.03
    places = KEY.places("p", 1000, 1000)
    assert sorted(places) == [*range(1000)]
    assert np.array_equal(KEY.places("p", 1000, 10), places[:10])
    with pytest.raises(BadOption, match="5 places among 4"):
        KEY.places("p", 4, 5)


def test_a_payload_is_opened_by_its_key_alone() -> None:
    word = KEY.sealed()
    assert KEY.opened(word) == KEY.payload == word[:4]
    assert KEY.wrong(3).opened(word) is None
    assert KEY.opened(bytes([word[0] ^ 1, *word[1:]])) is None


def test_the_digest_is_of_all_but_the_payload() -> None:
    assert KEY.carrying(b"other").digest == KEY.digest
    assert KEY.carrying(b"other") != KEY
    others = (
        Key("adi", TEMPLATE, KEY.secret, KEY.payload, KEY.arrays),
        Key("uchida", {**TEMPLATE, "x": 1}, KEY.secret, KEY.payload, KEY.arrays),
        Key("uchida", TEMPLATE, new_secret(), KEY.payload, KEY.arrays),
        Key("uchida", TEMPLATE, KEY.secret, KEY.payload, {"x": np.zeros(6)}),
    )
    assert len({KEY.digest, *(each.digest for each in others)}) == 5
    assert "secret" not in repr(KEY)
    with pytest.raises(BadOption, match="32 bytes, not 3"):
        Key("uchida", TEMPLATE, b"abc")


def test_a_file_gives_the_key_back(tmp_path: Path) -> None:
    for passphrase in (None, "straße"):
        file = tmp_path / f"{passphrase}.key"
        KEY.save(file, passphrase)
        assert is_sealed(file) == (passphrase is not None)
        assert (KEY.secret in file.read_bytes()) == (passphrase is None)
        found = load_key(file, passphrase)
        assert found == KEY
        assert np.array_equal(found.arrays["x"], KEY.arrays["x"])
    with pytest.raises(BadOption, match="under a passphrase"):
        load_key(tmp_path / "straße.key")
    with pytest.raises(BadOption, match="not its passphrase"):
        load_key(tmp_path / "straße.key", "")


def test_a_file_that_was_sealed_as_at_first_still_opens(tmp_path: Path) -> None:
    plain, file = tmp_path / "plain.key", tmp_path / "sealed.key"
    KEY.save(plain)
    salt, nonce, cost = b"s" * 16, b"n" * 12, {"n": 2**10, "r": 8, "p": 1}
    stretched = hashlib.scrypt(b"a long one", salt=salt, dklen=32, **cost)
    hidden = AESGCM(stretched).encrypt(nonce, plain.read_bytes(), None)
    parts = {"salt": salt, "nonce": nonce, "sealed": hidden}
    notes = {"assay": "watermark key 1", "sealed": json.dumps(cost)}
    save_file({n: np.frombuffer(part, np.uint8) for n, part in parts.items()}, file, notes)
    assert load_key(file, "a long one") == KEY
    with pytest.raises(BadOption, match="not its passphrase"):
        load_key(file, "another")
    save_file({"salt": np.zeros(16, np.uint8)}, file, notes)
    with pytest.raises(BadData, match="a damaged key"):
        load_key(file, "a long one")


@pytest.mark.parametrize(
    "way", ["", "scrypt", "scrypt 3 8 2 00", "scrypt 1048576 8 2 00", f"scrypt {'9' * 30} 8 2 00"]
)
def test_a_file_that_asks_for_too_much_is_refused(tmp_path: Path, way: str) -> None:
    file = tmp_path / "a.key"
    notes = {"assay": "watermark key 1", "sealed": way}
    save_file({"sealed": np.zeros(64, np.uint8)}, file, notes)
    with pytest.raises(BadOption, match="not its passphrase, or the file is damaged"):
        load_key(file, "a")


def test_another_size_in_a_key_is_damage(tmp_path: Path) -> None:
    """One that would fit some model: only the checksum tells."""
    file = tmp_path / "a.key"
    KEY.save(file)
    content = file.read_bytes()
    file.write_bytes(content.replace(b"[10, 64]", b"[11, 64]"))
    with pytest.raises(BadData, match=r"a\.key: a damaged key of uchida: put it back"):
        load_key(file)
    file.write_bytes(content.replace(b"checksum", b"checksun"))  # a file of old has none
    assert load_key(file) == KEY
    file.write_bytes(content.replace(b"uchida", b"rot-13"))
    with pytest.raises(BadData, match="another version of assay: no method 'rot-13'"):
        load_key(file)


@pytest.mark.parametrize("cut", [0, 5, 60, 200])
def test_what_is_no_key_is_said(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "a.key"
    KEY.save(file)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(BadData, match="not a key"):
        load_key(file)


@pytest.mark.parametrize(
    "about", [{}, {"method": "uchida"}, {"method": "uchida", "template": {}, "payload": "zz"}, []]
)
def test_a_key_that_lacks_something_is_damaged(tmp_path: Path, about: object) -> None:
    file = tmp_path / "a.key"
    notes = {"assay": "watermark key 1", "key": json.dumps(about)}
    save_file({"secret": np.zeros(32, np.uint8)}, file, notes)
    with pytest.raises(BadData, match="a damaged key"):
        load_key(file)
    save_file({"secret": np.zeros(32, np.uint8)}, file, {"assay": "watermark key 9"})
    with pytest.raises(BadData, match="another version"):
        load_key(file)
