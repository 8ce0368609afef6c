"""A trainable torch module made of what a model file holds: graph and weights [ONNX operators].

Operators whose weights are constants become torch's own layers, under the names of the file's
weights; all others are calls of torch functions, run in the file's order.  Numbers are float32,
whatever the file has.  Nothing of the file is executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from assay.graphs.operators import OperatorGraph
    from assay.weights import Weight

PER_AXIS = 13  # the opset since which Softmax is over one axis


def network(
    operators: OperatorGraph, weights: Mapping[str, Weight], *, opset: int = PER_AXIS
) -> nn.Module:
    """The module that computes what the graph does, in evaluation mode.

    It takes the graph's inputs in their order, images with channels first as the graph has them,
    and gives a tensor, or a tuple of several.  It runs batches of any size, also where the file was
    made for one.  Weights that were quantized are the real numbers that they stand for; what a
    graph quantizes while it runs is rounded as there, and trained as if it were not.  ``opset`` is
    the one that an ONNX file declares, as its metadata tell; older ones mean another thing by
    Softmax.

    Raises:
        UnfitModel: an operator cannot be run, or what a constant holds is not known; names it.
        UnreadableModel: a weight is damaged.
    """
    from assay.running.network.assembly import Assembly

    return Assembly(operators, weights, opset).network()
