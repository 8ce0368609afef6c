"""Tables of codes: what is found is what a look at every code finds, or nearly all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from math import log10
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assay.errors import DamagedRegistry
from assay.sketches import bands, table_files, tables
from assay.sketches.kinds import Asked, Codes, asked, evidence
from assay.sketches.tables import Table
from assay.values import TensorSketch, WeightSketch

Words = NDArray[np.uint64]
EVIDENCE = evidence(("code", (64, 576), 1))


def drawn(seed: int, *sizes: int) -> Words:
    return np.random.default_rng(seed).integers(0, 2**64, (*sizes, 4), np.uint64)


def flipped(words: Words, count: int, seed: int = 0) -> Words:
    """A code (4) with ``count`` other bits."""
    mask = np.zeros(256, np.uint8)
    mask[np.random.default_rng(seed).choice(256, count, replace=False)] = 1
    flips: Words = words ^ np.packbits(mask).view(np.uint64)
    return flips


def suspect(words: Words, kinds: Sequence[int]) -> list[list[Asked]]:
    return [
        [Asked(np.uint64(kind), code, EVIDENCE)] for kind, code in zip(kinds, words, strict=True)
    ]


def scanned(
    codes: Codes, tensors: Sequence[Sequence[Asked]], among: Sequence[int] | None = None
) -> list[tuple[float, int]]:
    """Votes and keys, best first, from a look at every code: what a search is judged by."""
    chances, found = log10(max(len(tensors), 1)), []
    keys = np.unique(codes.models).tolist() if among is None else sorted(among)
    for key in keys:
        total = 0.0
        for tensor in tensors:
            best = 0.0
            for code in tensor:
                own = codes.words[(codes.models == key) & (codes.kinds == code.kind)]
                for words in own:
                    distance = int(np.bitwise_count(words ^ code.words).sum())
                    best = max(best, float(code.evidence[distance]) - log10(len(own)))
            total += best - chances if best > max(3, chances) else 0
        if total > log10(len(keys)):
            found.append((total, key))
    return sorted(found, key=lambda each: (-round(each[0], 3), each[1]))


def agree(found: Sequence[tuple[float, int]], wanted: Sequence[tuple[float, int]]) -> bool:
    near = [votes for votes, _ in found] == pytest.approx([v for v, _ in wanted], abs=1e-3)
    return near and [key for _, key in found] == [key for _, key in wanted]


@st.composite
def registries(draw: st.DrawFn) -> tuple[Codes, list[list[Asked]], list[int]]:
    """A few models with tensors of a few kinds, a suspect that shares some, and some keys."""
    seed, count = draw(st.integers(0, 2**32)), draw(st.integers(0, 40))
    random = np.random.default_rng(seed)
    keys = np.sort(random.choice(1000, 8, replace=False))
    words, kinds = drawn(seed, count), random.integers(0, 3, count).astype(np.uint64)
    codes = Codes(kinds, words, random.choice(keys, count).astype(np.int64))
    tensors = []
    for _ in range(draw(st.integers(0, 6))):
        tensor = suspect(drawn(draw(st.integers(0, 99)), 1), [draw(st.integers(0, 4))])[0]
        for row in draw(st.lists(st.integers(0, count - 1), max_size=3)) if count else []:
            code = flipped(words[row], draw(st.integers(0, 100)), row)
            tensor.append(Asked(kinds[row], code, EVIDENCE))
        tensors.append(tensor)
    among = draw(st.lists(st.sampled_from(keys.tolist()), unique=True))
    return codes, tensors, [key for key in among if key in codes.models]


@given(registries())
def test_a_small_table_finds_what_a_look_at_every_code_finds(
    made: tuple[Codes, list[list[Asked]], list[int]],
) -> None:
    codes, tensors, among = made
    table = Table.of(codes)
    assert agree(table.search(tensors, 8), scanned(codes, tensors))
    assert agree(table.search(tensors, 2), scanned(codes, tensors)[:2])
    chosen = np.isin(table.keys, among)
    assert agree(table.search(tensors, 8, chosen), scanned(codes, tensors, among))


@given(registries())
def test_a_table_gives_back_what_it_was_made_of(
    made: tuple[Codes, list[list[Asked]], list[int]],
) -> None:
    codes, _, among = made
    table = Table.of(codes)
    gone = np.isin(table.keys, among)
    left = table.codes(gone)
    kept = ~np.isin(codes.models, among)
    ours, theirs = (
        sorted(zip(c.models.tolist(), c.kinds.tolist(), c.words.tolist(), strict=True))
        for c in (left, Codes(codes.kinds[kept], codes.words[kept], codes.models[kept]))
    )
    assert ours == theirs


@pytest.fixture(scope="module")
def crowd() -> tuple[Words, Table]:
    """4,000 models of one architecture: 20 tensors of two shapes, so that kinds have bands."""
    words = drawn(1, 4_000, 20)
    kinds = np.tile(np.arange(20) % 2, 4_000).astype(np.uint64)
    return words, Table.of(Codes(kinds, words.reshape(-1, 4), np.repeat(np.arange(4_000), 20)))


def found_first(crowd: tuple[Words, Table], distance: int, shared: int, suspects: int) -> float:
    """How often a model comes first of which a suspect has some tensors, so many bits away."""
    words, table = crowd
    first = 0
    for number in range(suspects):
        tensors = drawn(100 + number, 20)
        for place in range(shared):
            tensors[place] = flipped(words[number, place], distance, number * 20 + place)
        ranked = table.search(suspect(tensors, [place % 2 for place in range(20)]), 10)
        first += bool(ranked) and ranked[0][1] == number
    return first / suspects


def test_kinds_of_the_crowd_have_bands(crowd: tuple[Words, Table]) -> None:
    assert (np.diff(crowd[1].starts) > bands.SCANNED).all()
    assert crowd[1].rows.size == 16 * 80_000


@pytest.mark.parametrize(("distance", "shared", "recall"), [(0, 1, 1), (40, 1, 1), (64, 3, 1)])
def test_a_model_is_found_by_few_tensors(
    crowd: tuple[Words, Table], distance: int, shared: int, recall: float
) -> None:
    assert found_first(crowd, distance, shared, 40) >= recall


def test_a_model_is_found_by_many_tensors_at_a_cosine_of_one_half(
    crowd: tuple[Words, Table],
) -> None:
    assert found_first(crowd, 85, 20, 20) == 1


def test_bands_find_the_share_of_codes_that_their_formula_says() -> None:
    words = drawn(2, 40_000)
    rows, begins = bands.listed(words)
    width = bands.bits(len(words))
    assert width == 15
    for distance in (40, 64, 85):
        found = 0
        for row in range(300):
            first, lengths = bands.ranges(
                flipped(words[row], distance, row), begins.reshape(-1), len(words), bands.FLIPPED
            )
            found += row in rows.reshape(-1)[bands.expanded(first, lengths)]
        share = distance / 256
        alike = [(1 - share) ** width * (share / (1 - share)) ** i for i in range(3)]
        one = alike[0] + width * alike[1] + width * (width - 1) / 2 * alike[2]
        assert found / 300 == pytest.approx(1 - (1 - one) ** 16, abs=0.09)


@given(st.integers(0, 2**32), st.integers(0, 256))
def test_distances_are_counted_to_the_last_bit(seed: int, count: int) -> None:
    words = drawn(seed, 3)
    words[1] = flipped(words[0], count, seed)
    assert bands.distances(words, words[0]).tolist()[:2] == [0, count]


def test_the_nearest_of_a_crowd_of_fine_tunes_comes_first() -> None:
    flips = np.random.default_rng(3).random((9_000, 4, 256)) < 20 / 256
    made = drawn(3, 4) ^ np.packbits(flips, axis=2).view(np.uint64)
    kinds = np.zeros(36_000, np.uint64)
    table = Table.of(Codes(kinds, made.reshape(-1, 4), np.repeat(np.arange(9_000), 4)))
    assert table.rows.size
    child = np.stack([flipped(code, 4, place) for place, code in enumerate(made[4711])])
    assert table.search(suspect(child, [0] * 4), 3)[0][1] == 4711


def test_a_part_and_a_bundle_find_each_other() -> None:
    part, bundle = drawn(4, 3), drawn(5, 200)
    bundle[100:103] = part
    strangers = drawn(6, 50, 40)
    kinds = np.zeros(2203, np.uint64)
    models = np.repeat([1, 2, *range(10, 60)], [3, 200, *[40] * 50])
    codes = Codes(kinds, np.concatenate([part, bundle, strangers.reshape(-1, 4)]), models)
    table = Table.of(codes)
    assert [key for _, key in table.search(suspect(part, [0] * 3), 9)][:2] == [1, 2]
    assert [key for _, key in table.search(suspect(bundle, [0] * 200), 9)][:2] == [2, 1]


def test_what_is_looked_at_is_bounded_and_rare_kinds_come_first(
    crowd: tuple[Words, Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    words, table = crowd
    rare = drawn(7, 1)
    codes = Codes.joined([table.codes(), Codes(np.array([9], np.uint64), rare, np.array([17]))])
    table = Table.of(codes)
    monkeypatch.setattr(tables, "SEEN", 0)  # one tensor only
    tensors = suspect(np.concatenate([words[3], rare]), [*([0, 1] * 10), 9])
    assert [key for _, key in table.search(tensors, 5)] == [17]
    assert table.search(tensors[:-1], 5)[0][1] == 3


def test_codes_of_a_sketch_are_asked_in_each_reading_and_formulas_left_out() -> None:
    code, second = drawn(8, 2)
    sketch = WeightSketch(
        "scheme",
        (
            TensorSketch("a", (8, 64), 1, "as stored", code.tobytes(), second.tobytes()),
            TensorSketch("a", (64, 8), 1, "output last", second.tobytes()),
            TensorSketch("b", (8, 64), 1, "as stored", code.tobytes()),
            TensorSketch("b", (64, 8), 1, "output last", left_out="waves"),
            TensorSketch("c", (5,), left_out="one axis"),
        ),
    )
    (tensor,) = asked(sketch)
    words = [code.tolist(), second.tolist(), second.tolist()]
    assert [each.words.tolist() for each in tensor] == words
    assert len({each.kind for each in tensor}) == 3
    codes = Codes.of(sketch, 7)
    assert codes.kinds.tolist() == [each.kind for each in tensor]
    assert codes.models.tolist() == [7] * 3
    other = Codes.of(replace(sketch, scheme="another"), 7)
    assert not {*other.kinds.tolist()} & {*codes.kinds.tolist()}


def test_a_file_holds_the_table_and_only_its_owner_may_read_it(
    crowd: tuple[Words, Table], tmp_path: Path
) -> None:
    empty = Table.of(Codes.joined([]))
    for table in (crowd[1], empty):
        table_files.write(tmp_path / "t", table, {"of": 7})
        read, about, checksum = table_files.opened(tmp_path / "t")
        assert about == {"of": 7}
        assert checksum == table_files.checksum(table)
        assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600
        for field in fields(Table):
            assert np.array_equal(getattr(table, field.name), getattr(read, field.name))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one byte short": lambda content: content[:-1],
    "its first line only": lambda content: table_files.MAGIC,
    "a bit of its header flipped": lambda content: content[:40] + b"~" + content[41:],
    "a bit of a code flipped": lambda content: content[:-9] + bytes([content[-9] ^ 1])
    + content[-8:],
    "more than it was": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
    "another version": lambda content: content.replace(b"tensors 1", b"tensors 2", 1),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_opened(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "t"
    codes = Codes(np.arange(30, dtype=np.uint64) % 3, drawn(9, 30), np.arange(30) // 2)
    table_files.write(path, Table.of(codes), {})
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(DamagedRegistry, match=str(path)):
        table_files.opened(path)


@pytest.mark.parametrize("array", ["rows", "begins", "models"])
def test_a_large_table_that_was_tampered_with_is_said_to_be(
    crowd: tuple[Words, Table], array: str
) -> None:
    words, table = crowd
    spoiled = getattr(table, array).copy()
    spoiled[: len(spoiled) // 2] = 2**32 - 1
    table = replace(table, **{array: spoiled})
    with pytest.raises(DamagedRegistry):
        table.search(suspect(words[0], [0, 1] * 10), 5)
