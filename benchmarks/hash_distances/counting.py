"""How many strangers have near codes: of the whole zoo, and of families that were held out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from assay.hashers.boosted_minhash import BoostedMinhash
from assay.values import Json
from assay.zoo import Architecture

RETRIEVAL = Path(__file__).resolve().parents[1] / "retrieval"
sys.path.append(str(RETRIEVAL))

from questions import side  # noqa: E402

NEAREST = 12  # pairs that are told by name


def strangers(models: Sequence[Architecture], hashers: Sequence[BoostedMinhash]) -> Json:
    """Pairs of different families, and of one, by how many bits differ: (bits + 1) counts each."""
    families = np.array([model.family for model in models])
    rows, columns = np.tril_indices(len(models), -1)
    other = families[rows] != families[columns]
    found: Json = {"pairs": int(other.sum()), "pairs of one family": int((~other).sum())}
    for hasher in hashers:
        digests = b"".join(hasher(model.graph).digest for model in models)
        codes = np.frombuffer(digests, np.uint8).reshape(len(models), -1)
        distances = np.bitwise_count(codes[rows] ^ codes[columns]).sum(1, dtype=np.int64)
        length = 8 * codes.shape[1]
        counts = [np.bincount(distances[some], minlength=length + 1) for some in (other, ~other)]
        found[str(length)] = {"strangers": counts[0].tolist(), "one family": counts[1].tolist()}
        if hasher is hashers[0]:
            order = np.argsort(np.where(other, distances, length), kind="stable")[:NEAREST]
            found["nearest"] = [
                [models[rows[i]].name, models[columns[i]].name, int(distances[i])] for i in order
            ]
    return found


def held_out(models: Sequence[Architecture], networks: Path) -> list[Json]:
    """The same of families that a network was not trained on, for each that retrieval trained."""
    found = []
    for folder in sorted(networks.glob("boosted-minhash-*-seed-*")):
        seed = int(folder.name.rpartition("-")[2])
        files = [folder / f"{bits}.safetensors" for bits in (64, 128, 256)]
        hashers = [BoostedMinhash(weights=str(file)) for file in files if file.exists()]
        some = [model for model in models if side(model.family, seed) == "asked"]
        if hashers:
            counted = {"seed": seed, "networks": len(some), **strangers(some, hashers)}
            found.append({**counted, "schemes": [hasher.scheme for hasher in hashers]})
    return found
