"""Every disguise by the name of its row: the package's derivations, and those of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import of_arrays
import of_networks
from torch import nn

from assay.derivations import DERIVATIONS
from assay.errors import UnfitModel
from assay.formats import read
from assay.running.examples import Examples
from assay.training import Optimizer, Training

TUNED = Training(epochs=1, optimizer=Optimizer("adam", rate=1e-3, weight_decay=0.0))
COSINE = 0.5


@dataclass(frozen=True)
class Parent:
    """A model whose children are looked for."""

    name: str
    network: str  # of the zoo; or "real files"
    file: Path
    module: nn.Module | None  # where the file has a graph that can be run
    inputs: Examples | None  # to run it on
    labeled: tuple[Examples, ...] = ()  # two sets to tune it on; none: it is not tuned
    stranger: nn.Module | None = None  # of the same architecture
    seed: int = 0

    @cached_property
    def state(self) -> of_arrays.State:
        """Its tensors, in the order of its layers."""
        if self.module is not None:
            return {name: value.numpy() for name, value in self.module.state_dict().items()}
        return {name: weight.read() for name, weight in read(self.file).weights.items()}

    @cached_property
    def siblings(self) -> tuple[nn.Module, ...]:
        """Two models that were tuned from it, each on other examples."""
        return tuple(
            derived("fine-tune", self.running, data=data, training=TUNED) for data in self.data
        )

    @property
    def running(self) -> nn.Module:
        """Raises UnfitModel where it cannot be run."""
        if self.module is None:
            raise UnfitModel("its file has no graph")
        return self.module

    @property
    def examples(self) -> Examples:
        """Inputs, as it takes them."""
        assert self.running is not None
        assert self.inputs is not None  # what can be run has inputs
        return self.inputs

    @property
    def data(self) -> tuple[Examples, ...]:
        """Raises UnfitModel where there is nothing to tune it on."""
        if not self.labeled:
            raise UnfitModel("there are no examples with labels for it")
        return self.labeled


@dataclass(frozen=True)
class Child:
    """What is checked: a network or tensors; and the parent that must be found."""

    made: nn.Module | of_arrays.State
    parent: nn.Module | None = None  # where it is not the registered model itself
    as_onnx: bool = False  # where it matters how its numbers are stored


Disguise = Callable[[Parent], Child]


def derived(name: str, *parents: nn.Module, data: Examples | None, **options: Any) -> nn.Module:
    """The module that a derivation makes."""
    method: Any = DERIVATIONS[name]
    module: nn.Module = method(**options).derive(*parents, data=data).module
    return module


def by(name: str, *, as_onnx: bool = False, **options: Any) -> Disguise:
    """A derivation of the package that needs no labels."""
    return lambda parent: Child(
        derived(name, parent.running, data=parent.examples, **options), as_onnx=as_onnx
    )


def of_tensors(change: Callable[[of_arrays.State, int], of_arrays.State]) -> Disguise:
    """A function of ``of_arrays``."""
    return lambda parent: Child(change(parent.state, parent.seed))


def merged(**options: Any) -> Disguise:
    """Two models tuned from one; the first of them is registered, and to be found."""

    def merge(parent: Parent) -> Child:
        models = parent.siblings
        if options["kind"] == "ties":
            models = (parent.running, *models)
        return Child(derived("average", *models, data=None, **options), parent.siblings[0])

    return merge


def with_a_stranger(parent: Parent) -> Child:
    if parent.stranger is None:
        raise UnfitModel("there is no other model of its architecture")
    return Child(derived("average", parent.running, parent.stranger, data=None))


def stacked(parent: Parent) -> Child:
    """Half of the weights pruned, tuned under the mask, and channels permuted."""
    options = {"rate": 0.5, "scope": "global", "training": TUNED}
    pruned = derived("magnitude-prune", parent.running, data=parent.data[0], **options)
    return Child(derived("permute-neurons", pruned, data=parent.examples))


DISGUISES: Mapping[str, Disguise] = {
    "fp16": of_tensors(of_arrays.half_precision),
    "int8 per channel": by("quantize", as_onnx=True, bits=8),
    "4-bit": by("quantize", as_onnx=True, bits=4, activations="none"),
    "format round trip": by("convert", as_onnx=True, through="onnx"),
    "pruned 50 %": by("magnitude-prune", rate=0.5),
    "pruned 80 %": by("magnitude-prune", rate=0.8),
    "pruned 95 %": by("magnitude-prune", rate=0.95),
    "channels pruned 30 %": by("channel-prune", rate=0.3, importance="l1"),
    "fine-tuned to cosine .5": lambda parent: Child(
        of_networks.tuned_to(parent.running, parent.data[0], COSINE, parent.seed)
    ),
    "head replaced": of_tensors(of_arrays.new_head),
    "half of the layers kept": of_tensors(of_arrays.first_half),
    "backbone in a larger model": of_tensors(of_arrays.in_a_larger_model),
    "low-rank adapter merged": of_tensors(of_arrays.with_adapter),
    "average, plain": merged(kind="mean"),
    "average, SLERP": merged(kind="slerp"),
    "average, TIES": merged(kind="ties"),
    "average with a stranger": with_a_stranger,
    "neurons permuted": by("permute-neurons"),
    "channels rescaled": by("rescale-channels"),
    "dummy neurons, zero": by("dummy-neurons", kind="zero"),
    "dummy neurons, clique": by("dummy-neurons", kind="clique"),
    "dummy neurons, split": by("dummy-neurons", kind="split"),
    "batch norm folded": lambda parent: Child(of_networks.folded(parent.running, parent.examples)),
    "residual stream rotated": lambda parent: Child(
        of_networks.rotated(parent.running, parent.examples, parent.seed)
    ),
    "layers duplicated": lambda parent: Child(
        of_networks.deepened(parent.running, parent.network)
    ),
    "pruned, tuned and permuted": stacked,
}
