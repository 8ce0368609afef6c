"""All rules of ATen's operators, by name."""

from __future__ import annotations

from assay.vocabularies.torchscript_arithmetic import ARITHMETIC
from assay.vocabularies.torchscript_fills import FILLS
from assay.vocabularies.torchscript_layers import LAYERS, Rule
from assay.vocabularies.torchscript_moves import MOVES
from assay.vocabularies.torchscript_norms import NORMS
from assay.vocabularies.torchscript_quantized import QUANTIZED
from assay.vocabularies.torchscript_recurrent import RECURRENT
from assay.vocabularies.torchscript_sums import SUMS

RULES: dict[str, Rule] = {
    **ARITHMETIC, **FILLS, **LAYERS, **MOVES, **NORMS, **QUANTIZED, **RECURRENT, **SUMS,
}  # fmt: skip
