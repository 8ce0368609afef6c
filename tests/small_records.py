"""Records of small made-up networks, for tests of what keeps them; number i is always the same."""

from __future__ import annotations

import hashlib
import random

from assay.hashers import HASHERS, Hasher
from assay.values import Layer, LayerGraph, Record

OPERATORS = ("Conv+Relu", "Conv", "MaxPool", "Gemm", "Add", "Softmax", "Resize", "Concat")
HASHER: Hasher = HASHERS["weisfeiler-lehman"]()


def graph(number: int, layers: int = 12) -> LayerGraph:
    """A chain with a few shortcuts."""
    draw = random.Random(number)
    nodes = tuple(
        Layer(
            draw.choice(OPERATORS),
            (1, draw.randint(1, 512), 8, 8),
            macs=10 ** draw.randint(0, 9),
            parameters=10 ** draw.randint(0, 7),
            attributes=(("kernel_shape", (3, 3)), ("min", float("-inf"))),
        )
        for _ in range(layers)
    )
    chain = {(i, i + 1) for i in range(layers - 1)}
    shortcuts = {(i, i + 3) for i in range(layers - 3) if draw.random() < 0.2}
    return LayerGraph(nodes, tuple(sorted(chain | shortcuts)), "g1")


def record(number: int, owner: str | None = None, hasher: Hasher = HASHER) -> Record:
    """As ``examine`` would give it, with a name and an owner."""
    made = graph(number)
    return Record(
        path=f"models/m{number}.onnx",
        format="onnx",
        sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        name=f"m{number}",
        owner=owner,
        code=hasher(made),
        graph=made,
        parameters=made.parameters,
        quality=1.0,
        metadata={"opset": 17},
    )
