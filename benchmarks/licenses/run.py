"""Licenses measured: what activation costs, what levels are met, what examples give who has no key.

usage: run.py [--small] [--part activation|levels]

Who attacks has the distributable, or level 3, and some examples with labels; beside him somebody
trains from scratch with the same examples.  Each may choose of two learning rates the one that the
tests like better.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import numpy as np
import torch
from torch import nn

from assay.durable import writing
from assay.errors import UnfitModel
from assay.keys.signing import SigningKey
from assay.keys.wrapping import ReceivingKey
from assay.licenses._distributable import activate, distribute
from assay.licenses._grants import Grant
from assay.licenses.pruning import Pruning
from assay.running.examples import Examples
from assay.running.modules import accuracy, copy_of
from assay.running.normalization import recalibrate
from assay.training import Optimizer, Training, train
from assay.values import Json
from assay.zoo.datasets import load
from assay.zoo.networks import build

RESULTS = Path(__file__).with_name("results.json")
SHARES = (0.0, 0.05, 0.1, 0.2, 0.35)  # of the rows that are zero at levels 0, 1 … and without a key
RATES = (0.001, 0.003)
LEAST, MOST = 6, 60  # epochs


def made(folder: Path, megabytes: int) -> list[Path]:
    """A file of float32 in rows of nine, at each level."""
    drawn = np.random.default_rng(0)
    rows = megabytes * 2**20 // 36
    whole, rank = drawn.standard_normal((rows, 9), np.float32), drawn.random(rows)
    files = []
    for level, share in enumerate(SHARES):
        files.append(folder / f"level-{level}")
        files[-1].write_bytes(np.where(rank[:, None] < share, np.float32(0), whole).tobytes())
    return files


def opened(folder: Path, megabytes: int, repeats: int) -> Json:
    """Seconds that copying a model takes, and activating it; in a process that does only this."""
    ann, bob = SigningKey.new(), ReceivingKey.new()
    files = [folder / f"level-{level}" for level in range(len(SHARES))]
    notes = [{"accuracy": "unknown"}] * len(files)
    manifest = distribute(files, notes, folder / "model", ann, "benchmark")
    grant = Grant.make(manifest, ann, 0, "Bob", bob.public)
    seconds: dict[str, list[float]] = {"copy": [], "activate": []}
    for _ in range(repeats):
        started = monotonic()
        activate(folder / "model", grant, bob, folder / "out")
        seconds["activate"].append(monotonic() - started)
    for _ in range(repeats):
        started = monotonic()
        with files[0].open("rb") as source, writing(folder / "copy") as target:
            while block := source.read(2**20):
                target.write(block)
        seconds["copy"].append(monotonic() - started)
    same = (folder / "out").read_bytes() == files[0].read_bytes()
    best = {name: round(min(found), 3) for name, found in seconds.items()}
    return {"megabytes": megabytes, **best, "identical": same}


def activation(megabytes: int, repeats: int) -> Json:
    """What ``opened`` finds of a model of so many megabytes."""
    with TemporaryDirectory() as folder:
        made(Path(folder), megabytes)
        command = [sys.executable, __file__, "--opened", folder, str(megabytes), str(repeats)]
        ran = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ}
        )
        found: Json = json.loads(ran.stdout)
        return found


def tuned(start: nn.Module, some: Examples, tests: Examples, most: int) -> float:
    """The accuracy that some examples bring a network to."""
    found = []
    for rate in RATES:
        module = copy_of(start)
        epochs = max(LEAST, min(most, 2000 // len(some)))
        train(module, some, Training(epochs=epochs, batch=32, optimizer=Optimizer("adam", rate)))
        found.append(accuracy(module, tests))
    return round(max(found), 4)


def revived(module: nn.Module, fresh: nn.Module) -> nn.Module:
    """The module with its zeros drawn anew: zero channels get no gradient, and would stay so."""
    made, drawn = copy_of(module), fresh.state_dict()
    for key, tensor in made.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.where(tensor == 0, drawn[key], tensor))
    return made


def levels(
    name: str, seed: int, shares: tuple[float, ...], width: float, most: int | None, epochs: int
) -> Json:
    """A network's levels on ``most`` digits, and what examples make of them in ``epochs``."""
    examples, tests = (load("digits", split).take(slice(most)) for split in ("train", "test"))
    shape = examples.inputs.shape[1:]
    whole = build(name, shape, 10, seed, width)
    train(whole, examples, Training(epochs=6, batch=32, optimizer=Optimizer("adam", 0.003)))
    row: Json = {"network": name, "seed": seed}
    for kind, method in (("anew", Pruning()), ("kept", Pruning(recalibrate=False))):
        try:
            grades = method.grades(whole, examples, judge=tests)
        except UnfitModel as error:
            row[f"statistics_{kind}"] = str(error)
            continue
        raised = []
        for grade in grades[1:]:
            module = copy_of(grade.module)
            recalibrate(module, examples.inputs[:64])
            raised.append(round(accuracy(module, tests), 4))
        found = [round(grade.accuracy, 4) for grade in grades]
        row[f"statistics_{kind}"] = {"levels": found, "after_64_inputs": raised}
        if kind == "anew":
            starts = {"no key": grades[-1].module, "level 3": grades[3].module}
            starts["from scratch"] = fresh = build(name, shape, 10, 1000 + seed, width)
            for known in ("no key", "level 3"):
                starts[f"{known}, zeros anew"] = revived(starts[known], fresh)
            order = np.random.default_rng(seed).permutation(len(examples))
            row["tuned"] = {
                str(count): {
                    k: tuned(m, examples.take(order[:count]), tests, epochs)
                    for k, m in starts.items()
                }
                for count in (round(share * len(examples)) for share in shares)
            }
    return row


def table(rows: list[Json]) -> Iterator[str]:
    """What examples give, as the manual has it."""
    for count in rows[0]["tuned"]:
        found = [row["tuned"][count] for row in rows if "tuned" in row]
        cells = (f"{statistics.mean(each[kind] for each in found):.2f}" for kind in found[0])
        yield f"| {count} | {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="one network, 8 MB, nothing written")
    parser.add_argument("--part", choices=("activation", "levels"))
    parser.add_argument("--opened", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.opened:
        folder, *numbers = given.opened
        print(json.dumps(opened(Path(folder), *map(int, numbers))))
        return
    found: Json = json.loads(RESULTS.read_text()) if RESULTS.exists() and not given.small else {}
    if given.part != "levels":
        found["activation"] = activation(*((8, 1) if given.small else (100, 5)))
        print(json.dumps(found["activation"]))
    if given.part != "activation":
        networks, seeds, shares = ("vgg", "resnet", "mobilenet"), range(3), (0.01, 0.1, 1.0)
        size: tuple[float, int | None, int] = 1.0, None, MOST
        if given.small:
            networks, seeds, shares = networks[:1], range(1), (0.02,)
            size = 0.5, 600, LEAST
        found["levels"] = []
        for name in networks:
            for seed in seeds:
                found["levels"].append(levels(name, seed, shares, *size))
                print(json.dumps(found["levels"][-1]), flush=True)
        print("\n".join(table(found["levels"])))
    if not given.small:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
