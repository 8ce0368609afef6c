"""Every operator that a network may have, and which of its inputs are numbers and not tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.graphs.operators import Operator
from assay.graphs.operators import Tensor as Known
from assay.running.network.elementwise import DTYPES, ELEMENTWISE, Function, Numbers
from assay.running.network.moves import MOVES
from assay.running.network.norms import NORMS
from assay.running.network.quantized import QUANTIZED
from assay.running.network.recurrent import RECURRENT
from assay.running.network.reductions import REDUCTIONS
from assay.running.network.resize import RESIZING
from assay.running.network.sequences import SEQUENCES
from assay.running.network.sizes import whole
from assay.running.network.windows import WINDOWS

EXTRA = "torch"


def _filled(node: Operator, shape: Numbers) -> Tensor:
    value = node.attributes.get("value")
    fill = value.value if isinstance(value, Known) and value.value is not None else None
    number = 0.0 if fill is None else fill.reshape(-1)[0].item()
    dtype = DTYPES[value.dtype] if isinstance(value, Known) else torch.float32
    return torch.full(whole(shape), number, dtype=dtype)


def _range(node: Operator, start: Numbers, limit: Numbers, step: Numbers) -> Tensor:
    return torch.arange(start.reshape(-1)[0], limit.reshape(-1)[0], step.reshape(-1)[0])


def _eye(node: Operator, x: Tensor) -> Tensor:
    ones = torch.ones(x.shape[0], x.shape[1], dtype=DTYPES[node.integer("dtype", 1)])
    k = node.integer("k", 0)
    return torch.triu(torch.tril(ones, k), k)


_MADE: dict[str, Function] = {"ConstantOfShape": _filled, "Range": _range, "EyeLike": _eye}

FUNCTIONS: dict[str, Function] = {
    **ELEMENTWISE,
    **MOVES,
    **REDUCTIONS,
    **WINDOWS,
    **NORMS,
    **QUANTIZED,
    **RESIZING,
    **RECURRENT,
    **SEQUENCES,
    **_MADE,
}

_AXES = dict.fromkeys((name for name in REDUCTIONS if name.startswith("Reduce")), (1,))
# Places of inputs that are read as numbers, because they say what is done and not to what.
NUMBERS: dict[str, tuple[int, ...]] = {
    **_AXES,
    "Reshape": (1,),
    "Squeeze": (1,),
    "Unsqueeze": (1,),
    "Split": (1,),
    "SplitToSequence": (1,),
    "SequenceAt": (1,),
    "Slice": (1, 2, 3, 4),
    "Pad": (1, 2, 3),
    "Expand": (1,),
    "Tile": (1,),
    "Trilu": (1,),
    "Clip": (1, 2),
    "TopK": (1,),
    "CumSum": (1,),
    "CumProd": (1,),
    "OneHot": (1, 2),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "ConstantOfShape": (0,),
    "Range": (0, 1, 2),
}
