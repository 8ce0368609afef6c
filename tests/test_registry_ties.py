"""Registered models that are equally near: told apart by the continuous code behind the bits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_networks import learned, saved
from small_records import graph, record

from assay.hashers import HASHERS, Hasher
from assay.registry import Registry, Where
from assay.registry._leads import leads
from assay.registry._search import Search

BASELINE: Hasher = HASHERS["weisfeiler-lehman"]()


def squared(hasher: Hasher, a: int, b: int) -> float:
    ours, theirs = hasher.embed(graph(a)), hasher.embed(graph(b))
    assert ours is not None
    assert theirs is not None
    return float(np.square(ours - theirs).sum())


def test_codes_that_tie_for_the_last_places_are_told_apart_by_the_continuous_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.registry.CANDIDATES", 3)
    hasher = learned(saved(tmp_path, one_code=True))
    with Registry.open(tmp_path / "registry") as registry:
        registry.use(hasher)
        for number in range(40):
            registry.put(record(number, hasher=hasher))
        suspect = replace(record(38, hasher=hasher), sha256=None)
        search = Search(suspect, {}, 3, Where(), 1e-6, lambda: registry.hasher)
        found = [(lead.record.name, lead.distance) for lead in leads(registry._known, search)]
        nearest = sorted(range(40), key=lambda number: squared(hasher, 38, number))[:3]
        assert sorted(found) == sorted((f"m{number}", 0) for number in nearest)
        assert nearest[0] == 38
        assert registry.kin(suspect, top=1)[0].record.name == "m38"  # it is the last but one
        # The baseline has no continuous code: those that were added first are looked at.
        assert len([*registry.rehash(BASELINE)]) == 40
        plain = replace(suspect, code=BASELINE(graph(38)))
        assert Search(plain, {}, 3, Where(), 1e-6, lambda: registry.hasher).apart(
            [graph(1), graph(2)]
        ) == [0.0, 0.0]
        assert registry.kin(plain, top=1)[0].record.name == "m38"


def test_equal_evidence_is_ranked_by_the_continuous_code_before_the_name(tmp_path: Path) -> None:
    """Nine copies of a network, another operator in the same place of each."""
    hasher = learned(saved(tmp_path, one_code=True))
    whole = graph(20)
    with Registry.open(tmp_path / "registry") as registry:
        registry.use(hasher)
        for number in range(9):
            odd = replace(whole.layers[5], op=f"Odd{number}", macs=10**number)
            copy = replace(whole, layers=(*whole.layers[:5], odd, *whole.layers[6:]))
            registry.put(replace(record(number), graph=copy, code=hasher(copy)))
        suspect = replace(record(20, hasher=hasher), sha256=None)
        found = registry.kin(suspect)
        search = Search(suspect, {}, 9, Where(), 1e-6, lambda: registry.hasher)
        apart = search.apart([kin.record.graph for kin in found])
    names = [kin.record.name for kin in found]
    assert len({kin.score for kin in found}) == 1
    assert len(names) == len({*apart}) == 9
    assert apart == sorted(apart)
    assert names != sorted(names)


def test_models_with_one_graph_need_no_network_to_be_ranked(tmp_path: Path) -> None:
    hasher = learned(saved(tmp_path))
    with Registry.open(tmp_path / "registry") as registry:
        registry.use(hasher)
        for number in range(4):
            registry.put(replace(record(number), graph=graph(0), code=hasher(graph(0))))
        (tmp_path / "registry" / f"{hasher.scheme}.safetensors").unlink()
        suspect = replace(record(9), graph=graph(0), code=hasher(graph(0)))
        assert [kin.record.name for kin in registry.kin(suspect)] == ["m0", "m1", "m2", "m3"]
