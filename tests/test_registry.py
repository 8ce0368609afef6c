"""The registry: what goes in comes out, is found, is owned, is removed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_records import HASHER, graph, record

from assay.errors import AssayError, SchemeMismatch, UnknownModel
from assay.registry import Added, Registry, Where
from assay.values import HashCode, Layer, LayerGraph, Record

COUNTS = st.integers(0, 2**80)
TEXTS = st.text(st.characters(exclude_characters="\0"), min_size=1)  # bytes of a file's name, too
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
ATTRIBUTES = st.one_of(
    st.integers(), st.floats(allow_nan=False), TEXTS, st.lists(st.integers()).map(tuple)
)
LAYERS = st.builds(
    Layer,
    TEXTS,
    st.none() | st.lists(st.integers(0, 2**70), max_size=4).map(tuple),
    COUNTS,
    COUNTS,
    st.dictionaries(TEXTS, ATTRIBUTES, max_size=3).map(lambda d: tuple(sorted(d.items()))),
)
EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=9).map(tuple)
GRAPHS = st.builds(LayerGraph, st.lists(LAYERS, max_size=9).map(tuple), EDGES, WORDS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
RECORDS = st.builds(
    Record,
    path=TEXTS,
    format=TEXTS,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    name=TEXTS,
    owner=st.none() | TEXTS,
    added=TEXTS,
    code=st.none() | st.builds(HashCode, WORDS, st.binary(min_size=8, max_size=8)),
    graph=st.none() | GRAPHS,
    parameters=COUNTS,
    quality=st.floats(0, 1),
    metadata=st.dictionaries(st.text(), JSON, max_size=3),
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry") as registry:
        yield registry


def without_date(record: Record) -> Record:
    return replace(record, added=None)


# Keeping


def test_what_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Registry.open(tmp_path_factory.mktemp("registry")) as registry:

        @given(RECORDS)
        def round_trip(original: Record) -> None:
            added = registry.put(original)
            assert added == Added(original.path, original.sha256 or "", original.name, "added")
            assert registry.show(original.sha256 or "") == original
            assert list(registry.list(Where(name=None, owner=original.owner))) == [original]
            assert registry.remove(original.sha256 or "") == original
            assert len(registry) == 0

        round_trip()


def test_a_registry_keeps_its_models_when_it_is_opened_again(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry:
        registry.put(record(1))
    with Registry.open(tmp_path, create=False) as registry:
        assert [without_date(r) for r in registry.list()] == [record(1)]


def test_a_model_is_dated_when_it_is_added(registry: Registry) -> None:
    registry.put(record(1))
    assert (registry.show("m1").added or "").endswith("+00:00")


def test_the_same_bytes_are_one_model_and_a_second_owner_is_a_second_claim(
    registry: Registry,
) -> None:
    assert registry.put(record(1, "alice")).status == "added"
    copy = replace(record(1, "bob"), path="elsewhere/copy.onnx", name="copy")
    assert registry.put(copy) == Added(copy.path, copy.sha256 or "", "m1", "exists")
    assert registry.put(record(1, "alice")).status == "exists"
    assert registry.put(copy).to_json() == {
        "path": "elsewhere/copy.onnx", "sha256": copy.sha256, "name": "m1", "status": "exists",
    }  # fmt: skip
    assert len(registry) == 1
    assert registry.show("m1").owner == "alice"
    assert registry.owners(copy.sha256 or "") == ["alice", "bob"]
    assert [r.name for r in registry.list(Where(owner="bob"))] == ["m1"]


def test_the_first_who_claims_a_model_that_nobody_claimed_is_its_owner(registry: Registry) -> None:
    registry.put(record(1))
    assert (registry.show("m1").owner, registry.owners("m1")) == (None, [])
    registry.put(record(1, "bob"))
    assert (registry.show("m1").owner, registry.owners("m1")) == ("bob", ["bob"])


def test_known_bytes_read_by_newer_graph_rules_are_kept_as_read_now(registry: Registry) -> None:
    registry.put(record(1, "alice"))
    newer = replace(graph(1), rules="g2")
    again = replace(
        record(1, "bob"), name="x", path="x", graph=newer, code=HASHER(newer), quality=0.5
    )
    assert registry.put(again).status == "exists"
    kept = replace(record(1, "alice"), graph=newer, code=HASHER(newer), quality=0.5)
    assert without_date(registry.show("m1")) == kept
    assert [kin.record.name for kin in registry.kin(again)] == ["m1", "x"]


def test_the_same_bytes_under_two_paths_are_one_model_listed_twice(registry: Registry) -> None:
    registry.put(record(1, "alice"))
    copy = replace(record(1, "bob"), name="copy", path="elsewhere/copy.onnx")
    assert registry.put(copy).status == "exists"
    assert registry.put(copy).status == "exists"
    assert len(registry) == 1
    listed = [(k.record.path, k.record.owner) for k in registry.kin(record(1))]
    assert sorted(listed) == [("elsewhere/copy.onnx", "bob"), (record(1).path, "alice")]
    (only,) = registry.kin(record(1), where=Where(owner="bob"))
    assert only.record.path == "elsewhere/copy.onnx"
    assert registry.show("elsewhere/copy.onnx").sha256 == registry.show("copy").sha256
    assert registry.owners(record(1).sha256 or "") == ["alice", "bob"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            replace(record(1), sha256=None),
            "models/m1.onnx: cannot be registered without its sha256",
        ),
        (replace(record(1), sha256="123abc"), "without its sha256"),
        (replace(record(1), metadata={"x": object()}), "cannot be kept as JSON"),
        (replace(record(1), metadata={"x": float("nan")}), "cannot be kept as JSON"),
    ],
)
def test_what_cannot_be_kept_is_refused_whole(
    registry: Registry, wrong: Record, message: str
) -> None:
    with pytest.raises(AssayError, match=message):
        registry.put(wrong)
    assert list(registry.list()) == []


def test_a_code_as_long_as_no_other_of_its_scheme_is_refused(registry: Registry) -> None:
    registry.put(record(1))
    odd = replace(record(2), code=HashCode(HASHER(graph(2)).scheme, b"\1"))
    with pytest.raises(SchemeMismatch, match="has 64 bits in this registry, not 8"):
        registry.put(odd)
    assert len(registry) == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models/resnet50.onnx", "resnet50"),
        ("https://host/a/resnet-v1.5", "resnet-v1.5"),
        ("bert/v1.5.onnx", "v1.5"),
        ("bert/model.onnx", "bert/model"),
        ("model.onnx", "model"),
        (".onnx", ".onnx"),
        ("/", "/"),
    ],
)
def test_a_model_without_a_name_is_called_as_its_file(
    registry: Registry, path: str, name: str
) -> None:
    assert registry.put(replace(record(1), name="", path=path)).name == name


# Finding by name


def test_a_model_is_meant_by_its_name_its_path_or_the_start_of_its_sha256(
    registry: Registry,
) -> None:
    registry.put(record(1))
    registry.put(record(2))
    sha256 = record(1).sha256 or ""
    for text in ("m1", "models/m1.onnx", sha256, sha256[:6], sha256[:9].upper()):
        assert registry.show(text).name == "m1"


def test_an_unknown_name_is_answered_with_the_near_ones(registry: Registry) -> None:
    registry.put(replace(record(1), name="resnet50"))
    for text in ("resnet5O", "RESNET"):
        with pytest.raises(UnknownModel, match=f"^no registered model '{text}': did you mean resn"):
            registry.show(text)
    for text in ("", "zzz", (record(1).sha256 or "")[:5]):
        with pytest.raises(UnknownModel, match="'assay list' shows"):
            registry.show(text)


def test_a_name_of_several_models_is_answered_with_them_and_nothing_is_removed(
    registry: Registry,
) -> None:
    for number in range(7):
        registry.put(replace(record(number), name="net"))
        if number > 0:
            with pytest.raises(UnknownModel) as caught:
                registry.remove("net")
            message = str(caught.value)
            assert message.startswith(
                "'net' is the name of several models: 5feceb66ffc8 (models/m0"
            )
            assert message.count("models/") == min(number + 1, 5)
            assert (", …:" in message) == (number >= 5)
    assert len(registry) == 7
    registry.put(replace(record(7), name="a", path="net"))  # a path is no clearer than a name
    registry.remove("a")
    assert registry.remove((record(3).sha256 or "")[:8]).path == "models/m3.onnx"
    assert len(registry) == 6


def test_a_name_comes_before_the_start_of_another_models_sha256(registry: Registry) -> None:
    registry.put(record(1))
    registry.put(replace(record(2), name=(record(1).sha256 or "")[:8]))
    assert registry.show((record(1).sha256 or "")[:8]).path == "models/m2.onnx"


# Listing


def test_filters_are_what_their_words_say(registry: Registry) -> None:
    registry.put(replace(record(1, "alice"), name="Net-a", parameters=10))
    registry.put(replace(record(2, "bob"), name="net-b", parameters=20, format="tflite"))
    registry.put(replace(record(3), name="net[c]", parameters=2**70))

    def listed(where: Where | None) -> list[str]:
        return [model.name for model in registry.list(where)]

    assert listed(None) == listed(Where()) == ["Net-a", "net-b", "net[c]"]
    assert listed(Where(owner="alice")) == ["Net-a"]
    assert listed(Where(format="tflite")) == ["net-b"]
    assert listed(Where(name="net*")) == ["net-b", "net[c]"]
    assert listed(Where(name="net-[!a]")) == listed(Where(name="net-?")) == ["net-b"]
    assert listed(Where(parameters_min=20)) == ["net-b", "net[c]"]
    assert listed(Where(parameters_min=2**69, parameters_max=2**71)) == ["net[c]"]
    assert listed(Where(parameters_max=19)) == ["Net-a"]
    assert listed(Where(owner="alice", format="tflite")) == []


def test_a_list_goes_on_while_models_come_and_go(registry: Registry) -> None:
    for number in range(130):
        registry.put(record(number))
    listing = registry.list()
    first = [next(listing).name for _ in range(64)]
    registry.remove("m100")
    registry.put(record(130))
    expected = [f"m{n}" for n in range(131) if n != 100]
    assert first + [model.name for model in listing] == expected
