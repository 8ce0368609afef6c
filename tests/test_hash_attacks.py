"""benchmarks/hash_attacks: it runs; edits keep what they must, rewrites what is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from scripts_of import run_small, scripts_of

from assay.zoo import architectures

FOLDER = Path(__file__).parents[1] / "benchmarks" / "hash_attacks"


@pytest.fixture(scope="module")
def scripts() -> Any:
    with scripts_of(FOLDER) as module:
        yield module


def test_a_small_run_asks_everything_and_writes_nothing() -> None:
    before = {file: file.read_bytes() for file in FOLDER.iterdir() if file.is_file()}
    lines = run_small(FOLDER)
    assert {file: file.read_bytes() for file in FOLDER.iterdir() if file.is_file()} == before
    asked = [line.partition(" / ")[0] for line in lines]
    assert [*dict.fromkeys(asked)] == [
        "rewrite", "greedy", "greedy, by weights", "random", "imitate",
    ]  # fmt: skip


def test_a_rewritten_file_computes_what_it_did(scripts: Any) -> None:
    canonical = scripts("canonical")
    image = np.random.default_rng(1).standard_normal((1, 3, 32, 32)).astype(np.float32)
    (wanted,) = ReferenceEvaluator(canonical.network()).run(None, {"x": image})
    for name in [name for name in canonical.REWRITES if name != "a custom operator without a body"]:
        model = canonical.rewritten(name)
        onnx.checker.check_model(model)
        (found,) = ReferenceEvaluator(model).run(None, {"x": image})
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Identity and Dropout", True),
        ("two Transposes that cancel", True),
        ("a branch that reaches no output", True),
        ("a convolution split, and Concat", False),
        ("a convolution of zeros, added", False),
    ],
)
def test_some_rewrites_are_undone(scripts: Any, name: str, same: bool) -> None:
    found = scripts("canonical").undone(name)
    assert found["same"] is same
    assert not (same and found["bits"])


def test_every_edit_is_drawn_and_keeps_the_parameters_or_adds_to_them(scripts: Any) -> None:
    edits = scripts("edits")
    graph = next(a.graph for a in architectures() if a.name == "resnet18")
    rng = np.random.default_rng(0)
    kinds = set()
    for kind, edited in edits.drawn(graph, 300, rng):
        kinds.add(kind)
        assert edited.parameters >= graph.parameters
        assert edited.rules == graph.rules
        outputs = [len({*range(len(g.layers))} - {a for a, _ in g.edges}) for g in (graph, edited)]
        assert outputs[0] == outputs[1]
    assert kinds == {*edits.EDITS}
