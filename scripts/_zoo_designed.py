"""One network of transformers or diffusers on the device "meta", as its operators.

Only the packages' own classes are called: nothing is asked of a hub.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from _zoo_designs import Size
from torch import nn

from assay.errors import UnreadableModel
from assay.formats._torch import to_onnx
from assay.graphs.operators import OperatorGraph, Shape
from assay.vocabularies.onnx.graph import convert

TOKENS, TRUTHS = ("ids", "mask", "timesteps"), ("bool_masked_pos",)  # ends of inputs' names
ATTEMPTS: tuple[Mapping[str, str], ...] = (  # how attention and experts are computed
    {},
    {"experts_implementation": "batched_mm"},
    {"attn_implementation": "eager", "experts_implementation": "batched_mm"},
)


class Positional(nn.Module):
    """A model whose inputs have an order, and whose outputs are its tensors."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """All tensors that the model returns, also those in tuples."""
        return tuple(_tensors(self.model(**dict(zip(self.names, values, strict=True)))))


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
    """Its operators and the shapes of its inputs, at the first attempt that succeeds.

    Raises:
        UnreadableModel: the exporter cannot follow it, or the class refuses its numbers.
    """
    package = size.name.partition("/")[0]
    attempts = ATTEMPTS if package == "transformers" else ATTEMPTS[:1]
    for attempt in attempts[:-1]:
        with contextlib.suppress(UnreadableModel):  # the last attempt's error is the one to tell
            return _operators(size, attempt), tuple(size.inputs.values())
    return _operators(size, attempts[-1]), tuple(size.inputs.values())


def _operators(size: Size, attempt: Mapping[str, str]) -> OperatorGraph:
    module = Positional(made(size, attempt), tuple(size.inputs)).eval()
    with torch.device("meta"):
        examples = tuple(_example(name, shape) for name, shape in size.inputs.items())
        layers = convert(to_onnx(module, examples), {}).layers
    assert layers is not None  # it is for a program
    return layers


def made(size: Size, attempt: Mapping[str, str]) -> nn.Module:
    """The model, whose weights never exist."""
    package = importlib.import_module(size.name.partition("/")[0])
    kind = getattr(package, size.made)
    if package.__name__ == "diffusers":
        with torch.device("meta"):
            return kind(**size.options)
    config = kind.config_class(**size.options)
    for part in (config, *vars(config).values()):
        if hasattr(part, "use_cache"):
            part.use_cache = False
    for name, choice in attempt.items():
        setattr(config, f"_{name}", choice)
    with torch.device("meta"):
        model: nn.Module = kind(config)
    return model


def _example(name: str, shape: Shape) -> torch.Tensor:
    if name.endswith(TOKENS):
        return torch.zeros(shape, dtype=torch.int64)
    return torch.zeros(shape, dtype=torch.bool if name in TRUTHS else torch.float32)
