"""One model of a plan: trained, or derived from its parents, and written with its record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from time import monotonic, process_time
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from assay import formats
from assay.derivations import DERIVATIONS
from assay.durable import write_whole
from assay.running.examples import Examples
from assay.running.modules import accuracy, digest, on, outputs
from assay.running.network import PER_AXIS, network
from assay.running.to_onnx import export
from assay.training import train
from assay.values import Json
from assay.zoo._members import SCRATCH, Member, Setting
from assay.zoo.datasets import (
    Split,
    half_turned,
    halves,
    inverted,
    joined,
    load,
    only_classes,
    shuffled_labels,
)
from assay.zoo.networks import build

EXTRA = "torch"
GARMENTS = (0, 2, 3, 4, 6)  # of Fashion-MNIST: those worn above the waist, the hardest to tell
ACCESSORIES = (1, 5, 7, 8, 9)  # the others
PARTS: Mapping[str, Callable[[Examples], Examples]] = MappingProxyType(
    {
        "half-a": lambda examples: halves(examples, 0)[0],
        "half-b": lambda examples: halves(examples, 0)[1],
        "shuffled": lambda examples: shuffled_labels(examples, 0),
        "inverted": inverted,
        "half-turned": half_turned,
        "first-five": lambda examples: only_classes(examples, range(5)),
        "garments": lambda examples: only_classes(examples, GARMENTS),
        "accessories": lambda examples: only_classes(examples, ACCESSORIES),
    }
)
_OF_TRAINING = ("half-a", "half-b", "shuffled")  # say what is learned from, not what is to be known


def make(folder: Path, setting: Setting, data: Path | None, member: Member) -> None:
    """Make it and write it: its record last.  Raises what its method raises."""
    started, computed = monotonic(), process_time()
    torch.set_num_threads(1)
    examples = task(member.queries or member.task, "train", setting.examples, data)
    module, record = _made(folder, setting, member, examples)
    about: Json = {
        "name": member.name,
        "network": member.network,
        "width": member.width,
        "input_shape": [*examples.inputs.shape[1:]],
        "classes": outputs(module, examples.inputs[:1]).shape[1],
        "task": member.task,
        "data": examples.digest,
        "seed": member.seed,
        "parents": [*member.parents],
        "parents_sha256": [_sha256(folder, parent) for parent in member.parents],
        "method": member.method,
        "queries": member.queries,
        "accuracy": round(accuracy(module, task(member.task, "test", setting.judged, data)), 4),
    }
    about["file"] = _write(folder, about, module, examples)
    about["sha256"] = hashlib.sha256((folder / about["file"]).read_bytes()).hexdigest()
    about["weights"] = digest(_read(folder, about))  # as its children find them
    about |= record
    about["seconds"] = round(monotonic() - started, 1)
    about["cpu_seconds"] = round(process_time() - computed, 1)
    write_whole(folder / f"{member.name}.json", (json.dumps(about, indent=1) + "\n").encode())


def _made(
    folder: Path, setting: Setting, member: Member, examples: Examples
) -> tuple[nn.Module, Json]:
    """The model, and the part of its record that tells how it was made."""

    def laid_out(module: nn.Module) -> nn.Module:
        return module.to(memory_format=torch.channels_last) if setting.channels_last else module

    def fresh(network: str) -> nn.Module:
        shape = examples.inputs.shape[1:]
        return laid_out(build(network, shape, member.classes, member.seed, member.width))

    checkpoint = folder / "checkpoints" / member.name
    if member.method == SCRATCH:
        module = fresh(member.network)
        how = member.options["training"]
        history = train(module, examples, how, seed=member.seed, checkpoint=checkpoint)
        return module, {"training": history.to_json(), "lineage": None}
    method: Any = DERIVATIONS[member.method]
    derived = method(**member.options).derive(
        *(laid_out(read(folder, parent)) for parent in member.parents),
        data=examples,
        student=None if member.student is None else fresh(member.student),
        seed=member.seed,
        checkpoint=checkpoint,
    )
    return derived.module, {"training": None, "lineage": derived.lineage.to_json()}


def _write(folder: Path, about: Json, module: nn.Module, examples: Examples) -> str:
    """The file's name: weights alone where the zoo's network takes them, else a whole model."""
    state, own = module.state_dict(), _built(about).state_dict()
    if [(n, t.shape, t.dtype) for n, t in state.items()] == [
        (n, t.shape, t.dtype) for n, t in own.items()
    ]:
        file = f"{about['name']}.safetensors"
        write_whole(folder / file, save({name: t.contiguous() for name, t in state.items()}))
    else:
        file = f"{about['name']}.onnx"
        export(module, on(module, examples.inputs[:1]), folder / file)
    return file


def read(folder: Path, name: str) -> nn.Module:
    """A model of the folder, in evaluation mode."""
    return _read(folder, json.loads((folder / f"{name}.json").read_text()))


def _sha256(folder: Path, name: str) -> str:
    """Of a parent's file as it lies there, whatever its record says."""
    file: str = json.loads((folder / f"{name}.json").read_text())["file"]
    return hashlib.sha256((folder / file).read_bytes()).hexdigest()


def _read(folder: Path, about: Json) -> nn.Module:
    file = folder / about["file"]
    if file.suffix == ".onnx":
        model = formats.read(file)
        assert model.layers is not None  # a file in ONNX has a graph
        return network(model.layers, model.weights, opset=model.metadata.get("opset", PER_AXIS))
    module = _built(about)
    module.load_state_dict(load_file(file))
    return module.eval()


def _built(about: Json) -> nn.Module:
    return build(
        about["network"],
        tuple(about["input_shape"]),
        about["classes"],
        about["seed"],
        about["width"],
    )


@cache
def task(name: str, split: Split, most: int, data: Path | None) -> Examples:
    """Examples of a task such as "mnist/half-a": of the first ``most`` of a dataset, its parts.

    Several, with "+" between them, are one task of all their classes.  A test is the same for all
    who learn a task, whatever they learned it from.
    """
    found = []
    for each in name.split("+"):
        dataset, *parts = each.split("/")
        own = None if data is None or dataset == "digits" else data / dataset
        examples = load(dataset, split, own).take(slice(most))
        for part in parts:
            if split == "train" or part not in _OF_TRAINING:
                examples = PARTS[part](examples)
        found.append(examples)
    return joined(found) if len(found) > 1 else found[0]
