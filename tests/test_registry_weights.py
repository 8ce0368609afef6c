"""A registry that reads weights: what it finds, what a base explains, and who is not accused."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_weights import (
    changed,
    eight_bits,
    found,
    moved,
    network,
    pruned,
    renamed,
    saved,
    sketched,
)

from assay.registry import Registry, Where
from assay.values import Record, Relation
from assay.weights import Weight

BASE = network(0)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def half_trained(weights: Sequence[Weight], seed: int) -> list[Weight]:
    return moved(weights, seed, 0.35)


def test_what_is_made_from_a_model_is_found_and_a_stranger_of_its_shapes_is_not(
    registry: Registry, folder: Path
) -> None:
    registry.add(saved(folder, "base", BASE), owner="ann")
    registry.add(saved(folder, "stranger", network(1)), owner="bob")
    halved = changed(BASE, lambda values: values.astype(np.float16))
    copy = saved(folder, "copy", renamed(halved, "other"))
    report = registry.check(copy)
    (first,) = report.matches
    assert (first.record.name, first.relation) == ("base", Relation.SAME_MODEL)
    assert first.log10_false_alarm is not None
    assert first.log10_false_alarm < -12
    assert first.evidence[0].detail["candidates"] == 2
    assert report.needs_review
    assert report.suspect.sketch is not None
    rounded = saved(folder, "rounded", changed(BASE, eight_bits))
    assert found(registry, rounded)["base"].relation >= Relation.DERIVED
    part = found(registry, saved(folder, "part", [*BASE[:3], *network(7)[3:]]))
    assert part["base"].relation is Relation.DERIVED
    assert (
        found(registry, saved(folder, "pruned", changed(BASE, lambda x: pruned(x, 0.5))))[
            "base"
        ].relation
        >= Relation.COMMON_ANCESTOR
    )


def test_the_false_alarm_grows_with_the_candidates_and_the_tolerance_decides(
    registry: Registry, folder: Path
) -> None:
    small = network(3, [(8, 40), (8, 41)], learned=0)
    registry.add(saved(folder, "small", small))
    suspect = saved(folder, "suspect", moved(small, 1, 0.9))
    alone = found(registry, suspect, tolerance=0.5)["small"]
    for number in range(9):
        registry.add(saved(folder, f"n{number}", network(10 + number)))
    among = found(registry, suspect, tolerance=0.5)["small"]
    assert alone.log10_false_alarm is not None
    assert among.log10_false_alarm == pytest.approx(alone.log10_false_alarm + 1, abs=0.02)
    assert alone.relation is Relation.COMMON_ANCESTOR
    strict = found(registry, suspect, tolerance=10 ** (among.log10_false_alarm - 0.1))
    assert "small" not in strict
    just = found(registry, suspect, tolerance=10 ** (among.log10_false_alarm + 0.1))
    assert just["small"].relation is Relation.COMMON_ANCESTOR


def test_children_of_a_base_share_it_and_no_more(registry: Registry, folder: Path) -> None:
    registry.add(saved(folder, "base", BASE), base=True)
    registry.add(saved(folder, "child", half_trained(BASE, 1)), owner="ann")
    sibling = saved(folder, "sibling", half_trained(BASE, 2))
    report = registry.check(sibling)
    relations = {each.record.name: (each.relation, each.explained_by) for each in report.matches}
    assert relations == {
        "base": (Relation.COMMON_ANCESTOR, "base"),
        "child": (Relation.COMMON_ANCESTOR, "base"),
    }
    assert not report.needs_review
    assert registry.show("base").base
    assert not registry.show("child").base


def test_light_children_are_derived_from_each_other_only_where_no_base_explains_it(
    registry: Registry, folder: Path
) -> None:
    child, sibling = (moved(BASE, seed, 0.001) for seed in (1, 2))
    registry.add(saved(folder, "child", child), owner="ann")
    suspect = saved(folder, "sibling", sibling)
    assert found(registry, suspect)["child"].relation >= Relation.DERIVED
    registry.add(saved(folder, "base", BASE), base=True)
    explained = found(registry, suspect)
    assert (explained["child"].relation, explained["child"].explained_by) == (
        Relation.COMMON_ANCESTOR, "base",
    )  # fmt: skip
    assert explained["base"].relation >= Relation.DERIVED
    assert not registry.check(suspect).needs_review


def test_a_copy_of_a_child_is_more_than_a_sibling(registry: Registry, folder: Path) -> None:
    child = half_trained(BASE, 1)
    registry.add(saved(folder, "base", BASE), base=True)
    registry.add(saved(folder, "child", child), owner="ann")
    halved = changed(child, lambda values: values.astype(np.float16))
    copy = registry.check(saved(folder, "copy", renamed(halved, "x")))
    (first, second) = copy.matches
    assert (first.record.name, first.relation, first.explained_by) == (
        "child", Relation.SAME_MODEL, None,
    )  # fmt: skip
    assert (second.record.name, second.explained_by) == ("base", "base")
    assert copy.needs_review
    assert registry.check(folder / "child.safetensors").matches[0].relation is Relation.IDENTICAL
    assert registry.check(folder / "child.safetensors").needs_review


def test_a_copy_of_a_light_child_is_told_from_a_sibling_where_the_files_are_at_hand(
    registry: Registry, folder: Path
) -> None:
    child = moved(BASE, 1, 0.01)
    registry.add(saved(folder, "base", BASE), base=True)
    registry.add(saved(folder, "child", child), owner="ann")
    halved = changed(child, lambda values: values.astype(np.float16))
    copy = saved(folder, "copy", renamed(halved, "x"))
    sibling = saved(folder, "sibling", moved(BASE, 2, 0.01))
    trained_alike = [
        replace(each, read=lambda a=each, b=other: 0.9 * a.read() + 0.1 * b.read())
        for each, other in zip(child, moved(BASE, 2, 0.01), strict=True)
    ]
    alike = saved(folder, "alike", trained_alike)
    assert found(registry, copy)["child"].relation is Relation.SAME_MODEL
    assert registry.check(copy).needs_review
    for other in (sibling, alike):
        explained = found(registry, other)["child"]
        assert (explained.relation, explained.explained_by) == (Relation.COMMON_ANCESTOR, "base")
    (folder / "child.safetensors").unlink()  # then nothing is said
    assert found(registry, copy)["child"].relation is Relation.COMMON_ANCESTOR
    saved(folder, "child", network(1))
    assert found(registry, copy)["child"].relation is Relation.COMMON_ANCESTOR


def test_bases_explain_whatever_the_filter_and_are_listed_only_where_they_pass_it(
    registry: Registry, folder: Path
) -> None:
    registry.add(saved(folder, "base", BASE), base=True, owner="hub")
    registry.add(saved(folder, "child", half_trained(BASE, 1)), owner="ann")
    sibling = saved(folder, "sibling", half_trained(BASE, 2))
    only = found(registry, sibling, where=Where(owner="ann"))
    assert {name: each.explained_by for name, each in only.items()} == {"child": "base"}


def test_a_model_becomes_a_base_when_it_is_added_as_one(registry: Registry, folder: Path) -> None:
    file = saved(folder, "base", BASE)
    registry.add(file, owner="ann")
    assert registry.add(file, base=True).status == "exists"
    assert registry.show("base").base
    assert registry.add(file, owner="ann").status == "exists"
    assert registry.show("base").base
    registry.remove("base")
    registry.add(file)
    assert not registry.show("base").base


def test_who_uploads_is_not_told_of_what_nobody_else_claims(
    registry: Registry, folder: Path
) -> None:
    file = saved(folder, "mine", BASE)
    copy = saved(folder, "copy", renamed(BASE, "x"))
    registry.add(file, owner="ann")
    without = Where(exclude_owner="ann")
    assert found(registry, copy, where=without) == {}
    registry.add(saved(folder, "bobs", renamed(BASE, "y")), owner="bob")
    assert [*found(registry, copy, where=without)] == ["bobs"]
    registry.add(file, owner="bob")  # claimed by another, too
    report = registry.check(copy, where=without)
    assert {each.record.owner for each in report.matches} == {"bob"}
    assert len(report.matches) == 2
    registry.add(saved(folder, "nobodys", renamed(BASE, "z")))
    assert len(registry.check(copy, where=without).matches) == 3


def test_a_sketch_that_the_registry_did_not_make_is_no_evidence(
    registry: Registry, folder: Path
) -> None:
    registry.add(saved(folder, "stranger", network(5)))
    forged = replace(sketched(BASE), sha256="f" * 64, path="forged", name="forged")
    registry.put(forged)
    suspect = saved(folder, "suspect", BASE)
    assert "forged" not in found(registry, suspect)
    known = registry.keys.known()[-1]
    assert forged.sketch is not None
    registry.put(
        replace(forged, sha256="e" * 64, sketch=replace(forged.sketch, scheme=known.scheme))
    )
    assert set(registry.keys.in_use().values()) == {1}
    assert registry.unsketched() == 2


def test_a_suspect_whose_weights_cannot_tell_anything_is_no_accusation(
    registry: Registry, folder: Path
) -> None:
    plain = [replace(each, read=lambda each=each: np.ones(each.shape, np.float32)) for each in BASE]
    registry.add(saved(folder, "ones", plain))
    assert found(registry, saved(folder, "again", renamed(plain, "x"))) == {}


def test_a_record_has_no_sketch_that_is_shown(registry: Registry, folder: Path) -> None:
    registry.add(saved(folder, "base", BASE))
    record: Record = registry.show("base")
    assert record.sketch is None
    assert all(each.sketch is None for each in registry.list())
