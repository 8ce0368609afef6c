"""The state of a training in one file, from which it goes on as if it had never stopped.

A file's name is made of what decides the training, so that trainings with other options, data or
seeds have files of their own in one folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from assay.durable import write_whole
from assay.errors import BadOption
from assay.values import Json

EXTRA = "torch"


class Checkpoint:
    """The file of one training; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, training: str) -> None:
        """``training`` spells out all that decides the result."""
        self.training = training
        name = hashlib.sha256(training.encode()).hexdigest()[:16]
        self.file = folder / f"checkpoint-{name}.safetensors" if folder else None

    def save(self, about: Json, tensors: Mapping[str, Tensor]) -> None:
        """Write the state, whole or not at all.  Raises OSError."""
        if self.file is not None:
            text = json.dumps({**about, "training": self.training})
            whole = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, save(whole, {"assay": text}))

    def load(self) -> tuple[Json, dict[str, Tensor]] | None:
        """What was saved last; None where nothing was.  Raises BadOption where it is damaged."""
        if self.file is None or not self.file.exists():
            return None
        try:
            with safe_open(self.file, "pt") as stored:
                about: Json = json.loads(stored.metadata()["assay"])
                return about, {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise BadOption(f"{self.file}: is damaged; remove it to start anew") from error
