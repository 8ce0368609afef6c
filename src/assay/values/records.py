"""What is known of one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.values.codes import HashCode, WeightSketch
from assay.values.layers import Json, LayerGraph

Shapes = tuple[tuple[tuple[int, ...], int], ...]  # sorted sizes, and how many tensors have them


@dataclass(frozen=True, slots=True)
class Record:
    """What a registry keeps of one model, and what is known of a suspect."""

    path: str  # as it was given
    format: str
    sha256: str | None = None  # of the file, or of the list of its files' hashes; None: not read
    name: str = ""
    owner: str | None = None
    added: str | None = None  # ISO 8601, UTC
    code: HashCode | None = None  # None where the file has no graph
    graph: LayerGraph | None = None
    parameters: int = 0  # elements of the model's constant operands
    quality: float = 0.0  # 0 … 1: how much of the graph was understood, and enough to tell apart
    metadata: Mapping[str, Any] = field(default_factory=dict)  # producer, opset, notes …
    predicted: tuple[str, float] | None = None  # the hasher's category and how likely, 0 … 1
    shapes: Shapes = ()  # the tensor-shape signature of its weights
    order: tuple[int, ...] = ()  # the place in ``shapes`` of each tensor, as the file lists them
    sketch: WeightSketch | None = None  # of its weights; None: not asked for, or it has none
    base: bool = False  # a public one: what its children share by it is not reviewed
    parts: tuple[HashCode, ...] | None = None  # codes of its graph's parts; None: not made

    def summary(self) -> Json:
        """The ``suspect`` object of the reports; what is not known may be left out."""
        category, confidence = self.predicted or (None, None)
        return {
            "path": self.path,
            **({} if self.sha256 is None else {"sha256": self.sha256}),
            "format": self.format,
            "code": None if self.code is None else str(self.code),
            "layers": None if self.graph is None else len(self.graph.layers),
            "parameters": self.parameters,
            "quality": self.quality,
            **({} if category is None else {"category": category, "confidence": confidence}),
        }

    def to_json(self) -> Json:
        return {
            **self.summary(),
            "sha256": self.sha256,
            "name": self.name,
            "owner": self.owner,
            "added": self.added,
            "graph": None if self.graph is None else self.graph.to_json(),
            "metadata": dict(self.metadata),
            "shapes": [[list(sizes), count] for sizes, count in self.shapes],
            "order": list(self.order),
            "sketch": None if self.sketch is None else self.sketch.to_json(),
            "base": self.base,
            "parts": None if self.parts is None else [str(code) for code in self.parts],
        }

    @classmethod
    def from_json(cls, data: Json) -> Record:
        code, graph, sketch = data["code"], data["graph"], data.get("sketch")
        parts = data.get("parts")
        return cls(
            path=data["path"],
            format=data["format"],
            sha256=data["sha256"],
            name=data["name"],
            owner=data["owner"],
            added=data["added"],
            code=None if code is None else HashCode.parse(code),
            graph=None if graph is None else LayerGraph.from_json(graph),
            parameters=data["parameters"],
            quality=data["quality"],
            metadata=data["metadata"],
            predicted=(data["category"], data["confidence"]) if "category" in data else None,
            shapes=tuple((tuple(sizes), count) for sizes, count in data.get("shapes", ())),
            order=tuple(data.get("order", ())),
            sketch=None if sketch is None else WeightSketch.from_json(sketch),
            base=data.get("base", False),
            parts=None if parts is None else tuple(map(HashCode.parse, parts)),
        )
