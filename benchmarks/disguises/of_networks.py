"""Disguises of networks that the package has no derivation for.

Folding and rotating keep what a network computes; a larger depth does not, and is tuned afterwards
by who does it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from assay.errors import UnfitModel
from assay.running.examples import Examples
from assay.running.find_channels import find_channels
from assay.running.modules import copy_of, on, replace, weights
from assay.training import Optimizer, Training, train
from assay.zoo._blocks import Encoder, InvertedResidual

HARD = Optimizer("adam", rate=0.01, weight_decay=0.0, schedule="constant")
STEP = 640  # examples between two looks at the cosine
MOST_STEPS = 400
REPEATED = {  # blocks whose outputs have their inputs' shape
    "mlp": ("stage2",),
    "vgg": ("stage1.3", "stage2.3", "stage3.3"),
    "resnet": ("stage2",),
    "mobilenet": ("stage2", "stage3.1", "stage4.1"),
    "transformer": ("stage2", "stage3"),
}


def folded(module: nn.Module, data: Examples | None) -> nn.Module:
    """Batch normalizations inside the layers before them; ``data`` are a few inputs."""
    child = copy_of(module)
    assert data is not None  # what can be run has inputs
    pairs = find_channels(child, on(child, data.inputs[:2])).normalized
    if not pairs:
        raise UnfitModel("has no batch normalization behind a layer")
    for name, norm in pairs:
        before, after = child.get_submodule(name), child.get_submodule(norm)
        fuse = fuse_linear_bn_eval if isinstance(before, nn.Linear) else fuse_conv_bn_eval
        replace(child, name, fuse(before, after))
        replace(child, norm, nn.Identity())
    return child


def deepened(module: nn.Module, network: str) -> nn.Module:
    """Blocks twice, one copy behind the other [depth up-scaling: Kim et al., NAACL 2024]."""
    if network not in REPEATED:
        raise UnfitModel("none of its blocks is known to be able to follow itself")
    child = copy_of(module)
    for name in REPEATED[network]:
        block = child.get_submodule(name)
        replace(child, name, nn.Sequential(block, copy.deepcopy(block)))
    return child


def rotated(module: nn.Module, data: Examples | None, seed: int) -> nn.Module:
    """A residual stream in other axes [SliceGPT: Ashkboos et al., ICLR 2024]."""
    generator = torch.Generator().manual_seed(seed)
    parts = [*module.modules()]
    if any(isinstance(part, Encoder) for part in parts):
        return _rotated_transformer(copy_of(module), generator)
    if any(isinstance(part, InvertedResidual) for part in parts):
        return _rotated_bottlenecks(folded(module, data), generator)
    raise UnfitModel("has no residual stream, or an activation on it")


@torch.no_grad()
def _rotated_transformer(child: nn.Module, generator: torch.Generator) -> nn.Module:
    """Gains and shifts of normalization go into its readers; what it centers by stays an axis."""
    blocks = [part for part in child.modules() if isinstance(part, Encoder)]
    patches, norm, head = child.stage1, child.pool[0], child.head
    size = len(norm.weight)
    turn = _turn(size, generator, keeps_ones=True)
    readers: list[nn.Linear] = []
    for block in blocks:
        attending = [block.query, block.key, block.value]
        _unfold(block.norm1, attending)
        _unfold(block.norm2, [block.mlp[0]])
        readers += [*attending, block.mlp[0]]
    _unfold(norm, [head])
    writers = [patches.conv, *(each for block in blocks for each in (block.output, block.mlp[2]))]
    _rotate([*readers, head], writers, turn)
    patches.position.copy_(patches.position @ turn.T)
    return child


@torch.no_grad()
def _rotated_bottlenecks(child: nn.Module, generator: torch.Generator) -> nn.Module:
    """The narrow ends of inverted residuals have no activation: each run of them is a stream."""
    streams = {
        ("stage3.0.project.0", "stage3.1.project.0"): ("stage3.1.expand.0", "stage4.0.expand.0"),
        ("stage4.0.project.0", "stage4.1.project.0"): ("stage4.1.expand.0", "stage5.0"),
    }
    for writers, readers in streams.items():
        first = child.get_submodule(writers[0])
        turn = _turn(first.out_channels, generator)
        _rotate([*map(child.get_submodule, readers)], [*map(child.get_submodule, writers)], turn)
    return child


def _turn(size: int, generator: torch.Generator, *, keeps_ones: bool = False) -> Tensor:
    """A random orthogonal matrix (d, d); one that leaves the vector of ones where it is."""
    if not keeps_ones:
        return torch.linalg.qr(torch.randn(size, size, generator=generator))[0]
    start = torch.cat([torch.ones(size, 1), torch.randn(size, size - 1, generator=generator)], 1)
    axes = torch.linalg.qr(start)[0]  # the first one is that of ones
    inner = torch.eye(size)
    inner[1:, 1:] = _turn(size - 1, generator)
    return axes @ inner @ axes.T


def _unfold(norm: nn.LayerNorm, readers: Sequence[nn.Linear]) -> None:
    for reader in readers:
        reader.bias += reader.weight @ norm.bias
        reader.weight *= norm.weight
    norm.weight.fill_(1)
    norm.bias.fill_(0)


def _rotate(readers: Sequence[nn.Module], writers: Sequence[nn.Module], turn: Tensor) -> None:
    for layer in readers:
        layer.weight.copy_(torch.einsum("oi...,ji->oj...", layer.weight, turn))
    for layer in writers:
        layer.weight.copy_(torch.einsum("jo,oi...->ji...", turn, layer.weight))
        layer.bias.copy_(turn @ layer.bias)


def tuned_to(module: nn.Module, data: Examples, wanted: float, seed: int) -> nn.Module:
    """Trained further, with a high rate, until the mean cosine of its weights is ``wanted``."""
    child = copy_of(module)
    for number in range(MOST_STEPS):
        start = number * STEP % (len(data) - STEP + 1)
        some = data.take(slice(start, start + STEP))
        train(child, some, Training(epochs=1, optimizer=HARD), seed=seed + number)
        if cosine(module, child) <= wanted:
            return child
    raise UnfitModel(f"the cosine is still {cosine(module, child):.2f}")


def cosine(module: nn.Module, other: nn.Module) -> float:
    """The mean cosine of their matrices, by size."""
    ours, theirs = weights(module), weights(other)
    sizes = torch.tensor([float(weight.numel()) for weight in ours.values()])
    found = torch.stack(
        [
            torch.cosine_similarity(weight.detach().flatten(), theirs[name].detach().flatten(), 0)
            for name, weight in ours.items()
        ]
    )
    return float((found * sizes).sum() / sizes.sum())
