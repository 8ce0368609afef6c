"""Copies that are told apart: what is shared, who is named, who is not, and what is refused."""

from __future__ import annotations

from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from small_copies import (
    HEAD,
    SHAPE,
    copy,
    distributed,
    ledger,
    person,
    suspect,
    weights,
    words,
)
from small_licenses import grant, licensee, owner

from assay.errors import BadOption, UnfitModel, Unlicensed, UnreadableLicense
from assay.keys.signing import SigningKey
from assay.licenses._copies import LARGEST, Copy
from assay.licenses._distributable import activate, damaged, files_of, ledger_of, part_of
from assay.licenses._granting import copied, granted, read_ledger
from assay.licenses._grants import Grant
from assay.licenses._ledger import Ledger, drawn
from assay.licenses._manifest import Content
from assay.licenses._parts import WINDOW
from assay.licenses._tracing import chances, read, traced


def named(values: object, count: int = 20, tolerance: float = 1e-6) -> list[int]:
    """The numbers of who is traced."""
    kept = ledger()
    found = traced(suspect(values), kept, words(kept, count))
    return sorted(int(e.licensee) for e in found if e.to_json(tolerance)["traced"])


# --- what is shared, and what a license brings ----------------------------------------------------


def test_no_shared_file_holds_a_marked_value_and_a_license_brings_them(tmp_path: Path) -> None:
    model, manifest, kept = distributed(tmp_path)
    for number, level in ((0, 0), (0, 1), (1, 0)):
        key = licensee(number)
        mine = granted(model, owner(), level, "Bob", key.public)
        made = activate(model, mine, key, tmp_path / "out")
        content = (tmp_path / "out").read_bytes()
        body = content[len(HEAD) : -100]
        ((at, values),) = kept.patches(level, kept.words(owner(), key.public))
        assert (at, values) == (len(HEAD), body)
        assert content == HEAD + body + bytes([level]) * 100
        assert mine.copy is not None
        assert made.content == mine.copy.content
        assert copied(model, mine, owner(), tmp_path / "owners") == made.content
        marked = np.frombuffer(body, np.float32)[kept.sites[0].places].ravel()
        assert (marked != 0).all()
        for file in files_of(model, manifest):
            shared = file.read_bytes()
            assert not any(value.tobytes() in shared for value in marked[:200])
    original = weights().reshape(-1)
    changed = np.flatnonzero(np.frombuffer(body, np.float32) != original)
    assert {*changed.tolist()} <= {*kept.sites[0].places.ravel().tolist()}


