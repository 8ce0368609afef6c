"""The network of GHashing and HNN-Net in torch, to be trained; NumPy runs it afterwards.

[GHashing, KDD 2020; HNN-Net, §3.3.]  Weights have the names that ``hashers._published`` expects.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx as Context
from torch.nn import functional

from assay.hashers._arrays import DIGITS, arrays
from assay.hashers._published import CONNECTED, CONVOLUTIONS
from assay.trainers._batches import GraphTensors, Links, Packed
from assay.trainers._folding import folded
from assay.values import LayerGraph

EXTRA = "torch"
SHARPNESS = 8.0  # of the classifier that reads normalized codes, as OrthoHash's scale


class PublishedNetwork(nn.Module):
    """GCN 256/128/64, an attention pooling after each, FC 348/256/256/128/Q.

    With ``categories`` a linear classifier reads the activations of FC5, which are FC5's own as
    printed.  With ``spread`` they are batch-normalized, at first to that standard deviation: sums
    over all layers are so large that sigmoids are saturated from the start.  Once trained, the
    normalization is a part of FC5's weights.
    """

    def __init__(
        self, inputs: int, bits: int, categories: int = 0, spread: float | None = None
    ) -> None:
        super().__init__()
        for number, (before, after) in enumerate(pairwise((inputs, *CONVOLUTIONS)), 1):
            self.add_module(f"gcn{number}", _Convolution(before, after))
            self.add_module(f"gap{number}", nn.Linear(after, after, bias=False))
        widths = pairwise((sum(CONVOLUTIONS), *CONNECTED, bits))
        for number, (before, after) in enumerate(widths, 1):
            self.add_module(f"fc{number}", nn.Linear(before, after))
        self.classifier = nn.Linear(bits, categories) if categories else None
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.xavier_uniform_(parameter)  # Glorot, as GHashing's
            else:
                nn.init.zeros_(parameter)
        self.normalization = None if spread is None else nn.BatchNorm1d(bits)
        if self.normalization:
            nn.init.constant_(self.normalization.weight, spread)

    def forward(self, graphs: Packed) -> tuple[Tensor, Tensor]:
        """Embeddings (b, 256), of FC3, and logits (b, bits), of FC5 before its activation."""
        part = self.get_submodule
        pooled, hidden = [], graphs.inputs
        for number in (1, 2, 3):
            hidden = part(f"gcn{number}")(hidden)
            if number > 1:  # the input is ÂX: the first convolution has been propagated already
                hidden = _propagate(graphs.links[0], hidden)
            hidden = functional.relu(hidden)
            pooled.append(_attention(graphs, hidden, part(f"gap{number}")))
        features = functional.relu(part("fc1")(torch.cat(pooled, 1)))
        embeddings = part("fc3")(functional.relu(part("fc2")(features)))
        logits = part("fc5")(functional.relu(part("fc4")(embeddings)))
        return embeddings, self.normalization(logits) if self.normalization else logits

    def scores(self, codes: Tensor) -> Tensor:
        """The classifier's (b, categories), of FC5's activations in 0 … 1."""
        assert self.classifier is not None
        scores: Tensor = self.classifier(
            SHARPNESS * (2 * codes - 1) if self.normalization else codes
        )
        return scores

    def folded(self) -> dict[str, NDArray[np.float32]]:
        """The weights as the hasher runs them: the normalization is a part of FC5, the classifier's
        sharpness of its weights.
        """
        state = {name: value.double() for name, value in self.state_dict().items()}
        if self.normalization:
            state = folded(state, "fc5", self.normalization.eps)
        if self.normalization and self.classifier:
            weight = SHARPNESS * state["classifier.weight"]
            state |= {"classifier.weight": 2 * weight}
            state |= {"classifier.bias": state["classifier.bias"] - weight.sum(1)}
        return {name: value.float().numpy() for name, value in state.items()}


def tensors(graph: LayerGraph, vocabulary: tuple[str, ...], costs: bool) -> GraphTensors:
    """ÂX (n, d): one-hot operators and, with ``costs``, digits [HNN-Net, eq. 3], each row of X
    divided by its sum.
    """
    read = arrays(graph, vocabulary, as_listed=True)
    n, ops = len(read), len(vocabulary) + 1
    rows = np.repeat(np.arange(n), np.diff(read.starts))
    x = np.zeros((n, ops + 2 * DIGITS * costs))
    x[np.arange(n), read.ops] = 1
    if costs:
        x[np.arange(n), ops + read.macs] = 1
        x[np.arange(n), ops + DIGITS + read.parameters] = 1
        x /= 3
    propagated = np.add.reduceat(x[read.columns] * read.weights[:, None], read.starts[:-1])
    return GraphTensors(
        torch.from_numpy(propagated).float(),
        (Links(rows, read.columns, read.weights),),
    )


class _Convolution(nn.Module):
    """Its weight is (inputs, outputs), and it has no bias."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(before, after))

    def forward(self, rows: Tensor) -> Tensor:
        return rows @ self.weight


class _Symmetric(torch.autograd.Function):
    """A sparse symmetric matrix times a dense one; its gradient is the same product."""

    @staticmethod
    def forward(context: Context, links: Tensor, rows: Tensor) -> Tensor:
        context.links = links
        return torch.sparse.mm(links, rows)

    @staticmethod
    def backward(context: Context, gradient: Tensor) -> tuple[None, Tensor]:
        return None, torch.sparse.mm(context.links, gradient)


def _propagate(links: Tensor, rows: Tensor) -> Tensor:
    result: Tensor = _Symmetric.apply(links, rows)
    return result


def _attention(graphs: Packed, rows: Tensor, weight: nn.Module) -> Tensor:
    """Σ σ(u·c) u with c = relu(W · mean u), for each graph: (b, d)."""
    parts = rows.split(graphs.sizes)
    contexts = functional.relu(weight(torch.stack([part.mean(0) for part in parts])))
    pooled = [torch.sigmoid(u @ c) @ u for u, c in zip(parts, contexts, strict=True)]
    return torch.stack(pooled)
