"""How long adding a model takes beside `hashlib.sha256` over its file, and how much memory.

    python benchmarks/sketches/run.py            # 4.5 GB of files, minutes; writes results.json
    python benchmarks/sketches/run.py --small    # one file of 20 MB, nothing written

Each file is made of seeded noise and lies in the page cache.  One process a file: it reads all
weights, hashes the file, sketches it, adds it to a registry (which is all of that, its graph and a
durable transaction), in turns; the ratios are of the medians of that run, by the clock and by the
processor's time, which others on the machine disturb less.  Memory is what the kernel counts of a
process that only adds, less what it held before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from assay.formats import read
from assay.registry import Registry
from assay.sketches import sketch

HERE = Path(__file__).parent
SEED = 0
TARGETS = {  # of add, in times of sha256
    "2 GB, float32": "1.5",
    "100 MB, float32": "2, and 50 ms",
    "16 bits": "4",
    "memory": "300 MiB beyond the largest tensor",
}
Shapes = list[tuple[int, ...]]


def convolutions(count: int) -> Shapes:
    """Blocks of a residual network: 1×1, 3×3, 1×1, from 64 to 512 channels."""
    shapes: Shapes = []
    for stage in range(4):
        wide = 64 << stage
        for _ in range(count):
            shapes += [(wide, 4 * wide, 1, 1), (wide, wide, 3, 3), (4 * wide, wide, 1, 1)]
    return shapes


def blocks(width: int, count: int) -> Shapes:
    """Blocks of a language model under its table of words."""
    block = [(width, width)] * 4 + [(4 * width, width), (width, 4 * width), (width,)]
    return [(32_000, width), *block * count]


FILES: dict[str, tuple[Shapes, str]] = {
    "convolutions, 140 MB, float32": (convolutions(6), "<f4"),
    "convolutions, 65 MB, float32": (convolutions(5)[:-9], "<f4"),
    "language model, 2 GB, float32": (blocks(2048, 9), "<f4"),
    "language model, 210 MB, float16": (blocks(1024, 6), "<f2"),
    "language model, 210 MB, bfloat16": (blocks(1024, 6), "bfloat16"),
}
ONNX = {"chain of products, 2 GB, float32, ONNX": [(4096, 4096)] * 30}
SMALL = {"convolutions, 20 MB, float32": (convolutions(1), "<f4")}


def write(path: Path, shapes: Shapes, dtype: str) -> None:
    """A safetensors file of noise, one tensor at a time."""
    name, width = ("BF16", 2) if dtype == "bfloat16" else ({"<f4": "F32", "<f2": "F16"}[dtype], 0)
    width = width or np.dtype(dtype).itemsize
    header: dict[str, Any] = {}
    at = 0
    for place, shape in enumerate(shapes):
        end = at + int(np.prod(shape)) * width
        header[f"w{place}"] = {"dtype": name, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    random = np.random.default_rng(SEED)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes:
            values = random.standard_normal(shape, dtype=np.float32)
            if dtype == "bfloat16":
                (values.view(np.uint32) >> 16).astype("<u2").tofile(file)
            else:
                values.astype(dtype).tofile(file)


def write_onnx(path: Path, shapes: Shapes, dtype: str) -> None:
    """A chain of matrix products, stored input first, as exporters do."""
    random = np.random.default_rng(SEED)
    arrays = {f"w{i}": random.standard_normal(shape, np.float32) for i, shape in enumerate(shapes)}
    nodes = [
        helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(len(shapes))
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size])
        for name, size in (("x0", shapes[0][0]), (f"x{len(shapes)}", shapes[-1][1]))
    ]
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], stored)
    onnx.save(helper.make_model(graph), path)


def sha256(path: Path) -> None:
    """The hash of a file."""
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def weights_read(path: Path) -> None:
    """All weights, one by one."""
    for weight in read(path).weights.values():
        weight.read()


def sketched(path: Path) -> None:
    """All weights, read and sketched."""
    sketch(read(path).weights.values())


def added(path: Path) -> None:
    """All that `assay add` does, in a registry that is there."""
    with Registry.open(path.parent / "registry") as registry:
        registry.add(path)


def seconds(work: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """How long a work takes, and how long it keeps the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work(path)
    return time.perf_counter() - clock, time.process_time() - processor


def times(path: Path, turns: int) -> dict[str, Any]:
    """Each kind of work, done in turns, and the ratios of the medians to that of sha256."""
    kinds = {
        "sha256": sha256,
        "read": weights_read,
        "read_and_sketch": sketched,
        "add": added,
    }
    added(path)  # makes the registry
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(turns):
        for name, work in kinds.items():
            found[name].append(seconds(work, path))
    by_clock = {name: [clock for clock, _ in pairs] for name, pairs in found.items()}
    by_processor = {name: [busy for _, busy in pairs] for name, pairs in found.items()}
    return {
        "seconds": {name: [round(v, 4) for v in sorted(each)] for name, each in by_clock.items()},
        "to_sha256": ratios(by_clock),
        "to_sha256_by_processor": ratios(by_processor),
    }


def ratios(found: dict[str, list[float]]) -> dict[str, float]:
    """Of the medians to that of sha256."""
    median = {name: statistics.median(values) for name, values in found.items()}
    return {name: round(value / median["sha256"], 3) for name, value in median.items()}


def memory(path: Path) -> dict[str, float]:
    """MiB at most while a file is added, less what the process held; its largest tensor."""
    largest = max(4 * weight.size for weight in read(path).weights.values()) / 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    added(path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "mib": round(after - before, 1),
        "largest_tensor_mib": round(largest, 1),
        "mib_beyond_largest": round(after - before - largest, 1),
    }


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """What ``work`` gives, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def main() -> None:
    """Measures each kind of file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="one small file, nothing written")
    small = parser.parse_args().small
    results: dict[str, Any] = {
        "seed": SEED,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": processor(),
        "targets": TARGETS,
        "files": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        chains = {} if small else {name: (shapes, "<f4") for name, shapes in ONNX.items()}
        for name, (shapes, dtype) in ((SMALL if small else FILES) | chains).items():
            path = Path(folder) / ("model.onnx" if name in chains else "model.safetensors")
            apart(write_onnx if name in chains else write, path, shapes, dtype)
            sha256(path)  # into the page cache
            results["files"][name] = {
                "bytes": path.stat().st_size,
                **apart(times, path, 5),
                "memory": apart(memory, path),
            }
            print(name, json.dumps(results["files"][name]), flush=True)
            path.unlink()
    if not small:
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def processor() -> str:
    """Its name, and how many threads the sums may use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{name}, {os.environ.get('OMP_NUM_THREADS', 'all')} threads"


if __name__ == "__main__":
    main()
