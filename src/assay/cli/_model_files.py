"""Model files as modules, and modules as model files with a record beside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.cli.training import writable
from assay.derivations import Derived
from assay.durable import writing
from assay.errors import BadOption, UnfitModel
from assay.examine import sha256
from assay.formats import FORMATS, MISSING, InputShapes, Model, naming, read
from assay.graphs.operators import BOOL, INT64, OperatorGraph
from assay.running.examples import Array
from assay.running.modules import copy_of, outputs, seed_of
from assay.running.network import PER_AXIS, network
from assay.running.quantized import settled
from assay.running.to_onnx import export
from assay.values import Json
from assay.weights import Weight
from assay.zoo.networks import NETWORKS, build

EXTRA = "torch"
Shape = tuple[int, ...]

_INTEGERS = {2, 3, 4, 5, INT64, BOOL, 12, 13}  # data types of inputs that are no real numbers


@dataclass(frozen=True, eq=False)
class Parent:
    """A model file as a module that can be run and trained."""

    path: str
    sha256: str
    module: nn.Module
    shape: Shape  # of an input, without the batch
    tokens: bool  # whether inputs are whole numbers

    @property
    def about(self) -> Json:
        """Which file it was, for the record."""
        return {"file": Path(self.path).name, "sha256": self.sha256}


def parents_of(models: Sequence[str], shapes: InputShapes, output: Path) -> list[Parent]:
    """The models as modules.  Raises BadOption where ``output`` would be written over one."""
    return [read_parent(path, shapes, output) for path in models]


def read_parent(path: str, shapes: InputShapes, output: Path | None = None) -> Parent:
    """The model of a file.

    Raises UnreadableModel where it is none, UnfitModel where it cannot be run as a module of one
    input, BadOption where ``output`` is a file of it.
    """
    model = read(Path(path), shapes)
    if output is not None and output.exists() and any(output.samefile(own) for own in model.files):
        raise BadOption(f"--output {output}: is a file of {path}: name another one")
    if model.layers is None:
        raise UnfitModel(f"{path}: has no graph: give a file that says how it is computed")
    if MISSING in model.metadata:
        raise UnfitModel(f"{path}: a file with its weights is missing")
    shape, tokens = _input(path, model.layers)
    with naming(path):
        digest = sha256(model)
        try:
            module = network(
                model.layers, model.weights, opset=model.metadata.get("opset", PER_AXIS)
            )
        except UnfitModel as error:
            raise UnfitModel(f"{path}: {error}") from error
    return Parent(path, digest, module, shape, tokens)


def student_for(given: str, parent: Parent, example: Array, output: Path, seed: int) -> nn.Module:
    """A new network of the zoo with the model's inputs and outputs, or that of a file as it is.

    ``example`` is an input, (1, …).  Raises BadOption where there is none, or it has other inputs.
    """
    if given in NETWORKS:
        classes = outputs(parent.module, example).shape[-1]
        # The model itself may be the zoo's network of this seed.
        return build(given, parent.shape, classes, seed_of("student", seed))
    if not Path(given).exists():
        raise BadOption(f"--student {given}: neither a file nor one of {', '.join(NETWORKS)}")
    student = read_parent(given, {}, output)
    if student.shape != parent.shape:
        raise BadOption(
            f"--student {given}: reads inputs of shape {list(student.shape)}, the model"
            f" {list(parent.shape)}"
        )
    return student.module


def _input(path: str, layers: OperatorGraph) -> tuple[Shape, bool]:
    """Shape of the only input, without the batch; whether it is whole numbers."""
    if len(layers.inputs) != 1:
        raise UnfitModel(f"{path}: has {len(layers.inputs)} inputs, and derivations take one")
    (name,) = layers.inputs
    tensor = layers.tensor(name)
    if tensor.shape is None or min(tensor.shape, default=0) < 1:
        raise UnfitModel(f"{path}: leaves the shape of its input open: say it with --input-shape")
    if len(tensor.shape) < 2:
        raise UnfitModel(f"{path}: its input of shape {list(tensor.shape)} has no axis for a batch")
    return tensor.shape[1:], tensor.dtype in _INTEGERS


def child_file(output: str) -> Path:
    """The file to write.  Raises BadOption where none of this kind or at this place can be."""
    file = Path(output)
    if file.suffix.lower() not in SAVE:
        raise BadOption(f"--output {output}: must end with {', '.join(SAVE)}")
    writable(str(record_of(file)))
    return writable(output)


def record_of(file: Path) -> Path:
    """Where the record of a derived model lies."""
    return file.with_name(f"{file.name}.lineage.json")


def write(
    derived: Derived, example: Array, file: Path, parents: Sequence[Parent], student: str | None
) -> Json:
    """Write a derived model, and beside it its record, which is returned: both or neither.

    ``example`` is an input, (1, …), ``student`` what was named as one.  Raises UnfitModel where the
    model cannot be written as the file's suffix says, OSError where a file cannot.
    """
    suffix = file.suffix.lower()
    with TemporaryDirectory() as folder:
        made = Path(folder) / f"model{suffix}"
        SAVE[suffix](derived.module, torch.from_numpy(example), made)
        content = made.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    lineage: Json = {
        **derived.lineage.to_json(),
        "files": [parent.about for parent in parents],
        "student_from": student,
        "output": {"file": file.name, "sha256": digest, "bytes": len(content)},
    }
    text = (json.dumps(lineage, indent=2) + "\n").encode()
    with writing(record_of(file)) as record, writing(file) as model:
        for stream, whole in ((record, text), (model, content)):
            stream.write(whole)
            stream.flush()
    return lineage


def _save_program(module: nn.Module, example: Tensor, file: Path) -> None:
    inputs = torch.cat([example, example])  # a batch of one would be taken for a constant
    shapes = torch.export.ShapesCollection()
    shapes[inputs] = {0: torch.export.Dim.DYNAMIC}
    try:
        try:
            program = torch.export.export(module, (inputs,), dynamic_shapes=shapes)
        except RuntimeError:  # the model takes batches of one only
            program = torch.export.export(module, (example,))
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise UnfitModel(f"torch cannot export the model as a program: {reason}") from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # where on this machine the source lies
    torch.export.save(program, file)


def _save_tensors(module: nn.Module, _: Tensor, file: Path) -> None:
    save_file({name: t.detach().clone() for name, t in module.state_dict().items()}, file)


def _save_packed(module: nn.Module, _: Tensor, file: Path) -> None:
    tensors = settled(copy_of(module)).state_dict()  # weights, where they are computed from others
    weights = {
        name: Weight(name, tuple(tensor.shape), "float32", tensor.float().numpy)
        for name, tensor in tensors.items()
    }
    FORMATS["packed"]().write(Model("module", None, (), {}, weights), file)


SAVE = {
    ".onnx": export,
    ".packed": _save_packed,
    ".pt2": _save_program,
    ".safetensors": _save_tensors,
}
