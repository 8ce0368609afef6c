"""The data set of HNN-Net's Table 1: 21 networks, ten copies each with a tenth of the layers gone.

[§4.1.3.]  The table prints 22 names, one of which is no SqueezeNet; Table 2 fits 21 models only.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from assay.graphs.mutations import delete_layers
from assay.trainers import Sample
from assay.zoo import paper_architectures

DATA = ("raw", "merged")
COPIES, TRAINING_COPIES = 10, 8  # of each model; the originals are not in the data set
SHARE = 0.1  # of the layers, deleted with their edges


def dataset(data: str, models: int = 21, seed: int = 0) -> tuple[list[Sample], list[Sample]]:
    """Training samples and test samples: of each model the first eight copies and the last two.

    Args:
        data: "raw", or "merged" by the rules of §3.2.2; layers are deleted after merging.
        models: how many of Table 1's models, the smallest graphs first; 21 is the paper's set.
        seed: of the deletions.  Each model draws from a generator of its own, so that its copies
            are the same in a smaller data set.
    """
    if data not in DATA:
        raise ValueError(f"data must be one of {DATA}, not {data!r}")
    training, test = [], []
    listed = list(enumerate(paper_architectures()))
    chosen = sorted(sorted(listed, key=lambda pair: len(pair[1].raw.layers))[:models])
    for number, model in chosen:
        rng = np.random.default_rng([seed, number])
        for copy in range(COPIES):
            graph = model.raw if data == "raw" else model.graph
            graph, kept = delete_layers(graph, SHARE, rng)
            part = training if copy < TRAINING_COPIES else test
            part.append(Sample(model.name, model.family, graph, kept))
    return training, test


def digest(samples: list[Sample]) -> str:
    """Changes whenever any of the samples does."""
    return sha256(repr(samples).encode()).hexdigest()[:8]
