"""A module's tensors by name: found, and replaced by tensors of other sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from assay.running.examples import Array

EXTRA = "torch"


def tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers by name; one that is shared comes under each of its names."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def tensor_of(module: nn.Module, name: str) -> Tensor:
    """A parameter or a buffer."""
    layer, _, own = name.rpartition(".")
    found: Tensor = getattr(module.get_submodule(layer), own)
    return found


def put(module: nn.Module, name: str, tensor: Tensor) -> None:
    """Replace a parameter or a buffer; the layer is told of its sizes."""
    layer, _, own = name.rpartition(".")
    part = module.get_submodule(layer)
    old = getattr(part, own)
    if isinstance(old, nn.Parameter) and not isinstance(tensor, nn.Parameter):
        tensor = nn.Parameter(tensor.detach().contiguous(), requires_grad=old.requires_grad)
    setattr(part, own, tensor)
    _tell_sizes(part)


def take(module: nn.Module, name: str, axis: int, index: Array) -> None:
    """Leave of a tensor what lies at ``index`` of an axis, in that order."""
    tensor = tensor_of(module, name).detach()
    chosen = torch.from_numpy(np.ascontiguousarray(index)).to(tensor.device)
    put(module, name, tensor.index_select(axis, chosen))


def _tell_sizes(part: nn.Module) -> None:
    """Sizes that a layer keeps beside its tensors; some are checked when it runs."""
    if isinstance(part, nn.Linear):
        part.out_features, part.in_features = part.weight.shape
    elif isinstance(part, nn.modules.conv._ConvNd):
        if 1 < part.groups == part.out_channels:  # depthwise
            part.groups = part.in_channels = part.out_channels = len(part.weight)
        elif part.groups == 1:
            given, read = (1, 0) if part.transposed else (0, 1)
            part.out_channels, part.in_channels = part.weight.shape[given], part.weight.shape[read]
    elif isinstance(part, nn.modules.batchnorm._NormBase):
        own = part.running_mean if part.weight is None else part.weight
        part.num_features = len(own)
    elif isinstance(part, nn.LayerNorm):
        part.normalized_shape = tuple(part.weight.shape)
    elif isinstance(part, nn.Embedding):
        part.num_embeddings, part.embedding_dim = part.weight.shape
    elif isinstance(part, nn.PReLU):
        part.num_parameters = len(part.weight)
    elif isinstance(part, nn.RNNBase):
        part.input_size = part.weight_ih_l0.shape[1]
        part.hidden_size = part.weight_hh_l0.shape[1]
