"""How well a hasher tells models apart, by their codes and those of damaged copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.hashers import Hasher
from assay.trainers import Sample
from assay.zoo.retrieval import Bits, bit_entropy, distinct_codes, hamming


@dataclass(frozen=True)
class Judgment:
    """How well codes tell models apart."""

    distinct_codes: int
    bit_entropy: float  # mean over bits: 1 where each is set in half of the codes
    own_nearest: float  # share of copies to which their own model is nearest; ties count in part


def judged(hasher: Hasher, models: Sequence[Sample], copies: Sequence[Sample]) -> Judgment:
    """Judge the codes of different models, and of copies of them that were not trained on."""
    known, found = _codes(hasher, models), 0.0
    own = {sample.model: number for number, sample in enumerate(models)}
    for copy, code in zip(copies, _codes(hasher, copies), strict=True):
        (distances,) = hamming(code[None], known)
        nearest = distances == distances.min()
        found += float(nearest[own[copy.model]] / nearest.sum())
    share, entropy = round(found / len(copies), 4), round(bit_entropy(known), 4)
    return Judgment(distinct_codes(known), entropy, share)


def _codes(hasher: Hasher, samples: Sequence[Sample]) -> Bits:
    digests = [np.frombuffer(hasher.digest(sample.graph), np.uint8) for sample in samples]
    return np.unpackbits(np.stack(digests), axis=1).astype(bool)  # (s, bits)
