"""How long a browser takes to show the page of a comparison, from its start to the picture.

    python benchmarks/report/run.py FOLDER            # minutes; writes results.json
    python benchmarks/report/run.py FOLDER --small    # a small page, printed

FOLDER gets the pages and their pictures, light and dark, 1280 pixels wide.  The network cannot be
reached.  What a blank page takes, the start of the browser, is measured the same way.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
SEED = 0
NODES = 100, 960, 1280  # of a file: 62, 600 and 800 layers of its graph
CHANNELS = 16
TICKS = os.sysconf("SC_CLK_TCK")
TIMES = 5  # the least is kept: others work on the machine, too
WIDTH, HEIGHT = 1280, 1400
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
DARK = "--force-dark-mode", "--blink-settings=preferredColorScheme=0"


def network(size: int, tuned: bool) -> onnx.ModelProto:
    """Convolutions and activations in turn, with a sum every eight; the tuned one is noisier."""
    draw, noise = np.random.default_rng(SEED), np.random.default_rng(SEED + 1)
    nodes, weights, last, before = [], [], "x", "x"
    for place in range(size):
        name = f"layer{place}"
        if place % 2:
            inputs = [last, before] if place % 8 == 7 else [last]
            nodes.append(helper.make_node("Add" if len(inputs) > 1 else "Relu", inputs, [name]))
            before = name if place % 8 == 7 else before
        else:
            values = draw.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
            if tuned and place > size // 2:
                values += 0.2 * noise.standard_normal(values.shape).astype(np.float32)
            weights.append(numpy_helper.from_array(values, f"{name}.weight"))
            inputs = [last, f"{name}.weight"]
            nodes.append(helper.make_node("Conv", inputs, [name], pads=[1, 1, 1, 1]))
        last = name
    shape = [1, CHANNELS, 8, 8]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", last)]
    graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def written(nodes: int, folder: Path) -> Path:
    """The page that ``assay compare --html`` writes of a network and its tuned copy."""
    files = [folder / f"{nodes}-{name}.onnx" for name in ("tuned", "source")]
    for file, tuned in zip(files, (True, False), strict=True):
        onnx.save(network(nodes, tuned), file)
    page = folder / f"{nodes}.html"
    command = [sys.executable, "-m", "assay", "compare", *map(str, files), "--html", str(page)]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    return page


def shown(browser: str, page: Path, picture: Path, options: Sequence[str] = ()) -> dict[str, float]:
    """Seconds until the picture is written, and the processor time of all of the browser."""
    command = [
        browser, *QUIET, *options, f"--user-data-dir={picture.parent / 'profile'}",
        f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={picture}", page.resolve().as_uri(),
    ]  # fmt: skip
    start = monotonic()
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    used: dict[int, float] = {}
    while process.poll() is None:
        used |= processor_times(process.pid)
        sleep(0.01)
    return {"seconds": monotonic() - start, "processor seconds": sum(used.values())}


def processor_times(session: int) -> dict[int, float]:
    """Seconds that each process of a session has used."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if int(fields[3]) == session:
            found[int(file.parent.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    return found


def measured(browser: str, page: Path, folder: Path) -> dict[str, Any]:
    """The least of several times, and a picture of each theme."""
    light, dark = folder / f"{page.stem}.png", folder / f"{page.stem}.dark.png"
    times = [shown(browser, page, light) for _ in range(TIMES)]
    shown(browser, page, dark, DARK)
    least = {key: round(min(time[key] for time in times), 2) for key in times[0]}
    return least | {"kilobytes": page.stat().st_size // 1024}


def main() -> None:
    """A blank page, then pages of growing graphs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is not installed")
    options.folder.mkdir(parents=True, exist_ok=True)
    blank = options.folder / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>")
    pages = {"blank": measured(browser, blank, options.folder)}
    for nodes in NODES[:1] if options.small else NODES:
        found = measured(browser, written(nodes, options.folder), options.folder)
        pages[f"{nodes} nodes"] = found
        print(nodes, found, flush=True)
    if options.small:
        return
    version = subprocess.run([browser, "--version"], capture_output=True, text=True, check=True)
    results = {
        "command": "python benchmarks/report/run.py FOLDER",
        "seed": SEED,
        "hardware": f"2 cores, {platform.machine()}",
        "browser": version.stdout.strip(),
        "of": f"the least of {TIMES}",
        "pages": pages,
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
