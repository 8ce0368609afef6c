"""Graphs as tensors, one by one and several to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assay.hashers._arrays import Floats, Ints

EXTRA = "torch"


@dataclass(frozen=True, slots=True)
class Links:
    """A sparse (n, n) matrix that carries what layers tell each other, by rows."""

    rows: Ints  # (nnz)
    columns: Ints  # (nnz)
    weights: Floats  # (nnz)


@dataclass(frozen=True, slots=True)
class GraphTensors:
    """One graph's input to a network."""

    inputs: Tensor  # (n, d)
    links: tuple[Links, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    """Several graphs as one that is not connected: b graphs, n layers in all."""

    inputs: Tensor  # (n, d)
    links: tuple[Tensor, ...]  # sparse (n, n)
    sizes: list[int]  # (b) layers of each


@dataclass(frozen=True, slots=True)
class Batch:
    """r samples, then the views made of them; edit distances between the samples."""

    graphs: Packed
    origins: Tensor  # (b) which sample a graph is, or is a view of; 0 … r - 1 come first
    categories: Tensor  # (r)
    models: Tensor  # (r)
    upper: Tensor  # (r, r) edits that surely suffice; 0 where the trainer asks for no distances
    scale: Tensor  # (r, r) layers and edges of both graphs


def pack(graphs: Sequence[GraphTensors]) -> Packed:
    """The graphs side by side."""
    sizes = [len(graph.inputs) for graph in graphs]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    total = int(offsets[-1])
    links = []
    for kind in range(len(graphs[0].links)):
        each = [(graph.links[kind], offset) for graph, offset in zip(graphs, offsets, strict=False)]
        indices = np.stack(
            [
                np.concatenate([link.rows + offset for link, offset in each]),
                np.concatenate([link.columns + offset for link, offset in each]),
            ]
        )
        weights = np.concatenate([link.weights for link, _ in each])
        links.append(_sparse(indices, weights, total, graphs[0].inputs.dtype))
    return Packed(
        torch.cat([graph.inputs for graph in graphs]),
        tuple(links),
        sizes,
    )


def _sparse(indices: Ints, weights: Floats, n: int, dtype: torch.dtype) -> Tensor:
    return torch.sparse_coo_tensor(
        torch.from_numpy(indices),
        torch.from_numpy(weights).to(dtype),
        (n, n),
        check_invariants=False,  # rows and columns come sorted, each pair once
        is_coalesced=True,
    )
