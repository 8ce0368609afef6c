"""Make the zoo fixtures: torchvision's architectures as small ONNX files without weights.

Every architecture is exported in the ways that users export it, stripped of its weights and packed
into one ``tests/fixtures/zoo/<architecture>.tar.xz``. ``truth.json`` beside them keeps what torch
itself says (parameters, multiply-accumulates); the tables of ``tests/fixtures/README.md`` are
written from it. Needs torch, torchvision, onnx and onnxscript, not this package::

    python scripts/make_zoo_fixtures.py                        # all that do not exist yet
    python scripts/make_zoo_fixtures.py --only vgg11 swin_t    # these, also if they exist
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import lzma
import multiprocessing
import os
import platform
import tarfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _zoo_exports import SEED, VARIANTS, build, export, macs, parameters, strip

ARCHITECTURES = (
    *("alexnet", "convnext_small", "convnext_tiny", "densenet121", "densenet169"),
    *("efficientnet_b0", "efficientnet_b1", "efficientnet_v2_s", "googlenet", "inception_v3"),
    *("maxvit_t", "mnasnet0_75", "mnasnet1_0", "mobilenet_v2", "mobilenet_v3_large"),
    *("mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "regnet_y_800mf", "resnet101"),
    *("resnet18", "resnet34", "resnet50", "resnext50_32x4d", "shufflenet_v2_x0_5"),
    *("shufflenet_v2_x1_0", "squeezenet1_0", "squeezenet1_1", "swin_t", "swin_v2_t"),
    *("vgg11", "vgg11_bn", "vgg13", "vgg16_bn", "vit_b_16", "vit_b_32", "wide_resnet50_2"),
)
SIZES = {"alexnet": (224, 256), "vgg11": (224, 256)}  # the others: 224
FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"
MARKS = ("<!-- tables: begin -->\n", "<!-- tables: end -->\n")
PACKAGES = ("torch", "torchvision", "onnx", "onnxscript", "onnx-ir")

log = logging.getLogger("make_zoo_fixtures")


def make(architecture: str, folder: Path) -> dict[str, Any]:
    """Export all variants, write ``<architecture>.tar.xz`` and return its entry of truth.json."""
    entry: dict[str, Any] = {**parameters(architecture), "sizes": {}}
    files: dict[str, bytes] = {}
    for size in SIZES.get(architecture, (224,)):
        nodes: dict[str, int] = {}
        failures: dict[str, str] = {}
        for variant in VARIANTS:
            started = time.monotonic()
            model = build(architecture, variant.device, variant.untrained)
            try:
                proto = export(model, variant, size)
            except Exception as error:  # an exporter may fail in any way; the table says how
                failures[variant.name] = outcome = _reason(error)
            else:
                strip(proto)
                files[f"{size}/{variant.name}.onnx"] = proto.SerializeToString(deterministic=True)
                nodes[variant.name] = len(proto.graph.node)
                outcome = f"{len(proto.graph.node)} nodes"
            seconds = time.monotonic() - started
            log.info("%s %d %s: %s (%.0f s)", architecture, size, variant.name, outcome, seconds)
        counts = macs(architecture, size)
        entry["sizes"][str(size)] = {**counts, "nodes": nodes, "failures": failures}
    _pack(files, folder / f"{architecture}.tar.xz")
    return entry


def _reason(error: BaseException) -> str:
    """The first line of the root cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = (str(error).strip().splitlines() or [""])[0]
    for tail in ("[Caused by", ". Please ", ", try exporting", " Try exporting"):
        line = line.split(tail)[0]
    return f"{type(error).__name__}: {line.strip()}"[:300]


def _pack(files: dict[str, bytes], path: Path) -> None:
    """Write a .tar.xz whose bytes depend on the files' names and contents only."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    _replace(path, lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    temporary.replace(path)


def _write_truth(path: Path, architectures: dict[str, Any]) -> None:
    made_with = {
        "command": "python scripts/make_zoo_fixtures.py",
        "seed": SEED,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
    truth = {"made_with": made_with, "architectures": dict(sorted(architectures.items()))}
    _replace(path, (json.dumps(truth, indent=1) + "\n").encode())


def _tables(architectures: dict[str, Any]) -> str:
    """The README's tables in Markdown: nodes of each variant, then every failure's reason."""
    names = [variant.name for variant in VARIANTS]
    rows = [
        ["architecture", "size", "parameters", "MACs", *names],
        ["---", *["---:"] * (3 + len(names))],
    ]
    reasons: dict[tuple[str, str], list[str]] = {}
    for architecture, entry in sorted(architectures.items()):
        for size, report in entry["sizes"].items():
            nodes = [str(report["nodes"].get(name, "failed")) for name in names]
            costs = [f"{entry['parameters']:,}", f"{report['macs']:,}"]
            rows.append([architecture, size, *costs, *nodes])
            for name, reason in report["failures"].items():
                reasons.setdefault((name, reason), []).append(f"{architecture} ({size})")
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", "| failed variant | architectures | reason |", "|---|---|---|"]
    for (name, reason), failed in sorted(reasons.items()):
        text = reason.replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {name} | {', '.join(failed)} | {text} |")
    return "\n".join(lines) + "\n"


def _write_tables(readme: Path, architectures: dict[str, Any]) -> None:
    before, rest = readme.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    text = before + MARKS[0] + _tables(architectures) + MARKS[1] + after
    _replace(readme, text.encode())


def _quiet() -> None:
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where a failed legacy export prints its graph


def main() -> None:
    """Make what is asked for, one process an architecture, and keep each as soon as it is done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ARCHITECTURES, metavar="ARCHITECTURE")
    parser.add_argument("--jobs", type=int, default=1, help="architectures at a time")
    arguments = parser.parse_args()
    _quiet()
    folder, truth = FIXTURES / "zoo", FIXTURES / "zoo" / "truth.json"
    folder.mkdir(parents=True, exist_ok=True)
    done = json.loads(truth.read_bytes())["architectures"] if truth.exists() else {}
    missing = [a for a in ARCHITECTURES if a not in done or not (folder / f"{a}.tar.xz").exists()]
    broken: list[str] = []
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // arguments.jobs))
    with ProcessPoolExecutor(
        arguments.jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_quiet,
        max_tasks_per_child=1,  # what an export leaves in memory ends with it
    ) as pool:
        running = {pool.submit(make, name, folder): name for name in arguments.only or missing}
        for count, future in enumerate(as_completed(running), start=1):
            name, error = running[future], future.exception()
            if error is None:
                done[name] = future.result()
                _write_truth(truth, done)
            else:
                broken.append(name)
                log.error("%s could not be made", name, exc_info=error)
            log.info("%d of %d: %s", count, len(running), name)
    _write_tables(FIXTURES / "README.md", done)
    if broken:
        parser.exit(1, f"not made: {', '.join(broken)}\n")


if __name__ == "__main__":
    main()
