"""What each derivation does to a network, and what is said of its child: docs/derivations.md.

    python benchmarks/derivations/run.py            # writes results.json beside this file
    python benchmarks/derivations/run.py --small    # two small networks on digits, nothing written

Networks are trained on one half of Fashion-MNIST; whoever derives has the other half, or MNIST.
The parent is registered, its child written as ONNX and checked against the registry, then compared
with the parent.  Networks of other seeds stand beside: nothing may be said of them but their
architecture.  A run that was stopped goes on with the rows that it has in --work: by default a
folder among the temporary ones.
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
        words = [
            f"{k}={','.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in plain.items()
        ]
        if self.options.get("training") in (TUNED, MOVED, SHARED):
            words.append(f"training.epochs={self.options['training'].epochs}")
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
        Case("channel-prune", {"rate": 0.3}),
        Case("channel-prune", {"rate": 0.3, "training": TUNED}),
        Case("quantize", {"bits": 8}),
        Case("quantize", {"bits": 4}),
        Case("cluster"),
        Case("cluster", {"training": SHARED}),
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


def rows(on_ground: Ground, known: dict[str, Json], work: Path) -> Iterator[Json]:
    """A row for each network and case, and one for a stranger; those that are known as they are."""
    for network in on_ground.networks:
        parents = [trained(on_ground, network, seed, work) for seed in (SEED, SEED + 1)]
        files = [work / f"{network}-{seed}.onnx" for seed in (SEED, SEED + 1)]
        for module, file in zip(parents, files, strict=True):
            export(module, on(module, on_ground.test.inputs[:1]), file)
        before, parent = round(accuracy(parents[0], on_ground.test), 4), digest(parents[0])[:16]
        registry = work / f"registry-{parent}"  # of these weights alone
        with assay.Registry.open(registry) as opened:
            opened.add(files[0])
        stranger = {"network": network, "method": "another seed", "options": "", "before": None}
        yield stranger | {
            "after": round(accuracy(parents[1], on_ground.test), 4), "seconds": None,
        } | said(files[1], files[0], registry)  # fmt: skip
        for case in cases(on_ground.student):
            if case.method in CHANNELS and network in WITHOUT_CHANNELS:
                continue
            key = f"{parent} {case.method} {case.shown}"
            found = known.get(key)
            if found is None:
                found = row(on_ground, case, network, parents, before, registry)
            yield found | {"parent": parent}


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


def main() -> int:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="digits, small networks")
    parser.add_argument("--data", type=Path, help="a folder for each dataset")
    kept = Path(tempfile.gettempdir()) / "assay-derivations"
    parser.add_argument("--work", type=Path, default=kept, help="for models and finished rows")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    chosen.work.mkdir(parents=True, exist_ok=True)
    ledger = chosen.work / "rows.jsonl"
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    known = {key_of(row): row for row in map(json.loads, lines)}
    started, found = monotonic(), []
    with ledger.open("a") as kept:
        for each in rows(ground(chosen.small, chosen.data), known, chosen.work):
            found.append(each)
            if key_of(each) not in known:
                print(json.dumps(each), file=kept, flush=True)
            print(f"{monotonic() - started:6.0f} s ", *each.values(), sep="  ", flush=True)
    if not chosen.small:
        about = {
            "command": "python benchmarks/derivations/run.py",
            "seed": SEED,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
            "torch": torch.__version__,
            "assay": assay.__version__,
            "rows": found,
        }
        (HERE / "results.json").write_text(json.dumps(about, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
