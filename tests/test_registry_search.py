"""Searching a registry: kin of a suspect, filters, rehashing."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from small_records import graph, record

from assay.errors import UnknownModel, UnreadableModel
from assay.examine import DEFAULT_HASHER
from assay.hashers import HASHERS, Hasher
from assay.registry import Registry, Where
from assay.values import Kin, LayerGraph, Relation


@dataclass(frozen=True)
class Tiny(Hasher):
    """A hasher that is no method of the library."""

    @property
    def scheme(self) -> str:
        return "tiny"

    def digest(self, graph: LayerGraph) -> bytes:
        return len(graph.layers).to_bytes(8)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry") as registry:
        yield registry


def names(found: tuple[Kin, ...]) -> list[str]:
    return [kin.record.name for kin in found]


# Kin


def test_the_same_bytes_are_identical_and_come_first(registry: Registry) -> None:
    for number in range(30):
        registry.put(record(number))
    twin = replace(record(7), name="a-twin", sha256="7" * 64)
    registry.put(twin)
    first, second = registry.kin(replace(record(7), path="suspect.onnx"))[:2]
    assert (first.record.name, first.relation) == ("m7", Relation.IDENTICAL)
    assert (second.record.name, second.relation) == ("a-twin", Relation.SAME_ARCHITECTURE)
    assert second.evidence[0].detail["distance"] == 0


def test_equals_come_in_the_order_of_their_names_and_no_more_than_asked_for(
    registry: Registry,
) -> None:
    for name in "dbacfe":
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        registry.put(replace(record(7), name=name, sha256=sha256))
    assert names(registry.kin(record(7))) == list("abcdef")
    assert names(registry.kin(record(7), top=2)) == ["a", "b"]


def test_more_candidates_are_compared_where_more_answers_are_asked_for(registry: Registry) -> None:
    for number in range(250):
        registry.put(replace(record(7), name=f"{number:03}", sha256=f"{number:064x}"))
    expected = [f"{number:03}" for number in range(250)]
    assert names(registry.kin(record(7), top=999)) == expected
    assert names(registry.kin(record(7), top=45)) == expected[:45]


def test_a_model_whose_graph_differs_a_little_is_found_and_strangers_are_not(
    registry: Registry,
) -> None:
    for number in range(300):
        registry.put(record(number))
    made = graph(42)
    wider = replace(made.layers[5], parameters=made.layers[5].parameters + 1)
    changed = replace(made, layers=(*made.layers[:5], wider, *made.layers[6:]))
    suspect = replace(record(42), graph=changed, sha256="0" * 64)
    found = registry.kin(suspect)
    assert names(found)[0] == "m42"
    assert all(kin.relation > Relation.UNRELATED for kin in found)
    assert len(found) < 20


def test_a_model_without_a_graph_is_found_by_its_bytes(registry: Registry) -> None:
    weights = replace(record(1), code=None, graph=None, format="safetensors")
    registry.put(weights)
    registry.put(replace(weights, sha256="1" * 64, name="other"))
    assert [kin.relation for kin in registry.kin(weights)] == [Relation.IDENTICAL]
    assert registry.kin(replace(weights, sha256=None)) == ()


def test_a_filter_holds_for_equal_bytes_and_for_near_codes(registry: Registry) -> None:
    registry.put(record(1, "alice"))
    registry.put(replace(record(1, "bob"), sha256="1" * 64, name="twin"))
    registry.put(replace(record(1, "bob"), sha256="2" * 64, name="twin2", format="tflite"))
    assert names(registry.kin(record(1), where=Where(owner="bob"))) == ["twin", "twin2"]
    assert names(registry.kin(record(1), where=Where(owner="bob", format="onnx"))) == ["twin"]
    assert registry.kin(record(1), where=Where(owner="carol")) == ()


def test_what_another_connection_adds_or_removes_is_seen_at_once(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as one, Registry.open(tmp_path) as other:
        for number in range(5):
            assert one.kin(record(number)) == ()
            other.put(record(number))
            assert names(one.kin(record(number))) == [f"m{number}"]
        other.remove("m3")
        assert one.kin(record(3)) == ()
        with pytest.raises(UnknownModel):
            one.show("m3")
        one.put(record(3))
        assert names(other.kin(record(3))) == ["m3"]


def test_threads_share_a_registry(registry: Registry) -> None:
    found: list[list[str]] = []

    def work(first: int) -> None:
        for number in range(first, 40, 4):
            registry.put(record(number))
            found.append(names(registry.kin(record(number)))[:1])

    threads = [threading.Thread(target=work, args=[first]) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([f"m{number}"] for number in range(40))


# Rehashing


def test_models_of_another_scheme_are_not_compared_but_counted_and_said(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    longer = HASHERS["weisfeiler-lehman"](bits=128)
    registry.put(record(1))
    registry.put(replace(record(2), code=None, graph=None))  # never comparable, so never stale
    suspect = replace(record(1, hasher=longer), sha256=None)
    assert registry.kin(suspect) == registry.kin(suspect) == ()
    (said,) = caplog.messages
    assert said.startswith("models that were not compared, because their codes are not of scheme")
    assert "-128+g1: 1: run" in said
    assert "assay rehash" in said
    assert suspect.code is not None
    assert registry.stale(suspect.code.scheme) == 1
    assert [r.code for r in registry.rehash(longer)] == [suspect.code]
    assert registry.stale(suspect.code.scheme) == 0
    assert names(registry.kin(suspect)) == ["m1"]
    assert registry.kin(replace(record(1), sha256=None)) == ()  # the old codes are gone


def test_rehashing_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    longer = HASHERS["weisfeiler-lehman"](bits=256)
    with Registry.open(tmp_path) as registry:
        for number in range(150):
            registry.put(record(number))
        first = [model.name for model, _ in zip(registry.rehash(longer), range(10), strict=False)]
    with Registry.open(tmp_path) as registry:
        rest = [model.name for model in registry.rehash(longer)]
        assert set(first) | set(rest) >= {f"m{n}" for n in range(64, 150)}
        assert not set(first) & set(rest)
        assert len(rest) == 150 - 64  # a page is done as a whole
        assert [r.code for r in registry.list()] == [
            record(n, hasher=longer).code for n in range(150)
        ]
        assert list(registry.rehash(longer)) == []


def test_a_registry_goes_on_with_the_hasher_of_the_last_rehash(registry: Registry) -> None:
    longer = HASHERS["weisfeiler-lehman"](bits=128)
    assert registry.hasher == HASHERS[DEFAULT_HASHER]()
    assert list(registry.rehash(longer)) == []
    assert registry.hasher == longer


def test_a_hasher_of_ones_own_makes_codes_but_is_not_remembered(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.put(record(1))
    registry.put(replace(record(2), graph=LayerGraph((), (), "g1"), code=None))  # nothing to hash
    assert [model.name for model in registry.rehash(Tiny())] == ["m1"]
    assert str(registry.show("m1").code) == "tiny+g1:000000000000000c"
    assert registry.show("m2").code is None
    assert registry.hasher == HASHERS[DEFAULT_HASHER]()
    assert "is no method of assay" in caplog.text


# Files


def test_real_models_are_added_found_and_named(
    registry: Registry, light_models: dict[str, Path], tmp_path: Path
) -> None:
    for path in light_models.values():
        assert registry.add(path, owner="zoo").status == "added"
    renamed = shutil.copy(light_models["resnet50"], tmp_path / "unknown.onnx")
    report = registry.check(renamed, input_shape={})
    best = report.matches[0]
    assert (best.record.name, best.record.owner) == ("light_resnet50", "zoo")
    assert report.verdict == Relation.IDENTICAL
    assert registry.add(renamed, name="mine").name == "light_resnet50"
    assert len(registry) == 9


def test_a_file_that_is_no_model_is_not_registered(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "garbage.onnx").write_bytes(b"garbage" * 99)
    with pytest.raises(UnreadableModel):
        registry.add(tmp_path / "garbage.onnx")
    assert len(registry) == 0
