"""Codes of a network that has a newer one in its place: read, compared, found to be old."""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from scripts_of import scripts_of
from small_records import graph, record

from assay.cli import main
from assay.errors import BadOption, SchemeMismatch
from assay.examine import DEFAULT_HASHER
from assay.hashers import HASHERS, Hasher, _learned
from assay.hashers._network_file import HashNetwork
from assay.registry import Registry
from assay.values import HashCode

SCRIPTS = Path(__file__).parents[1] / "scripts"
# Every network that ever came with assay, and its code of ``graph(1)``.  A line is added for each
# new one and none is taken away: code that computes another thing is another method.
CAME = {
    "boosted-minhash-64@fc126a12": "28248a064131f97b",
    "boosted-minhash-128@f8fd886b": "28248a064131f97b232fdf1fb11c7ee6",
    "boosted-minhash-256@bdc65f6d": "28248a064131f97b232fdf1fb11c7ee6c2bfc7d437dd613a5fbb0ffa1d9f1238",  # noqa: E501
    "contrastive-gin-64@96f55ae4": "7170250f667e2f72",
    "ghashing-64@13b2dcea": "f55b668f6ac4b74b",
    "hnn-net-64@73641227": "7ccfa2f9be30cbb0",
}
Replace = Callable[[], tuple[str, str]]


def by_scheme(scheme: str) -> Hasher:
    method: Callable[..., Hasher] = HASHERS[scheme.rpartition("-")[0]]
    return method(weights=scheme)


@pytest.fixture
def replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Replace:
    """What puts another network in the place of the default one, as a later assay comes with it."""

    def change() -> tuple[str, str]:
        before = HASHERS[DEFAULT_HASHER]()
        assert isinstance(before, _learned.LearnedHasher)
        folder = tmp_path / "later"
        shutil.copytree(_learned.SHIPPED, folder)
        known = before.network
        weights = {**known.weights, "function": known.weights["function"] + 1000}
        later = replace(known, weights=weights)
        old = before.scheme
        with scripts_of(SCRIPTS) as module:
            module("train_networks").ship(later, folder)
        monkeypatch.setattr(_learned, "SHIPPED", folder)
        new = HASHERS[DEFAULT_HASHER]().scheme
        assert new == f"{DEFAULT_HASHER}-64@{later.name}" != old
        return old, new

    return change


@pytest.mark.parametrize("scheme", CAME)
def test_every_network_that_ever_came_with_assay_makes_the_codes_it_made(scheme: str) -> None:
    hasher = by_scheme(scheme)
    assert hasher.scheme == scheme
    assert str(hasher(graph(1))) == f"{scheme}+g1:{CAME[scheme]}"


def test_the_newest_networks_are_among_those_that_are_held_to_their_codes() -> None:
    shipped = [file.stem.rpartition("-") for file in _learned.SHIPPED.glob("*.safetensors")]
    newest: list[Callable[..., Hasher]] = [HASHERS[method] for method, _, _ in shipped]
    bits = [int(length) for _, _, length in shipped]
    schemes = {make(bits=length).scheme for make, length in zip(newest, bits, strict=True)}
    assert schemes <= {*CAME}
    assert len(schemes) == len(shipped)


