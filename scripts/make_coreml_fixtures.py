"""Makes ``tests/fixtures/coreml/files.tar.xz``: networks as Core ML's own tools write them.

Run it with torch 2.13.0, onnx 1.22, coremltools 9.0 and scikit-learn 1.7 installed::

    python scripts/make_coreml_fixtures.py

Each network is there as ONNX, as a program and as an older neural network; one is compressed in
every way that coremltools knows, with the values that coremltools itself reads of it.  A package
is a folder of three small files, so one packed archive holds them all.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import onnx
import torch
from coremltools.models.neural_network import quantization_utils
from coremltools.optimize import coreml as compression
from torch import nn

ARCHIVE = Path(__file__).parents[1] / "tests" / "fixtures" / "coreml" / "files.tar.xz"
FOLDER = Path(tempfile.mkdtemp())


class Attention(nn.Module):
    """Of two heads, over the 16 places of a 4×4 map of 8 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.ask, self.answer = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.ask(x).reshape(1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q @ k.transpose(-2, -1) * 0.5).softmax(-1)
        return self.answer((scores @ v).transpose(1, 2).reshape(1, 16, 8))


class Mixed(nn.Module):
    """Convolutions of every kind, then a block of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.depth = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.SiLU())
        self.point = nn.Sequential(nn.Conv2d(8, 12, 1), nn.PReLU(12), nn.MaxPool2d(3, 2, 1))
        self.up = nn.ConvTranspose2d(12, 8, 2, 2, groups=2)
        self.down = nn.Sequential(nn.Conv2d(8, 8, 2, 2), nn.Hardswish())
        self.first, self.second = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = Attention()
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(self.up(self.point(self.depth(self.stem(x)))))
        x = x.flatten(2).transpose(1, 2)
        x = x + self.attention(self.first(x))
        x = x + self.mlp(self.second(x))
        return self.head(x.mean(1)).softmax(-1)


class Recurrent(nn.Module):
    """A table, an LSTM and a plain recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(20, 6), nn.Linear(4, 3)
        self.lstm, self.rnn = nn.LSTM(6, 5), nn.RNN(5, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x, _ = self.lstm(self.table(ids))
        x, _ = self.rnn(x)
        return self.head(x[-1])


def randomized(net: nn.Module) -> nn.Module:
    """With values that no converter simplifies away."""
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.2, 1.0).mul_(
                    torch.where(torch.rand_like(tensor) < 0.5, -1.0, 1.0)
                )
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 2.0)
    return net.eval()


def convert(net: nn.Module, x: torch.Tensor, kind: str, target: Any = None) -> Any:
    """The network as coremltools converts it, in float32."""
    dtype = np.float32 if x.is_floating_point() else np.int32
    inputs = [ct.TensorType(name="x", shape=tuple(x.shape), dtype=dtype)]
    traced = torch.jit.trace(net, x)
    more = {"compute_precision": ct.precision.FLOAT32} if kind == "mlprogram" else {}
    return ct.convert(
        traced, inputs=inputs, convert_to=kind, minimum_deployment_target=target, **more
    )


def export(name: str, net: nn.Module, x: torch.Tensor) -> None:
    """As ONNX, as a program and as a neural network."""
    torch.onnx.export(net, (x,), FOLDER / f"{name}.onnx", dynamo=False, opset_version=17)
    convert(net, x, "mlprogram").save(str(FOLDER / f"{name}.mlpackage"))
    convert(net, x, "neuralnetwork").save(str(FOLDER / f"{name}.mlmodel"))


Step = Callable[[Any, bool], Any]  # a model, and whether it is compressed already


def linear(config: compression.OpLinearQuantizerConfig) -> Step:
    """Weights as small whole numbers."""
    return _step(compression.linear_quantize_weights, config)


def palette(bits: int) -> Step:
    """Weights as places in one table."""
    return palettes(compression.OpPalettizerConfig("kmeans", bits, weight_threshold=0))


def palettes(config: compression.OpPalettizerConfig) -> Step:
    """Weights as places in tables."""
    return _step(compression.palettize_weights, config)


def pruned() -> Step:
    """Half of the weights zero, and left out."""
    config = compression.OpMagnitudePrunerConfig(target_sparsity=0.5, weight_threshold=0)
    return _step(compression.prune_weights, config)


def _step(function: Callable[..., Any], config: Any) -> Step:
    whole = compression.OptimizationConfig(global_config=config)

    def run(model: Any, is_compressed: bool) -> Any:
        if is_compressed:
            return function(model, whole, joint_compression=True)
        return function(model, whole)

    return run


