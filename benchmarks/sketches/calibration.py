"""Stated against measured false alarm of all codes, on networks that are known to be independent.

    python benchmarks/sketches/calibration.py FAMILIES [--strangers FOLDER]

FAMILIES holds trained networks, `network.task.seed.safetensors` (scripts/make_families.py).  Two of
one network are independent where their seeds differ; with one seed and two tasks they are twins:
they share only the first weights.  FOLDER holds real files, each family in a folder of its own:
files of different folders are strangers.  Writes calibration.json and calibration.svg.

Pairs of few networks are not independent of one another, so a share is given with the number of
networks, and the largest share that any one network has with all others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.formats import read
from assay.sketches import sketch
from assay.sketches.nulls import log10_tail, log10_tail_invariant, log10_tail_of_cosine
from assay.sketches.projections import cosines
from assay.sketches.readings import tried
from assay.values import TensorSketch, WeightSketch

HERE = Path(__file__).parent
KEYS = [hashlib.sha256(bytes([number])).digest() for number in range(4)]
LEVELS = (-1, -2, -3, -4, -5, -6, -8)
CODES = ("code", "cells", "invariant")
Tails = NDArray[np.float64]
Near = tuple[NDArray[np.float64], Tails]


def near(name: str, ours: list[bytes], theirs: list[bytes], shape: tuple[int, ...]) -> Near:
    """How near codes of one kind are, and log₁₀ of the false alarm that is stated (n, m).

    Bits in which they differ; of cells, their cosine.
    """
    if name == "cells":
        one, other = (
            np.stack([np.frombuffer(c, np.int8) for c in part]) for part in (ours, theirs)
        )
        found, sums = cosines(one, other, shape)
        stated = np.vectorize(lambda x, k: log10_tail_of_cosine(x, k, *shape), otypes=[float])
        return found, stated(found, sums)
    one, other = (np.stack([np.frombuffer(c, np.uint8) for c in part]) for part in (ours, theirs))
    bits = np.bitwise_count(one[:, None] ^ other).sum(2).astype(np.float64)
    of_one = log10_tail_invariant if name == "invariant" else lambda d: log10_tail(d, *shape)
    return bits, np.array([of_one(distance) for distance in range(257)])[bits.astype(int)]


def networks(folder: Path) -> dict[str, list[tuple[str, int, Path]]]:
    """Networks trained from the start: by architecture, with task and seed."""
    found: dict[str, list[tuple[str, int, Path]]] = defaultdict(list)
    for path in sorted(folder.glob("*.safetensors")):
        parts = path.name.split(".")
        if len(parts) == 4 and parts[2].isdigit():
            found[parts[0]].append((parts[1], int(parts[2]), path))
    return {name: nets for name, nets in found.items() if len({seed for _, seed, _ in nets}) > 1}


def pairs_of(nets: list[tuple[str, int, Path]]) -> dict[str, tuple[Any, Any]]:
    """Places of the first and of the second of each pair: independent ones, and twins."""
    tasks, seeds = np.array([t for t, _, _ in nets]), np.array([s for _, s, _ in nets])
    first, second = np.triu_indices(len(nets), 1)
    apart = seeds[first] != seeds[second]
    twins = ~apart & (tasks[first] != tasks[second])
    return {
        "independent": (first[apart], second[apart]),
        "twins": (first[twins], second[twins]),
    }


def of_family(nets: list[tuple[str, int, Path]]) -> Iterator[tuple[str, TensorSketch, Near, Any]]:
    """Each code of each tensor, how near it is between all networks with each key, the pairs."""
    pairs = pairs_of(nets)
    weights = [list(read(path).weights.values()) for _, _, path in nets]
    by_key = [[sketch(listed, key) for listed in weights] for key in KEYS]
    for place, tensor in enumerate(by_key[0][0].tensors):
        for name in CODES:
            every = [[getattr(each.tensors[place], name) for each in part] for part in by_key]
            found = [near(name, part, part, tensor.shape) for part in every if None not in part]
            if found:
                values, tails = zip(*found, strict=True)
                yield name, tensor, (np.stack(values), np.stack(tails)), pairs


def families(folder: Path) -> dict[str, Any]:
    """Stated and measured shares over all independent pairs, by size; twins' distances."""
    samples: dict[tuple[str, str], list[Tails]] = defaultdict(list)
    tensors, worst = [], dict.fromkeys(CODES, 0.0)
    every = networks(folder)
    for network, nets in every.items():
        for name, tensor, (found, tails), pairs in of_family(nets):
            apart, twins = (found[:, *pairs[kind]] for kind in ("independent", "twins"))
            said = tails[:, *pairs["independent"]].reshape(-1)
            size = f"2^{int(np.log2(np.prod(tensor.shape)))}"
            samples[name, size].append(said)
            samples[name, "all"].append(said)
            worst[name] = max(worst[name], largest_share(tails <= -2, nets))
            tensors.append(
                {
                    "network": network,
                    "tensor": tensor.name,
                    "shape": list(tensor.shape),
                    "of": name,
                    "independent": summary(apart),
                    "twins": summary(twins) if twins.size else None,
                }
            )
        print(network, len(nets), flush=True)
    return {
        "networks": {network: len(nets) for network, nets in every.items()},
        "keys": len(KEYS),
        "levels": list(LEVELS),
        "measured": {
            f"{name}, {size} values": measured(np.concatenate(parts))
            for (name, size), parts in sorted(samples.items())
        },
        "largest_share_of_one_network_at_stated_1e-2": worst,
        "tensors": tensors,
    }


