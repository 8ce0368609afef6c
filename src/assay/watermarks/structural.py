"""A payload in how many channels each layer has left [Zhao, Yao, Wu and Zhang, 2021].

Channels are pruned at rates that say the payload: quantization-index modulation of the rate, with
a step that tolerates some channels more or fewer.  Whatever keeps the architecture keeps the mark.
Of a suspect only numbers of channels are read: shapes, and which channels do nothing.  A layer that
lost none says nothing, so an unmarked model has no mark.  The template has the original's numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.errors import BadOption, UnfitModel
from assay.training import Training
from assay.values import Json
from assay.watermarks import BITS, TAG, Detection, Needs, Watermark, Weights, Work
from assay.watermarks._hosts import matrices
from assay.watermarks._idle import active
from assay.watermarks._key import Key
from assay.watermarks._layers import validate
from assay.watermarks._quantizing import (
    agreeing,
    bins,
    capacity,
    log10_whole,
    removed,
    said,
    symbol_of,
    tag_bits,
    wanted,
)
from assay.watermarks._structure import Channels, Structure, counts, skeleton
from assay.watermarks._tails import log10_tail

if TYPE_CHECKING:
    from torch import nn

    from assay.running.examples import Examples

EXTRA = "watermarks"


@dataclass(frozen=True)
class Structural(Watermark):
    """The model with fewer channels in each layer; how many fewer is the mark."""

    tolerance: int = 1  # channels that a thief may take from each layer, or add
    least: float = 0.1  # share of a layer's channels that go, at the least …
    most: float = 0.7  # … and at the most
    layers: tuple[str, ...] = ()  # names of weights whose channels may go; by default all that can
    training: Training | None = None  # of what is left; by default none

    reads = "structure"

    def __post_init__(self) -> None:
        if self.tolerance < 0:
            raise BadOption(f"{self.method}: tolerance must be 0 or more: {self.tolerance}")
        if not 0 <= self.least < self.most < 1:
            raise BadOption(
                f"{self.method}: least and most must be rates, the smaller first:"
                f" {self.least:g}, {self.most:g}"
            )

    @property
    def needs(self) -> Needs:
        return "inputs" if self.training is None else "labels"

    def described(self, module: nn.Module, data: Examples) -> Weights:
        from assay.watermarks._removing import structure

        return structure(module, data)

    def template(self, weights: Weights, message: int) -> Json:
        step = 2 * self.tolerance + 1
        layers = []
        for group in self._groups(weights):
            channels = weights[group.rows[0]].shape[0]
            first, symbols = bins(channels, step, self.least, self.most)
            if symbols > 1:
                layers.append(
                    {
                        "rows": list(group.rows),
                        "columns": [list(each) for each in group.columns],
                        "channels": channels,
                        "first": first,
                        "symbols": symbols,
                    }
                )
        tag = tag_bits(layers, 8 * (message - TAG), step)
        return {"layers": layers, "step": step, "tag_bits": tag, "skeleton": skeleton(weights)}

    def plan(self, model: Weights | nn.Module, bits: int = BITS) -> Json:
        return planned(self.new_key(model, bits).template)

    def tune(self, work: Work) -> nn.Module:
        from assay.watermarks._removing import tuned

        return tuned(self, work)

    def validate(self, key: Key) -> None:
        super().validate(key)
        validate(key.template)

    def readings(self, subject: Any, key: Key) -> dict[str, Any]:
        there = active(subject, key.template)
        if there == counts(subject, key.template):
            return {}
        return {"without channels that do nothing": there}

    def detect(self, subject: Any, key: Key) -> Detection:
        there, layers = self._counts(subject, key), key.template["layers"]
        symbols = self._symbols(there, key)
        readable = tuple(
            layer["symbols"]
            for layer, symbol in zip(layers, symbols, strict=True)
            if symbol is not None
        )
        pairs = zip(symbols, wanted(key), strict=True)
        right = sum(symbol == own for symbol, own in pairs)
        detail = {
            "symbols": [right, len(layers)],
            "hosts": [
                None if count is None else layer["rows"][0]
                for layer, count in zip(layers, there, strict=True)
            ],
            "channels": there,
            "limit": "a structure can be copied without any weight of the marked model",
        }
        return Detection(right / len(layers), log10_tail(agreeing(readable), right), detail)

    def payload(self, subject: Any, key: Key) -> bytes | None:
        return said(self._symbols(self._counts(subject, key), key), key)

    def _groups(self, weights: Weights) -> list[Channels]:
        """Those that may be marked.  Raises UnfitModel."""
        if not isinstance(weights, Structure):
            if not self.layers:
                raise UnfitModel(
                    "which channels go together is not in weights alone: give a module and"
                    " examples, or a file with a graph; or name layers"
                )
            known = matrices(weights)
            groups = [Channels((name,)) for name in self.layers if name in known]
        else:
            groups = [
                group
                for group in weights.groups
                if not self.layers or {*self.layers} & {*group.rows}
            ]
        there = {name for group in groups for name in group.rows}
        for name in self.layers:
            if name not in there:
                raise UnfitModel(f"no weight {name!r} whose channels could be removed")
        return groups

    def _counts(self, subject: Any, key: Key) -> list[int | None]:
        return subject if isinstance(subject, list) else counts(subject, key.template)

    def _symbols(self, there: list[int | None], key: Key) -> list[int | None]:
        pairs = zip(key.template["layers"], there, strict=True)
        return [symbol_of(layer, count, key.template["step"]) for layer, count in pairs]


def planned(template: Json) -> Json:
    """What a mark of a template is, for a person."""
    layers, step = template["layers"], template["step"]
    return {
        "bits": 8 * template["payload_bytes"],
        "tag_bits": template["tag_bits"],
        "capacity": capacity(layers),
        "log10_false_alarm": round(log10_whole(layers), 1),
        "tolerance": step // 2,
        "hosts": [
            {
                "name": layer["rows"][0],
                "channels": layer["channels"],
                "left_at_least": layer["channels"] - removed(layer, layer["symbols"] - 1, step),
                "left_at_most": layer["channels"] - removed(layer, 0, step),
                "symbols": layer["symbols"],
            }
            for layer in layers
        ],
    }
