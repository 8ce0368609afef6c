"""Does each file hold the tensors that its own framework finds in it, number for number?

Usage: python scripts/check_formats.py [--json FILE] FILE_OR_FOLDER…

Runs where the judges are installed: onnx, torch, h5py, ai-edge-litert, tensorflow, tensorflowjs,
coremltools, safetensors, joblib with lz4; those that are missing are said.  One line a file: the
tensors and numbers that both readings have, and the sizes that only one has.  Layouts differ, so
sizes are sorted, without axes of one place, and values are compared sorted; whole numbers that are
no weights do not count.  FILE gets the results added, so that several environments can each give
their part.  The judges run what a file tells them to: give them only files that you trust.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from assay.errors import AssayError
from assay.formats import Model, folder_format, known_suffixes, read
from assay.graphs import layer_graph

Sizes = tuple[int, ...]
Found = Iterator[Any]  # arrays
_WHOLE = ("int32", "int64", "uint32", "uint64", "bool", "string", "str", "object")
_MOST_SHOWN = 6


def by_onnx(path: Path) -> Found:
    """Initializers and constants, bodies' too; quantized ones as they are stored."""
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
            yield onnx.numpy_helper.to_array(tensor)


def by_litert(path: Path) -> Found:
    """Tensors that no operator writes, and that are no inputs."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path))
    written = {int(i) for node in run._get_ops_details() for i in node["outputs"]}
    written |= {detail["index"] for detail in run.get_input_details()}
    for detail in run.get_tensor_details():
        is_whole = detail["dtype"].__name__ in _WHOLE and not detail["quantization"][0]
        if detail["index"] not in written and not is_whole and detail["name"]:
            scale, zero = detail["quantization"]
            values = run.get_tensor(detail["index"])
            yield (values.astype(np.float32) - zero) * scale if scale else values


def by_torch(path: Path) -> Found:
    """A state dict, a module, or a TorchScript archive."""
    import torch

    try:
        found = torch.jit.load(str(path), "cpu").state_dict()
    except RuntimeError:
        found = torch.load(path, "cpu", weights_only=False)
    yield from _arrays(found.state_dict() if hasattr(found, "state_dict") else found)


def _arrays(value: Any) -> Found:
    """All arrays of real numbers in nested lists and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if hasattr(value, "shape") and getattr(value, "dtype", None) is not None:
        if str(value.dtype) == "object":
            yield from _arrays(value.item() if value.ndim == 0 else list(value))
        elif not str(value.dtype).removeprefix("torch.").startswith(_WHOLE):
            yield np.asarray(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _arrays(item)


def by_h5py(path: Path) -> Found:
    """All datasets but the optimizer's."""
    import h5py

    found: list[Any] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
            found.append(item[()])

    with h5py.File(path) as file:
        file.visititems(visit)
    yield from found


def by_safetensors(path: Path) -> Found:
    """Every tensor."""
    from safetensors.numpy import load_file

    yield from load_file(path).values()


def by_numpy(path: Path) -> Found:
    """Arrays, also within pickled objects."""
    found = np.load(path, allow_pickle=True)
    yield from _arrays(dict(found) if path.suffix == ".npz" else found)


def by_joblib(path: Path) -> Found:
    """Arrays within a pickled object."""
    import joblib

    yield from _arrays(joblib.load(path))


def by_tensorflow(path: Path) -> Found:
    """The variables, without what training needs, and the constants of what serves."""
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    stored = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    for name in sorted(stored.get_variable_to_shape_map()):
        values = stored.get_tensor(name) if "OPTIMIZER_SLOT" not in name else None
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and "optimizer" not in name:
            yield values
    graph = SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    nodes = list(graph.node)
    for function in graph.library.function:
        nodes += function.node_def if "_wrapped_model" in function.signature.name else []
    for values in (tf.make_ndarray(n.attr["value"].tensor) for n in nodes if n.op == "Const"):
        if values.dtype.kind == "f":
            yield values


def by_tensorflowjs(path: Path) -> Found:
    """All that the manifest names but whole numbers; without the converters, which need more."""
    found = find_spec("tensorflowjs")
    if found is None:
        raise ImportError("No module named 'tensorflowjs'")
    package = sys.modules["tensorflowjs"] = ModuleType("tensorflowjs")
    package.__path__ = list(found.submodule_search_locations or [])
    from tensorflowjs.read_weights import read_weights

    folder = path if path.is_dir() else path.parent
    manifest = json.loads((folder / "model.json").read_text())["weightsManifest"]
    for entry in read_weights(manifest, str(folder), flatten=True):
        if str(entry["data"].dtype) not in _WHOLE:
            yield entry["data"]


def by_coremltools(path: Path) -> Found:
    """Constants of an ML program that have axes."""
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.models import MLModel

    model = MLModel(str(path), skip_model_load=True)
    spec = model.get_spec()
    number = spec.specificationVersion
    program = load(spec, specification_version=number, file_weights_dir=model.weights_dir)
    for function in program.functions.values():
        for constant in function.find_ops(op_type="const"):
            values = constant.outputs[0].val
            if isinstance(values, np.ndarray) and values.dtype.kind == "f":
                yield values


JUDGES: dict[str, tuple[str, Callable[[Path], Found]]] = {
    ".onnx": ("onnx", by_onnx),
    ".tflite": ("ai-edge-litert", by_litert),
    **dict.fromkeys((".pt", ".pth", ".jit", ".torchscript"), ("torch", by_torch)),
    ".h5": ("h5py", by_h5py),
    ".safetensors": ("safetensors", by_safetensors),
    **dict.fromkeys((".npy", ".npz"), ("numpy", by_numpy)),
    ".lz4": ("joblib", by_joblib),
    ".mlpackage": ("coremltools", by_coremltools),
    ".json": ("tensorflowjs", by_tensorflowjs),
    "": ("tensorflow-cpu", by_tensorflow),
}


def amount(arrays: Iterable[Any]) -> tuple[Counter[Sizes], Counter[str]]:
    """How often there is a tensor of these sizes, and of these numbers, whatever their order."""
    sizes: Counter[Sizes] = Counter()
    values: Counter[str] = Counter()
    for array in arrays:
        shape = tuple(sorted(int(dim) for dim in array.shape if dim != 1))
        sizes[shape] += 1
        flat = np.sort(np.asarray(array, np.float32).reshape(-1)) + np.float32(0)
        values[hashlib.sha256(flat.tobytes()).hexdigest()] += 1
    return sizes, values


def ours(model: Model) -> tuple[Counter[Sizes], Counter[str]]:
    """Of what the library reads."""
    weights = model.weights.values()
    return amount(w.read() for w in weights if not w.dtype.startswith(_WHOLE))


def numbers(sizes: Counter[Sizes]) -> dict[str, int]:
    """Tensors, and numbers in them."""
    found = sum(prod(shape) * count for shape, count in sizes.items())
    return {"tensors": sizes.total(), "numbers": found}


def judged(path: Path) -> dict[str, Any]:
    """What is found in one file, by us and by its framework."""
    model = read(path)
    sizes, values = ours(model)
    layers = None if model.layers is None else len(layer_graph(model.layers).layers)
    result: dict[str, Any] = {"format": model.format, "layers": layers, "ours": numbers(sizes)}
    named = "" if path.is_dir() and path.suffix not in JUDGES else path.suffix
    if named == "" and (path / "model.json").exists():
        named = ".json"
    package, judge = JUDGES[named]
    try:
        expected, expected_values = amount(judge(path))
    except ImportError as error:
        return result | {"no_judge": str(error)}
    result |= {"judge": f"{package} {version(package)}", "theirs": numbers(expected)}
    for side, more in (("ours_only", sizes - expected), ("theirs_only", expected - sizes)):
        if more:
            result[side] = [f"{n} of {list(shape)}" for shape, n in more.most_common(_MOST_SHOWN)]
    return result | {"values_apart": (values - expected_values).total()}


def files(place: Path) -> Iterator[Path]:
    """The models in a folder, each file or folder that is one."""
    if place.is_file() or folder_format(place) is not None:
        yield place
        return
    for entry in sorted(place.iterdir()):
        if entry.is_dir() or entry.name.endswith(known_suffixes()):
            yield from files(entry)


def kept(place: Path, results: dict[str, Any]) -> None:
    """Adds the results to a file; those without a judge take the place of none."""
    known = json.loads(place.read_text()) if place.exists() else {}
    known |= {n: r for n, r in results.items() if n not in known or "judge" in r}
    place.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """One line for each model that the command line names, and one for each in a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    for place in options.places:
        for path in files(place):
            name = str(path.relative_to(place)) if path != place else path.name
            try:
                results[name] = judged(path)
                print(name, json.dumps(results[name], ensure_ascii=False), flush=True)
            except AssayError as error:
                print(f"REFUSED {error}", flush=True)
            except Exception as error:  # of a judge, or a bug of ours
                print(f"FAILED {path}: {type(error).__name__}: {error}", flush=True)
    if options.json:
        kept(options.json, results)


if __name__ == "__main__":
    main()
