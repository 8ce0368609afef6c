"""Levels made ready for copies that are told apart: what licenses are to bring is taken out.

A mark lies in whole tensors, which no shared file holds: there they are zero.  Its places are among
the weights that every level has, so a copy says the same word at each level.  A mark moves
statistics and accuracies a little.  So levels are made twice: first to find the places, and then of
the mean of all copies, each judged on some of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn

from assay.errors import UnfitModel
from assay.keys.signing import SigningKey
from assay.licenses import Grade
from assay.licenses._copies import LARGEST
from assay.licenses._grading import grade_of
from assay.licenses._ledger import Held, Ledger, drawn, sites_key
from assay.running.examples import Examples
from assay.running.modules import copy_of
from assay.weights import Array, Weight
from assay.weights.numbers import encode
from assay.weights.sites import Marks, Sites

EXTRA = "torch"
_SEARCHED = 4  # copies that are drawn to judge each level that is tried
_MEASURED = 8  # others, drawn to tell what levels are
_POINT = 0.01  # of accuracy, by which a copy may differ from what was asked for
_STORED = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Where marks will lie, before there are levels of marked models."""

    identity: str  # of the distributable
    sites: tuple[Sites, ...]
    whole: Grade  # the model as it is
    own: tuple[Array, ...]  # its marked tensors
    means: tuple[Array, ...]  # the same, over all copies

    @classmethod
    def planned(
        cls, trace: Marks, grades: Sequence[Grade], owner: SigningKey, original: Path | None
    ) -> Self:
        """Of a model whose levels are known.

        Raises UnfitModel where it has no room for such a mark.
        """
        levels = [_tensors(grade.module) for grade in grades[:-1]]
        free = {
            name: np.all([level[name] != 0 for level in levels], axis=0).reshape(-1)
            for name, values in levels[0].items()
            if values.ndim > 1 and 1 < values.size <= LARGEST // 4
        }
        if original is not None:
            content = original.read_bytes()
            free = {n: each for n, each in free.items() if _held(content, levels[0][n])}
        if not free:
            raise UnfitModel(
                "no weight of two axes or more lies in its file as it is computed with, in at most"
                f" {LARGEST:,} bytes: a license brings no more"
            )
        weights = {
            name: Weight(name, values.shape, "float32", partial(np.asarray, values))
            for name, values in levels[0].items()
        }
        identity = secrets.token_hex(32)
        sites = tuple(trace.sites(weights, free, sites_key(owner, identity)))
        if sum(4 * weights[site.name].size for site in sites) > LARGEST:
            raise UnfitModel(f"the marked tensors together take more than {LARGEST:,} bytes")
        own = tuple(levels[0][site.name] for site in sites)
        means = tuple(map(_mean, sites, own))
        return cls(identity, sites, grades[0], own, means)

    def base(self) -> nn.Module:
        """The model that levels are made of: at the marks' places the mean over all words.

        So what levels have of it, such as running statistics, favors no licensee.
        """
        made = copy_of(self.whole.module)
        for site, values in zip(self.sites, self.means, strict=True):
            made.state_dict()[site.name].copy_(torch.from_numpy(values))
        return made

    def searched(self, level: nn.Module) -> Iterator[nn.Module]:
        """Copies of a level, by which it is told whether that is met; each in the one before."""
        return self._drawn(level, self._plain(level), b"searched", _SEARCHED)

    def made_ready(
        self,
        grades: Sequence[Grade],
        files: Sequence[Path],
        judge: Examples,
        targets: Sequence[float] = (),
    ) -> tuple[list[Grade], Ledger]:
        """Levels of ``base`` as licensees get them; ``files`` then lack what is marked.

        ``targets``: the accuracies that were asked for.  Raises UnfitModel where a file has what
        is marked in another form.
        """
        rows = []
        for number, (file, grade) in enumerate(zip(files, grades, strict=True)):
            tensors, content, row = _tensors(grade.module), file.read_bytes(), list[Held]()
            own = zip(self.sites, self.own, self._plain(grade.module), strict=True)
            for site, whole, plain in own:
                held = _held(content, tensors[site.name])
                if held is None and number == 0:  # the original's file, as it is
                    held = _held(content, whole)
                if held is None:
                    raise UnfitModel(f"a level's file has {site.name!r} in another form")
                row.append(Held(held.offset, held.dtype, encode(plain, held.dtype)))
            rows.append(tuple(row))
            with file.open("r+b") as stream:
                for held in row:
                    stream.seek(held.offset)
                    stream.write(bytes(len(held.content)))
        ledger = Ledger(self.identity, self.sites, tuple(rows[:-1]))
        wanted = [None, *targets, *[None] * len(grades)]
        found = [
            self._measured(grade, row, judge, target)
            for grade, row, target in zip(grades[:-1], ledger.levels, wanted, strict=False)
        ]
        unmarked = {**found[0].notes, "unmarked": f"{self.whole.accuracy:.4f}"}
        bare = copy_of(grades[-1].module)
        for site in self.sites:
            bare.state_dict()[site.name].zero_()
        last = grade_of(bare, judge, grades[-1].notes)
        return [replace(found[0], notes=unmarked), *found[1:], last], ledger

    def _measured(
        self, grade: Grade, row: Sequence[Held], judge: Examples, target: float | None
    ) -> Grade:
        """With the mean accuracy of what licensees get, and how far from ``target`` some are."""
        plain = [held.values(site.shape) for held, site in zip(row, self.sites, strict=True)]
        copies = self._drawn(grade.module, plain, b"measured", _MEASURED)
        found = [grade_of(each, judge, grade.notes) for each in copies]
        shares = [each.accuracy for each in found]
        mean = float(np.mean(shares))
        notes = min(found, key=lambda each: abs(each.accuracy - mean)).notes
        notes = {**notes, "copies": f"{min(shares):.4f} to {max(shares):.4f}"}
        if target is not None:
            most = max(abs(share - target) for share in shares)
            if most > _POINT:
                notes["missed"] = f"{target:g} by up to {most:.4f}"
        return Grade(grade.module, mean, notes)

    def _plain(self, module: nn.Module) -> list[Array]:
        """The marked tensors of a level of ``base`` without a mark."""
        tensors = _tensors(module)
        values = [tensors[site.name] for site in self.sites]
        rows = zip(values, self.own, self.means, strict=True)
        return [np.where(level == mean, own, level) for level, own, mean in rows]

    def _drawn(
        self, module: nn.Module, plain: Sequence[Array], purpose: bytes, count: int
    ) -> Iterator[nn.Module]:
        """Copies that say words that are drawn; ``plain``: their marked tensors without a mark."""
        made = copy_of(module)
        for number in range(count):
            words = drawn(self.sites, purpose + b" %d" % number)
            for site, values, word in zip(self.sites, plain, words, strict=True):
                made.state_dict()[site.name].copy_(torch.from_numpy(site.marked(values, word)))
            yield made


def _mean(site: Sites, values: Array) -> Array:
    """Of all copies of a tensor."""
    ones = np.ones(site.places.shape, np.bool_)
    share = site.ones / site.places.shape[1]
    found: Array = share * site.marked(values, ones) + (1 - share) * site.marked(values, ~ones)
    return found.astype(np.float32)


def _held(content: bytes, values: Array) -> Held | None:
    """Where a file has a tensor as it is, once."""
    for dtype in _STORED:
        stored = encode(values, dtype)
        at = content.find(stored)
        if at >= 0 and content.find(stored, at + 1) < 0:
            return Held(at, dtype, stored)
    return None


def _tensors(module: nn.Module) -> Mapping[str, Array]:
    return {
        name: tensor.detach().float().numpy(force=True)
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point()
    }
