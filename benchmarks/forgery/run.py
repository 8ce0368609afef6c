"""What a forger can do who knows everything, the public key or not the registry's secret one.

    python benchmarks/forgery/run.py FAMILIES --data DATA   # half an hour; writes results.json
    python benchmarks/forgery/run.py --small                # digits, seconds, nothing written

FAMILIES holds trained networks (scripts/make_families.py), DATA a folder for each dataset, FILES
are two models of one design that were trained apart; there may be several such pairs.  The victim
is the network of seed 0; the stranger, whose weights are forged, has another seed.  A run that was
stopped goes on with the rows that it has in --work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np
import queries
import torch
from attacked import between_files, evasion, expected, framing, over_keys
from ground import SECRET, Ground, Row
from storages import stored
from unchanged import freely
from valued import by_values, by_values_of_files

HERE = Path(__file__).parent
NETWORKS = ("mlp", "cnn", "vgg", "gru", "transformer", "resnet", "mobilenet")
CHANGES = (0.01, 0.03, 0.1, 0.3)
NOISES = (0.05, 0.1, 0.3, 0.6, 1.0, 2.0)

Experiment = Callable[[Ground, str], Iterator[tuple[str, Callable[[], Row]]]]


def asking(ground: Ground, _: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Signs of the secret key learned from what a check answers."""
    shape = (16, 144) if ground.folder is None else (64, 576)
    yield "queries | - | distances | 0", partial(queries.learned_signs, SECRET[0], shape)


EXPERIMENTS: tuple[Experiment, ...] = (
    freely,
    stored,
    framing,
    over_keys,
    expected,
    between_files,
    by_values,
    by_values_of_files,
    asking,
    evasion,
)


def networks_of(experiment: Experiment, ground: Ground) -> tuple[str, ...]:
    """All of them, where what is said depends on the network."""
    if experiment in (asking, between_files, by_values_of_files):
        return ("",)
    return ground.networks[:3] if experiment is stored else ground.networks


def main() -> int:
    """Runs what is missing, and writes the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("families", type=Path, nargs="?")
    parser.add_argument("--data", type=Path, help="a folder for each dataset")
    parser.add_argument(
        "--files", type=Path, nargs=2, action="append", default=[], help="stranger, victim"
    )
    parser.add_argument("--small", action="store_true", help="digits, one small network")
    parser.add_argument("--only", nargs="*", default=[""], help="rows whose name has one of these")
    kept = Path(tempfile.gettempdir()) / "assay-forgery.jsonl"
    parser.add_argument("--work", type=Path, default=kept, help="finished rows")
    chosen = parser.parse_args()
    if not chosen.small and chosen.families is None:
        parser.error("FAMILIES, or --small")
    torch.set_num_threads(1)
    pairs = tuple((stranger, victim) for stranger, victim in chosen.files)
    ground = Ground(NETWORKS, CHANGES, NOISES, 10, chosen.families, chosen.data, pairs)
    if chosen.small:
        ground = Ground(("cnn",), (0.3,), (1.0,), 3, None, None)
    lines = (
        chosen.work.read_text().splitlines() if not chosen.small and chosen.work.exists() else []
    )
    known = {row["name"]: row for row in map(json.loads, lines)}
    found = []
    for experiment in EXPERIMENTS:
        for network in networks_of(experiment, ground):
            for name, make in experiment(ground, network):
                if not any(part in name for part in chosen.only):
                    continue
                started = monotonic()
                row = known.get(name) or {"name": name} | make()
                row.setdefault("seconds", round(monotonic() - started, 1))
                found.append(row)
                print(json.dumps(row), flush=True)
                if name not in known and not chosen.small:
                    with chosen.work.open("a") as ledger:
                        print(json.dumps(row), file=ledger)
    if not chosen.small and chosen.only == [""]:
        about = {
            "command": "python benchmarks/forgery/run.py FAMILIES --data DATA"
            " --files A B --files C D",
            "seed": 0,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
            "torch": torch.__version__,
            "numpy": np.__version__,
            "secret_keys": ground.keys,
            "rows": found,
        }
        (HERE / "results.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