def test_who_leaves_the_license_out_has_no_layer(tmp_path: Path) -> None:
    model, manifest, _ = distributed(tmp_path)
    plain = grant(manifest, 0)  # a license without the values, as a tool that was patched opens
    with pytest.raises(UnreadableLicense, match="does not bring what the model's copies take"):
        activate(model, plain, licensee(0), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not any(model.read_bytes()[len(HEAD) : len(HEAD) + 4 * weights().size])


def test_one_license_does_not_open_anothers_values(tmp_path: Path) -> None:
    model, manifest, _ = distributed(tmp_path)
    bob, eve = (granted(model, owner(), 0, "x", licensee(n).public) for n in (0, 1))
    before = {*tmp_path.iterdir()}
    with pytest.raises(Unlicensed, match="is made out to"):
        activate(model, bob, licensee(1), tmp_path / "out")
    assert bob.copy is not None
    assert eve.copy is not None
    opens = eve._opened(manifest, licensee(1), None)[32:]
    with pytest.raises(UnreadableLicense, match="its values are damaged"):
        bob.copy.patches(opens)
    assert {*tmp_path.iterdir()} == before


def test_what_is_damaged_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    model, manifest, _ = distributed(tmp_path)
    mine = granted(model, owner(), 0, "Bob", licensee(0).public)
    for file in (part_of(model, 1), ledger_of(model)):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        before = {*tmp_path.iterdir()}
        assert damaged(model, manifest) == [file.name]
        with pytest.raises(UnreadableLicense, match=file.name):
            granted(model, owner(), 0, "Bob", licensee(0).public)
        if file == ledger_of(model):  # who activates needs none
            file.unlink()
            assert damaged(model, manifest) == []
            with pytest.raises(UnreadableLicense, match="put back the owner's copy"):
                granted(model, owner(), 0, "Bob", licensee(0).public)
            activate(model, mine, licensee(0), tmp_path / "out")
        else:
            with pytest.raises(UnreadableLicense):
                activate(model, mine, licensee(0), tmp_path / "out")
            assert {*tmp_path.iterdir()} == before
        file.write_bytes(content)
    content = model.read_bytes()
    model.write_bytes(b"x" + content[1:])  # the owner signs no copy of a file that was changed
    with pytest.raises(UnreadableLicense, match="was changed: does not become"):
        granted(model, owner(), 0, "Bob", licensee(0).public)
    model.write_bytes(content)
    with pytest.raises(Unlicensed, match="another owner's"):
        read_ledger(model, manifest, SigningKey.new())
    with pytest.raises(UnreadableLicense, match="is another owner's, or damaged"):
        Ledger.unseal(ledger_of(model).read_bytes(), manifest.id, SigningKey.new())


def test_a_copys_values_cross_windows_and_are_bounded() -> None:
    from assay.licenses._copies import patched

    whole = bytearray(2 * WINDOW + 5)
    windows = (memoryview(whole)[at : at + WINDOW] for at in range(0, len(whole), WINDOW))
    patches = [(3, b"ab"), (WINDOW - 2, b"cdefg"), (2 * WINDOW + 3, b"hi")]
    made = b"".join(bytes(window) for window in patched(windows, patches))
    for at, value in patches:
        assert made[at : at + len(value)] == value
    assert made.count(0) == len(whole) - 9
    content, key = Content("0" * 64, len(whole)), bytes(32)
    again = Copy.from_json(Copy.seal(content, patches, key).to_json())
    assert again is not None
    assert again.patches(key) == patches
    with pytest.raises(UnreadableLicense, match="a license holds 12,000,000"):
        Copy.seal(content, [(0, bytes(LARGEST + 1))], key)


# --- words ----------------------------------------------------------------------------------------


def test_every_word_of_the_code_is_as_likely() -> None:
    (site,) = ledger().sites
    counts = np.zeros(site.places.shape)
    for number in range(400):
        (word,) = drawn([site], b"key %d" % number)
        assert (word.sum(1) == site.ones).all()
        counts += word
    share = counts.mean() / 400
    assert share == pytest.approx(site.ones / site.places.shape[1])
    deviation = (counts - 400 * share) / np.sqrt(400 * share * (1 - share))
    assert float(deviation.std()) == pytest.approx(1, abs=0.08)
    assert np.abs(deviation).max() < 5


def test_chances_are_those_of_all_choices() -> None:
    for scores in ([0, 0, 3, 1, 1], [2, 2, 2, 2], [0, 0, 0], [5, 0, 0, 1]):
        for ones in range(1, len(scores) + 1):
            sums = [sum(chosen) for chosen in combinations(scores, ones)]
            wanted = [sums.count(n) / comb(len(scores), ones) for n in range(max(sums) + 1)]
            assert chances(np.array(scores), ones).tolist() == pytest.approx(wanted)


# --- who is named ---------------------------------------------------------------------------------


def test_a_copy_names_its_licensee_also_changed() -> None:
    kept = ledger()
    for level in (0, 1):
        mine = copy(kept, 3, level)
        assert named(mine) == [3]
        (first, *_) = traced(suspect(mine), kept, words(kept, 20))
        assert (first.licensee, first.score) == ("3", 1.0)
    for share in (0.5, 0.9):  # pruned
        assert named(np.where(np.abs(mine) < np.quantile(np.abs(mine), share), 0, mine)) == [3]
    step = np.abs(mine).max() / 127
    assert named(np.rint(mine / step) * step) == [3]
    noise = np.random.default_rng(0).standard_normal(SHAPE)
    assert named(mine + 0.2 * noise) == [3]
    assert named(-2.5 * mine.transpose(1, 0, 2, 3).transpose(1, 0, 2, 3)) == [3]


def test_channels_are_put_back() -> None:
    kept = ledger()
    mine, chance = copy(kept, 4), np.random.default_rng(1)
    moved = mine[chance.permutation(40)][:, chance.permutation(30)]
    moved = moved * chance.uniform(0.5, 2, (40, 1, 1, 1)).astype(np.float32)
    assert named(moved) == [4]


@pytest.mark.parametrize("way", ["mean", "median", "mixed", "smallest", "largest"])
def test_colluders_are_named_and_nobody_else(way: str) -> None:
    kept = ledger()
    copies = np.stack([copy(kept, number) for number in (2, 5, 11)])
    chance = np.random.default_rng(2)
    order = np.argsort(np.abs(copies), axis=0)
    pick = {
        "mixed": chance.integers(0, 3, SHAPE), "smallest": order[0], "largest": order[2],
        "median": order[1],
    }  # fmt: skip
    made = copies.mean(0) if way == "mean" else np.take_along_axis(copies, pick[way][None], 0)[0]
    assert named(made) == [2, 5, 11]


def test_p_values_of_the_innocent_are_uniform_whatever_the_suspect_is() -> None:
    kept, people = ledger(), words(ledger(), 400)
    chance = np.random.default_rng(3)
    average = (copy(kept, 1000) + copy(kept, 1001)) / 2
    strangers = {
        "another": chance.standard_normal(SHAPE), "original": weights(), "average": average,
        "large": 100 * np.ones(SHAPE), "none": np.zeros((3, 3, 3, 3)),
    }  # fmt: skip
    for name, values in strangers.items():
        (reading, *_) = read(suspect(values), kept)
        tails = 10.0 ** np.array([reading.of(word)[1] for word in people.values()])
        for level in (0.001, 0.01, 0.05, 0.2, 0.5):  # counts are whole: never likelier than that
            slack = 4 * np.sqrt(level * (1 - level) / len(tails))
            assert (tails <= level).mean() <= level + slack, name
        if name in ("another", "original", "average"):
            assert (tails <= 0.5).mean() > 0.35, name
        found = traced(suspect(values), kept, people)
        assert min(each.log10_false_alarm for each in found) > -2, name


def test_the_false_alarm_counts_who_were_asked() -> None:
    kept = ledger()
    mine = suspect(copy(kept, 0))
    few, many = (traced(mine, kept, words(kept, count))[0] for count in (2, 200))
    assert few.log10_tail == many.log10_tail
    assert many.log10_false_alarm == pytest.approx(few.log10_false_alarm + 2)
    with pytest.raises(BadOption, match="nobody is asked for"):
        traced(mine, kept, {})


def test_a_suspect_without_the_layer_names_nobody() -> None:
    kept = ledger()
    assert {each.log10_tail for each in traced({}, kept, words(kept, 3))} == {0.0}
    broken = copy(kept, 0).copy()
    broken[0] = np.nan
    assert named(broken) == [0]


def test_marks_that_take_too_much_room_are_refused() -> None:
    from small_copies import METHOD

    from assay.weights import Weight

    few = {"layer": np.arange(weights().size) < 100}
    known = {"layer": Weight("layer", SHAPE, "float32", weights)}
    with pytest.raises(UnfitModel, match="layer has 100 weights that every level has"):
        METHOD.sites(known, few, bytes(32))


def test_a_ledger_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = ledger()
    again = Ledger.unseal(kept.seal(owner()), kept.identity, owner())
    public = person(0)
    assert again.patches(1, again.words(owner(), public)) == kept.patches(
        1, kept.words(owner(), public)
    )


def test_a_license_says_which_copy_it_makes(tmp_path: Path) -> None:
    model, _, _ = distributed(tmp_path)
    mine = granted(model, owner(), 0, "Bob", licensee(0).public, "2030-01-01")
    again = Grant.parse(mine.text)
    assert again == mine
    assert again.expires == "2030-01-01"
    assert len(mine.text) < 2 * 4 * weights().size
