"""What benchmarks do to a network before they ask for it: changes by name, with their strengths."""

from __future__ import annotations

from assay.graphs import rewrites, variants
from assay.graphs.variants import Change

CHANGES: dict[str, tuple[Change, float]] = {
    "a tenth contracted": (variants.contracted, 0.1),
    "a tenth torn out": (variants.torn, 0.1),
    "first 60 %": (variants.truncated, 0.4),
    "widths x 0.7": (variants.rescaled, 0.7),
    "channels pruned, up to half": (variants.pruned, 0.5),
    "other kernels": (variants.other_kernels, 1.0),
    "other activations": (variants.other_activations, 1.0),
    "a fifth of the blocks less": (variants.shortened, 0.2),
    "a fifth of the blocks more": (variants.deepened, 0.2),
    "a stage removed": (variants.stage_removed, 0.3),
    "another head": (variants.other_head, 0.5),
    "adapters inserted": (variants.inserted, 0.3),
    "spelled out": (rewrites.spelled_out, 0.7),
    "a tenth rewritten": (rewrites.rewritten, 0.1),
}
