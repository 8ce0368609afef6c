"""Graphs: a file's operators rewritten, pass by pass, into the layer graph that is hashed.

    operators ─ inline_bodies ─ check_operators ─ dequantize ─ unfuse ─ fold_shapes
              ─ drop_identities ─ spell_alike ─ recognize_{activations, norms, pooling, attention}
              ─ drop_identities ─ join_moves ─ fold_batch_norm ─ compact ─▶ raw
    raw ─ drop_layout ─ merge_blocks ─▶ merged

Each pass is a pure function in a file of its name, with its numbered rules in the docstring.  The
same network, however it was exported, should come out as the same merged graph.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from assay.errors import BadOption
from assay.graphs._pass_order import PASSES
from assay.graphs.compact import compact
from assay.graphs.drop_layout import drop_layout
from assay.graphs.merge_blocks import RULES, merge_blocks
from assay.graphs.operators import OperatorGraph
from assay.values import LayerGraph

VERSION = "g1"  # changes whenever the layer graph of any file could change


def layer_graph(operators: OperatorGraph, rules: Collection[str] = RULES) -> LayerGraph:
    """The layer graph: merged by the paper's rules, or raw where ``rules`` is empty.

    Raises:
        UnreadableModel: the graph is not one, or nested graphs expand past all limits.
        BadOption: there is no merge rule of that name.
    """
    if unknown := sorted(set(rules) - set(RULES)):
        raise BadOption(f"no merge rule {unknown[0]!r}: choose from {', '.join(RULES)}")
    for run in PASSES:
        operators = run(operators)
    raw = compact(operators, f"{VERSION}-raw")
    if not rules:
        return raw
    name = VERSION if set(rules) == set(RULES) else f"{VERSION}-{'-'.join(sorted(rules))}"
    return replace(merge_blocks(drop_layout(raw), rules), rules=name)
