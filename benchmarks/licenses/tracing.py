"""Copies that are told apart, measured: who is named after what, is an innocent one, what it costs.

usage: tracing.py [--small] [--families FOLDER] [--data FOLDER]

Licensees put their copies together in one of several ways; asked for are they and 1,000 who had no
part in it.  Networks are those of ``benchmarks/families`` on Fashion-MNIST; with --small one that
learns digits now.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from assay.keys.signing import SigningKey
from assay.licenses._copying import Copies
from assay.licenses._ledger import Held, Ledger
from assay.licenses._tracing import Traced, traced
from assay.licenses.pruning import Pruning
from assay.running.examples import Examples
from assay.running.modules import accuracy, copy_of
from assay.training import Optimizer, Training, train
from assay.values import Json
from assay.watermarks._code import Code
from assay.watermarks.constant_weight import ConstantWeight
from assay.weights import Weight
from assay.weights.sites import Words
from assay.zoo.datasets import load
from assay.zoo.networks import build

Array = NDArray[np.float32]
RESULTS = Path(__file__).with_name("tracing.json")
ALARM = -6.0  # log₁₀, as ``license trace`` has it
INNOCENT = 1_000
GENTLE = ConstantWeight(code=Code(ones=12, redundancy=2, quiet=0.4), survive=0.6, margin=1)
MARKS = {
    "as license issue has it": GENTLE,
    "three times as many places": ConstantWeight(
        code=Code(ones=12, redundancy=6, quiet=0.4), survive=0.6, margin=1
    ),
    "as mark has it": ConstantWeight(),
}


def mean(copies: Array, chance: np.random.Generator) -> Array:
    """(c, …) -> (…)."""
    return np.asarray(copies.mean(0), np.float32)


def median(copies: Array, chance: np.random.Generator) -> Array:
    """Of an even number, the mean of both in the middle."""
    return np.asarray(np.median(copies, axis=0), np.float32)


def mixed(copies: Array, chance: np.random.Generator) -> Array:
    """Each weight of one of them, drawn."""
    return picked(copies, chance.integers(0, len(copies), copies.shape[1:]))


def smallest(copies: Array, chance: np.random.Generator) -> Array:
    """Each weight as small as one has it."""
    return picked(copies, np.abs(copies).argmin(0))


def largest(copies: Array, chance: np.random.Generator) -> Array:
    """Each weight as large as one has it."""
    return picked(copies, np.abs(copies).argmax(0))


def zeroed(copies: Array, chance: np.random.Generator) -> Array:
    """Zero, wherever the copies differ."""
    return np.where((copies == copies[0]).all(0), copies[0], np.float32(0))


def picked(copies: Array, which: NDArray[Any]) -> Array:
    """Each weight of the copy that ``which`` names."""
    return np.asarray(np.take_along_axis(copies, which[None], 0)[0])


WAYS: tuple[Callable[[Array, np.random.Generator], Array], ...] = (
    mean, median, mixed, smallest, largest, zeroed,
)  # fmt: skip


class Case:
    """A network's ledger, and who may have copies."""

    def __init__(self, module: nn.Module, data: Examples, judge: Examples, mark: Any) -> None:
        self.module, self.owner = module, SigningKey.new()
        grades = Pruning(rates=(0.05, 0.1, 0.15)).grades(module, data, judge=judge.take(slice(500)))
        self.sites = Copies.planned(mark, grades, self.owner, None)
        (site,) = self.sites.sites
        self.name, values = site.name, module.state_dict()[site.name].numpy()
        held = Held(0, "float32", values.astype(np.float32).tobytes())
        self.ledger = Ledger(self.sites.identity, self.sites.sites, ((held,),))
        self.shape = values.shape
        self.words = {
            (str(n), key): self.ledger.words(self.owner, key)
            for n in range(INNOCENT + 10)
            for key in [hashlib.sha256(b"licensee %d" % n).hexdigest()]
        }

    def copy(self, number: int) -> Array:
        """The marked tensor of a licensee."""
        ((_, content),) = self.ledger.patches(0, self.of(number))
        return np.frombuffer(content, np.float32).reshape(self.shape)

    def of(self, number: int) -> list[Words]:
        """The word of a licensee."""
        return list(next(words for (name, _), words in self.words.items() if name == str(number)))

    def with_copy(self, values: Array) -> nn.Module:
        """The network with this tensor."""
        made = copy_of(self.module)
        made.state_dict()[self.name].copy_(torch.from_numpy(np.array(values)))
        return made

    def found(self, values: Array) -> list[Traced]:
        """Of all who may have copies."""
        weight = Weight(self.name, values.shape, "float32", partial(np.asarray, values))
        return traced({self.name: weight}, self.ledger, self.words)