def test_a_registry_goes_on_with_its_network_says_so_and_changes_when_it_is_told_to(
    tmp_path: Path,
    light_models: dict[str, Path],
    replaced: Replace,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, other = light_models["zfnet512"], light_models["squeezenet"]
    with Registry.open(tmp_path / "registry") as registry:
        registry.add(model)
        code = registry.show("light_zfnet512").code
    assert not caplog.records
    old, new = replaced()
    with Registry.open(tmp_path / "registry") as registry:
        for _ in range(2):
            found = registry.check(model)
            assert found.suspect.code == code
            assert found.matches[0].evidence[1].detail["distance"] == 0
        assert registry.add(other).status == "added"
        said = [line.getMessage() for line in caplog.records]
        assert len(said) == 1, "once"
        assert said[0].startswith(f"codes are of {old}, a network of an older assay")
        assert "'assay rehash'" in said[0]
        assert {each.code and each.code.scheme for each in registry.list()} == {f"{old}+g1"}
        with pytest.raises(BadOption, match=f"its codes are of {old}, not {new}"):
            registry.use(HASHERS[DEFAULT_HASHER]())
    caplog.clear()
    with Registry.open(tmp_path / "registry") as registry:
        assert len([*registry.rehash(HASHERS[DEFAULT_HASHER]())]) == 2
        found = registry.check(model)
        assert found.suspect.code is not None
        assert found.suspect.code.scheme == f"{new}+g1"
        assert found.suspect.code.digest != (code and code.digest)
        assert found.matches[0].evidence[1].detail["distance"] == 0
        assert not caplog.records


def test_an_older_network_and_what_else_rehash_brings_are_one_warning(
    tmp_path: Path,
    light_models: dict[str, Path],
    replaced: Replace,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = light_models["zfnet512"]
    with Registry.open(tmp_path / "registry") as registry:
        registry.add(model)
        registry.put(record(1, hasher=HASHERS["contrastive-gin"]()))
    connection = sqlite3.connect(tmp_path / "registry" / "registry.sqlite")
    connection.execute("DELETE FROM parts")  # as an assay that knew of none left it
    connection.commit()
    connection.close()
    old, _ = replaced()
    with Registry.open(tmp_path / "registry") as registry:
        registry.check(model)
        first, other = [said for said in caplog.messages if "codes" in said]
        assert first.startswith(f"codes are of {old}, a network of an older assay")
        assert "(models without codes of their parts: 1); 'assay rehash'" in first
        assert f"not of scheme {old}+g1: 1: run" in other, "and of no parts: it is not compared"
        caplog.clear()
        assert len([*registry.rehash(HASHERS[DEFAULT_HASHER]())]) == 2
    with Registry.open(tmp_path / "registry") as registry:
        registry.check(model)
        assert not [said for said in caplog.messages if "codes" in said]


def test_codes_of_two_networks_are_never_compared(
    tmp_path: Path, replaced: Replace, caplog: pytest.LogCaptureFixture
) -> None:
    before = record(1, hasher=HASHERS[DEFAULT_HASHER]())
    with Registry.open(tmp_path / "registry") as registry:
        registry.put(before)
    replaced()
    after = record(1, hasher=HASHERS[DEFAULT_HASHER]())
    assert before.code is not None
    assert after.code is not None
    with pytest.raises(SchemeMismatch, match=r"hash both .* \(assay rehash does it"):
        _ = before.code - after.code
    with Registry.open(tmp_path / "registry") as registry:
        assert registry.kin(replace(after, sha256=None)) == ()  # nor found by it
        (said,) = [line.getMessage() for line in caplog.records]
        assert said.startswith("models that were not compared, because their codes are not of")
        assert "run 'assay rehash'" in said
        (found,) = registry.kin(replace(before, sha256=None))
        assert found.evidence[0].detail["distance"] == 0


def test_the_command_hashes_by_a_scheme_too(
    light_models: dict[str, Path], replaced: Replace, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(light_models["zfnet512"])

    def code(*words: str) -> HashCode:
        with pytest.raises(SystemExit) as ended:
            main(["hash", *words, model])
        assert ended.value.code == 0
        return HashCode.parse(capsys.readouterr().out.split()[0])

    first = code()
    old, new = replaced()
    assert code() == code("--weights", new) != first
    assert code("--weights", old) == first
    with pytest.raises(BadOption, match="contrastive-gin-64@01234567: comes not with this assay"):
        by_scheme("contrastive-gin-64@01234567")


def test_what_was_never_released_may_be_forgotten(tmp_path: Path) -> None:
    with scripts_of(SCRIPTS) as module:
        ship = module("train_networks").ship
        first = HashNetwork.load(_learned.SHIPPED / "contrastive-gin-64.safetensors")
        for keep in (True, False, True):  # the same network again is no newer one
            file = ship(first, tmp_path, keep=keep)
        assert [*tmp_path.iterdir()] == [file]
        ship(replace(first, categories=("one",)), tmp_path, keep=False)
        assert [*tmp_path.iterdir()] == [file]
        ship(first, tmp_path)
        assert len([*(tmp_path / "older").iterdir()]) == 1
