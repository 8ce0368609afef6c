"""A payload in which of some weights are large: it outlives pruning [Kuribayashi et al., 2021–23].

Which weights is drawn from the key.  Of each block of them a few are raised above one threshold and
the others pressed below another, with their signs kept; which ones are large says a symbol.  It is
read without thresholds, and pruning, which takes the small ones, only makes it clearer.  While the
model is tuned, the mark is put back after each step, or drawn there by a hinge in the loss.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import BadData, BadOption, UnfitModel
from assay.training import Optimizer, Training
from assay.values import Json
from assay.watermarks import BITS, TAG, Detection, Watermark, Weights, Work
from assay.watermarks._code import MOST, Code, decoded, picked
from assay.watermarks._fields import DRAWN, tensors, whole
from assay.watermarks._hosts import finite, found, hosts_of, magnitudes, name_in, replaced, size
from assay.watermarks._key import Key
from assay.watermarks._levels import (
    Levels,
    in_order,
    levels_of,
    noted,
    ones_in,
    outlives,
    places,
    read,
    sites_of,
    spots,
    words,
)
from assay.watermarks._tails import log10_tail, summed
from assay.weights.sites import Free, Sites, projected

if TYPE_CHECKING:
    from torch import nn

EXTRA = "watermarks"
_SPARED = 4  # times as many values as a mark has places must be in its host


@dataclass(frozen=True)
class ConstantWeight(Watermark):
    """The host with some weights above T₁ and others below T₀."""

    survive: float = 0.95  # share of a layer, or of the model, whose pruning is outlived
    margin: float = 2.0  # of T₁ over that quantile: against tuning, and against later growth
    code: Code = field(default_factory=Code)  # how symbols are written
    hosts: tuple[str, ...] = ()  # names of the weights that are marked; by default the largest
    hinge: float = 0.0  # weight of the hinge in the loss, λ; 0: put back after each step
    training: Training = field(
        default_factory=lambda: Training(epochs=3, optimizer=Optimizer(rate=0.01))
    )  # options of the loop, where there are data

    reads = "weights"

    def __post_init__(self) -> None:
        if not 0 < self.survive < 1:
            raise BadOption(f"{self.method}: survive must be above 0 and below 1: {self.survive}")
        if self.code.quiet >= self.survive:
            raise BadOption(f"{self.method}: code.quiet must be below survive, {self.survive:g}")
        self.at_least("margin", 1)
        self.at_least("hinge", 0)

    def template(self, weights: Weights, message: int) -> Json:
        blocks = self.code.blocks(message)
        each = -(-blocks // max(1, len(self.hosts)))
        fewest = _SPARED * each * self.code.length
        hosts = hosts_of(weights, self.hosts, fewest)
        code = {"length": self.code.length, "ones": self.code.ones, "blocks": blocks}
        return {"hosts": hosts, **code}

    def validate(self, key: Key) -> None:
        super().validate(key)
        listed = tensors(key.template)
        fewest = max(int(key.template["payload_bytes"]) + TAG, len(listed))
        blocks = whole(key.template, "blocks", least=fewest, most=MOST)
        length = whole(key.template, "length", most=DRAWN // blocks)
        ones = whole(key.template, "ones", most=length)
        try:
            Code(length, ones)
        except BadOption as error:
            raise BadData(f"its fields 'length' and 'ones': {error}") from error
        for number, host in enumerate(listed):
            places = len(range(number, blocks, len(listed))) * length
            if size(host) < places:
                raise BadData(f"its field 'hosts[{number}].shape' has no {places:,} places")

    def plan(self, model: Weights | nn.Module, bits: int = BITS) -> Json:
        from assay.watermarks import _weights

        weights = _weights(model)
        template = self.new_key(weights, bits).template
        blocks, spare = template["blocks"], template["blocks"] - bits // 8 - TAG
        levels, hosts = self.levels(weights, template), []
        every = magnitudes(weights)
        for number, (host, level) in enumerate(zip(template["hosts"], levels, strict=True)):
            values = found(weights, host)
            assert values is not None  # ``new_key`` has found it
            sizes, ones = finite(values), ones_in(template, number)
            hosts.append(
                {
                    "name": host["name"],
                    "weights": sizes.size,
                    "low": level.low,
                    "high": level.high,
                    "deviations": round(level.high / float(values.std()), 3),
                    "outlives": outlives(level.high, sizes, every, ones),
                }
            )
        return {
            "bits": bits,
            "hosts": hosts,
            "positions": blocks * template["length"],
            "ones": blocks * template["ones"],
            "blocks": blocks,
            "blocks_lost": spare,  # that may be, when it is known which
            "blocks_wrong": spare // 2,  # that may be, when it is not known
        }

    def levels(self, weights: Weights, template: Json) -> list[Levels]:
        """Thresholds of each host as the weights are now.  Raises UnfitModel."""
        every, made = magnitudes(weights), []
        for number, host in enumerate(template["hosts"]):
            values = found(weights, host)
            assert values is not None  # ``checked`` has seen to it
            sizes, ones = finite(values).reshape(-1), ones_in(template, number)
            made.append(levels_of(sizes, every, ones, self.code.quiet, self.survive, self.margin))
        return made

    def embed(self, weights: Weights, key: Key, notes: dict[str, Any]) -> Weights:
        hosts = self.checked(weights, key)
        levels = self.levels(weights, key.template)
        made = dict(weights)
        for host, each, level in zip(hosts, spots(key), levels, strict=True):
            name = name_in(weights, host)
            assert name is not None
            values = np.array(weights[name].read(), np.float32)
            flat = values.reshape(-1)
            flat[each.places] = projected(flat[each.places], each.ones, each.bounds(level))
            made = replaced(made, name, values)
        notes["hosts"] = noted(made, key, levels)
        return made

    def tune(self, work: Work) -> nn.Module:
        from assay.watermarks._pulling import tuned

        return tuned(self, work)

    def sites(self, weights: Weights, free: Free, secret: bytes) -> list[Sites]:
        names = self.hosts or (max(free, key=lambda name: int(free[name].sum())),)
        if lacking := [name for name in names if name not in free]:
            raise UnfitModel(f"no mark of copies can lie in {lacking[0]!r}: of {', '.join(free)}")
        template = {
            "hosts": hosts_of(weights, names, self.code.length),
            "length": self.code.length,
            "ones": self.code.ones,
            "blocks": self.code.blocks(BITS // 8 + TAG),
        }
        key = Key(self.method, template, secret)
        places = [np.flatnonzero(free[name]) for name in names]
        return sites_of(key, template, self.levels(weights, template), places)

    def checked(self, weights: Weights, key: Key) -> list[Json]:
        """The key's hosts.  Raises UnfitModel where the model lacks one."""
        hosts: list[Json] = key.template["hosts"]
        hosts_of(weights, [name_in(weights, host) or host["name"] for host in hosts], 1)
        return hosts

    def detect(self, subject: Weights, key: Key) -> Detection:
        sizes = read(subject, key)
        chosen, wanted = picked(sizes, key.template["ones"]), words(key)
        shared = int((chosen & wanted).sum())
        counts = tuple(sorted(Counter(chosen.sum(1).tolist()).items()))
        tail = log10_tail(summed(key.template["length"], key.template["ones"], counts), shared)
        right = int((chosen == wanted).all(1).sum())
        detail = {
            "ones": [shared, int(wanted.sum())],
            "blocks": [right, len(wanted)],
            "hosts": [name_in(subject, host) for host in key.template["hosts"]],
        }
        return Detection(shared / int(wanted.sum()), tail, detail)

    def payload(self, subject: Weights, key: Key) -> bytes | None:
        sizes = in_order(read(subject, key), key)
        sizes = sizes / max(float(sizes.mean()), 1e-30)
        message = key.template["payload_bytes"] + TAG
        said = decoded(
            sizes, key.template["ones"], message, lambda word: key.opened(word) is not None
        )
        return None if said is None else key.opened(said)

    def blinded(self, original: Weights, key: Key) -> Weights:
        """Zeros at all places of the mark, ones or not: what is left does not know which."""
        made = dict(original)
        for host, each in zip(key.template["hosts"], places(key), strict=True):
            name, values = name_in(original, host), found(original, host)
            if name is not None and values is not None:
                values = values.copy()
                values.reshape(-1)[each] = 0
                made = replaced(made, name, values)
        return made
