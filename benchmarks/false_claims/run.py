"""An accuser who tries seeds until a stranger looks stolen, and what a commitment leaves him.

    python benchmarks/false_claims/run.py            # two minutes of one core; writes results.json
    python benchmarks/false_claims/run.py --small    # a few models and seeds, nothing written

The owner's network, the references and the accused ones are of one architecture and one task, and
were trained apart, on scikit-learn's digits: nobody has taken anything.  So each accusation is
false.  A free accuser makes his queries with seed 0, 1, 2 … and claims where the stranger's false
alarm is at the tolerance.  A bound one has one draw, from what was logged and a beacon's number.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import log10
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

import numpy as np
import torch

from assay.durable import write_through
from assay.fingerprints import FINGERPRINTS, Commitment, Fingerprint, Seeds, calibrate
from assay.running.examples import Examples
from assay.running.predictors import Predictor, predictor
from assay.training import Optimizer, Training, train
from assay.zoo.datasets import load
from assay.zoo.networks import build

HERE = Path(__file__).parent
Claims = np.ndarray[Any, np.dtype[np.bool_]]  # (accused, seeds): whether one is claimed


@dataclass(frozen=True)
class Setting:
    """How much is tried."""

    references: int = 19
    accused: int = 6
    seeds: int = 60
    epochs: int = 6

    @property
    def alarm(self) -> float:
        """The least false alarm that so many references give."""
        return 1 / (self.references + 1)


METHODS: dict[str, Callable[[], Fingerprint]] = {
    "label-agreement, 16 queries": lambda: _method("label-agreement", count=16),
    "label-agreement, 100": lambda: _method("label-agreement", count=100),
    "akh, 16": lambda: _method("akh", count=16),
    "modeldiff, 16 (8 pairs)": lambda: _method("modeldiff", pairs=8, steps=10),
    "modeldiff, 100 (50 pairs)": lambda: _method("modeldiff", pairs=50, steps=10),
}


def _method(name: str, **options: int) -> Fingerprint:
    make: Any = FINGERPRINTS[name]
    found: Fingerprint = make(**options)
    return found


def trained(examples: Examples, seed: int, epochs: int) -> Predictor:
    """A network that learned digits, from its own start and in its own order."""
    module = build("cnn", examples.inputs.shape[1:], 10, seed, 0.5)
    training = Training(epochs=epochs, batch=32, optimizer=Optimizer("adam", rate=0.01))
    train(module, examples, training, seed=seed)
    return predictor(module)


def claims(
    method: Fingerprint,
    owner: Predictor,
    pools: tuple[Sequence[Predictor], Sequence[Predictor]],
    held: Seeds,
    seeds: Sequence[int],
    alarm: float,
) -> Claims:
    """Which of the accused, the second pool, each seed's queries give a claim on."""
    found = []
    for seed in seeds:
        queries = method.craft(owner.module, held, seed)  # type: ignore[attr-defined]
        own = method.ask(owner, queries)
        references, accused = ([method.ask(each, queries) for each in pool] for pool in pools)
        row = []
        for suspect in accused:
            given = calibrate([method], own, suspect, references, queries, alarm=alarm)
            known = given.log10_false_alarm
            row.append(known is not None and known <= log10(alarm) + 1e-9)
        found.append(row)
    return np.array(found).T


def summary(free: Claims, bound: Claims) -> dict[str, float | int | None]:
    """What a free accuser reaches, and what one draw gives a bound one."""
    needed = [int(row.argmax()) + 1 for row in free if row.any()]
    return {
        "seeds": free.shape[1],
        "accused": len(free),
        "accused by some seed": len(needed),
        "seeds until then, median": median(needed) if needed else None,
        "seeds until then, most": max(needed) if needed else None,
        "bound: share of claims": round(float(bound.mean()), 4),
        "bound: of the stranger most like it": round(float(bound.mean(1).max()), 4),
    }


def measured(setting: Setting, names: Sequence[str], said: Callable[[str], None]) -> Any:
    """Method → what came of it."""
    digits, test = load("digits", "train"), load("digits", "test")
    half = digits.take(slice(0, None, 2)), digits.take(slice(1, None, 2))
    total = setting.references + setting.accused
    owner = trained(half[0], 0, setting.epochs)
    others = [trained(half[1], seed, setting.epochs) for seed in range(1, total + 1)]
    pools = others[: setting.references], others[setting.references :]
    said(f"{total + 1} networks are trained")
    rows = {}
    for name in names:
        method, held, start = METHODS[name](), Seeds(test), monotonic()
        free = claims(method, owner, pools, held, range(setting.seeds), setting.alarm)
        logged = Commitment.to(method, "0" * 64, held, "a nonce")  # of the owner's file elsewhere
        drawn = [logged.seed(str(beacon)) for beacon in range(setting.seeds // 2)]
        bound = claims(method, owner, pools, held, drawn, setting.alarm)
        rows[name] = summary(free, bound)
        said(f"{name}: {json.dumps(rows[name])} in {monotonic() - start:.0f} s")
    return rows


def main() -> int:
    """Measures, and writes what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="a few models, nothing written")
    small = parser.parse_args().small
    setting = Setting(3, 3, 40, 5) if small else Setting()
    names = [*METHODS][:3] if small else [*METHODS]
    torch.set_num_threads(1)
    start = monotonic()
    rows = measured(setting, names, lambda line: print(line, flush=True))
    if not small:
        results = {
            "command": "python benchmarks/false_claims/run.py",
            "setting": {**asdict(setting), "tolerance": setting.alarm},
            "machine": f"{platform.machine()}, Python {platform.python_version()}, 1 thread",
            "seconds": round(monotonic() - start),
            "methods": rows,
        }
        write_through(HERE / "results.json", json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
