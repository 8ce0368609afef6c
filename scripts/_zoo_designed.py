"""One network of transformers or diffusers on the device "meta", as its operators.

Only the packages' own classes are called: nothing is asked of a hub.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from _zoo_designs import Size, nested
from _zoo_exports import randomize
from torch import nn

from assay.errors import UnreadableModel
from assay.formats._torch import to_onnx
from assay.graphs.operators import OperatorGraph, Shape
from assay.vocabularies.onnx.graph import convert

COUNTS = ("ids", "mask", "timesteps", "labels", "bbox")  # ends of names of inputs of integers
MOST_PARAMETERS = 300_000_000  # of a model whose weights are made
EXPERTS = "batched_mm"  # how a mixture computes them: the way that can be exported


class Positional(nn.Module):
    """A model whose inputs have an order, and whose outputs are its tensors."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """All tensors that the model returns, also those in tuples."""
        return tuple(_tensors(self.model(**nested(dict(zip(self.names, values, strict=True))))))


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _tensors(value)
    elif hasattr(output, "latent_dist"):  # a distribution, of which the mean is what is used
        yield output.latent_dist.mean


def traced(size: Size) -> tuple[OperatorGraph, tuple[Shape, ...]]:
    """Its operators and the shapes of its inputs, at the first of three attempts that succeeds.

    In the second, attention is written out, and what the model makes by itself is on "meta", too.
    The third, on the CPU with random weights, is for models of no more than ``MOST_PARAMETERS``.

    Raises:
        UnreadableModel: the exporter cannot follow it, or the class refuses its numbers.
    """
    shapes = tuple(size.inputs.values())
    with contextlib.suppress(UnreadableModel):  # the last attempt's error is the one to tell
        return _operators(size), shapes
    small = sum(p.numel() for p in made(size).parameters()) <= MOST_PARAMETERS
    with torch.device("meta"), contextlib.suppress(*[UnreadableModel] if small else []):
        return _operators(size, eager=True), shapes
    return _operators(size, eager=True, device="cpu"), shapes


def _operators(size: Size, eager: bool = False, device: str = "meta") -> OperatorGraph:
    model = made(size, eager, device)
    if device == "cpu":
        randomize(model)
    module = Positional(model, tuple(size.inputs)).eval()
    examples = tuple(_example(name, shape, device) for name, shape in size.inputs.items())
    layers = convert(to_onnx(module, examples), {}).layers
    assert layers is not None  # it is for a program
    return layers


def made(size: Size, eager: bool = False, device: str = "meta") -> nn.Module:
    """The model; on "meta", its weights never exist.  ``eager``: without torch's own attention."""
    package = importlib.import_module(size.name.partition("/")[0])
    kind = getattr(package, size.made)
    if package.__name__ == "diffusers":
        with torch.device(device):
            return kind(**size.options)
    config = kind.config_class(**size.options)
    for part in (config, *vars(config).values()):
        if hasattr(part, "use_cache"):
            part.use_cache = False
    config._experts_implementation = EXPERTS
    if eager:
        config._attn_implementation = "eager"
    with torch.device(device):
        model: nn.Module = kind(config)
    return model


def _example(name: str, shape: Shape, device: str) -> torch.Tensor:
    kind = torch.int64 if name.endswith(COUNTS) else torch.float32
    return torch.zeros(shape, dtype=kind, device=device)
