"""All rules of ATen's operators, by name."""

from __future__ import annotations

from assay.vocabularies.torchscript.arithmetic import ARITHMETIC
from assay.vocabularies.torchscript.fills import FILLS
from assay.vocabularies.torchscript.layers import LAYERS, Rule
from assay.vocabularies.torchscript.moves import MOVES
from assay.vocabularies.torchscript.norms import NORMS
from assay.vocabularies.torchscript.quantized import QUANTIZED
from assay.vocabularies.torchscript.recurrent import RECURRENT
from assay.vocabularies.torchscript.sums import SUMS

RULES: dict[str, Rule] = {
    **ARITHMETIC, **FILLS, **LAYERS, **MOVES, **NORMS, **QUANTIZED, **RECURRENT, **SUMS,
}  # fmt: skip
