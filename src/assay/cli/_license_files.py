"""Models to be licensed: read from files, and levels of them written in the same form."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from assay.cli._model_files import Parent, read_parent
from assay.errors import BadOption, UnfitModel
from assay.formats import FORMATS, MISSING, InputShapes, Model, read
from assay.graphs.operators import OperatorGraph, without_dead
from assay.licenses import Write
from assay.running.examples import Array, Examples
from assay.running.modules import copy_of, outputs
from assay.running.network import PER_AXIS, network
from assay.weights import Weight
from assay.weights.numbers import encode
from assay.zoo.networks import NETWORKS, build

EXTRA = "torch"
_CHECKED = 64  # examples on which a written level is run
_NEAR = 1e-3  # of the largest answer: what rounding of stored numbers may change


@dataclass(frozen=True, eq=False)
class Licensed:
    """A model file, the module that it is, and what writes another module into its form."""

    module: nn.Module
    shape: tuple[int, ...]  # of an input, without the batch
    write: Write


def licensed(path: str, graph: str | None, shapes: InputShapes, data: Examples) -> Licensed:
    """The model of a file, ONNX or safetensors.

    Args:
        path: Of the model.
        graph: Where it has none: a network of the zoo, or a file whose graph it is.
        shapes: Of inputs that a file leaves open.
        data: Examples, to run what is written; and their shape is a zoo's network's.

    Raises:
        UnfitModel: it cannot be run, or is of another format, or lies in several files.
        BadOption: there is no such graph.
    """
    model = read(Path(path), shapes)
    if model.format not in ("onnx", "safetensors") or len(model.files) != 1:
        raise UnfitModel(f"{path}: is not one .onnx or .safetensors file: write it as one first")
    if MISSING in model.metadata:
        raise UnfitModel(f"{path}: a file with its weights is missing")
    if model.format == "onnx":
        assert model.layers is not None
        _all_used(path, model, _read_names(model.layers))
        parent = read_parent(path, shapes)
        return Licensed(parent.module, parent.shape, _OnnxLevels(path, model, parent, data))
    module, shape = _with_graph(path, graph, model, shapes, data)
    return Licensed(module, shape, _SafetensorsLevels(path, model, module))


def _with_graph(
    path: str, graph: str | None, model: Model, shapes: InputShapes, data: Examples
) -> tuple[nn.Module, tuple[int, ...]]:
    if graph is None:
        raise BadOption(f"{path}: has no graph: say with --graph whose it is")
    if graph in NETWORKS:
        shape = data.inputs.shape[1:]
        module: nn.Module = build(graph, shape, data.classes, 0)
        state = {n: torch.from_numpy(w.read()) for n, w in model.weights.items()}
        try:
            module.load_state_dict({**module.state_dict(), **state})
        except RuntimeError as error:
            reason = str(error).partition("\n")[2].strip().partition("\n")[0]
            raise UnfitModel(f"{path}: is no {graph} of these examples: {reason}") from error
        return module.eval(), shape
    if not Path(graph).exists():
        raise BadOption(f"--graph {graph}: neither a file nor one of {', '.join(NETWORKS)}")
    like, known = read_parent(graph, shapes), read(Path(graph), shapes)
    lacking = [name for name, weight in known.weights.items()
               if weight.size > 1 and name not in model.weights]  # fmt: skip
    if lacking or known.layers is None:
        raise UnfitModel(f"{path}: has no weight {lacking[0]!r}, which {graph} has")
    _all_used(path, model, _read_names(known.layers))
    weights = {**known.weights, **model.weights}
    opset = known.metadata.get("opset", PER_AXIS)
    return network(known.layers, weights, opset=opset), like.shape


def _all_used(path: str, model: Model, names: Set[str]) -> None:
    """Raises UnfitModel where a file holds more than the model is computed from.

    No level would lack it, and it may be a copy of what levels lack: an average of weights, say.
    """
    for name, weight in model.weights.items():
        if weight.size > 1 and name not in names:
            raise UnfitModel(f"{path}: holds {name!r}, which the model does not use: take it out")


def _read_names(graph: OperatorGraph) -> set[str]:
    """Of all that is read on the way to the outputs, within bodies, too."""
    operators = without_dead(graph).operators
    names = {name for operator in operators for name in operator.inputs}
    for operator in operators:
        for value in operator.attributes.values():
            if isinstance(value, OperatorGraph):
                names |= _read_names(value)
    return names | {*graph.outputs}


class Places:
    """Which weight of a file a module's tensor is."""

    def __init__(self, path: str, weights: Mapping[str, Weight], module: nn.Module) -> None:
        self.path, self.weights = path, weights
        self.own = dict(_real(module))

    def changed(self, module: nn.Module) -> Iterator[tuple[str, str, Array]]:
        """Name in the file and in the module, and values, of each tensor that is another there.

        Raises UnfitModel where the file has it in another form, or twice.
        """
        for name, values in _real(module):
            if not np.array_equal(values, self.own[name]):
                yield self._weight(name), name, values

    def _weight(self, name: str) -> str:
        own = self.own[name]
        found = [
            known
            for known, weight in self.weights.items()
            if weight.shape == own.shape and np.array_equal(weight.read(), own)
        ]
        if not found:
            raise UnfitModel(f"{self.path}: holds {name!r} in another form than it is computed in")
        is_constant = own.size and bool((own == own.flat[0]).all())
        if len(found) > 1 and not (is_constant and name in found):
            raise UnfitModel(f"{self.path}: {found[0]!r} and {found[1]!r} are the same")
        return name if name in found else found[0]