def largest_share(near: NDArray[np.bool_], nets: list[tuple[str, int, Path]]) -> float:
    """Of the networks independent of one, the share that is near it (keys, n, n); the largest."""
    seeds = np.array([seed for _, seed, _ in nets])
    apart = seeds[:, None] != seeds
    return float(((near & apart).mean(0).sum(1) / apart.sum(1)).max())


def summary(found: NDArray[np.float64]) -> dict[str, float]:
    """Mean, standard deviation, least and largest."""
    values = found.mean(), found.std(), found.min(), found.max()
    named = zip(("mean", "deviation", "least", "largest"), values, strict=True)
    return {name: round(float(value), 3) for name, value in named}


def measured(tails: Tails) -> dict[str, Any]:
    """The share of pairs at or below each stated level, and how many there are."""
    shares = [float(np.mean(tails <= level)) for level in LEVELS]
    return {"comparisons": len(tails), "least": round(float(tails.min()), 2), "shares": shares}


def strangers(folder: Path) -> dict[str, Any]:
    """The smallest false alarms between real files of different folders, all readings tried."""
    sketches: dict[str, tuple[WeightSketch, WeightSketch]] = {}
    for path in sorted(entry for entry in folder.glob("*/**/*") if entry.is_file()):
        try:
            weights = list(read(path).weights.values())
        except AssayError:
            continue  # no model, or a part of one
        name = str(path.relative_to(folder))
        sketches[name] = (sketch(weights, KEYS[0]), sketch(weights, KEYS[0], tried))
    tails: dict[str, list[float]] = {name: [] for name in CODES}
    for a, (_, suspect) in sketches.items():
        for b, (owner, _) in sketches.items():
            if a.split("/")[0] != b.split("/")[0]:
                for name in CODES:
                    tails[name] += compared(suspect, owner, name)
    return {"files": len(sketches), **{n: measured(np.array(v)) for n, v in tails.items() if v}}


def compared(suspect: WeightSketch, owner: WeightSketch, name: str) -> list[float]:
    """log₁₀ of the false alarm of each pair of tensors of one shape."""
    found = []
    for a in suspect.tensors:
        for b in owner.tensors:
            one, other = getattr(a, name), getattr(b, name)
            if a.shape == b.shape and a.places == b.places and one and other:
                found.append(float(near(name, [one], [other], a.shape)[1][0, 0]))
    return found


def plot(results: dict[str, Any]) -> None:
    """Stated against measured, one line a size; what lies under the diagonal is cautious."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "assay"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.5), sharey=True)
    for axis, code in zip(axes, CODES, strict=True):
        for name, found in results["measured"].items():
            if name.startswith(f"{code},"):
                seen = [(10.0**x, y) for x, y in zip(LEVELS, found["shares"], strict=True) if y]
                axis.plot(*zip(*seen, strict=True), "o-", label=name.partition(", ")[2])
        axis.plot([1e-6, 1], [1e-6, 1], "k--", linewidth=0.8)
        axis.set(xscale="log", yscale="log", title=code, xlabel="stated false alarm")
        axis.legend(fontsize=7)
    axes[0].set_ylabel("measured share of independent pairs")
    figure.tight_layout()
    figure.savefig(HERE / "calibration.svg", metadata={"Date": None})


def main() -> None:
    """Measures, writes, and ends with 1 where more is measured than stated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", type=Path)
    parser.add_argument("--strangers", type=Path)
    arguments = parser.parse_args()
    results = families(arguments.families)
    if arguments.strangers:
        results["strangers"] = strangers(arguments.strangers)
    (HERE / "calibration.json").write_text(json.dumps(results, indent=1) + "\n")
    plot(results)
    wrong = [
        f"{name} at 1e{level}: {share:.2g}"
        for name, found in results["measured"].items()
        for level, share in zip(LEVELS, found["shares"], strict=True)
        if share * found["comparisons"] > 3 and share > 10.0**level
    ]
    raise SystemExit("\n".join(["measured more often than stated:", *wrong]) if wrong else 0)


if __name__ == "__main__":
    main()
