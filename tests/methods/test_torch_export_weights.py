"""Weights of PyTorch programs: read from the archive, and written into it."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reading import follow_once

from assay.errors import UnreadableModel, UnwritableModel
from assay.formats import Model
from assay.formats.torch_export import TorchExport
from assay.graphs import layer_graph
from assay.weights import Array

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
nn = torch.nn
IDS = torch.arange(5)[None]


def read(path: Path) -> Model:
    return TorchExport().read(path, {})


class Net(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
    """Tied tables, a buffer, a tensor that the program lifts, a half-precision part."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(20, 6)
        self.turned = nn.ConvTranspose1d(6, 4, 3)
        self.small = nn.Linear(4, 6).half()
        self.head = nn.Linear(6, 20, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("shift", torch.randn(6))

    def forward(self, ids: Any) -> Any:
        x = self.turned(self.table(ids).transpose(1, 2)).transpose(1, 2)
        x = self.small(x.half()).float() + self.shift * torch.tensor([1.0, 2, 3, 4, 5, 6])
        return self.head(x)


class Quantized(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
    """As PyTorch's own quantization leaves a layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("codes", torch.randint(-128, 127, (5, 8), dtype=torch.int8))
        self.register_buffer("scales", torch.rand(5) + 0.1)
        self.register_buffer("zeros", torch.arange(5))

    def forward(self, x: Any) -> Any:
        quantized = torch.ops.quantized_decomposed
        args = (self.codes, self.scales, self.zeros, 0, -128, 127, torch.int8)
        return torch.nn.functional.linear(x, quantized.dequantize_per_channel(*args))


@pytest.fixture(scope="module", autouse=True)
def _followed_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        follow_once(patch)
        yield


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("programs") / "net.pt2"
    torch.export.save(torch.export.export(Net().eval(), (IDS,)), path)
    return path


@pytest.fixture(scope="module")
def net(saved: Path) -> Model:
    return read(saved)


def with_values(model: Model, values: Mapping[str, Array]) -> Model:
    """The model with other numbers in some of its weights."""
    changed = dict(model.weights)
    for name, array in values.items():
        changed[name] = replace(changed[name], read=lambda array=array: array)  # type: ignore[misc]
    return replace(model, weights=changed)


def test_weights_have_their_names_in_the_program_and_its_values(net: Model) -> None:
    module = Net()
    wanted = {name: value.float().numpy() for name, value in module.state_dict().items()}
    wanted["turned.weight"] = wanted["turned.weight"].swapaxes(0, 1)  # output first
    wanted["lifted_tensor_0"] = np.array([1, 2, 3, 4, 5, 6], np.float32)
    assert net.weights.keys() == wanted.keys()
    for name, weight in net.weights.items():
        assert weight.shape == wanted[name].shape
        np.testing.assert_array_equal(weight.read(), wanted[name], name)
    assert net.weights["small.weight"].dtype == "float16"
    assert net.weights["turned.weight"].canonical


def test_quantized_weights_are_the_real_numbers_they_stand_for(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("torch.ao.quantization.fx._decomposed")
        module = Quantized()
        torch.export.save(torch.export.export(module, (torch.ones(2, 8),)), tmp_path / "q.pt2")
    model = read(tmp_path / "q.pt2")
    assert list(model.weights) == ["codes"]
    zeros, scales = module.zeros[:, None].numpy(), module.scales[:, None].numpy()
    real = (module.codes.numpy() - zeros).astype(np.float32) * scales
    np.testing.assert_allclose(model.weights["codes"].read(), real, rtol=1e-6)
    assert model.layers is not None
    assert [layer.op for layer in layer_graph(model.layers).layers] == ["Gemm"]


def _before_2_8(parts: Mapping[str, bytes], out: zipfile.ZipFile) -> None:
    out.writestr("serialized_exported_program.json", parts["program"])
    out.writestr("serialized_state_dict.pt", parts["weights"])
    out.writestr("serialized_constants.pt", parts["constants"])
    out.writestr("version", "8.8")


def _of_2_8(parts: Mapping[str, bytes], out: zipfile.ZipFile) -> None:
    out.writestr("net/archive_format", "pt2")
    out.writestr("net/models/model.json", parts["program"])
    out.writestr("net/data/weights/model.pt", parts["weights"])
    out.writestr("net/data/constants/model.pt", parts["constants"])


@pytest.mark.parametrize("write", [_before_2_8, _of_2_8])
def test_older_archives_give_the_same(write: Any, saved: Path, net: Model, tmp_path: Path) -> None:
    program = torch.export.load(saved)
    parts = {}
    with zipfile.ZipFile(saved) as archive:
        parts["program"] = archive.read("net/models/model.json")
    for kind, tensors in (("weights", program.state_dict), ("constants", program.constants)):
        content = io.BytesIO()
        torch.save(dict(tensors), content)
        parts[kind] = content.getvalue()
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as out:
        write(parts, out)
    old = read(tmp_path / "old.pt2")
    assert old.weights.keys() == net.weights.keys()
    for name, weight in old.weights.items():
        np.testing.assert_array_equal(weight.read(), net.weights[name].read(), name)
    assert old.layers is not None
    assert net.layers is not None
    assert layer_graph(old.layers) == layer_graph(net.layers)
    other = with_values(old, {"shift": np.zeros(6, np.float32)})
    with pytest.raises(UnwritableModel, match=r"2\.8 or before"):
        TorchExport().write(other, tmp_path / "new.pt2")


def test_what_is_written_is_read_back_and_runs_in_torch(
    saved: Path, net: Model, tmp_path: Path
) -> None:
    new = {name: weight.read() * np.float32(1.5) for name, weight in net.weights.items()}
    path = tmp_path / "new.pt2"
    TorchExport().write(with_values(net, new), path)
    back = read(path)
    assert list(back.weights) == list(net.weights)
    for name, weight in back.weights.items():
        kept = new[name].astype(np.float16) if weight.dtype == "float16" else new[name]
        np.testing.assert_array_equal(weight.read(), kept.astype(np.float32), name)
    written, module = torch.export.load(path), Net().eval()
    assert list(written.state_dict) == list(torch.export.load(saved).state_dict)
    module.load_state_dict(written.state_dict)
    lifted = torch.tensor([1.0, 2, 3, 4, 5, 6])
    module.shift += module.shift * 0.5  # the lifted factor has grown by half, too
    torch.testing.assert_close(written.module()(IDS), module(IDS), rtol=0, atol=1e-5)
    assert torch.equal(written.constants["lifted_tensor_0"], lifted * 1.5)


def test_an_unchanged_model_is_written_as_it_is(saved: Path, net: Model, tmp_path: Path) -> None:
    path = tmp_path / "copy.pt2"
    TorchExport().write(net, path)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path) as new:
        assert old.namelist() == new.namelist()
        assert all(old.read(name) == new.read(name) for name in old.namelist())


WRONG: list[tuple[str, dict[str, Array]]] = [
    ("shares its numbers", {"head.weight": np.zeros((20, 6), np.float32)}),
    ("has the shape", {"shift": np.zeros(7, np.float32)}),
]


@pytest.mark.parametrize(("error", "values"), WRONG)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_left(
    error: str, values: dict[str, Array], net: Model, tmp_path: Path
) -> None:
    with pytest.raises(UnwritableModel, match=error):
        TorchExport().write(with_values(net, values), tmp_path / "new.pt2")
    assert not list(tmp_path.iterdir())


def test_a_weight_of_another_name_and_a_model_of_another_format_are_refused(
    net: Model, tmp_path: Path
) -> None:
    named = replace(net, weights={"other": net.weights["shift"]})
    with pytest.raises(UnwritableModel, match="no weight 'other'"):
        TorchExport().write(named, tmp_path / "new.pt2")
    with pytest.raises(UnwritableModel, match=r"torch\.export\.save"):
        TorchExport().write(replace(net, format="onnx"), tmp_path / "new.pt2")


def test_weights_are_read_when_they_are_asked_for(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.pt2"
    path.write_bytes(saved.read_bytes())
    model = read(path)
    path.unlink()
    with pytest.raises(UnreadableModel, match=r"copy\.pt2"):
        model.weights["shift"].read()