Linear, Palettes = compression.OpLinearQuantizerConfig, compression.OpPalettizerConfig
AFFINE = Linear(mode="linear", dtype="uint8", weight_threshold=0)
SYMMETRIC = Linear(mode="linear_symmetric", weight_threshold=0)
BLOCKS = Linear("linear", "uint4", "per_block", 4, weight_threshold=0)
GROUPS = Palettes("kmeans", 3, None, "per_grouped_channel", 4, weight_threshold=0)
SCALED = Palettes(
    "kmeans", 4, None, "per_grouped_channel", 4, enable_per_channel_scale=True, weight_threshold=0
)
VECTORS = Palettes("kmeans", 4, cluster_dim=2, weight_threshold=0)
COMPRESSED: dict[str, tuple[Any, Sequence[Step]]] = {
    "affine_16": (ct.target.iOS16, [linear(AFFINE)]),
    "palette6_16": (ct.target.iOS16, [palette(6)]),
    "sparse_16": (ct.target.iOS16, [pruned()]),
    "int8_18": (ct.target.iOS18, [linear(SYMMETRIC)]),
    "blocks_uint4_18": (ct.target.iOS18, [linear(BLOCKS)]),
    **{f"palette{bits}_18": (ct.target.iOS18, [palette(bits)]) for bits in (1, 2, 3, 4, 6, 8)},
    "palette_groups_18": (ct.target.iOS18, [palettes(GROUPS)]),
    "palette_vectors_18": (ct.target.iOS18, [palettes(VECTORS)]),
    "palette_scaled_18": (ct.target.iOS18, [palettes(SCALED)]),
    "sparse_18": (ct.target.iOS18, [pruned()]),
    "sparse_palette_18": (ct.target.iOS18, [pruned(), palette(4)]),
    "sparse_int8_18": (ct.target.iOS18, [pruned(), linear(SYMMETRIC)]),
}


def dense(model: Any) -> dict[str, np.ndarray]:
    """Every weight of four axes or two, as coremltools itself reads it."""
    plain = compression.decompress_weights(model)
    found = {}
    for operation in plain._mil_program.functions["main"].operations:
        if operation.op_type == "const" and getattr(operation.val.val, "ndim", 0) in (2, 4):
            found[operation.name] = operation.val.val
    return found


def compress() -> None:
    """One network in every compression of programs."""
    net = randomized(
        nn.Sequential(
            nn.Conv2d(4, 8, 3), nn.ConvTranspose2d(8, 8, 2, 2), nn.Flatten(2), nn.Linear(16, 8)
        )
    )
    values = {}
    for name, (target, steps) in COMPRESSED.items():
        model = convert(net, torch.rand(1, 4, 4, 4), "mlprogram", target)
        for place, step in enumerate(steps):
            model = step(model, place > 0)
        model.save(str(FOLDER / "compressed" / f"{name}.mlpackage"))
        values |= {f"{name}/{key}": value for key, value in dense(model).items()}
    np.savez(FOLDER / "compressed.npz", **values)


def quantize() -> None:
    """The older way: numbers of a few bits in the layers, with a scale."""
    net = randomized(nn.Sequential(nn.Conv2d(4, 8, 3), nn.ConvTranspose2d(8, 8, 2, 2)))
    model = convert(net, torch.rand(1, 4, 6, 6), "neuralnetwork")
    model.save(str(FOLDER / "network_32.mlmodel"))
    for bits in (16, 8, 3):
        spec = quantization_utils.quantize_weights(model, bits, "linear")
        spec = spec if hasattr(spec, "SerializeToString") else spec.get_spec()
        (FOLDER / f"network_{bits}.mlmodel").write_bytes(spec.SerializeToString())


def main() -> None:
    """Makes all of it anew."""
    (FOLDER / "compressed").mkdir()
    torch.manual_seed(0)
    export("mixed", randomized(Mixed()), torch.rand(1, 3, 16, 16))
    export("recurrent", randomized(Recurrent()), torch.randint(0, 20, (4, 1)))
    compress()
    quantize()
    made = {"torch": torch.__version__, "coremltools": ct.__version__, "onnx": onnx.__version__}
    (FOLDER / "versions.json").write_text(json.dumps(made, indent=1) + "\n")
    ARCHIVE.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(ARCHIVE, "w:xz") as packed:
        for path in sorted(FOLDER.rglob("*")):
            packed.add(path, path.relative_to(FOLDER), recursive=False, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without who made it and when."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


if __name__ == "__main__":
    main()
