"""What a training of a hash network goes on from as if it had never stopped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from assay.running.checkpoint import Checkpoint

EXTRA = "torch"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps of each parameter


@dataclass(frozen=True, slots=True)
class State:
    """Network, optimizer and random generator, in the file of their training."""

    network: nn.Module
    optimizer: torch.optim.Adam
    rng: np.random.Generator
    checkpoint: Checkpoint

    def save(self, epochs: int) -> None:
        """Write the state after ``epochs`` epochs, whole or not at all."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            state = self.optimizer.state[parameter]
            tensors |= {f"{moment}.{name}": state[moment] for moment in _MOMENTS}
        self.checkpoint.save({"epochs": epochs, "rng": self.rng.bit_generator.state}, tensors)

    def load(self) -> int:
        """Put the saved state back; how many epochs it has seen, 0 where none is saved.

        Raises BadOption where the file is damaged.
        """
        found = self.checkpoint.load()
        if found is None:
            return 0
        about, tensors = found
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
