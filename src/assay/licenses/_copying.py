"""Levels made ready for copies that are told apart: what licenses are to bring is taken out.

A mark lies in whole tensors, which no shared file holds: there they are zero.  Its places are among
the weights that every level has, so a copy says the same word at each level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from assay.errors import UnfitModel
from assay.keys.signing import SigningKey
from assay.licenses import Grade
from assay.licenses._copies import LARGEST
from assay.licenses._ledger import Held, Ledger, drawn, sites_key
from assay.running.examples import Examples
from assay.running.modules import accuracy, copy_of
from assay.weights import Array, Weight
from assay.weights.numbers import encode
from assay.weights.sites import Marks

EXTRA = "torch"
_TRIED = 32  # tensors, the largest first, that a mark may be put into
_COPIES = 3  # drawn ones, on which accuracies are measured: the least counts
_STORED = ("float32", "float16", "bfloat16")


def made_ready(
    trace: object,
    grades: Sequence[Grade],
    files: Sequence[Path],
    owner: SigningKey,
    identity: str,
    judge: Examples,
) -> tuple[list[Grade], Ledger]:
    """Levels as licensees get them, and what the owner keeps; ``files`` lack what is marked then.

    Raises UnfitModel where the method has no marks of copies, or the model has no room for one.
    """
    if not isinstance(trace, Marks):
        name = getattr(trace, "method", trace)
        raise UnfitModel(
            f"{name}: its marks are not told weight by weight, as those of copies must be: they"
            " change shapes, or are trained"
        )
    whole = _tensors(grades[0].module)
    found = [
        _held(file, _tensors(grade.module), whole)
        for file, grade in zip(files, grades, strict=True)
    ]
    free = {
        name: np.all([_tensors(grade.module)[name] != 0 for grade in grades[:-1]], 0).reshape(-1)
        for name in whole
        if all(name in each for each in found)
    }
    if not free:
        raise UnfitModel(
            "no weight of two axes or more lies as it is in every level's file, in at most"
            f" {LARGEST:,} bytes: a license has no more room"
        )
    weights = {
        name: Weight(name, values.shape, "float32", partial(np.asarray, values))
        for name, values in whole.items()
    }
    sites = tuple(trace.sites(weights, free, sites_key(owner, identity)))
    rows = [tuple(each[site.name] for site in sites) for each in found]
    if max(sum(len(held.content) for held in row) for row in rows) > LARGEST:
        raise UnfitModel(f"the marked tensors together take more than {LARGEST:,} bytes")
    for file, row in zip(files, rows, strict=True):
        with file.open("r+b") as stream:
            for held in row:
                stream.seek(held.offset)
                stream.write(bytes(len(held.content)))
    ledger = Ledger(identity, sites, tuple(rows[:-1]))
    measured = [_measured(grade, ledger, judge) for grade in grades[:-1]]
    return [*measured, _emptied(grades[-1], ledger, judge)], ledger


def _held(file: Path, tensors: Mapping[str, Array], whole: Mapping[str, Array]) -> dict[str, Held]:
    """Where a file has those tensors that a license can bring, as they are."""
    matrices = [n for n, values in whole.items() if values.ndim > 1 and values.size > 1]
    largest = sorted(matrices, key=lambda name: -whole[name].size)
    content, found = file.read_bytes(), {}
    for name in largest:
        for dtype in _STORED:
            values = encode(tensors[name], dtype)
            at = content.find(values) if len(values) <= LARGEST else -1
            if at >= 0 and content.find(values, at + 1) < 0:
                found[name] = Held(at, dtype, values)
                break
        if len(found) == _TRIED:
            break
    return found


def _measured(grade: Grade, ledger: Ledger, judge: Examples) -> Grade:
    """With the accuracy of what a licensee gets."""
    found = []
    for number in range(_COPIES):
        made, words = copy_of(grade.module), drawn(ledger.sites, b"measured %d" % number)
        state = made.state_dict()
        for site, word in zip(ledger.sites, words, strict=True):
            values = site.marked(state[site.name].float().numpy(force=True), word)
            state[site.name].copy_(torch.from_numpy(values))
        found.append(accuracy(made, judge))
    notes = {**grade.notes, "unmarked": f"{grade.accuracy:.4f}"}
    return replace(grade, accuracy=min(found), notes=notes)


def _emptied(grade: Grade, ledger: Ledger, judge: Examples) -> Grade:
    """As it is for all, without what licenses bring."""
    made = copy_of(grade.module)
    for site in ledger.sites:
        made.state_dict()[site.name].zero_()
    return replace(grade, module=made, accuracy=accuracy(made, judge))


def _tensors(module: nn.Module) -> dict[str, Array]:
    return {
        name: tensor.detach().float().numpy(force=True)
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point()
    }
