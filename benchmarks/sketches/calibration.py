"""Stated against measured false alarm of both codes, on networks that are known to be independent.

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
from assay.sketches.nulls import log10_tail, log10_tail_invariant
from assay.sketches.readings import tried
from assay.values import TensorSketch, WeightSketch

HERE = Path(__file__).parent
KEYS = [hashlib.sha256(bytes([number])).digest() for number in range(4)]
LEVELS = (-1, -2, -3, -4, -5, -6, -8)
CODES = ("code", "invariant")
Tails = NDArray[np.float64]


def stated(name: str, tensor: TensorSketch) -> Tails:
    """log₁₀ of the false alarm that is stated at each distance (257)."""
    if name == "code":
        return np.array([log10_tail(distance, *tensor.shape) for distance in range(257)])
    return np.array([log10_tail_invariant(distance) for distance in range(257)])


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


def distances(sketches: list[WeightSketch], place: int, name: str) -> NDArray[np.uint64] | None:
    """Of one tensor's codes, between all networks (n, n)."""
    codes = [getattr(sketch.tensors[place], name) for sketch in sketches]
    if None in codes:
        return None
    bits = np.stack([np.frombuffer(code, np.uint8) for code in codes])
    return np.bitwise_count(bits[:, None] ^ bits).sum(2)


def of_family(nets: list[tuple[str, int, Path]]) -> Iterator[tuple[str, TensorSketch, Any, Any]]:
    """Each code of each tensor, its distances with each key, and the pairs."""
    pairs = pairs_of(nets)
    weights = [list(read(path).weights.values()) for _, _, path in nets]
    by_key = [[sketch(listed, key) for listed in weights] for key in KEYS]
    for place, tensor in enumerate(by_key[0][0].tensors):
        for name in CODES:
            found = [distances(sketches, place, name) for sketches in by_key]
            known = [each for each in found if each is not None]
            if known:
                yield name, tensor, np.stack(known), pairs


def families(folder: Path) -> dict[str, Any]:
    """Stated and measured shares over all independent pairs, by size; twins' distances."""
    samples: dict[tuple[str, str], list[Tails]] = defaultdict(list)
    tensors, worst = [], dict.fromkeys(CODES, 0.0)
    every = networks(folder)
    for network, nets in every.items():
        for name, tensor, found, pairs in of_family(nets):
            tails = stated(name, tensor)
            apart = found[:, *pairs["independent"]]
            size = f"2^{int(np.log2(np.prod(tensor.shape)))}"
            samples[name, size].append(tails[apart.reshape(-1)])
            samples[name, "all"].append(tails[apart.reshape(-1)])
            worst[name] = max(worst[name], largest_share(tails[found] <= -2, nets))
            twins = found[:, *pairs["twins"]]
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


def summary(found: NDArray[np.uint64]) -> dict[str, float]:
    """Mean, standard deviation and least distance."""
    mean, deviation = float(found.mean()), float(found.std())
    return {"mean": round(mean, 2), "deviation": round(deviation, 2), "least": int(found.min())}


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
                bits = (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()
                found.append(float(stated_at(name, a, bits)))
    return found


def stated_at(name: str, tensor: TensorSketch, distance: int) -> float:
    """log₁₀ of the false alarm that is stated at one distance."""
    if name == "code":
        return log10_tail(distance, *tensor.shape)
    return log10_tail_invariant(distance)


def plot(results: dict[str, Any]) -> None:
    """Stated against measured, one line a size; what lies under the diagonal is cautious."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "assay"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.5), sharey=True)
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