def named(found: list[Traced], colluders: set[int]) -> tuple[int, int, float]:
    """How many who had a part, how many who had none, and log₁₀ of the least alarm of those."""
    rows = [(int(each.licensee), each.log10_false_alarm) for each in found]
    guilty = sum(alarm <= ALARM for number, alarm in rows if number in colluders)
    innocent = [alarm for number, alarm in rows if number not in colluders]
    return guilty, sum(alarm <= ALARM for alarm in innocent), min(innocent)


def collusion(case: Case, counts: tuple[int, ...], sets: int) -> Iterator[Json]:
    """What becomes of each way of putting copies together."""
    for count in counts:
        for way in WAYS:
            rows = []
            for seed in range(sets):
                chance = np.random.default_rng(1000 * count + seed)
                who = sorted(chance.choice(INNOCENT + 10, count, replace=False).tolist())
                made = way(np.stack([case.copy(number) for number in who]), chance)
                rows.append(named(case.found(made), {*who}))
            yield {
                "colluders": count,
                "way": way.__name__,
                "named": [guilty for guilty, _, _ in rows],
                "innocent_named": sum(innocent for _, innocent, _ in rows),
                "least_of_innocent": round(min(least for _, _, least in rows), 2),
            }


def changed(case: Case, data: Examples, judge: Examples) -> Iterator[Json]:
    """One licensee's copy as it is, and after what thieves do anyway."""
    one = case.copy(0)
    sizes, step = np.abs(one), float(np.abs(one).max()) / 127
    tuned = case.with_copy(one)
    train(tuned, data, Training(epochs=3, batch=64, optimizer=Optimizer("adam", 0.001)))
    made: Mapping[str, nn.Module] = {
        "as it is": case.with_copy(one),
        "half of it pruned": case.with_copy(np.where(sizes < np.quantile(sizes, 0.5), 0, one)),
        "nine tenths pruned": case.with_copy(np.where(sizes < np.quantile(sizes, 0.9), 0, one)),
        "in 8 bits": case.with_copy(np.rint(one / step) * step),
        "tuned for three epochs": tuned,
    }
    for what, module in made.items():
        values = module.state_dict()[case.name].numpy()
        found = case.found(values)
        guilty, innocent, least = named(found, {0})
        alarm = next(each.log10_false_alarm for each in found if each.licensee == "0")
        yield {
            "after": what,
            "accuracy": round(accuracy(module, judge), 4),
            "named": guilty,
            "log10_false_alarm": round(alarm, 1),
            "innocent_named": innocent,
            "least_of_innocent": round(least, 2),
        }


def networks(folder: Path | None, data: Path | None) -> Iterator[tuple[str, nn.Module, Any, Any]]:
    """Name, module, and examples to learn from and to judge on."""
    if folder is None:
        examples, tests = load("digits", "train").take(slice(500)), load("digits", "test")
        module = build("vgg", examples.inputs.shape[1:], 10, 0)
        train(module, examples, Training(epochs=5, batch=32, optimizer=Optimizer("adam", 0.003)))
        yield "vgg", module, examples, tests
        return
    examples, tests = (load("fashion-mnist", split, data) for split in ("train", "test"))
    for name in ("vgg", "resnet", "mobilenet"):
        about = json.loads((folder / f"{name}.fashion-mnist.0.json").read_text())
        shape = tuple(about["input_shape"])
        module = build(name, shape, about["classes"], 0, about["width"])
        module.load_state_dict(load_file(folder / f"{name}.fashion-mnist.0.safetensors"))
        yield name, module.eval(), examples.take(slice(2000)), tests


def asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Of the command line: small, families, data."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="one network, nothing written")
    parser.add_argument("--families", type=Path, help="where benchmarks/families made networks")
    parser.add_argument("--data", type=Path, help="where Fashion-MNIST lies")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for."""
    given = asked(arguments)
    counts, sets = ((2, 3), 1) if given.small else ((2, 3, 4, 5, 6, 8, 10), 3)
    rows, known = [], list(networks(None if given.small else given.families, given.data))
    for called, mark in MARKS.items():
        for name, module, data, judge in known:
            if given.small and mark is not GENTLE:
                continue
            case = Case(module, data, judge, mark)
            site = case.ledger.sites[0]
            costs = [accuracy(case.with_copy(case.copy(n)), judge) for n in range(1, 6)]
            row: Json = {
                "network": name,
                "mark": called,
                "tensor": [case.name, int(np.prod(case.shape))],
                "places": int(site.places.size),
                "ones": site.ones,
                "unmarked": round(accuracy(module, judge), 4),
                "copies": [round(each, 4) for each in costs],
                "changed": list(changed(case, data, judge.take(slice(2000)))),
                "collusion": list(collusion(case, counts, sets)),
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
            if not given.small:
                RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
