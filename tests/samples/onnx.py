"""A sound ONNX file."""

from hostile.building import small

__all__ = ["OPS", "WEIGHTS", "small"]
OPS = ["Relu"]
WEIGHTS: dict[str, list[float]] = {}
