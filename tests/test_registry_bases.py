"""Siblings are not accused, however they and their base were registered."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from small_weights import changed, eight_bits, found, moved, network, pruned, renamed, saved

from assay.registry import Registry
from assay.values import Relation
from assay.weights import Array

SHAPES = ((64, 48), (96, 64), (64, 96), (10, 64))
BASE = network(0, SHAPES)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry") as opened:
        yield opened


@pytest.mark.parametrize("amount", [0.001, 0.35])
def test_a_child_that_was_registered_in_another_layout_accuses_no_sibling(
    registry: Registry, tmp_path: Path, amount: float
) -> None:
    registry.add(saved(tmp_path, "base", BASE), base=True)
    child = tmp_path / "child.npz"
    turned = {each.name: each.read().T for each in moved(BASE, 1, amount) if len(each.shape) == 2}
    np.savez(child, allow_pickle=False, **turned)
    registry.add(child, owner="ann")
    sibling = saved(tmp_path, "sibling", moved(BASE, 2, amount))
    kin = found(registry, sibling)["child"]
    assert (kin.relation, kin.explained_by) == (Relation.COMMON_ANCESTOR, "base")
    assert not registry.check(sibling).needs_review


def test_a_base_explains_models_that_are_sketched_with_an_older_key(
    registry: Registry, tmp_path: Path
) -> None:
    registry.add(saved(tmp_path, "base", BASE), base=True)
    child = saved(tmp_path, "child", moved(BASE, 1, 0.35))
    registry.add(child, owner="ann")
    child.unlink()
    registry.keys.rotate()
    assert len([wrong for _, wrong in registry.resketch() if wrong]) == 1
    kin = found(registry, saved(tmp_path, "sibling", moved(BASE, 2, 0.35)))["child"]
    assert (kin.relation, kin.explained_by) == (Relation.COMMON_ANCESTOR, "base")


def test_what_is_to_be_reviewed_is_listed_before_all_that_a_base_explains(
    registry: Registry, tmp_path: Path
) -> None:
    registry.add(saved(tmp_path, "base", BASE), base=True)
    for number in range(4):
        registry.add(saved(tmp_path, f"child{number}", moved(BASE, number, 0.35)))
    private = renamed(network(9, SHAPES), "private")
    registry.add(saved(tmp_path, "private", moved(private, 1, 0.8)), owner="ann")
    bundle = saved(tmp_path, "bundle", [*BASE, *private])
    for top in (1, 20):
        report = registry.check(bundle, top=top)
        assert report.needs_review
        assert report.matches[0].record.name == "private"


def test_what_a_child_has_beside_its_base_is_not_explained_by_that(
    registry: Registry, tmp_path: Path
) -> None:
    """Two learned layers of its own, shared with a suspect; codes alone show it."""
    own = renamed(network(5, ((80, 72), (88, 72))), "own")[:2]
    registry.add(saved(tmp_path, "base", BASE), base=True)
    child = saved(tmp_path, "child", [*moved(BASE, 1, 0.35), *own])
    registry.add(child, owner="ann")
    child.unlink()
    copy = saved(tmp_path, "copy", renamed([*moved(BASE, 1, 0.35), *own], "x"))
    kin = found(registry, copy)["child"]
    assert (kin.relation, kin.explained_by) == (Relation.SAME_MODEL, None)
    sibling = saved(tmp_path, "sibling", [*moved(BASE, 2, 0.35), *network(6, ((80, 72), (88, 72)))])
    assert found(registry, sibling)["child"].explained_by == "base"


def test_files_are_found_from_any_folder(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(Path(), "base", BASE)
    registry.add("base.safetensors")
    monkeypatch.chdir("/")
    registry.keys.rotate()
    assert [wrong for _, wrong in registry.resketch()] == [""]
    assert registry.show("base").path == "base.safetensors"


@pytest.mark.parametrize("change", [lambda x: pruned(x, 0.8), eight_bits, lambda x: pruned(x, 0.5)])
def test_what_anybody_may_compute_from_a_base_is_nobodys(
    registry: Registry, tmp_path: Path, change: Callable[[Array], Array]
) -> None:
    registry.add(saved(tmp_path, "base", BASE), base=True)
    registry.add(saved(tmp_path, "child", changed(BASE, change)), owner="ann")
    same_recipe = saved(tmp_path, "other", renamed(changed(BASE, change), "x"))
    kin = found(registry, same_recipe)["child"]
    assert (kin.relation, kin.explained_by) == (Relation.COMMON_ANCESTOR, "base")
