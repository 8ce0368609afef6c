"""Every disguise by the name of its row: the package's derivations, and those of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import of_networks
import of_tensors
from torch import nn

from assay.derivations import DERIVATIONS
from assay.errors import UnfitModel
from assay.formats import read
from assay.running.examples import Examples
from assay.running.quantized import settled
from assay.training import Optimizer, Training

TUNED = Training(epochs=1, optimizer=Optimizer("adam", rate=1e-3, weight_decay=0.0))
COSINE = 0.5


@dataclass(frozen=True)
class Parent:
    """A model whose children are looked for."""

    name: str
    column: str  # of the table: its network
    family: str  # of models that are no strangers to one another
    file: Path
    module: nn.Module | None  # where the file has a graph that can be run
    inputs: Examples | None = None  # to run it on
    labeled: tuple[Examples, ...] = ()  # two sets to tune it on; none: it is not tuned
    stranger: tuple[str, nn.Module] | None = None  # family and model, of the same architecture
    seed: int = 0

    @cached_property
    def state(self) -> of_tensors.State:
        """Its tensors, in the order of its layers."""
        if self.module is not None:
            return {name: value.numpy() for name, value in self.module.state_dict().items()}
        return self.stored

    @property
    def stored(self) -> of_tensors.State:
        """Its tensors, as its file has them."""
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
    def data(self) -> tuple[Examples, ...]:
        """Raises UnfitModel where there is nothing to tune it on."""
        if not self.labeled:
            raise UnfitModel("there are no examples with labels for it")
        return self.labeled


@dataclass(frozen=True)
class Child:
    """What is checked: a network or tensors; and the parent that must be found."""

    made: nn.Module | of_tensors.State
    parent: nn.Module | None = None  # where it is not the registered model itself
    as_onnx: bool = False  # where it matters how its numbers are stored
    families: tuple[str, ...] = ()  # of further parents


Disguise = Callable[[Parent], Child]


def derived(name: str, *parents: nn.Module, data: Examples | None = None, **options: Any) -> Any:
    """The module that a derivation makes."""
    method: Any = DERIVATIONS[name]
    return method(**options).derive(*parents, data=data).module


def by(name: str, **options: Any) -> Disguise:
    """A derivation of the package that needs no labels."""
    return lambda parent: Child(derived(name, parent.running, data=parent.inputs, **options))


def changed(change: Callable[[of_tensors.State, int], of_tensors.State]) -> Disguise:
    """A function of ``of_tensors``."""
    return lambda parent: Child(change(parent.state, parent.seed))


def merged(**options: Any) -> Disguise:
    """Two models tuned from one; the first of them is registered, and to be found."""

    def merge(parent: Parent) -> Child:
        models = parent.siblings
        if options["kind"] == "ties":
            models = (parent.running, *models)
        return Child(derived("average", *models, **options), parent.siblings[0])

    return merge


def with_a_stranger(parent: Parent) -> Child:
    """The mean with an independent model of its architecture."""
    if parent.stranger is None:
        raise UnfitModel("there is no other model of its architecture")
    family, other = parent.stranger
    return Child(derived("average", parent.running, other), families=(family,))


def in_another_format(parent: Parent) -> Child:
    """A network as ONNX; what is in ONNX, or another format, as plain tensors."""
    if parent.labeled:
        return Child(parent.running, as_onnx=True)
    if parent.file.suffix == ".safetensors":
        raise UnfitModel("its file has plain tensors, and no graph to write")
    return Child(parent.stored)


def in_eight_bits(parent: Parent) -> Child:
    """Whole numbers with a scale for each channel; of real files, what they stand for."""
    if parent.labeled:
        rounded = derived("quantize", parent.running, data=parent.inputs, bits=8)
        return Child(rounded, as_onnx=True)
    return Child(settled(derived("quantize", parent.running, bits=8, activations="none")))


def in_four_bits(parent: Parent) -> Child:
    """Rounded to 16 values a channel, and stored as real numbers again."""
    rounded = derived("quantize", parent.running, bits=4, activations="none")
    return Child(settled(rounded))


def stacked(parent: Parent) -> Child:
    """Half of the weights pruned, tuned under the mask, and channels permuted."""
    options = {"rate": 0.5, "scope": "global", "training": TUNED}
    pruned = derived("magnitude-prune", parent.running, data=parent.data[0], **options)
    return Child(derived("permute-neurons", pruned, data=parent.inputs))


def tuned(parent: Parent) -> Child:
    """Fine-tuned until little is left."""
    return Child(of_networks.tuned_to(parent.running, parent.data[0], COSINE, parent.seed))


DISGUISES: Mapping[str, Disguise] = {
    "fp16": lambda p: Child(of_tensors.half_precision(p.stored)),
    "int8 per channel": in_eight_bits,
    "4-bit": in_four_bits,
    "format round trip": in_another_format,
    "pruned 50 %": by("magnitude-prune", rate=0.5),
    "pruned 80 %": by("magnitude-prune", rate=0.8),
    "pruned 95 %": by("magnitude-prune", rate=0.95),
    "channels pruned 30 %": by("channel-prune", rate=0.3, importance="l1"),
    "fine-tuned to cosine .5": tuned,
    "head replaced": changed(of_tensors.new_head),
    "half of the layers kept": changed(of_tensors.first_half),
    "backbone in a larger model": changed(of_tensors.in_a_larger_model),
    "low-rank adapter merged": changed(of_tensors.with_adapter),
    "average, plain": merged(kind="mean"),
    "average, SLERP": merged(kind="slerp"),
    "average, TIES": merged(kind="ties"),
    "average with a stranger": with_a_stranger,
    "neurons permuted": by("permute-neurons"),
    "channels rescaled": by("rescale-channels"),
    "dummy neurons, zero": by("dummy-neurons", kind="zero"),
    "dummy neurons, clique": by("dummy-neurons", kind="clique"),
    "dummy neurons, split": by("dummy-neurons", kind="split"),
    "batch norm folded": lambda p: Child(of_networks.folded(p.running, p.inputs)),
    "residual stream rotated": lambda p: Child(of_networks.rotated(p.running, p.inputs, p.seed)),
    "layers duplicated": lambda p: Child(of_networks.deepened(p.running, p.column)),
    "pruned, tuned and permuted": stacked,
}
