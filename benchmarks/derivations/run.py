"""What each derivation does to a network, and what is said of its child: docs/derivations.md.

    python benchmarks/derivations/run.py            # writes results.json beside this file
    python benchmarks/derivations/run.py --small    # two small networks on digits, nothing written
    python benchmarks/derivations/run.py --only admm-prune memristor  # other rows stay

Networks are trained on one half of Fashion-MNIST; whoever derives has the other half, or MNIST.
The parent is registered, its child written as ONNX and checked against the registry, then compared
with the parent.  Of networks of other seeds nothing may be said but their architecture.  A run that
was stopped goes on with the rows that it has in --work: by default a folder for temporary ones.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import torch

import assay
from assay.derivations import DERIVATIONS
from assay.derivations.admm_prune import Alternation
from assay.derivations.memristor import Cut
from assay.running.examples import Examples
from assay.running.modules import accuracy, digest, on
from assay.running.to_onnx import export
from assay.training import Optimizer, Training, train
from assay.values import Json
from assay.zoo.datasets import halves, load, only_classes
from assay.zoo.networks import build

HERE = Path(__file__).parent
SEED = 0
TUNED = Training(epochs=1, optimizer=Optimizer(rate=0.01))
MOVED = Training(epochs=2, optimizer=Optimizer(rate=0.01))
SHARED = Training(epochs=1, optimizer=Optimizer("adam", rate=0.001))  # gradients are sums
DRAWN = Training(
    epochs=4, optimizer=Optimizer("adam", rate=0.001, weight_decay=0, schedule="constant")
)
ALTERNATING = {"training": DRAWN, "retraining": SHARED}
QUICKLY = Alternation(growth=5.0)  # the penalty is strong after four epochs
CHANNELS = {"permute-neurons", "rescale-channels", "dummy-neurons", "channel-prune"}
WITHOUT_CHANNELS = {"gru", "transformer"}  # only some of their channels can be: no rows


@dataclass(frozen=True)
class Case:
    """A derivation with its options, and what it is given."""

    method: str
    options: dict[str, Any] = field(default_factory=dict)
    data: str = "half"
    student: str | None = None  # another architecture

    @property
    def shown(self) -> str:
        """Its options, as --set takes them."""
        plain = {k: v for k, v in self.options.items() if not isinstance(v, Training)}
        growth = plain.pop("admm", Alternation()).growth
        plain |= {"cut.keep": plain.pop("cut").keep} if "cut" in plain else {}
        words = [
            f"{k}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in plain.items()
        ]
        words += [f"admm.growth={growth:g}"] if growth > 1 else []
        words += [
            f"{name}.epochs={self.options[name].epochs}"
            for name in ("training", "retraining")
            if self.options.get(name) in (TUNED, MOVED, SHARED, DRAWN)
        ]
        words += [self.data] if self.data != "half" else []
        return ", ".join(words + ([f"student {self.student}"] if self.student else []))


@dataclass(frozen=True)
class Ground:
    """Data by role, networks, and how they are trained."""

    train: Examples
    test: Examples
    data: dict[str, Examples]
    networks: tuple[str, ...]
    width: float
    student: Training


def cases(student: Training) -> tuple[Case, ...]:
    """Every method, and its ways."""
    return (
        Case("fine-tune", {"training": TUNED}),
        Case("fine-tune", {"layers": "last", "training": TUNED}),
        Case("fine-tune", {"rates": (0.1, 0.01, 0.001), "training": TUNED}),
        *(Case("transfer", {"tune": t, "training": MOVED}, "other") for t in (0.1, 0.5, 1.0)),
        Case("magnitude-prune", {"rate": 0.5}),
        Case("magnitude-prune", {"rate": 0.8, "scope": "global"}),
        Case("magnitude-prune", {"rate": 0.8, "scope": "global", "training": TUNED}),
        Case("admm-prune", {"keep": (0.1,), "admm": QUICKLY, **ALTERNATING}),
        Case("channel-prune", {"rate": 0.3}),
        Case("channel-prune", {"rate": 0.3, "training": TUNED}),
        Case("quantize", {"bits": 8}),
        Case("quantize", {"bits": 4}),
        Case("cluster"),
        Case("cluster", {"training": SHARED}),
        Case("admm-cluster", {"bits": (3,), "admm": QUICKLY, **ALTERNATING}),
        Case("memristor", {"cut": Cut((0.5,)), **ALTERNATING}),
        Case("distill", {"training": student}),
        Case("distill", {"feature_weight": 5.0, "label_share": 1.0, "training": student}),
        Case("extract", {"training": student}),
        Case("extract", {"training": student}, student="cnn"),
        Case("extract", {"answers": "hard", "training": student}),
        Case("extract", {"queries": "adversarial", "answers": "hard", "training": student}),
        Case("extract", {"training": student}, "out-of-domain"),
        Case("extract", {"queries": "noise", "training": student}),
        Case("relabel-head"),
        Case("permute-neurons"),
        Case("rescale-channels"),
        *(Case("dummy-neurons", {"kind": kind}) for kind in ("zero", "clique", "split")),
        Case("average"),
        Case("noise"),
        Case("convert", {"dtype": "float16"}),
        Case("convert", {"through": "onnx"}),
    )  # fmt: skip


def ground(small: bool, data: Path | None) -> Ground:
    """What all is done on."""
    student = Training(epochs=10 if small else 3, optimizer=Optimizer("adam", 2e-3, 0.9, 0.0))
    if small:
        examples, test = load("digits"), load("digits", "test")
        own, half = halves(examples, SEED)
        five = only_classes(half, range(5))
        roles = {"half": half, "other": five, "out-of-domain": half.take(slice(200))}
        return Ground(own, test, roles, ("mlp", "vgg"), 0.5, student)
    folders = {name: data / name if data else None for name in ("fashion-mnist", "mnist")}
    examples = load("fashion-mnist", folder=folders["fashion-mnist"]).take(slice(16_000))
    test = load("fashion-mnist", "test", folders["fashion-mnist"]).take(slice(4_000))
    own, half = halves(examples, SEED)
    mnist = load("mnist", folder=folders["mnist"])
    roles = {"half": half, "other": only_classes(mnist, range(5)), "out-of-domain": mnist}
    return Ground(own, test, roles, ("lenet-5", "vgg", "gru", "transformer"), 1, student)


def rows(on_ground: Ground, known: dict[str, Json], work: Path, only: list[str]) -> Iterator[Json]:
    """A row for each network and case, and one for a stranger; those that are known as they are.

    Args:
        on_ground: Data and networks.
        known: Rows by their keys.
        work: Folder for models.
        only: Methods; where there are some, others and strangers are left out.
    """
    for network in on_ground.networks:
        parents = [trained(on_ground, network, seed, work) for seed in (SEED, SEED + 1)]
        files = [work / f"{network}-{seed}.onnx" for seed in (SEED, SEED + 1)]
        for module, file in zip(parents, files, strict=True):
            export(module, on(module, on_ground.test.inputs[:1]), file)
        before, parent = round(accuracy(parents[0], on_ground.test), 4), digest(parents[0])[:16]
        registry = work / f"registry-{parent}"  # of these weights alone
        with assay.Registry.open(registry) as opened:
            opened.add(files[0])
        if not only:
            yield stranger(on_ground, network, parents[1], files, registry)
        for case in cases(on_ground.student):
            if only and case.method not in only:
                continue
            if case.method in CHANNELS and network in WITHOUT_CHANNELS:
                continue
            key = f"{parent} {case.method} {case.shown}"
            found = known.get(key)
            if found is None:
                found = row(on_ground, case, network, parents, before, registry)
            yield found | {"parent": parent}


def stranger(
    on_ground: Ground, network: str, other: Any, files: list[Path], registry: Path
) -> Json:
    """What is said of a network of another seed."""
    about = {"network": network, "method": "another seed", "options": "", "before": None}
    after = round(accuracy(other, on_ground.test), 4)
    return about | {"after": after, "seconds": None} | said(files[1], files[0], registry)


def row(
    on_ground: Ground, case: Case, network: str, parents: list[Any], before: float, registry: Path
) -> Json:
    """One derivation, and what is said of its child."""
    method: Any = DERIVATIONS[case.method]
    data = on_ground.data[case.data]
    shape = on_ground.train.inputs.shape[1:]
    student = build(case.student, shape, 10, SEED + 9, on_ground.width) if case.student else None
    given = parents[:1]
    if case.method == "average":  # of a model and what was tuned from it
        tuned: Any = DERIVATIONS["fine-tune"]
        given = [parents[0], tuned(training=TUNED).derive(parents[0], data=data).module]
    judge = None if case.data == "other" else on_ground.test
    if case.data == "other":
        _, judge = data.split(0.2, SEED)
        data, _ = data.split(0.2, SEED)
    derived = method(**case.options).derive(
        *given, data=data, student=student, judge=judge, seed=SEED
    )
    work = registry.parent
    child = work / f"{network}-child.onnx"
    export(derived.module, on(derived.module, data.inputs[:1]), child)
    return {
        "network": network,
        "method": case.method,
        "options": case.shown,
        "before": before,
        "after": derived.lineage.accuracy and derived.lineage.accuracy["child"],
        "seconds": round(derived.lineage.seconds, 2),
    } | said(child, work / f"{network}-{SEED}.onnx", registry)


def said(child: Path, parent: Path, registry: Path) -> Json:
    """What ``assay check`` and ``assay compare`` say."""
    with assay.Registry.open(registry) as opened:
        report = opened.check(child)
    kin = assay.compare(child, parent)
    return {
        "check": str(report.verdict),
        "compare": str(kin.relation),
        "score": round(kin.score, 3),
    }


def trained(on_ground: Ground, network: str, seed: int, work: Path) -> Any:
    """A network from scratch, on the owner's half; trained once."""
    shape = on_ground.train.inputs.shape[1:]
    module = build(network, shape, 10, seed, on_ground.width)
    train(module, on_ground.train, on_ground.student, seed=seed, checkpoint=work)
    return module


