"""``compare`` with several sources, with bases, and what it says was done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from small_states import State, each, hidden, network, noisy, permutation

Run = Callable[..., Any]


@pytest.fixture
def states(run: Run) -> dict[str, State]:
    """Models in the working folder, by the names of their files."""
    base = network(0)
    first, second = each(noisy), each(lambda x: noisy(x[::-1], 0.2)[::-1])
    halved = {name: np.where(np.abs(v) > 0.1, v, 0) for name, v in base.items()}
    found = {
        "base": base,
        "first": first,
        "second": second,
        "merged": {name: 0.6 * first[name] + 0.4 * second[name] for name in base},
        "pruned": halved,
        "head": base | {"layer4": network(8)["layer4"]},
        "permuted": hidden(permutation, base),
        "stranger": network(3),
    }
    for name, state in found.items():
        save_file({n: v.astype(np.float32) for n, v in state.items()}, f"{name}.safetensors")
    return found


def files(*names: str) -> list[str]:
    return [f"{name}.safetensors" for name in names]


@pytest.mark.usefixtures("states")
def test_of_several_sources_the_nearest_comes_first(run: Run) -> None:
    answer = run("compare", "--json", *files("permuted", "stranger", "head", "base"))
    (line,) = answer.json
    assert answer.status == 1
    assert [match["name"] for match in line["matches"]] == ["base", "head", "stranger"]
    assert [match["relation"] for match in line["matches"]][::2] == ["same-model", "unrelated"]
    assert "merge" not in line


@pytest.mark.usefixtures("states")
def test_a_merge_is_told_with_its_shares(run: Run) -> None:
    arguments = files("merged", "first", "second")
    (line,) = run("compare", "--json", *arguments).json
    assert line["merge"]["kind"] == "merged"
    assert line["merge"]["tensors"] == files("first", "second")
    assert line["merge"]["amount"] == pytest.approx(0.6, abs=0.02)
    assert (
        "a merge of models below: a sum of models: 60% of first" in run("compare", *arguments).out
    )


@pytest.mark.usefixtures("states")
def test_a_base_explains_what_its_children_share(run: Run) -> None:
    """Both kept most of its layers as they were: without it, one looks made from the other."""
    without = run("compare", "--json", *files("pruned", "head"))
    assert without.json[0]["verdict"] == "derived"
    assert without.status == 1
    explained = run("compare", "--json", *files("pruned", "head"), "--base", *files("base"))
    (match,) = explained.json[0]["matches"]
    assert (match["relation"], match["explained_by"]) == ("common-ancestor", "base")
    assert explained.status == 0
    other = run("compare", "--json", *files("pruned", "head"), "--base", *files("stranger"))
    assert other.json == without.json


@pytest.mark.usefixtures("states")
def test_pages_are_of_two_files_and_each_bad_file_is_named(run: Run) -> None:
    answer = run("compare", *files("pruned", "head", "base"), "--html", "a.html")
    assert (answer.status, "give one source" in answer.error) == (2, True)
    answer = run("compare", "--json", *files("pruned", "gone", "base"), "--base", "lost.onnx")
    assert answer.status == 2
    assert [line["path"] for line in answer.json] == ["gone.safetensors", "lost.onnx"]
