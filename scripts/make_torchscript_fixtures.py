"""Writes tests/fixtures/torchscript: small archives as PyTorch 2.13 saves them.

Each network is there as it is traced, scripted, and frozen after either; the quantized one as it is
traced and scripted.  Weights are drawn from a fixed seed.  Run with PyTorch installed.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.ao import quantization

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures" / "torchscript"


class Blocks(nn.Module):
    """Convolutions with a shortcut, pooling and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8))
        self.wide = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.act = nn.Hardswish()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.stem(x))
        y = self.act(self.wide(x))
        y += x
        return self.head(torch.flatten(self.pool(y), 1))


class Sequence(nn.Module):
    """An embedding, a recurrent layer of either kind, and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.gru = nn.GRU(8, 8, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.lstm(self.table(x))
        x, _ = self.gru(x)
        return self.layer(x)


class Decides(nn.Module):
    """A branch and a loop that depend on data."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x) if x.sum() > 0 else torch.relu(self.b(x))
        while bool(y.mean() > 0):
            y = y * 0.5
        return y


class Quantized(nn.Module):
    """A convolution and a linear layer that are going to be quantized."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv, self.act, self.head = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(self.enter(x)))
        x = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.leave(self.head(torch.flatten(x, 1)))


def quantized(image: Tensor) -> nn.Module:
    """The network after calibration on one image."""
    net = Quantized().eval()
    net.qconfig = quantization.get_default_qconfig("x86")
    quantization.fuse_modules(net, [["conv", "act"]], inplace=True)
    quantization.prepare(net, inplace=True)
    net(image)
    return quantization.convert(net)


def saved(module: torch.jit.ScriptModule, name: str) -> None:
    """Without the tables for debugging, and packed."""
    path = FOLDER / f"{name}.pt"
    torch.jit.save(module, path)
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist() if not n.endswith(".debug_pkl")}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for member, content in members.items():
            packed.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)


def main() -> None:
    """Writes all files anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")  # TorchScript is deprecated, and still met
    torch.manual_seed(0)
    image, tokens = torch.randn(1, 3, 32, 32), torch.zeros(1, 16, dtype=torch.int64)
    for name, net, example in (("blocks", Blocks(), image), ("sequence", Sequence(), tokens)):
        for parameter in net.state_dict().values():
            if parameter.is_floating_point():
                parameter.uniform_(0.1, 1)
        traced = torch.jit.trace(net.eval(), example, check_trace=False)
        scripted = torch.jit.script(net)
        saved(traced, f"{name}-traced")
        saved(scripted, f"{name}-scripted")
        saved(torch.jit.freeze(traced), f"{name}-traced-frozen")
        saved(torch.jit.freeze(scripted), f"{name}-scripted-frozen")
    saved(torch.jit.script(Decides().eval()), "decides-scripted")
    net = quantized(image)
    saved(torch.jit.trace(net, image, check_trace=False), "quantized-traced")
    saved(torch.jit.script(net), "quantized-scripted")


if __name__ == "__main__":
    main()
