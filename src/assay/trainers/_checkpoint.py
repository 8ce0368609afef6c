"""The state of a training in one file, from which it goes on as if it had never stopped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from assay.durable import write_whole
from assay.errors import BadOption

EXTRA = "torch"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps of each parameter


class Checkpoint:
    """Saves network, optimizer and random generator; ``folder`` None saves nothing."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Adam,
        rng: np.random.Generator,
        training: str,
        folder: Path | None,
    ) -> None:
        self.network, self.optimizer, self.rng, self.training = network, optimizer, rng, training
        name = hashlib.sha256(training.encode()).hexdigest()[:16]
        self.file = folder / f"checkpoint-{name}.safetensors" if folder else None

    def save(self, epochs: int) -> None:
        """Write the state after ``epochs`` epochs, whole or not at all."""
        if self.file is None:
            return
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            state = self.optimizer.state[parameter]
            tensors |= {f"{moment}.{name}": state[moment] for moment in _MOMENTS}
        about = {"epochs": epochs, "training": self.training, "rng": self.rng.bit_generator.state}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.file, save(tensors, {"assay": json.dumps(about)}))

    def load(self) -> int:
        """Put the saved state back; how many epochs it has seen, 0 where none is saved.

        Trainings with other options or models have files of their own.  Raises BadOption where the
        file is damaged.
        """
        if self.file is None or not self.file.exists():
            return 0
        try:
            with safe_open(self.file, "pt") as stored:
                about = json.loads(stored.metadata()["assay"])
                names = stored.keys()
                tensors: dict[str, Tensor] = {name: stored.get_tensor(name) for name in names}
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise BadOption(f"{self.file}: is damaged; remove it to start anew") from error
        prefix = "network."
        self.network.load_state_dict(
            {key.removeprefix(prefix): v for key, v in tensors.items() if key.startswith(prefix)}
        )
        for name, parameter in self.network.named_parameters():
            self.optimizer.state[parameter] = {
                moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS
            }
        self.rng.bit_generator.state = about["rng"]
        return int(about["epochs"])
