"""Tuning on examples with trigger pictures among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from assay.errors import BadData
from assay.running.modules import on
from assay.running.predictors import predictor
from assay.training import Around, Batch
from assay.watermarks import Work
from assay.watermarks._key import Key
from assay.watermarks._marking import trained

if TYPE_CHECKING:
    from assay.watermarks.adi import Adi

EXTRA = "torch"


class Mixed(Around):
    """Cross entropy of each batch together with the next trigger pictures, all weighed alike."""

    def __init__(self, method: Adi, module: nn.Module, key: Key) -> None:
        from assay.watermarks.adi import labels, pictures

        super().__init__(None)
        self.name, self.count = key.digest + key.payload.hex(), method.mixed
        self.pictures = on(module, pictures(key))  # (n, …)
        self.labels = on(module, labels(key))  # (n,)
        self.next = torch.zeros((), dtype=torch.int64)  # how many were shown

    def __repr__(self) -> str:
        return f"Mixed({self.count}, {self.name})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        if not module.training or batch.labels is None:  # held-out examples stand for themselves
            return super().loss(module, batch)
        rows = (torch.arange(self.count) + self.next) % len(self.labels)
        self.next += self.count
        return super().loss(
            module,
            Batch(
                torch.cat([batch.inputs, self.pictures[rows]]),
                torch.cat([batch.labels, self.labels[rows]]),
                batch.rows,
            ),
        )

    def tensors(self) -> Mapping[str, Tensor]:
        return {**super().tensors(), "next": self.next}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        super().restore(tensors)
        self.next.copy_(tensors["next"])


def tuned(method: Adi, work: Work) -> nn.Module:
    """The model, tuned until the training ends; how many triggers it knows is noted."""
    own, asked = [*work.data.inputs.shape[1:]], work.key.template["shape"]
    if own != asked:
        raise BadData(f"examples of shape {own}, and the key's trigger pictures have {asked}")
    trained(work, method.training, Mixed(method, work.module, work.key))
    work.notes |= method.detect(predictor(work.module), work.key).detail
    return work.module
