"""Time and memory of ``assay compare`` for large files: read, compared, and the report printed.

    python benchmarks/alignment/large.py            # minutes; writes large.json
    python benchmarks/alignment/large.py --small    # the first row, printed

Each command is a process of its own with one thread of BLAS, whose processor time and largest
memory the system tells.  Models are drawn: one of the size of a ResNet-50, and one with 50,000
words, whose words and channels are put in another order.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

Array = NDArray[np.float32]
Shapes = Mapping[str, tuple[tuple[int, ...], str, str]]  # and which channels rows and columns are
HERE = Path(__file__).parent
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # width and blocks
WORDS, STREAM, HIDDEN, LAYERS = 50_000, 256, 1_024, 4
NOISE = 0.3  # of a tensor's deviation: as after tuning
KINDS = "tuned", "permuted", "strangers"


def resnet() -> Shapes:
    """Of every layer of a ResNet-50: 25 million values."""
    found: dict[str, tuple[tuple[int, ...], str, str]] = {
        "conv1.weight": ((64, 3, 7, 7), "stage0", "")
    }
    inputs = 64
    for stage, (width, blocks) in enumerate(STAGES, start=1):
        for block in range(blocks):
            name, before = f"layer{stage}.{block}", f"stage{stage if block else stage - 1}"
            first, second, out = f"{name}.1", f"{name}.2", f"stage{stage}"
            found[f"{name}.conv1.weight"] = ((width, inputs, 1, 1), first, before)
            found[f"{name}.conv2.weight"] = ((width, width, 3, 3), second, first)
            found[f"{name}.conv3.weight"] = ((4 * width, width, 1, 1), out, second)
            if not block:
                found[f"{name}.downsample.0.weight"] = ((4 * width, inputs, 1, 1), out, before)
            inputs = 4 * width
    return found | {"fc.weight": ((1000, inputs), "", "stage4")}


def words() -> Shapes:
    """Of a small network with many words: 28 million values."""
    found: dict[str, tuple[tuple[int, ...], str, str]] = {
        "embedding.weight": ((WORDS, STREAM), "words", "stream")
    }
    for layer in range(LAYERS):
        inner = f"layer{layer}"
        found[f"{inner}.up.weight"] = ((HIDDEN, STREAM), inner, "stream")
        found[f"{inner}.down.weight"] = ((STREAM, HIDDEN), "stream", inner)
    return found | {"head.weight": ((WORDS, STREAM), "words", "stream")}


def network(shapes: Shapes, seed: int) -> dict[str, Array]:
    """Normal values, rows of several sizes."""
    draw = np.random.default_rng(seed)
    found = {}
    for name, (shape, _, _) in shapes.items():
        sizes = np.exp(0.3 * draw.standard_normal((shape[0], *(1,) * (len(shape) - 1))))
        found[name] = (draw.standard_normal(shape) * sizes).astype(np.float32)
    return found


def tuned(
    shapes: Shapes, source: Mapping[str, Array], seed: int, *, permuted: bool
) -> dict[str, Array]:
    """Noise on all values; and all hidden channels in another order."""
    draw = np.random.default_rng(seed)
    orders: dict[str, Any] = {}
    found = {}
    for name, (shape, rows, columns) in shapes.items():
        noise = NOISE * source[name].std() * draw.standard_normal(shape)
        values = (source[name] + noise).astype(np.float32)
        for axis, channels in enumerate((rows, columns)):
            if permuted and channels:
                size = shape[axis]
                values = values.take(orders.setdefault(channels, draw.permutation(size)), axis)
        found[name] = values
    return found


def measured(suspect: Path, source: Path) -> dict[str, Any]:
    """Processor time, memory and time of a command, and what it found."""
    command = [sys.executable, "-m", "assay", "compare", str(suspect), str(source), "--json"]
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    start = monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, env=os.environ | threads)
        _, _, used = os.wait4(process.pid, 0)
        seconds = monotonic() - start
        output.seek(0)
        report = json.loads(output.read())
    found = report["matches"][0]
    evidence = next(each for each in found["evidence"] if "only_source" in each["detail"])
    return {
        "processor seconds": round(used.ru_utime + used.ru_stime, 1),
        "seconds": round(seconds, 1),
        "megabytes": used.ru_maxrss // 1024,
        "relation": found["relation"],
        "matched": evidence["detail"]["matched"],
        "tensors": evidence["detail"]["tensors"][0],
    }


def rows(designs: Mapping[str, Shapes], kinds: tuple[str, ...]) -> dict[str, Any]:
    """What is measured of each design and kind of pair."""
    found = {}
    for design, shapes in designs.items():
        source = network(shapes, 0)
        for kind in kinds:
            suspect = (
                network(shapes, 1)
                if kind == "strangers"
                else tuned(shapes, source, 2, permuted=kind == "permuted")
            )
            with tempfile.TemporaryDirectory() as folder:
                files = Path(folder) / "suspect.safetensors", Path(folder) / "source.safetensors"
                save_file(suspect, files[0])
                save_file(source, files[1])
                found[f"{design}, {kind}"] = measured(*files)
            print(design, kind, found[f"{design}, {kind}"], flush=True)
    return found


def main() -> None:
    """All pairs, or the quickest one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true")
    if parser.parse_args().small:
        rows({"ResNet-50": resnet()}, KINDS[:1])
        return
    results = {
        "command": "python benchmarks/alignment/large.py",
        "seeds": {"source": 0, "stranger": 1, "changes": 2},
        "hardware": f"2 cores, {platform.machine()}; one thread",
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "pairs": rows({"ResNet-50": resnet(), "50,000 words": words()}, KINDS),
    }
    (HERE / "large.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
