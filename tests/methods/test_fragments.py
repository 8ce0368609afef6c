"""Exact values that two models share: how sure, of which tensors, and never more than that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_codes import SCHEME, record, tensor, tensors
from small_weights import KEY, moved, network, renamed, sketched, without_channels

from assay.comparisons.fragments import FORGED, Fragments, log10_tail
from assay.comparisons.weights import Weights
from assay.sketches import sketch
from assay.sketches.readings import tried
from assay.values import Record, Relation, TensorSketch, WeightSketch
from assay.weights import Weight

METHOD = Fragments()


def keeping(sketch: TensorSketch, *hashes: int) -> TensorSketch:
    return replace(sketch, fragments=np.array(hashes, "<u8").tobytes())


def keepers(count: int, first: int = 0, each: int = 16) -> list[TensorSketch]:
    """Strangers, each with hashes of its own."""
    return [
        keeping(one, *range(each * place, each * place + each))
        for place, one in enumerate(tensors(count, first), first)
    ]


def said(suspect: Record, source: Record) -> tuple[Relation, float | None]:
    found, back = METHOD.compare(suspect, source), METHOD.compare(source, suspect)
    assert found is not None
    assert back is not None
    assert found.score == back.score
    return METHOD.relation(found), found.log10_false_alarm


def test_removed_channels_leave_a_common_ancestor_and_no_code() -> None:
    base = network(0)
    pruned = sketched(without_channels(base, 1))
    relation, alarm = said(pruned, sketched(base))
    assert relation is Relation.COMMON_ANCESTOR
    assert alarm is not None
    assert alarm < -15
    codes = Weights().compare(pruned, sketched(base))
    assert codes is not None
    assert Weights().relation(codes) is Relation.UNRELATED
    assert said(pruned, sketched(network(2))) == (Relation.UNRELATED, 0.0)


def test_a_suspect_is_found_in_another_layout() -> None:
    turned = [
        Weight(each.name, values.shape, "float32", lambda values=values: values)  # type: ignore[misc]
        for each in without_channels(network(0), 1)
        for values in [np.moveaxis(each.read(), (0, 1), (-1, -2)) if each.shape != (64,) else None]
        if values is not None
    ]
    found = Record("b.npz", "numpy-archive", sketch=sketch(turned, KEY, tried))
    assert said(found, sketched(network(0)))[0] is Relation.COMMON_ANCESTOR


def test_training_on_leaves_nothing() -> None:
    base = network(0)
    assert said(sketched(moved(base, 1, 1e-4)), sketched(base)) == (Relation.UNRELATED, 0.0)


def test_never_more_than_a_common_ancestor_is_said() -> None:
    same = record(keepers(8))
    relation, alarm = said(same, same)
    assert relation is Relation.COMMON_ANCESTOR
    assert alarm == -77.0
    found = METHOD.compare(same, same)
    assert found is not None
    assert found.score == 1.0


@pytest.mark.parametrize(
    ("matched", "shared", "of", "expected"),
    [
        (2, 12, 4, Relation.COMMON_ANCESTOR),
        (2, 4, 4, Relation.UNRELATED),  # a forger may get as many
        (1, 16, 4, Relation.UNRELATED),  # one table, too
        (2, 16, 40, Relation.COMMON_ANCESTOR),
        (2, 16, 41, Relation.UNRELATED),  # of so many values: it says nothing of the rest
    ],
)
def test_how_much_must_be_shared(matched: int, shared: int, of: int, expected: Relation) -> None:
    ours, theirs = keepers(of), keepers(of, of)
    for place in range(matched):
        hashes = np.frombuffer(ours[place].fragments or b"", "<u8")[:shared]
        own = np.frombuffer(theirs[place].fragments or b"", "<u8")[shared:]
        theirs[place] = keeping(theirs[place], *hashes, *own)
    assert said(record(ours), record(theirs))[0] is expected


def test_the_false_alarm_is_corrected_for_all_that_was_compared() -> None:
    few, many = (said(record(keepers(2)), record([*keepers(2), *keepers(n, 9)])) for n in (2, 20))
    assert few[1] is not None
    assert many[1] is not None
    # two of two tensors, each floored, compared with four; the other model has the weaker tail
    assert few[1] == pytest.approx(2 * (-12 + np.log10(2)) + np.log10(6) + np.log10(4), abs=0.01)
    assert few[1] < many[1] < -15


def test_of_the_suspects_hashes_those_count_that_the_source_would_have_kept() -> None:
    """A tensor that is full has none above its largest."""
    full = [keeping(one, *range(n << 9, (n << 9) + 64)) for n, one in enumerate(tensors(3))]
    part = [
        keeping(one, *range((n << 9) + 30, (n << 9) + 300, 2))
        for n, one in enumerate(tensors(3, 9))
    ]
    found = METHOD.compare(record(part), record(full))
    assert found is not None
    assert (found.detail["shared_hashes"], found.detail["hashes"]) == (3 * 17, 3 * 17)
    back = METHOD.compare(record(full), record(part))
    assert back is not None
    assert (back.detail["shared_hashes"], back.detail["hashes"]) == (3 * 17, 3 * 64)


def test_the_tail_is_the_binomial_one() -> None:
    assert log10_tail(0, 10) == pytest.approx(0)
    assert log10_tail(10, 10) == pytest.approx(10 * np.log10(FORGED))
    assert log10_tail(1, 10) == pytest.approx(np.log10(1 - (1 - FORGED) ** 10))


def test_copies_within_a_model_count_once() -> None:
    """A layer and its copy hold the same hashes, which show the same thing."""
    copies = [keeping(one, *range(16)) for one in tensors(6)]
    assert said(record(copies), record(copies))[0] is Relation.UNRELATED
    near = [keeping(replace(one, code=copies[0].code), *range(16)) for one in copies]
    assert said(record(near), record(near))[0] is Relation.UNRELATED


def test_hashes_that_several_tensors_hold_are_given_to_the_pair_that_shares_most() -> None:
    ours = [keeping(tensor(0), *range(16)), keeping(tensor(1), *range(20, 36))]
    theirs = [keeping(tensor(2), *range(4), *range(20, 32)), keeping(tensor(3), *range(16))]
    found = METHOD.compare(record(ours), record(theirs))
    assert found is not None
    assert found.detail["matched"] == 2
    assert found.detail["shared_hashes"] == 28
    assert "28 of 32 hashes" in found.detail["in_words"]


def test_nothing_is_said_without_hashes_or_by_other_keys() -> None:
    kept = record(keepers(3))
    assert METHOD.compare(record(tensors(3)), kept) is None
    assert METHOD.compare(kept, record(keepers(3), SCHEME + "x")) is None
    out = [replace(one, left_out="constant rows") for one in keepers(3)]
    assert METHOD.compare(kept, replace(kept, sketch=WeightSketch(SCHEME, tuple(out)))) is None


def test_names_play_no_part() -> None:
    base = sketched(network(0))
    assert said(sketched(renamed(network(0), "x")), base) == said(base, base)
