"""docs/graph-rules.md: every numbered rule has an example there, and every example is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from assay.graphs import PASSES, layer_graph
from assay.graphs.compact import compact
from assay.graphs.drop_layout import drop_layout
from assay.graphs.merge_blocks import merge_blocks
from assay.graphs.operators import OperatorGraph
from assay.graphs.recognize_activations import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "graph-rules.md").read_text()
MODULES = [run.__module__ for run in PASSES] + [
    run.__module__ for run in (compact, drop_layout, merge_blocks)
]
SECTIONS = re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (section, rule, before, after)
    for section, body in SECTIONS
    for rule, before, after in re.findall(
        r"^\| (\w+) \| `(.*?)` \| `(.*?)` \|$", body, re.MULTILINE
    )
]


def header() -> str:
    """The tensors of the page's list, in ONNX's text form; ``%`` is no letter of its names."""
    block = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    inputs, stored = [], []
    for line in block[1].splitlines():
        kind, _, rest = line.partition(" ")
        names, _, values = rest.strip().partition(" = ")
        for name in re.split(r", ?", re.split(r" {2,}", names)[0]):
            if values:
                stored.append(f"{kind} {name} = {{{re.split(r' {2,}', values)[0]}}}")
            elif name.startswith("%"):
                stored.append(f"{kind} {name}".replace("%", "w_"))
            else:
                inputs.append(f"{kind} {name}")
    return f"({', '.join(inputs)}) => (y) <{', '.join(stored)}>"


def test_every_pass_has_a_section_in_its_order() -> None:
    assert [section for section, _ in SECTIONS] == [
        module.rpartition(".")[2] for module in dict.fromkeys(MODULES)
    ]


@pytest.mark.parametrize("module", dict.fromkeys(MODULES))
def test_every_numbered_rule_has_an_example(module: str) -> None:
    numbered = re.findall(r"^(\d+)\. ", import_module(module).__doc__ or "", re.MULTILINE)
    shown = [rule for section, rule, _, _ in EXAMPLES if section == module.rpartition(".")[2]]
    if module.endswith("recognize_activations"):
        numbered = list(dict.fromkeys(rule.op for rule in RULES))
    assert shown == numbered
    assert shown


@pytest.mark.parametrize(("section", "rule", "before", "after"), EXAMPLES)
def test_an_example_is_true(
    section: str,
    rule: str,
    before: str,
    after: str,
    graph: Callable[..., OperatorGraph],
    shown: Callable[[OperatorGraph], str],
) -> None:
    body = before.replace("; ", "  ").replace("%", "w_")
    made = graph(f"{header()} {{ {body} }}")
    names = [run.__module__.rpartition(".")[2] for run in PASSES]
    if section in names:
        for run in PASSES[: names.index(section) + 1]:
            made = run(made)
        found = re.sub(r"<(query|score)_shape=.*?>", "", shown(made)).replace("w_", "%")
        assert found == after
        assert (
            shown(made) != shown(graph(f"{header()} {{ {body} }}")) or section == "check_operators"
        )
        return
    raw, merged = layer_graph(made, ()), layer_graph(made)
    layers = {"compact": raw, "drop_layout": drop_layout(raw), "merge_blocks": merged}[section]
    assert ", ".join(layer.op for layer in layers.layers) == after
