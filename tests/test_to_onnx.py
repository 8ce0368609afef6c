"""Modules written as ONNX files: ONNX Runtime runs them alike, and assay reads them back."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay import formats
from assay.errors import UnfitModel

torch = pytest.importorskip("torch")
from onnxruntime import InferenceSession  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from assay.running.network import network  # noqa: E402
from assay.running.to_onnx import export  # noqa: E402

pytestmark = pytest.mark.torch

SOURCE = str(Path(__file__).parents[1] / "src")


class Residual(nn.Module):  # type: ignore[misc, unused-ignore]
    """Convolutions, some by channel, a skip, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU6())
        self.body = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + nn.functional.hardswish(self.body(x))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Recurrent(nn.Module):  # type: ignore[misc, unused-ignore]
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(5, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[0][:, -1])


class Attending(nn.Module):  # type: ignore[misc, unused-ignore]
    """Tokens, positions and a class token through a transformer's encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 8)
        self.first = nn.Parameter(torch.randn(1, 1, 8))
        self.places = nn.Parameter(torch.randn(1, 7, 8))
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), self.table(x)], 1) + self.places
        return self.head(self.layer(x)[:, 0])


class Deciding(nn.Module):  # type: ignore[misc, unused-ignore]
    """What it does depends on the values: no graph."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Single(nn.Module):  # type: ignore[misc, unused-ignore]
    """Made for one input at a time."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(1, 4) * 2


def image() -> Tensor:
    return torch.randn(1, 1, 8, 8)


def steps() -> Tensor:
    return torch.randn(1, 6, 5)


def tokens() -> Tensor:
    return torch.randint(0, 11, (1, 6))


def made(kind: Callable[[], Any]) -> Any:
    """A module with weights, and running moments, that are the same each time."""
    torch.manual_seed(0)
    module = kind().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module


@pytest.mark.parametrize(
    ("kind", "example"), [(Residual, image), (Recurrent, steps), (Attending, tokens)]
)
def test_there_and_back(
    kind: Callable[[], Any], example: Callable[[], Tensor], tmp_path: Path
) -> None:
    module, path = made(kind), tmp_path / "model.onnx"
    export(module, example(), path)
    x = torch.cat([example(), example(), example()])
    wanted = module(x).detach().numpy()

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(found, wanted, atol=1e-5)

    read = formats.read(path)
    assert read.layers is not None
    back = network(read.layers, read.weights)
    np.testing.assert_allclose(back(x).detach(), wanted, atol=1e-5)
    assert sum(p.numel() for p in back.parameters()) == sum(p.numel() for p in module.parameters())


def test_names_are_those_of_the_module(tmp_path: Path) -> None:
    module, path = made(Residual), tmp_path / "model.onnx"
    export(module, image(), path)
    read = formats.read(path)
    assert read.layers is not None
    back = network(read.layers, read.weights)
    assert back.state_dict().keys() == module.state_dict().keys()

    again = tmp_path / "again.onnx"
    export(back, image(), again)
    names = [
        {w.name for w in formats.read(p).weights.values() if w.size > 1} for p in (again, path)
    ]
    assert names[0] == names[1]


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    path, other = tmp_path / "model.onnx", tmp_path / "other.onnx"
    export(made(Residual), image(), path)
    code = (
        "from pathlib import Path\n"
        "from test_to_onnx import Residual, export, image, made\n"
        f"export(made(Residual), image(), Path({str(other)!r}))"
    )
    folder = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}:{folder}", "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=tmp_path)
    assert path.read_bytes() == other.read_bytes()
    assert b".py" not in path.read_bytes()  # neither places in source code


def test_every_part_stays_in_its_mode(tmp_path: Path) -> None:
    module = made(Residual).train()
    module.stem.eval()
    export(module, image(), tmp_path / "model.onnx")
    assert module.training
    assert module.body.training
    assert not module.stem[1].training


def test_a_module_for_one_input_is_written_for_one(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(Single(), torch.ones(1, 2, 2), path)
    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 2, 2]


def test_what_torch_cannot_export_is_named_and_not_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnfitModel, match="cannot export this Deciding"):
        export(Deciding(), torch.ones(1, 4), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
