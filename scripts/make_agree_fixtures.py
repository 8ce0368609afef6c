"""Makes tests/fixtures/agree: two small networks, each in many formats, with the same weights.

Usage: python scripts/make_agree_fixtures.py keras|torch|pack [FOLDER]

``keras`` needs TensorFlow and Keras (made with 2.21.0 and 3.15.1), ``torch`` needs PyTorch, onnx
and safetensors (made with 2.13.0, 1.23.2 and 0.8.0): each writes the formats of its framework.
The weights are drawn from a seed, by NumPy, so both have the same.  ``pack``, at the end, puts
those that are large into one archive.

``cnn``: convolution, normalization, depthwise and pointwise convolution, average, dense layer.
``attention``: a transformer's block of two heads, then a dense layer.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures" / "agree"
LARGE = ("attention.h5", "attention.keras", "*.pt2", "*.saved_model")  # are packed
SEED = 0
CLASSES, LENGTH, WIDTH, HEADS = 5, 6, 12, 2
EPSILON = 1e-3
SHAPES: Mapping[str, Mapping[str, tuple[int, ...]]] = {  # output, input, space
    "cnn": {
        "conv.weight": (8, 3, 3, 3),
        **{f"norm1.{part}": (8,) for part in ("weight", "bias", "running_mean", "running_var")},
        "depthwise.weight": (8, 1, 3, 3),
        **{f"norm2.{part}": (8,) for part in ("weight", "bias", "running_mean", "running_var")},
        "pointwise.weight": (12, 8, 1, 1),
        "pointwise.bias": (12,),
        "dense.weight": (CLASSES, 12),
        "dense.bias": (CLASSES,),
    },
    "attention": {
        "norm1.weight": (WIDTH,),
        "norm1.bias": (WIDTH,),
        **{f"{part}.weight": (WIDTH, WIDTH) for part in ("query", "key", "value", "project")},
        **{f"{part}.bias": (WIDTH,) for part in ("query", "key", "value", "project")},
        "norm2.weight": (WIDTH,),
        "norm2.bias": (WIDTH,),
        "expand.weight": (2 * WIDTH, WIDTH),
        "expand.bias": (2 * WIDTH,),
        "reduce.weight": (WIDTH, 2 * WIDTH),
        "reduce.bias": (WIDTH,),
        "dense.weight": (CLASSES, WIDTH),
        "dense.bias": (CLASSES,),
    },
}


def numbers(network: str) -> dict[str, Any]:
    """The weights, by torch's names, in torch's layout."""
    random = np.random.default_rng(SEED)
    found = {}
    for name, shape in SHAPES[network].items():
        values = random.normal(0, 0.3, shape).astype(np.float32)
        positive = name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight"))
        found[name] = np.abs(values) + 0.5 if positive else values
    return found


def in_torch(folder: Path) -> None:
    """ONNX, safetensors, a state dict and TorchScript."""
    import torch
    from safetensors.torch import save_file
    from torch import nn
    from torch.nn import functional

    class Cnn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, bias=False)
            self.norm1, self.norm2 = (nn.BatchNorm2d(8, EPSILON) for _ in range(2))
            self.depthwise = nn.Conv2d(8, 8, 3, groups=8, bias=False)
            self.pointwise, self.dense = nn.Conv2d(8, 12, 1), nn.Linear(12, CLASSES)

        def forward(self, x: Any) -> Any:
            x = functional.relu6(self.norm1(self.conv(x)))
            x = functional.relu(self.norm2(self.depthwise(x)))
            x = functional.relu(self.pointwise(x))
            return self.dense(x.mean((2, 3)))

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = (nn.LayerNorm(WIDTH, EPSILON) for _ in range(2))
            self.query, self.key, self.value, self.project = (
                nn.Linear(WIDTH, WIDTH) for _ in range(4)
            )
            self.expand, self.reduce = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
            self.dense = nn.Linear(WIDTH, CLASSES)

        def forward(self, x: Any) -> Any:
            y = self.norm1(x)
            q, k, v = (
                part(y).reshape(1, LENGTH, HEADS, WIDTH // HEADS).permute(0, 2, 1, 3)
                for part in (self.query, self.key, self.value)
            )
            scores = q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5
            y = functional.softmax(scores, -1) @ v
            x = x + self.project(y.permute(0, 2, 1, 3).reshape(1, LENGTH, WIDTH))
            y = self.reduce(functional.gelu(self.expand(self.norm2(x))))
            return self.dense((x + y).mean(1))

    inputs = {"cnn": torch.zeros(1, 3, 16, 16), "attention": torch.zeros(1, LENGTH, WIDTH)}
    for name, network in (("cnn", Cnn()), ("attention", Attention())):
        state = {key: torch.from_numpy(value) for key, value in numbers(name).items()}
        network.load_state_dict(state, strict=False)
        network.eval()
        save_file(state, folder / f"{name}.safetensors")
        torch.save(state, folder / f"{name}.pt")
        torch.jit.save(torch.jit.trace(network, inputs[name]), folder / f"{name}.torchscript")
        file = folder / f"{name}.onnx"
        torch.onnx.export(network, (inputs[name],), file, dynamo=False, opset_version=17)
        if name == "cnn":
            program = torch.export.export(network, (inputs[name],))
            torch.export.save(program, folder / f"{name}.pt2")


def in_keras(folder: Path) -> None:
    """TensorFlow Lite and Keras, with and without the graph."""
    import keras
    import tensorflow as tf
    from keras import layers, ops

    def block(x: Any) -> Any:
        y = layers.LayerNormalization(epsilon=EPSILON, name="norm1")(x)
        q, k, v = (
            ops.transpose(
                ops.reshape(layers.Dense(WIDTH, name=part)(y), (1, LENGTH, HEADS, WIDTH // HEADS)),
                (0, 2, 1, 3),
            )
            for part in ("query", "key", "value")
        )
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) * (WIDTH // HEADS) ** -0.5
        y = ops.transpose(ops.matmul(ops.softmax(scores), v), (0, 2, 1, 3))
        y = ops.reshape(y, (1, LENGTH, WIDTH))
        x = x + layers.Dense(WIDTH, name="project")(y)
        y = layers.LayerNormalization(epsilon=EPSILON, name="norm2")(x)
        y = layers.Dense(2 * WIDTH, activation="gelu", name="expand")(y)
        x = x + layers.Dense(WIDTH, name="reduce")(y)
        return layers.Dense(CLASSES, name="dense")(ops.mean(x, 1))

    def cnn(x: Any) -> Any:
        x = layers.Conv2D(8, 3, use_bias=False, name="conv")(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(epsilon=EPSILON, name="norm1")(x))
        x = layers.DepthwiseConv2D(3, use_bias=False, name="depthwise")(x)
        x = layers.ReLU()(layers.BatchNormalization(epsilon=EPSILON, name="norm2")(x))
        x = layers.Conv2D(12, 1, activation="relu", name="pointwise")(x)
        return layers.Dense(CLASSES, name="dense")(layers.GlobalAveragePooling2D()(x))

    shapes = {"cnn": (16, 16, 3), "attention": (LENGTH, WIDTH)}
    for name, build in (("cnn", cnn), ("attention", block)):
        start = keras.Input(shapes[name], batch_size=1)
        network = keras.Model(start, build(start))
        _set(network, numbers(name))
        network.save(folder / f"{name}.keras")
        network.save(folder / f"{name}.h5")
        network.export(folder / f"{name}.saved_model")
        content = tf.lite.TFLiteConverter.from_keras_model(network).convert()
        (folder / f"{name}.tflite").write_bytes(content)


def _set(network: Any, values: Mapping[str, Any]) -> None:
    """Weights in Keras' layout: space, input, output; a depthwise one space, channels, 1."""
    for layer in network.layers:
        order = ("weight", "bias", "running_mean", "running_var")
        found = [
            values[f"{layer.name}.{part}"] for part in order if f"{layer.name}.{part}" in values
        ]
        if not found:
            continue
        axes = {2: (1, 0), 4: (2, 3, 0, 1) if layer.name == "depthwise" else (2, 3, 1, 0)}
        layer.set_weights([v.transpose(axes[v.ndim]) if v.ndim > 1 else v for v in found])


def pack(folder: Path) -> None:
    """Moves the large files into an archive."""
    large = sorted(path for pattern in LARGE for path in folder.glob(pattern))
    with tarfile.open(folder / "packed.tar.xz", "w:xz") as packed:
        for path in large:
            packed.add(path, path.name)
    for path in large:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    {"keras": in_keras, "torch": in_torch, "pack": pack}[sys.argv[1]](target)
