"""Running statistics of batch normalizations, taken anew."""

from __future__ import annotations

import torch
from torch import nn

from assay.running.examples import Array
from assay.running.modules import answer, on

EXTRA = "torch"
_BATCH = 64


def recalibrate(module: nn.Module, inputs: Array) -> int:
    """Let batch normalizations have the mean and variance of what reaches them from ``inputs``.

    The module, in evaluation mode, is run on the inputs, (n, …), once: of all batches the plain
    mean.  How many normalizations there are.
    """
    norms = [p for p in module.modules() if isinstance(p, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return 0
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    with torch.no_grad():
        for start in range(0, len(inputs) - 1, _BATCH):  # no batch of a single example
            answer(module, on(module, inputs[start : start + _BATCH]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
    return len(norms)
