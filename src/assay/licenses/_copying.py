"""Levels made ready for copies that are told apart: what licenses are to bring is taken out.

A mark lies in whole tensors, which no shared file holds: there they are zero.  Its places are among
the weights that every level has, so a copy says the same word at each level.  Levels are made of a
marked model, for a mark moves statistics and accuracies a little; so they are made twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
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
_COPIES = 3  # drawn ones, on which accuracies are measured: the least counts
_STORED = ("float32", "float16", "bfloat16")


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """Where marks will lie, before there are levels of marked models."""

    identity: str  # of the distributable
    sites: tuple[Sites, ...]
    whole: Grade  # the model as it is

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
        return cls(identity, sites, grades[0])

    def sample(self) -> nn.Module:
        """A copy of the model that says what was drawn."""
        own = _tensors(self.whole.module)
        return self._with(self.whole.module, [own[site.name] for site in self.sites], b"sample")

    def made_ready(
        self, grades: Sequence[Grade], files: Sequence[Path], judge: Examples
    ) -> tuple[list[Grade], Ledger]:
        """Levels of ``sample`` as licensees get them; ``files`` then lack what is marked.

        Raises UnfitModel where a file has it in another form.
        """
        own, marked = _tensors(self.whole.module), _tensors(self.sample())
        rows = []
        for number, (file, grade) in enumerate(zip(files, grades, strict=True)):
            tensors, content, row = _tensors(grade.module), file.read_bytes(), list[Held]()
            for site in self.sites:
                values = tensors[site.name]
                held = _held(content, values)
                if held is None and number == 0:  # the original's file, as it is
                    held = _held(content, own[site.name])
                if held is None:
                    raise UnfitModel(f"a level's file has {site.name!r} in another form")
                plain = np.where(values == marked[site.name], own[site.name], values)
                row.append(Held(held.offset, held.dtype, encode(plain, held.dtype)))
            rows.append(tuple(row))
            with file.open("r+b") as stream:
                for held in row:
                    stream.seek(held.offset)
                    stream.write(bytes(len(held.content)))
        ledger = Ledger(self.identity, self.sites, tuple(rows[:-1]))
        found = [
            self._measured(grade, row, judge)
            for grade, row in zip(grades[:-1], ledger.levels, strict=True)
        ]
        unmarked = {**found[0].notes, "unmarked": f"{self.whole.accuracy:.4f}"}
        bare = copy_of(grades[-1].module)
        for site in self.sites:
            bare.state_dict()[site.name].zero_()
        last = grade_of(bare, judge, grades[-1].notes)
        return [replace(found[0], notes=unmarked), *found[1:], last], ledger

    def _measured(self, grade: Grade, row: Sequence[Held], judge: Examples) -> Grade:
        """With the accuracies of what a licensee gets."""
        plain = [held.values(site.shape) for held, site in zip(row, self.sites, strict=True)]
        copies = (
            self._with(grade.module, plain, b"measured %d" % number) for number in range(_COPIES)
        )
        found = [grade_of(each, judge, grade.notes) for each in copies]
        return min(found, key=lambda each: each.accuracy)

    def _with(self, module: nn.Module, plain: Sequence[Array], key: bytes) -> nn.Module:
        """A copy that says the word of a key; ``plain``: its marked tensors without a mark."""
        made, words = copy_of(module), drawn(self.sites, key)
        for site, values, word in zip(self.sites, plain, words, strict=True):
            made.state_dict()[site.name].copy_(torch.from_numpy(site.marked(values, word)))
        return made


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
