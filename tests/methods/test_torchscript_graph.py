"""The graph of a TorchScript program: what it computes, and that it is the same however saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from assay.errors import UnreadableModel
from assay.formats import FORMATS, Model, read
from assay.graphs import layer_graph
from assay.graphs.neighborhoods import fingerprint

if TYPE_CHECKING:
    from torch import nn

FIXTURES = Path(__file__).parents[1] / "fixtures" / "torchscript"
IMAGE, SEQUENCE = (1, 3, 32, 32), (1, 16)


def opened(name: str) -> Model:
    shape = SEQUENCE if name.startswith("sequence") else IMAGE
    return read(FIXTURES / f"{name}.pt", {"": shape} if "decides" not in name else {})


def merged(model: Model) -> tuple[str, list[str]]:
    assert model.layers is not None
    graph = layer_graph(model.layers)
    return fingerprint(graph), sorted(map(repr, graph.layers))


@pytest.mark.parametrize("network", ["blocks", "sequence"])
@pytest.mark.parametrize("variant", ["scripted", "traced-frozen", "scripted-frozen"])
def test_traced_scripted_and_frozen_give_one_merged_graph(network: str, variant: str) -> None:
    assert merged(opened(f"{network}-{variant}")) == merged(opened(f"{network}-traced"))


def test_a_quantized_network_has_the_graph_of_the_real_one() -> None:
    traced, scripted = opened("quantized-traced"), opened("quantized-scripted")
    assert merged(traced) == merged(scripted)
    assert traced.layers is not None
    graph = layer_graph(traced.layers)
    assert [layer.op for layer in graph.layers if layer.parameters] == ["Conv+Relu", "Gemm"]
    for name, weight in traced.weights.items():
        assert np.array_equal(weight.read(), scripted.weights[name].read())


def test_both_branches_and_the_loop_of_a_program_that_decides_are_in_its_graph() -> None:
    model = opened("decides-scripted")
    assert model.layers is not None
    assert {"If", "Loop"} <= {node.op for node in model.layers.operators}
    assert sum(layer.parameters for layer in layer_graph(model.layers).layers) == 2 * (36 + 6)


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("*.pt")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(data=st.data())
def test_a_damaged_archive_is_read_or_refused(
    name: str, tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray((FIXTURES / f"{name}.pt").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "damaged.pt"
    path.write_bytes(content)
    message = ""
    try:
        model = read(path)
        for weight in model.weights.values():
            assert weight.read().shape == weight.shape
    except UnreadableModel as error:
        message = str(error)
    assert "please report" not in message


def saved(module: nn.Module, example: Any, path: Path) -> Path:
    """Traced, with weights that no rule can mistake for ones and zeros."""
    import torch

    for value in module.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.2, 0.8)
    torch.jit.save(torch.jit.trace(module.eval(), example, check_trace=False), path)
    return path


IMAGES: dict[str, dict[str, Any]] = {
    "BatchNorm2d": {"num_features": 6, "eps": 0.01},
    "InstanceNorm2d": {"num_features": 6, "eps": 0.01, "affine": True},
    "Conv2d": {"in_channels": 6, "out_channels": 4, "kernel_size": 3, "dilation": 2, "groups": 2},
    "ConvTranspose2d": {"in_channels": 6, "out_channels": 4, "kernel_size": 3, "stride": 2},
    "PReLU": {"num_parameters": 6},
}
SEQUENCES: dict[str, dict[str, Any]] = {
    "LayerNorm": {"normalized_shape": 6, "eps": 0.01},
    "RMSNorm": {"normalized_shape": 6, "eps": 0.01},
    "LSTM": {"input_size": 6, "hidden_size": 4, "num_layers": 2, "bidirectional": True},
    "GRU": {"input_size": 6, "hidden_size": 4, "bias": False},
    "TransformerEncoderLayer": {"d_model": 6, "nhead": 2, "dim_feedforward": 8},
}


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*IMAGES, *SEQUENCES])
def test_written_as_onnx_a_layer_computes_what_torch_does(name: str, tmp_path: Path) -> None:
    import torch

    options = IMAGES.get(name) or SEQUENCES[name]
    module: Any = getattr(torch.nn, name)(**options)
    example = torch.randn(2, 6, 9, 9) if name in IMAGES else torch.randn(5, 2, 6)
    path = saved(module, example, tmp_path / "layer.pt")
    agrees(module, example, path)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options",
    [
        {"size": (12, 10)},
        {"size": (12, 10), "mode": "nearest-exact"},
        {"scale_factor": 2, "mode": "bilinear"},
        {"scale_factor": 2, "mode": "bilinear", "align_corners": True},
        {"scale_factor": 2, "mode": "bicubic"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_an_image_is_resized_as_torch_does(options: dict[str, Any], tmp_path: Path) -> None:
    import torch

    module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.Upsample(**options))
    example = torch.randn(1, 3, 5, 5)
    agrees(module, example, saved(module, example, tmp_path / "resize.pt"))


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("function", "options"),
    [
        ("div", {"other": 0.3, "rounding_mode": "trunc"}),
        ("div", {"other": -0.3, "rounding_mode": "floor"}),
        ("remainder", {"other": -0.7}),
        ("fmod", {"other": -0.7}),
        ("trunc", {}),
        ("max_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2}),
        ("max_pool2d", {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
        ("avg_pool2d", {"kernel_size": 3, "padding": 1, "count_include_pad": False}),
        ("avg_pool2d", {"kernel_size": 3, "padding": 1}),
        ("mean", {"dim": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_a_function_computes_what_torch_does(
    function: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """Of numbers of either sign."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: Any) -> Any:
            home: Any = torch.nn.functional if "pool" in function else torch
            return getattr(home, function)(x * self.scale, **options)

    net, example = Net(), torch.randn(1, 3, 9, 9)
    agrees(net, example, saved(net, example, tmp_path / "function.pt"))


