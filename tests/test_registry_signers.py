"""Which key an owner's name stands for, and whom licenses clear under a name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_records import record

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.errors import BadOption
from assay.keys.signing import SigningKey
from assay.registry import Registry
from assay.values import Licensed, Report

ANN, KIM, MALLORY = (
    SigningKey("owner", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)).public
    for number in range(3)
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path) as opened:
        yield opened


def given(number: int, key: str) -> Licensed:
    return Licensed(f"licensee {number}", "0" * 64, key, "m", f"{number}", 0, None)


def kept(registry: Registry, number: int, owner: str | None, key: str) -> None:
    """A licensed copy, recorded without a word on whose the name is."""
    added = registry.put(record(number, owner))
    registry.licenses.record(added.sha256, given(number, key))


def is_cleared(registry: Registry, number: int) -> bool:
    suspect = record(number)
    return not Report(suspect, registry.kin(suspect)).needs_review


def test_a_name_is_the_first_keys_that_it_comes_with(registry: Registry) -> None:
    assert registry.signers.settle("Ann", ANN) == "added"
    assert registry.signers.settle("Ann", ANN) == "exists"
    registry.signers.check("Ann", ANN)
    for refused in (registry.signers.check, registry.signers.settle):
        with pytest.raises(BadOption, match=f"'Ann': the name stands .* begins with {ANN[:12]}: "):
            refused("Ann", MALLORY)
    registry.signers.check("Kim", MALLORY)  # nothing is recorded by asking
    assert registry.signers.settle("Kim", KIM) == "added"
    assert registry.signers.settle("Kim & Co", KIM) == "added"
    assert [(each.name, each.key) for each in registry.signers.all()] == [
        ("Ann", ANN), ("Kim", KIM), ("Kim & Co", KIM),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["ann", "Ann ", "Αnn", "A\u0301nn", "Ann\x00", "\udcff"])
def test_names_that_look_alike_are_others_and_clear_others(registry: Registry, name: str) -> None:
    registry.signers.settle("Ann", ANN)
    assert registry.signers.settle(name, MALLORY) == "added"
    assert {each.name: each.key for each in registry.signers.all()} == {"Ann": ANN, name: MALLORY}
    registry.put(record(1, "Ann"))
    kept(registry, 1, name, MALLORY)
    assert not is_cleared(registry, 1)


@pytest.mark.parametrize(("name", "key"), [("", ANN), ("Ann", ANN[:-1]), ("Ann", ANN.upper())])
def test_what_is_no_name_or_no_key_is_refused(registry: Registry, name: str, key: str) -> None:
    for replaced in (False, True):
        with pytest.raises(BadOption, match="takes a name, and a public key of 64"):
            registry.signers.settle(name, key, replace=replaced)
    assert registry.signers.all() == []


def test_each_license_clears_under_its_own_keys_name(registry: Registry) -> None:
    registry.signers.settle("Ann", ANN)
    registry.signers.settle("Kim", KIM)
    for number, (name, key) in enumerate(
        [("Ann", ANN), ("Kim", KIM), ("Ann", MALLORY), ("Kim", ANN), ("Nobody", MALLORY)]
    ):
        kept(registry, number, name, key)
    assert [is_cleared(registry, number) for number in range(5)] == [True, True, *[False] * 3]
    (kin,) = registry.kin(record(2))
    assert [each.unproved for each in kin.licensed] == ["Ann"]
    assert str(kin.licensed[0]) == "licensed to licensee 2, grade 0: with no key known as Ann's"
    kept(registry, 9, None, MALLORY)  # of models that nobody claims
    assert is_cleared(registry, 9)


def test_a_name_stays_whose_it_is_when_its_models_are_removed(registry: Registry) -> None:
    kept(registry, 1, "Ann", ANN)
    registry.signers.settle("Ann", ANN)
    registry.remove("m1")
    with pytest.raises(BadOption, match="stands for another key"):
        registry.signers.settle("Ann", MALLORY)


def test_a_key_that_was_replaced_clears_nobody_any_more(registry: Registry) -> None:
    kept(registry, 1, "Ann", ANN)
    kept(registry, 2, "Ann", MALLORY)
    assert registry.signers.settle("Ann", MALLORY) == "added"
    assert (is_cleared(registry, 1), is_cleared(registry, 2)) == (False, True)
    assert registry.signers.settle("Ann", ANN, replace=True) == "replaced"
    assert registry.signers.settle("Ann", ANN, replace=True) == "exists"
    assert (is_cleared(registry, 1), is_cleared(registry, 2)) == (True, False)


def test_in_an_older_registry_names_are_their_first_licenses(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry:
        kept(registry, 1, None, MALLORY)  # before Ann has licensed any
        kept(registry, 2, "Ann", ANN)
        kept(registry, 3, "Ann", MALLORY)
        kept(registry, 4, "Kim", KIM)
        kept(registry, 5, None, KIM)
        registry.put(replace(record(4, "Ann"), path="again.onnx"))  # Kim claimed it before
        registry.put(replace(record(5, "\udcff"), path="again.onnx"))
    connection = sqlite3.connect(tmp_path / "registry.sqlite")
    connection.execute("DROP TABLE signers")
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    for _ in range(2):
        with Registry.open(tmp_path) as registry:
            found = {each.name: each.key for each in registry.signers.all()}
            assert found == {"Ann": ANN, "Kim": KIM, "\udcff": KIM}
            cleared = [is_cleared(registry, number) for number in range(1, 4)]
            assert cleared == [True, True, False]
            registry.put(replace(record(1, "Ann"), path="later.onnx"))  # does not change it
            assert not is_cleared(registry, 1)
            registry.remove("m1")
            kept(registry, 1, None, MALLORY)


def test_what_was_not_listed_is_not_cleared(registry: Registry) -> None:
    """Two claim a licensed copy; the second is beyond the end of the list."""
    registry.signers.settle("Ann", ANN)
    kept(registry, 1, "Ann", ANN)
    registry.put(replace(record(1, "Ann"), path="again.onnx"))
    suspect = record(1)
    assert is_cleared(registry, 1)
    registry.put(replace(record(1, "Kim"), path="zzz.onnx", name="zzz"))
    for top in (1, 2, 3):
        listed = Report(suspect, registry.kin(suspect)).first(top)
        assert (len(listed.matches), listed.needs_review) == (top, True)
        assert listed.unexplained == listed.matches
        assert listed.first(top) == listed
