"""More and more weights become values of a codebook, while the rest learns [Ye et al., 2018]."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from assay.derivations import Work
from assay.derivations._shared_values import Codebook, Nearest, Snapped
from assay.running.modules import copy_of, matrices
from assay.running.quantized import compute
from assay.training import Objective, Training

EXTRA = "torch"
_STAGES = 4  # of retraining; in the last only values learn
_SHARE = 0.3  # of the free weights around each value, which become it in the other stages


def snap(
    work: Work,
    child: nn.Module,
    kinds: Mapping[str, Nearest],
    training: Training,
    loss: Objective | None = None,
) -> dict[str, Codebook]:
    """In each stage more of a child's weights become their values; both learn on in a copy.

    Args:
        work: Has the examples.
        child: Ends with all its weights at values, and biases that go with them.
        kinds: By the weight's name; what stands under no mask is zero.
        training: Of each stage.
        loss: By default cross entropy.

    Returns:
        The values, as they have become.
    """
    shared = copy_of(child)
    snapped: dict[str, tuple[Snapped, nn.Parameter]] = {}
    for path, (layer, name) in matrices(shared).items():
        if path in kinds:
            free = getattr(layer, name)
            snapped[path] = Snapped(kinds[path].mask, kinds[path].codebook(free)), free
            compute(layer, name, free, snapped[path][0])
    for stage in range(1, _STAGES + 1):
        for values, free in snapped.values():
            values.take(free, _SHARE if stage < _STAGES else 1.0)
        text = f"stage {stage} of {_STAGES}: values and the weights that are free"
        work.train(shared, work.examples, training, objective=loss, stage=text)
    child.load_state_dict(shared.state_dict(), strict=False)  # biases and normalization
    for path, (values, free) in snapped.items():
        child.get_parameter(path).data.copy_(values(free).detach())
    return {path: values.codebook for path, (values, _) in snapped.items()}
