"""Hidden channels in another order [Hecht-Nielsen, 1990]: other tensors, the same function.

Whoever compares tensors position by position sees strangers.  Rows, columns and all that lies
between move together, through sums, concatenations, flattening, and within an attention's heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from assay.derivations import Work
from assay.derivations._disguise import Disguise
from assay.running.channels import by_layer, others, permute, reordering
from assay.running.find_channels import find_channels

EXTRA = "torch"


@dataclass(frozen=True)
class PermuteNeurons(Disguise):
    """The parent with the channels of every hidden layer in a random order; no channel stays."""

    def disguise(self, child: nn.Module, work: Work) -> None:
        groups = find_channels(child, work.example()).groups
        random = np.random.default_rng(work.seed)
        for group in groups:
            permute(child, group, reordering(group.size, random))
        work.notes["channels"] = by_layer((group, group.size) for group in groups)
        work.notes["left"] = others(child, (name for group in groups for name in group.between))
