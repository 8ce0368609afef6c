"""How often ``boosted-minhash`` names the right family, and whether it names one that it knows not.

python benchmarks/categories/run.py            # some ten seconds of one core
python benchmarks/categories/run.py --small    # of every eighth network; nothing is written

Each network of the zoo is named by the codes of all others, then by those of other families alone.
The bits are the shipped ones, which were chosen with all of them; no category was asked then.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.hashers.boosted_minhash import NEARNESS, STRANGE, BoostedMinhash, nearest
from assay.values import Json
from assay.zoo import Architecture, architectures
from assay.zoo.experiments import hardware, write_report
from assay.zoo.retrieval import hamming

HERE = Path(__file__).parent
SURE = 0.5  # confidence


def measured(models: tuple[Architecture, ...], hasher: BoostedMinhash) -> Json:
    """Shares of networks that are named rightly, with confidence, and with both."""
    digests = np.array([list(hasher.digest(model.graph)) for model in models], np.uint8)
    codes = np.unpackbits(digests, axis=1).astype(bool)
    families = sorted({model.family for model in models})
    own = np.array([families.index(model.family) for model in models])
    distances = hamming(codes, codes) * (64 / codes.shape[1])
    others = ~np.eye(len(models), dtype=bool)
    kin = (own[:, None] == own[None]) & others
    known = [i for i in range(len(models)) if kin[i].any()]
    named = [_named(distances[i], own, others[i]) for i in known]
    right = np.array([best == own[i] for i, (best, _) in zip(known, named, strict=True)])
    sure = np.array([share > SURE for _, share in named])
    strange = [_named(distances[i], own, own != own[i])[1] for i in range(len(models))]
    return {
        "networks": len(models),
        "families": len(families),
        "of a family of two or more": len(known),
        "right": round(float(right.mean()), 3),
        "confident": round(float(sure.mean()), 3),
        "right where confident": round(float(right[sure].mean()), 3),
        "confident of the families that are left": round(
            float(np.mean(np.array(strange) > SURE)), 3
        ),
    }


def _named(
    distances: NDArray[np.float64], own: NDArray[np.intp], by: NDArray[np.bool_]
) -> tuple[int, float]:
    return nearest(distances[by], own[by])


def main() -> None:
    """Ask, and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--small", action="store_true", help="few networks, nothing is written")
    small = parser.parse_args().small
    hasher = BoostedMinhash()
    found = measured(architectures()[:: 8 if small else 1], hasher)
    rows = [f"| {name} | {value} |" for name, value in found.items()]
    table = "\n".join(["| | |", "|---|---|", *rows]) + "\n"
    print(table)
    if not small:
        results: Json = {
            "command": "python benchmarks/categories/run.py",
            "hardware": hardware(),
            "scheme": hasher.scheme,
            "nearness": NEARNESS,
            "strange": STRANGE,
            "confident above": SURE,
            **found,
        }
        write_report(HERE, results, {"categories": table})


if __name__ == "__main__":
    main()
