"""How long one hash takes, and how much memory: a ResNet-50 file of 98 MiB, and ``import assay``.

Then each hasher alone: the code of a layer graph of 200 layers, in a process of its own.

    python benchmarks/hash/run.py            # writes results.json beside this file
    python benchmarks/hash/run.py --small    # fewer runs, nothing written

The file is the light ResNet-50 of the onnx package with its weights filled in (seeded), so that it
has the real size.  In-process times come from one process after one warm-up; cold times are whole
processes, start to end, with the file in the page cache.  Resident memory is the kernel's figure of
the finished process.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from assay.hashers import HASHERS

HERE = Path(__file__).parent
SEED = 0
TARGETS = {"in_process_ms": 100, "cold_s": 0.7, "resident_mib": 150, "import_s": 0.15}
CODE_TARGET_MS = 5
LAYERS = 200


def resnet50(path: Path) -> None:
    """Writes the model.  Runs in a process of its own: Linux counts what a parent holds."""
    import numpy as np
    import onnx
    from onnx import ModelProto, numpy_helper

    light = Path(onnx.__file__).parent / "backend/test/data/light/light_resnet50.onnx"
    model = ModelProto.FromString(light.read_bytes())
    random = np.random.default_rng(SEED)
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":  # stands for weights in the light files
            weights = random.standard_normal(shapes[node.input[0]]).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    path.write_bytes(model.SerializeToString())


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and largest."""
    return {
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
    }


def in_process(path: Path, runs: int) -> list[float]:
    """Milliseconds of ``assay.hash``, in a process that has hashed it once."""
    code = (
        "import sys, time, assay; assay.hash(sys.argv[1])\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    start = time.perf_counter(); assay.hash(sys.argv[1])\n"
        "    print(1e3 * (time.perf_counter() - start))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, path, str(runs)], check=True, capture_output=True, text=True
    )
    return [float(line) for line in out.stdout.split()]


def code_milliseconds(hasher: str, runs: int) -> list[float]:
    """Milliseconds of one code of a graph of 200 layers, one thread.

    Two graphs of equal size take turns: a hasher may remember the last one.
    """
    code = (
        "import sys, time\n"
        "from assay.hashers import HASHERS\n"
        "from assay.zoo import architectures\n"
        "graphs = sorted((a.raw for a in architectures()),"
        f" key=lambda g: abs(len(g.layers) - {LAYERS}))[:2]\n"
        "hasher = HASHERS[sys.argv[1]]()\n"
        "for run in range(-2, int(sys.argv[2])):\n"
        "    start = time.perf_counter(); hasher(graphs[run % 2])\n"
        "    if run >= 0: print(1e3 * (time.perf_counter() - start))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, hasher, str(runs)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return [float(line) for line in out.stdout.split()]


def whole_process(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident MiB of one finished process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return seconds, usage.ru_maxrss / 1024


def import_seconds() -> float:
    """Seconds of ``import assay`` in a fresh interpreter."""
    code = "import time; t = time.perf_counter(); import assay; print(time.perf_counter() - t)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(out.stdout)


def main() -> None:
    """Measures, prints, writes, and fails where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="5 runs of each, nothing written")
    arguments = parser.parse_args()
    runs = 5 if arguments.small else 25
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "resnet50.onnx")
        builder = multiprocessing.get_context("spawn").Process(target=resnet50, args=(path,))
        builder.start()
        builder.join()
        size = path.stat().st_size  # just written, so it is in the page cache
        command = [sys.executable, "-m", "assay", "hash", str(path)]
        whole_process(command)
        cold = [whole_process(command) for _ in range(runs)]
        measured: dict[str, Any] = {
            "in_process_ms": spread(in_process(path, runs)),
            "cold_s": spread([seconds for seconds, _ in cold]),
            "resident_mib": spread([memory for _, memory in cold]),
            "import_s": spread([import_seconds() for _ in range(runs)]),
        }
    codes = {name: spread(code_milliseconds(name, 8 * runs)) for name in HASHERS}
    result = {
        "command": "python benchmarks/hash/run.py",
        "seed": SEED,
        "runs": runs,
        "file_bytes": size,
        "hardware": f"{os.cpu_count()} cores, {_processor()}, {platform.system()}",
        "python": platform.python_version(),
        "onnx": importlib.metadata.version("onnx"),
        "measured": measured,
        "targets": TARGETS,
        "code_ms": codes,
        "code_ms_target": CODE_TARGET_MS,
    }
    print(json.dumps(result, indent=1))
    if not arguments.small:
        (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    missed = [name for name, target in TARGETS.items() if measured[name]["median"] > target]
    missed += [name for name, each in codes.items() if each["median"] > CODE_TARGET_MS]
    if missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
