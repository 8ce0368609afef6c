"""A sound TorchScript archive."""

from __future__ import annotations

from pathlib import Path

from hostile.pickles import tensor
from hostile.scripts import archive, instance

OPS = ["Gemm", "Relu"]
WEIGHTS = {"layer.weight": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]}
NET = """
class Net(Module):
  __parameters__ = []
  __buffers__ = []
  layer : __torch__.nn.Linear
  def forward(self: __torch__.Net,
    x: Tensor) -> Tensor:
    layer = self.layer
    return torch.relu((layer).forward(x, ))
"""
LINEAR = """
class Linear(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  in_features : Final[int] = 3
  def forward(self: __torch__.nn.Linear,
    x: Tensor) -> Tensor:
    weight = self.weight
    return torch.linear(x, weight, None)
"""


def small(folder: Path) -> Path:
    """A module in a module, of one tensor."""
    layer = instance("__torch__.nn.Linear", ("weight", tensor()))
    module = instance("__torch__.Net", ("layer", layer))
    return archive(folder, {"__torch__.py": NET, "__torch__/nn.py": LINEAR}, module)