class _OnnxLevels:
    """Writes levels as ONNX files of the original's graph, and runs what was written."""

    def __init__(self, path: str, model: Model, parent: Parent, data: Examples) -> None:
        self.path, self.model, self.shape = path, model, parent.shape
        self.places = Places(path, model.weights, parent.module)
        self.inputs = data.inputs[:_CHECKED].reshape(-1, *parent.shape)

    def __call__(self, module: nn.Module, file: Path) -> nn.Module:
        weights: dict[str, Weight] = {**self.model.weights}
        for place, _, values in self.places.changed(module):
            weights[place] = replace(weights[place], read=partial(np.asarray, values))
        FORMATS["onnx"]().write(replace(self.model, weights=weights), file)
        made = read(file, {})
        assert made.layers is not None  # as the original has them
        opset = made.metadata.get("opset", PER_AXIS)
        found = network(made.layers, made.weights, opset=opset)
        given, wanted = outputs(found, self.inputs), outputs(module, self.inputs)
        if np.abs(given - wanted).max() > _NEAR * np.abs(wanted).max():
            raise UnfitModel(f"{self.path}: a level that was written answers otherwise")
        return found


class _SafetensorsLevels:
    """Writes levels as copies of a safetensors file in which some tensors have other values."""

    def __init__(self, path: str, model: Model, module: nn.Module) -> None:
        self.path = Path(path)
        self.dtypes = {name: weight.dtype for name, weight in model.weights.items()}
        self.places = Places(path, model.weights, module)
        with self.path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            self.begin, self.header = 8 + length, json.loads(file.read(length))

    def __call__(self, module: nn.Module, file: Path) -> nn.Module:
        shutil.copyfile(self.path, file)
        own, names = module.state_dict(), dict[str, str]()
        with file.open("r+b") as stream:
            for place, name, values in self.places.changed(module):
                stream.seek(self.begin + self.header[place]["data_offsets"][0])
                stream.write(encode(values, self.dtypes[place]))
                names[name] = place
        made, found = read(file, {}).weights, copy_of(module)
        stored = {name: torch.from_numpy(made[place].read()) for name, place in names.items()}
        found.load_state_dict({**own, **{n: t.reshape(own[n].shape) for n, t in stored.items()}})
        return found


def _real(module: nn.Module) -> Iterator[tuple[str, Array]]:
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            yield name, tensor.detach().float().numpy(force=True)
