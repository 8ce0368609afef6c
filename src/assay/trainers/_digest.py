"""What samples are known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from assay.trainers import Sample


def digest(samples: Sequence[Sample]) -> str:
    """Hex, of everything in the samples and their order."""
    result = hashlib.sha256()
    for sample in samples:
        content = [sample.model, sample.category, sample.kept, sample.graph.to_json()]
        result.update(json.dumps(content).encode())
    return result.hexdigest()