FOLLOWED = {  # as networks of timm have them
    "a running sum of a type": lambda t, x: t.cumsum(x, 1, dtype=t.float64).float(),
    "statistics of what is read": lambda t, x: t.nn.functional.batch_norm(
        x, None, None, t.tensor([0.5, 1.0, 2.0]), None, True
    ),
    "the type of another": lambda t, x: x.type_as(x[:, :1]).transpose(1, 2).flatten(1),
    "repeated so often as there are channels": lambda t, x: x.repeat_interleave(x.shape[1], 0),
    "tiled along the last axes": lambda t, x: t.tile(x, (2, x.shape[1])),
    "a grid by rows": lambda t, x: x + _difference(t, "ij"),
    "a grid by columns": lambda t, x: x + _difference(t, "xy"),
    "an identity": lambda t, x: x @ t.eye(9),
    "a part of one": lambda t, x: x @ t.eye(9, 4, dtype=t.float32),
    "made larger by an odd factor": lambda t, x: t.nn.functional.interpolate(
        x, scale_factor=(1.5, 2.0), mode="bilinear"
    ),
}


def _difference(t: Any, indexing: str) -> Any:
    rows, columns = t.meshgrid(t.arange(9.0), t.arange(9.0), indexing=indexing)
    return rows - 2 * columns


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FOLLOWED)
def test_what_networks_do_beside_their_layers_is_followed(name: str, tmp_path: Path) -> None:
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, x: Any) -> Any:
            return FOLLOWED[name](torch, x * self.scale)

    net, example = Net(), torch.randn(1, 3, 9, 9)
    path = saved(net, example, tmp_path / "net.pt")
    agrees(net, example, path)
    layers = read(path, {"": tuple(example.shape)}).layers
    assert layers is not None
    assert not [node.op for node in layers.operators if "::" in node.op]


def agrees(module: Any, example: Any, path: Path) -> None:
    """What is read of ``path``, written as ONNX, gives the module's first output."""
    written = path.with_suffix(".onnx")
    FORMATS["onnx"]().write(read(path, {"": tuple(example.shape)}), written)
    proto = onnx.load(written)
    found = ReferenceEvaluator(proto).run(None, {proto.graph.input[0].name: example.numpy()})
    wanted = module(example)
    wanted = wanted[0] if isinstance(wanted, tuple) else wanted
    assert isinstance(found, list)
    np.testing.assert_allclose(found[0], wanted.detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
def test_the_merged_graph_is_that_of_the_exported_program(tmp_path: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Hardswish(), nn.AdaptiveAvgPool2d(1)
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 2), nn.GELU(), nn.LayerNorm(2)).eval()
    example = torch.randn(1, 3, 16, 16)
    path = saved(net, example, tmp_path / "net.pt")
    torch.export.save(torch.export.export(net, (example,)), tmp_path / "net.pt2")
    script, program = read(path, {"": (1, 3, 16, 16)}), read(tmp_path / "net.pt2")
    assert merged(script) == merged(program)
    assert script.weights.keys() == program.weights.keys()
    for name, weight in program.weights.items():
        assert np.array_equal(weight.read(), script.weights[name].read()), name
