"""The passes over operators, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from assay.graphs.check_operators import check_operators
from assay.graphs.dequantize import dequantize
from assay.graphs.drop_identities import drop_identities
from assay.graphs.fold_batch_norm import fold_batch_norm
from assay.graphs.inline_bodies import inline_bodies
from assay.graphs.join_moves import join_moves
from assay.graphs.operators import OperatorGraph
from assay.graphs.recognize_activations import recognize_activations
from assay.graphs.recognize_attention import recognize_attention
from assay.graphs.recognize_norms import recognize_norms
from assay.graphs.recognize_pooling import recognize_pooling
from assay.graphs.shapes import fold_shapes
from assay.graphs.spell_alike import spell_alike
from assay.graphs.unfuse import unfuse

PASSES: tuple[Callable[[OperatorGraph], OperatorGraph], ...] = (
    inline_bodies,
    check_operators,
    dequantize,
    unfuse,
    fold_shapes,
    drop_identities,
    spell_alike,
    recognize_activations,
    recognize_norms,
    recognize_pooling,
    recognize_attention,
    drop_identities,
    join_moves,
    fold_batch_norm,
)
