"""Does each file hold the tensors that its own framework finds in it?

Usage: python scripts/check_formats.py FILE_OR_FOLDER…

Runs where the judges are installed: onnx, torch, h5py, ai-edge-litert, tensorflow, safetensors,
joblib with lz4; those that are missing are said.  One line a file: tensors and numbers that both
readings have, and the shapes that only one has.  Layouts differ, so shapes are compared as sorted
sizes, without axes of one place; whole numbers that are no weights do not count.  The judges run
what a file tells them to: give them only files that you trust.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

from assay.errors import AssayError
from assay.formats import folder_format, known_suffixes, read
from assay.weights import Weight

Shape = tuple[int, ...]
Shapes = Counter[Shape]
_WHOLE = ("int32", "int64", "uint32", "uint64", "bool", "string", "str", "object")
_MOST_SHOWN = 6


def sizes(shapes: Iterable[Iterable[int]]) -> Shapes:
    """How often there is a tensor of these sizes."""
    return Counter(tuple(sorted(int(dim) for dim in shape if dim != 1)) for shape in shapes)


def ours(weights: Iterable[Weight]) -> Shapes:
    """Of what the library reads."""
    return sizes(w.shape for w in weights if not w.dtype.startswith(_WHOLE))


def by_onnx(path: Path) -> Iterator[Shape]:
    """Initializers and constants, bodies' too."""
    import onnx

    def tensors(graph: Any) -> Iterator[Any]:
        yield from graph.initializer
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    yield from tensors(attribute.g)
                elif attribute.HasField("t") and node.op_type == "Constant":
                    yield attribute.t

    whole = (onnx.TensorProto.INT32, onnx.TensorProto.INT64, onnx.TensorProto.BOOL)
    for tensor in tensors(onnx.load(str(path)).graph):
        if tensor.data_type not in whole:
            yield tuple(tensor.dims)


def by_litert(path: Path) -> Iterator[Shape]:
    """Tensors that no operator writes, and that are no inputs."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path))
    written = {int(i) for node in run._get_ops_details() for i in node["outputs"]}
    written |= {detail["index"] for detail in run.get_input_details()}
    for detail in run.get_tensor_details():
        is_whole = detail["dtype"].__name__ in _WHOLE and not detail["quantization"][0]
        if detail["index"] not in written and not is_whole and detail["name"]:
            yield tuple(detail["shape"])


def by_torch(path: Path) -> Iterator[Shape]:
    """A state dict, a module, or a TorchScript archive."""
    import torch

    try:
        found = torch.jit.load(str(path), "cpu").state_dict()
    except RuntimeError:
        found = torch.load(path, "cpu", weights_only=False)
    yield from _arrays(found.state_dict() if hasattr(found, "state_dict") else found)


def _arrays(value: Any) -> Iterator[Shape]:
    """The shapes of all arrays of real numbers in nested lists and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if hasattr(value, "shape") and getattr(value, "dtype", None) is not None:
        if str(value.dtype) == "object":
            yield from _arrays(value.item() if value.ndim == 0 else list(value))
        elif not str(value.dtype).removeprefix("torch.").startswith(_WHOLE):
            yield tuple(value.shape)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _arrays(item)


def by_h5py(path: Path) -> Iterator[Shape]:
    """All datasets but the optimizer's."""
    import h5py

    found: list[Shape] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
            found.append(item.shape)

    with h5py.File(path) as file:
        file.visititems(visit)
    yield from found


def by_safetensors(path: Path) -> Iterator[Shape]:
    """Every tensor."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            yield tuple(file.get_slice(name).get_shape())


def by_numpy(path: Path) -> Iterator[Shape]:
    """Arrays, also within pickled objects."""
    import numpy as np

    found = np.load(path, allow_pickle=True)
    yield from _arrays(dict(found) if path.suffix == ".npz" else found)


def by_joblib(path: Path) -> Iterator[Shape]:
    """Arrays within a pickled object."""
    import joblib

    yield from _arrays(joblib.load(path))


def by_tensorflow(path: Path) -> Iterator[Shape]:
    """The variables of a SavedModel, without what training needs."""
    import tensorflow as tf

    for variable in tf.saved_model.load(str(path)).variables:
        if variable.dtype.is_floating:
            yield tuple(variable.shape)


JUDGES: dict[str, Callable[[Path], Iterator[Shape]]] = {
    ".onnx": by_onnx,
    ".tflite": by_litert,
    **dict.fromkeys((".pt", ".pth", ".jit", ".torchscript"), by_torch),
    ".h5": by_h5py,
    ".safetensors": by_safetensors,
    **dict.fromkeys((".npy", ".npz"), by_numpy),
    ".lz4": by_joblib,
    "": by_tensorflow,
}


def verdict(path: Path) -> str:
    """One line on one file."""
    model = read(path)
    found = ours(model.weights.values())
    line = f"{model.format:14} {_amount(found)}"
    judge = JUDGES.get(path.suffix if path.is_file() or path.suffix else "")
    if judge is None:
        return f"{line}  no judge"
    try:
        expected = sizes(judge(path))
    except ImportError as error:
        return f"{line}  no judge: {error}"
    apart = [f"ours only {_shown(found - expected)}"] if found - expected else []
    apart += [f"theirs only {_shown(expected - found)}"] if expected - found else []
    return f"{line}  theirs {_amount(expected)}  {'; '.join(apart) or 'equal'}"


def _amount(shapes: Shapes) -> str:
    numbers = sum(prod(shape) * count for shape, count in shapes.items())
    return f"{shapes.total():4} tensors {numbers:11,} numbers"


def _shown(shapes: Shapes) -> str:
    listed = [f"{count}×{list(shape)}" for shape, count in shapes.most_common(_MOST_SHOWN)]
    return f"{shapes.total()}: {', '.join(listed)}"


def files(place: Path) -> Iterator[Path]:
    """The models in a folder, each file or folder that is one."""
    if place.is_file() or folder_format(place) is not None:
        yield place
        return
    for entry in sorted(place.iterdir()):
        if entry.is_dir() or entry.name.endswith(known_suffixes()):
            yield from files(entry)


def main() -> None:
    """One line for each model that the command line names, and one for each in a folder."""
    for name in sys.argv[1:]:
        for path in files(Path(name)):
            try:
                print(f"{path}: {verdict(path)}", flush=True)
            except AssayError as error:
                print(f"REFUSED {error}", flush=True)
            except Exception as error:  # of a judge, or a bug of ours
                print(f"FAILED {path}: {type(error).__name__}: {error}", flush=True)


if __name__ == "__main__":
    main()
