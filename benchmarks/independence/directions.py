"""How alike the directions are in which two children of one base moved away from it.

    python benchmarks/independence/directions.py FAMILIES --data DATA   # minutes; directions.json

Children of one trained network are tuned on the same images or others, at three rates, for one or
three epochs, in two orders.  The cosine of two children's differences from the base is what a copy
would have to beat.  Extra ``torch``.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from assay.running.examples import Examples
from assay.running.modules import matrices, on_threads
from assay.training import Optimizer, Training, train
from assay.zoo.datasets import load as load_data
from assay.zoo.families import load

BASES = ("mlp.fashion-mnist.0", "cnn.fashion-mnist.0")
IMAGES = 6_000  # that one child is tuned on
Child = tuple[float, str, int, int]  # rate, which images, seed, epochs


def weights(module: nn.Module) -> Tensor:
    """All matrices, one after the other."""
    found = (getattr(layer, name) for layer, name in matrices(module).values())
    return torch.cat([each.detach().flatten() for each in found]).double()


def differences(base: nn.Module, images: dict[str, Examples]) -> Iterator[tuple[Child, Tensor]]:
    """How each child differs from the base."""
    start = weights(base)
    for rate, which, seed, epochs in product((0.01, 0.001, 0.0001), images, (1, 2), (1, 3)):
        child = copy.deepcopy(base)
        training = Training(epochs=epochs, optimizer=Optimizer(rate=rate))
        train(child, images[which], training, seed=seed)
        yield (rate, which, seed, epochs), weights(child) - start


def kind(a: Child, b: Child) -> str:
    """What two children have in common."""
    same = [
        name for name, place in (("images", 1), ("rate", 0), ("epochs", 3)) if a[place] == b[place]
    ]
    return "same " + ", ".join(same) if same else "nothing the same"


def rows(families: Path, images: dict[str, Examples]) -> Iterator[dict[str, Any]]:
    """Cosines of all pairs of children, by what they have in common."""
    for name in BASES:
        children = dict(differences(load(families, name), images))
        cosines: dict[str, list[float]] = {}
        for (a, ours), (b, theirs) in combinations(children.items(), 2):
            cosine = float(ours @ theirs / ours.norm() / theirs.norm())
            cosines.setdefault(kind(a, b), []).append(cosine)
        for which, found in sorted(cosines.items()):
            about = {"base": name, "children": which, "pairs": len(found)}
            yield {**about, "median": round(median(found), 3), "largest": round(max(found), 3)}


def main() -> None:
    """Trains, compares, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", type=Path)
    parser.add_argument("--data", type=Path)
    chosen = parser.parse_args()
    everything = load_data("fashion-mnist", "train", chosen.data)
    parts = {
        which: Examples(
            everything.inputs[start:][:IMAGES], everything.known_labels[start:][:IMAGES]
        )
        for which, start in (("first", 30_000), ("second", 36_000))
    }
    with on_threads(1):
        found = [*rows(chosen.families, parts)]
    about = {"command": "python benchmarks/independence/directions.py FAMILIES --data DATA"}
    Path(__file__).with_suffix(".json").write_text(
        json.dumps({**about, "torch": torch.__version__, "rows": found}, indent=1) + "\n"
    )
    for row in found:
        print(row)


if __name__ == "__main__":
    main()
