"""A sound file of ``torch.save``."""

from hostile.pickles import sound as small

__all__ = ["OPS", "WEIGHTS", "small"]
OPS = None
WEIGHTS = {"weight": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]}