def key_of(row: Json) -> str:
    """What tells one row from another: the parent's weights, too."""
    return f"{row.get('parent')} {row['method']} {row['options']}"


def merged(kept: list[Json], found: list[Json], on_ground: Ground) -> list[Json]:
    """Rows of which some were measured now, in the order in which all would have been."""
    order = [case.method for case in cases(on_ground.student)]
    now = {each["method"] for each in found}
    all_rows = [each for each in kept if each["method"] not in now] + found
    methods = ["another seed", *dict.fromkeys(order)]
    return sorted(
        all_rows,
        key=lambda each: (
            on_ground.networks.index(each["network"]), methods.index(each["method"])
        ),
    )  # fmt: skip


def main() -> int:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="digits, small networks")
    parser.add_argument("--data", type=Path, help="a folder for each dataset")
    kept = Path(tempfile.gettempdir()) / "assay-derivations"
    parser.add_argument("--work", type=Path, default=kept, help="for models and finished rows")
    parser.add_argument("--only", nargs="+", default=[], choices=[*DERIVATIONS], metavar="METHOD")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    chosen.work.mkdir(parents=True, exist_ok=True)
    ledger = chosen.work / "rows.jsonl"
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    known = {key_of(row): row for row in map(json.loads, lines)}
    started, found, on_ground = monotonic(), [], ground(chosen.small, chosen.data)
    with ledger.open("a") as kept:
        for each in rows(on_ground, known, chosen.work, chosen.only):
            found.append(each)
            if key_of(each) not in known:
                print(json.dumps(each), file=kept, flush=True)
            print(f"{monotonic() - started:6.0f} s ", *each.values(), sep="  ", flush=True)
    if not chosen.small:
        results = HERE / "results.json"
        before = json.loads(results.read_text())["rows"] if chosen.only else []
        about = {
            "command": "python benchmarks/derivations/run.py",
            "seed": SEED,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
            "torch": torch.__version__,
            "assay": assay.__version__,
            "rows": merged(before, found, on_ground),
        }
        results.write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
