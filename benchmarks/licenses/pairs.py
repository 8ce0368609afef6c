"""Whether the two accuracies of a pruning rate tell a model from others of its kind.

usage: pairs.py [--small] [--data NAME] [--limit N]

Every network states its pair, as ``assay license verify`` compares it, and all others of its
architecture are held against it: a copy that was tuned, and strangers, which differ in their seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from assay.licenses import Work
from assay.licenses._rates import Key, Measured, Pair, pairs
from assay.running.examples import Examples
from assay.running.modules import copy_of
from assay.training import Optimizer, Training, train
from assay.values import Json
from assay.zoo.datasets import load
from assay.zoo.networks import build

RESULTS = Path(__file__).with_name("pairs.json")
RATES = (0.35, 0.5)
KEY = Key(Training(3, 32, Optimizer("adam", 0.001)))
KINDS = ("tuned copies", "strangers")


def agree(said: Pair, found: Pair, examples: int) -> bool:
    """As the verb decides it: both of the claim and of what was found are measured."""
    both = ((said.pruned, found.pruned), (said.tuned, found.tuned))
    return all(Measured(a, examples).agrees(Measured(b, examples)) for a, b in both)


def measured(name: str, seed: int, data: Examples, tests: Examples) -> dict[str, list[Pair]]:
    """The pairs of a network that learned from a seed, and of a copy that was tuned."""
    module = build(name, data.inputs.shape[1:], data.classes, seed)
    train(module, data, Training(6, 32, Optimizer("adam", 0.003)), seed=seed)
    copy = copy_of(module)
    train(copy, data, Training(1, 32, Optimizer("adam", 0.001)), seed=1000 + seed)
    models = {"own": module, "copy": copy}
    return {kind: [*pairs(Work(each, data, tests), RATES, KEY)] for kind, each in models.items()}


def held(name: str, seeds: range, data: Examples, tests: Examples) -> list[Json]:
    """Of each rate, how many of each kind agree with what an owner says."""
    found = [measured(name, seed, data, tests) for seed in seeds]
    rows = []
    for place, rate in enumerate(RATES):
        copies = [agree(each["own"][place], each["copy"][place], len(tests)) for each in found]
        strangers = [
            agree(one["own"][place], other["own"][place], len(tests))
            for one, other in product(found, found)
            if one is not other
        ]
        own = [each["own"][place] for each in found]
        rows.append({
            "network": name, "rate": rate, "of use": sum(not pair.fault for pair in own),
            "owners": len(own), "pruned": [round(pair.pruned, 4) for pair in own],
            "tuned": [round(pair.tuned, 4) for pair in own],
            "tuned copies": [sum(copies), len(copies)],
            "strangers": [sum(strangers), len(strangers)],
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="two small networks, nothing written")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--limit", type=int, default=4000, help="examples; of tests, half as many")
    given = parser.parse_args(arguments)
    limit = 150 if given.small else given.limit
    data = load(given.data, "train").take(slice(limit))
    tests = load(given.data, "test").take(slice(limit // 2))
    networks, seeds = (("vgg",), range(2)) if given.small else (
        ("vgg", "resnet", "mobilenet"), range(3)
    )  # fmt: skip
    rows = [row for name in networks for row in held(name, seeds, data, tests)]
    for kind in KINDS:
        agreeing, of = (sum(row[kind][place] for row in rows) for place in (0, 1))
        print(f"{kind}: {agreeing} of {of} agree")
    if not given.small:
        known: Json = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[f"{given.data}, {len(data)} examples, {len(tests)} for tests"] = rows
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
