"""The values that flow through the library: frozen, compared by value, JSON in and out.

LayerGraph → HashCode → Match → Evidence → Kin → Report, and Record, what a registry keeps.

Every value has ``to_json`` (plain dicts, lists and numbers), and what is stored has ``from_json``,
with ``from_json(x.to_json()) == x``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from assay.errors import AssayError, SchemeMismatch

Json = dict[str, Any]
Attribute = int | float | str | tuple[int, ...]
Shapes = tuple[tuple[tuple[int, ...], int], ...]  # sorted sizes, and how many tensors have them


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator, or several merged into one, and what it costs for one input."""

    op: str  # ONNX's name; merged ones are joined, "Conv+Relu"
    shape: tuple[int, ...] | None  # of the first output, batch first; None where unknown
    macs: int = 0  # multiply-accumulates
    parameters: int = 0  # elements of its constant operands
    attributes: tuple[tuple[str, Attribute], ...] = ()  # by name: kernel_shape, strides, group …

    def to_json(self) -> list[Any]:
        shape = None if self.shape is None else list(self.shape)
        return [self.op, shape, self.macs, self.parameters, dict(self.attributes)]

    @classmethod
    def from_json(cls, data: list[Any]) -> Layer:
        op, shape, macs, parameters, attributes = data
        pairs = ((k, tuple(v) if isinstance(v, list) else v) for k, v in attributes.items())
        return cls(
            op, None if shape is None else tuple(shape), macs, parameters, tuple(sorted(pairs))
        )


@dataclass(frozen=True, slots=True)
class LayerGraph:
    """A model's n layers and e directed edges, after the graph rules that ``rules`` names."""

    layers: tuple[Layer, ...]  # (n)
    edges: tuple[tuple[int, int], ...]  # (e) pairs (source, target), indices into layers, sorted
    rules: str  # "g1": version 1 of the graph rules, merged; "g1-raw": not merged

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Elements of all constant operands."""
        return sum(layer.parameters for layer in self.layers)

    def to_json(self) -> Json:
        return {
            "rules": self.rules,
            "layers": [layer.to_json() for layer in self.layers],
            "edges": [list(edge) for edge in self.edges],
        }

    @classmethod
    def from_json(cls, data: Json) -> LayerGraph:
        return cls(
            tuple(Layer.from_json(layer) for layer in data["layers"]),
            tuple((source, target) for source, target in data["edges"]),
            data["rules"],
        )


@dataclass(frozen=True, slots=True)
class HashCode:
    """The perceptual hash of a model: near codes, near models.

    Codes of the same scheme subtract to their Hamming distance.  The scheme names everything
    that decides the bits, so a stored code never loses its meaning.  ``parse(str(c)) == c``.
    """

    scheme: str  # e.g. "weisfeiler-lehman-64+g1": method, bits, graph rules
    digest: bytes

    def __len__(self) -> int:
        """Bits."""
        return 8 * len(self.digest)

    def __sub__(self, other: HashCode) -> int:
        """Hamming distance in bits.  Raises SchemeMismatch where the schemes differ."""
        if self.scheme != other.scheme or len(self) != len(other):
            raise SchemeMismatch(
                f"cannot compare {self.scheme} with {other.scheme}: hash both models with one"
                " scheme (assay rehash does it for a registry)"
            )
        return (int.from_bytes(self.digest) ^ int.from_bytes(other.digest)).bit_count()

    def __str__(self) -> str:
        return f"{self.scheme}:{self.digest.hex()}"

    @classmethod
    def parse(cls, text: str) -> HashCode:
        """Inverse of ``str``.  Raises AssayError where the text is not ``scheme:hex``."""
        scheme, _, digits = text.rpartition(":")
        try:
            digest = bytes.fromhex(digits)
        except ValueError:
            digest = b""
        if not (scheme and digest and digest.hex() == digits):
            raise AssayError(f"not a hash code: {text!r}: expected 'scheme:hex'")
        return cls(scheme, digest)


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """A lead: a registered code at some distance from the one searched for; nearest sorts first."""

    distance: int  # bits
    key: int  # the registry's number of the model


class Relation(IntEnum):
    """What the evidence supports about two models, weakest first; JSON says ``same-family``."""

    UNRELATED = 0
    SAME_FAMILY = 1
    SAME_ARCHITECTURE = 2
    COMMON_ANCESTOR = 3
    DERIVED = 4
    SAME_MODEL = 5
    IDENTICAL = 6

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, text: str) -> Relation:
        """Inverse of ``str``.  Raises AssayError for another word."""
        for relation in cls:
            if str(relation) == text:
                return relation
        raise AssayError(f"no relation {text!r}: one of {', '.join(map(str, cls))}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one method found.  A larger score is always stronger evidence."""

    method: str  # repr of the method: its name and every option, enough to run it again
    score: float
    log10_false_alarm: float | None  # of such a score between independent models; None: unknown
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> Json:
        return {
            "method": self.method,
            "score": self.score,
            "log10_false_alarm": self.log10_false_alarm,
            "detail": dict(self.detail),
        }


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
        }

    @classmethod
    def from_json(cls, data: Json) -> Record:
        code, graph = data["code"], data["graph"]
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
        )


@dataclass(frozen=True, slots=True)
class Kin:
    """A registered model, and the evidence that ties the suspect to it."""

    record: Record
    relation: Relation
    evidence: tuple[Evidence, ...]  # strongest first

    @property
    def score(self) -> float:
        """Score of the strongest evidence."""
        return self.evidence[0].score if self.evidence else 0.0

    @property
    def log10_false_alarm(self) -> float | None:
        """That of the strongest evidence."""
        return self.evidence[0].log10_false_alarm if self.evidence else None

    def to_json(self) -> Json:
        return {
            "name": self.record.name,
            "path": self.record.path,
            "owner": self.record.owner,
            "sha256": self.record.sha256,
            "relation": str(self.relation),
            "score": self.score,
            "log10_false_alarm": self.log10_false_alarm,
            "evidence": [evidence.to_json() for evidence in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to ``check``: the suspect, its kin best first, and the strongest relation."""

    suspect: Record
    matches: tuple[Kin, ...]

    @property
    def verdict(self) -> Relation:
        """The strongest relation that the evidence supports."""
        return max((kin.relation for kin in self.matches), default=Relation.UNRELATED)

    @property
    def needs_review(self) -> bool:
        """Whether some weights seem to be shared: common-ancestor or more."""
        return self.verdict >= Relation.COMMON_ANCESTOR

    def to_json(self) -> Json:
        return {
            "suspect": self.suspect.summary(),
            "verdict": str(self.verdict),
            "matches": [kin.to_json() for kin in self.matches],
        }
