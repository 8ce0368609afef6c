"""Is a graph translated right?  Each model is written as ONNX, and run beside the original.

Usage: python scripts/compare_runs.py [--like MODEL.onnx] [--shape 1,3,224,224] FILE…

The written file runs in ONNX Runtime, TensorFlow Lite files in LiteRT (``ai-edge-litert``), ONNX
files, which are written from their operators alone, in ONNX Runtime too.  Files of other formats
are compared with a twin of theirs in ONNX.  Inputs are random, with a seed.  One line a file: the
largest difference of an output, in parts of the output's own range.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.formats import FORMATS, Model, read

Array = NDArray[Any]
SEED = 1
OLDEST = 13  # opset of a file that is compared: Softmax was something else before
LARGEST_INDEX = 3  # of random whole numbers, which are often places in a table


def written(model: Model, path: Path) -> str:
    """The model as ONNX; what the checker has to say."""
    FORMATS["onnx"]().write(replace(model, format="any"), path)
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        return " ".join(str(error).split())[:100]
    return "valid"


def session(path: Path) -> onnxruntime.InferenceSession:
    """Ready to run, without optimization."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def drawn(shape: Sequence[int], dtype: Any, random: np.random.Generator) -> Array:
    """A random input."""
    if np.dtype(dtype).kind in "iub":
        return random.integers(0, LARGEST_INDEX, shape).astype(dtype)
    return random.standard_normal(shape).astype(dtype)


def given(model: Model, random: np.random.Generator) -> dict[str, Array]:
    """Random inputs of the shapes that the graph has."""
    assert model.layers is not None
    found = {}
    for name in model.layers.inputs:
        tensor = model.layers.tensor(name)
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.dtype or 1)
        found[name] = drawn(tensor.shape or (), kind, random)
    return found


def by_onnx(run: onnxruntime.InferenceSession, inputs: Mapping[str, Array]) -> list[Array]:
    """All outputs; inputs that only the run asks for, such as states, are zeros."""
    fed = {}
    for value in run.get_inputs():
        kind = np.float32 if value.type == "tensor(float)" else np.int64
        zeros = np.zeros([d if isinstance(d, int) else 1 for d in value.shape], kind)
        fed[value.name] = inputs.get(value.name, zeros)
    return list(run.run(None, fed))


def by_litert(path: Path, inputs: Sequence[Array]) -> list[Array]:
    """All outputs as real numbers; inputs of feature maps are given with channels first."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    run = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    details = run.get_input_details()
    fed = [_as_stored(value, detail) for value, detail in zip(inputs, details, strict=True)]
    for value, detail in zip(fed, details, strict=True):
        run.resize_tensor_input(detail["index"], value.shape)
    run.allocate_tensors()
    for value, detail in zip(fed, details, strict=True):
        run.set_tensor(detail["index"], _quantized(value, detail))
    run.invoke()
    return [_real(run.get_tensor(d["index"]), d) for d in run.get_output_details()]


def _as_stored(value: Array, detail: Mapping[str, Any]) -> Array:
    """Channels last where the file has them so."""
    wanted = tuple(detail["shape_signature"])
    fits = all(size in (-1, have) for size, have in zip(wanted, value.shape, strict=True))
    first = np.moveaxis(value, 1, -1) if value.ndim in (4, 5) else value
    moved = all(size in (-1, have) for size, have in zip(wanted, first.shape, strict=True))
    return first if moved and (not fits or value.shape[1] in (1, 3)) else value


def _quantized(value: Array, detail: Mapping[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    kind = np.dtype(detail["dtype"])
    if kind.kind == "f" or not scale:
        return value.astype(kind)
    bounds = np.iinfo(kind)
    return np.clip(np.rint(value / scale) + zero, bounds.min, bounds.max).astype(kind)


def _real(value: Array, detail: Mapping[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    return (value.astype(np.float32) - zero) * scale if scale else value


def difference(found: Array, expected: Array) -> float:
    """The largest, in parts of what is expected; infinite where the shapes differ."""
    if found.ndim in (4, 5) and found.shape != expected.shape:
        found = np.moveaxis(found, 1, -1)
    if found.size == expected.size and [d for d in found.shape if d != 1] == [
        d for d in expected.shape if d != 1
    ]:
        found = found.reshape(expected.shape)
    if found.shape != expected.shape:
        return np.inf
    wide, exact = found.astype(np.float64), expected.astype(np.float64)
    range_ = float(np.ptp(exact)) if exact.size > 1 else 0.0
    return float(np.abs(wide - exact).max(initial=0.0)) / max(range_, 1e-3)


def by_twin(path: Path, inputs: Sequence[Array]) -> list[Array]:
    """All outputs of an ONNX file whose inputs are in the same order, channels first or last."""
    run = session(path)
    pairs = zip(run.get_inputs(), inputs, strict=False)
    fed = {}
    for start, value in pairs:
        wanted = [d if isinstance(d, int) else -1 for d in start.shape]
        moved = np.moveaxis(value, -1, 1) if value.ndim > 2 else value
        fits = all(size in (-1, have) for size, have in zip(wanted, value.shape, strict=True))
        fed[start.name] = value if fits else moved
    return by_onnx(run, fed)


def compared(path: Path, twin: Path | None, shape: tuple[int, ...] | None) -> str:
    """What the two runs say of each other."""
    random = np.random.default_rng(SEED)
    model = read(path, {"": shape} if shape else {})
    if model.format == "onnx" and model.metadata["opset"] < OLDEST:
        return f"opset {model.metadata['opset']} means other things than the newest: not compared"
    inputs = given(model, random)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        verdict = written(model, file)
        found = by_onnx(session(file), inputs)
    if twin is not None:
        expected = by_twin(twin, list(inputs.values()))
    elif model.format == "tflite":
        expected = by_litert(path, list(inputs.values()))
    else:
        expected = by_onnx(session(path), inputs)
    if twin is not None:  # formats list outputs in orders of their own
        apart = [min(difference(a, b) for a in found) for b in expected]
    else:
        apart = [difference(a, b) for a, b in zip(found, expected, strict=True)]
    return f"{max(apart, default=0.0):.2e} apart, {len(apart)} outputs, {verdict}"


def main() -> None:
    """One line for each file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--like", type=Path)
    parser.add_argument("--shape")
    options = parser.parse_args()
    shape = tuple(map(int, options.shape.split(","))) if options.shape else None
    for name in options.files:
        try:
            print(name, compared(Path(name), options.like, shape))
        except AssayError as error:
            print("REFUSED", error)
        except Exception as error:  # what ONNX Runtime raises has no common class
            print("FAILED", name, type(error).__name__, " ".join(str(error).split())[:300])


if __name__ == "__main__":
    main()
