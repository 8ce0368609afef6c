"""One model of the families: trained, or derived from its parents, and written with its record."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from time import monotonic, process_time
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
from assay.zoo._members import SCRATCH, Edition, Member, training
from assay.zoo.datasets import halves, inverted, load, only_classes, shuffled_labels
from assay.zoo.networks import build

EXTRA = "torch"
_JUDGED = 2_000  # test examples


def make(folder: Path, edition: Edition, data: Path | None, member: Member) -> None:
    """Make it and write it: its record last.  Raises what its method raises."""
    started, computed = monotonic(), process_time()
    torch.set_num_threads(1)
    examples = task(member.task, "train", edition.examples, data)
    checkpoint = folder / "checkpoints" / member.name
    record: Json
    if member.method == SCRATCH:
        module: nn.Module = build(
            member.network, examples.inputs.shape[1:], member.classes, member.seed, member.width
        )
        options = training(edition, member.task)
        history = train(module, examples, options, seed=member.seed, checkpoint=checkpoint)
        record = {"training": history.to_json(), "lineage": None}
    else:
        method: Any = DERIVATIONS[member.method]
        parents = [read(folder, parent) for parent in member.parents]
        student = None
        if member.student is not None:
            student = build(
                member.student, examples.inputs.shape[1:], member.classes, member.seed, member.width
            )
        derived = method(**member.options).derive(
            *parents, data=examples, student=student, seed=member.seed, checkpoint=checkpoint
        )
        module = derived.module
        record = {"training": None, "lineage": derived.lineage.to_json()}
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
        "method": member.method,
        "accuracy": _judged(module, member, data),
    }
    about["file"] = _write(folder, about, module, examples)
    about["sha256"] = hashlib.sha256((folder / about["file"]).read_bytes()).hexdigest()
    about["weights"] = digest(_read(folder, about))  # as its children find them
    about |= record
    about["seconds"] = round(monotonic() - started, 1)
    about["cpu_seconds"] = round(process_time() - computed, 1)
    write_whole(folder / f"{member.name}.json", (json.dumps(about, indent=1) + "\n").encode())


def _judged(module: nn.Module, member: Member, data: Path | None) -> float:
    """On test examples; of labels that were shuffled, there are none to be known."""
    name = member.task.removesuffix("/shuffled").removesuffix("/half-a").removesuffix("/half-b")
    return round(accuracy(module, task(name, "test", _JUDGED, data)), 4)


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
def task(name: str, split: str, most: int, data: Path | None) -> Examples:
    """Examples of a task such as "mnist/half-a": of the first ``most`` of a dataset, a part."""
    dataset, _, part = name.partition("/")
    own = None if data is None or dataset == "digits" else data / dataset
    examples = load(dataset, split, own)  # type: ignore[arg-type]
    examples = examples.take(slice(most))
    if part in ("half-a", "half-b"):
        return halves(examples, 0)[part == "half-b"]
    if part == "shuffled":
        return shuffled_labels(examples, 0)
    if part == "inverted":
        return inverted(examples)
    if part == "first-five":
        return only_classes(examples, range(5))
    assert not part, f"no part {part!r}"
    return examples
