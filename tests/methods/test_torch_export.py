"""PyTorch programs and modules: read alike, and without weights."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from hostile.archives import archive, program
from reading import follow_once, layers_of, operators_of

from assay.errors import UnreadableModel
from assay.examine import examine
from assay.graphs import layer_graph
from assay.graphs.operators import OperatorGraph

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
nn = torch.nn
SOURCE = str(Path(__file__).parents[2] / "src")


class Small(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
    """Convolutions, a skip, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU())
        self.body = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        x = x + torch.relu(self.body(x))
        return self.head(self.dropout(x.mean((2, 3))))


class Tokens(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
    """A language model: ids in, logits out, with shared weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = nn.Linear(16, 100, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Any) -> Any:
        return self.head(self.layer(self.embed(ids)))


def save(module: Any, folder: Path, *inputs: Any, dynamic: Any = None) -> Path:
    path = folder / f"{type(module).__name__.lower()}.pt2"
    exported = torch.export.export(module.eval(), inputs, dynamic_shapes=dynamic)
    torch.export.save(exported, path)
    return path


IMAGE = {"x": (1, 3, 64, 64)}


# Modules, programs and ONNX are one


def test_a_module_its_program_and_its_onnx_have_one_graph(tmp_path: Path) -> None:
    module = Small().eval()
    image = torch.zeros(IMAGE["x"])
    onnx = tmp_path / "small.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the exporter's, of PyTorch's own parts
        torch.onnx.export(module, (image,), onnx, dynamo=True, verbose=False)
    records = [
        examine(module, input_shape=IMAGE),
        examine(save(module, tmp_path, image)),
        examine(onnx),
    ]
    assert len({record.code for record in records}) == 1
    assert len({record.parameters for record in records}) == 1
    assert [r.format for r in records] == ["torch-module", "torch-export", "onnx"]
    names = [[layer.op for layer in r.graph.layers] for r in records if r.graph]
    assert names[0] == names[1] == names[2]
    assert records[0].name == "Small"
    assert records[0].sha256 is None
    assert records[1].sha256 is not None
    assert records[0].metadata["producer"] == records[1].metadata["producer"]


def test_weights_do_not_count() -> None:
    torch.manual_seed(0)
    first, second = examine(Small()), examine(Small())
    assert first.code == second.code


def test_the_usual_input_is_one_image(tmp_path: Path) -> None:
    graph = examine(Small()).graph
    assert graph is not None
    assert graph.layers[0].shape == (1, 8, 256, 256)


def test_a_model_of_token_ids_gets_a_sequence() -> None:
    graph = examine(Tokens()).graph
    assert graph is not None
    assert graph.layers[0].shape == (1, 128, 16)
    graph = examine(Tokens(), input_shape={"ids": (2, 7)}).graph
    assert graph is not None
    assert graph.layers[0].shape == (2, 7, 16)


def test_a_module_in_half_precision_is_read() -> None:
    assert examine(Small().half()).code == examine(Small()).code


def test_a_module_without_weights_is_read() -> None:
    graph = examine(nn.ReLU()).graph
    assert graph is not None
    assert [layer.op for layer in graph.layers] == ["Relu"]


def test_training_modes_are_put_back_one_by_one() -> None:
    module = Small()
    module.stem.eval()  # frozen, as in fine-tuning
    before = [part.training for part in module.modules()]
    examine(module)
    assert [part.training for part in module.modules()] == before
    assert before.count(True) > 0
    assert before.count(False) > 0


class Broken(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
    """Depends on the values."""

    def forward(self, x: Any) -> Any:
        if x.sum() > 0:
            return x
        raise ValueError("no\nsum")


def test_a_module_that_cannot_be_followed_is_refused_and_put_back() -> None:
    module = Broken().train()
    with pytest.raises(UnreadableModel, match=r"^Broken: PyTorch cannot export it: ") as caught:
        examine(module)
    assert "\n" not in str(caught.value)
    assert module.training


def test_an_absurd_shape_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(UnreadableModel, match="absurd shape"):
        examine(Small(), input_shape={"x": (2**40, 3, 8, 8)})


BILLION = """
import re, torch
from assay.examine import examine
def peak():  # of this process alone: ru_maxrss would count the one that started it
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
with torch.device("meta"):
    layer = torch.nn.TransformerEncoderLayer(4096, 32, 16384, batch_first=True)
    module = torch.nn.TransformerEncoder(layer, 5, enable_nested_tensor=False)
count = sum(p.numel() for p in module.parameters())
record = examine(module, input_shape={"x": (1, 128, 4096)})
print(count, record.parameters, peak(), record.quality)
"""


def test_a_billion_parameters_are_hashed_without_being_there() -> None:
    run = subprocess.run(
        [sys.executable, "-c", BILLION],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"},
    )
    count, parameters, megabytes, quality = map(float, run.stdout.split())
    assert count > 1e9
    assert parameters == count
    assert megabytes < 1500  # PyTorch itself takes most of it; the weights would take 4,000
    assert quality == 1


# What programs can hold


def test_dynamic_dimensions_are_made_concrete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, height = torch.export.Dim("batch"), torch.export.Dim("height", min=16, max=999)
    dynamic = {"x": {0: batch, 2: height}}
    path = save(Small(), tmp_path, torch.zeros(2, 3, 32, 64), dynamic=dynamic)
    follow_once(monkeypatch)
    assert layers_of(path).layers[0].shape == (1, 8, 256, 64)
    assert layers_of(path, {"x": (4, 3, 32, 64)}).layers[0].shape == (4, 8, 32, 64)
    with pytest.raises(UnreadableModel, match="input 'x' is"):
        layers_of(path, {"x": (4, 3, 32, 65)})


class Odd(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
    """Inputs, constants, buffers, options and results of all kinds, under all kinds of names."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.parts = nn.ModuleDict({"a-b c": nn.Linear(8, 8), "x/y@1+2": nn.Linear(8, 8)})
        self.register_buffer("places", torch.arange(8))
        self.register_buffer("large", torch.zeros(3, 5000))

    def forward(self, input: Any, masks: Any, *rest: Any, scale: float, **more: Any) -> Any:
        x = torch.relu(input * masks["large"] + masks["small one"] * scale) + rest[0] + more["b"]
        x = self.norm(x)[:, self.places] + torch.tensor([1.0, 2.0]).repeat(4)
        y = self.parts["x/y@1+2"](self.parts["a-b c"](x))
        return {"image": y, "size": x.shape[0], "nothing": None, "more": [y.mean(), self.large + 1]}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> OperatorGraph:
    path, zeros = tmp_path_factory.mktemp("programs") / "odd.pt2", torch.zeros(4, 8)
    inputs = (zeros, {"large": zeros, "small one": zeros}, zeros)
    options = {"scale": 3.0, "b": zeros[0]}
    torch.export.save(torch.export.export(Odd().eval(), inputs, options), path)
    return operators_of(path)


def test_inputs_keep_the_names_that_the_program_gives_them(odd: OperatorGraph) -> None:
    """One is named like a function of Python, one by a text with a space."""
    assert odd.inputs == ("input", "masks_large", "masks_small_one", "rest_0", "b")


def test_parameters_may_have_any_plain_name(odd: OperatorGraph) -> None:
    assert [layer.op for layer in layer_graph(odd).layers].count("Gemm") == 2


def test_results_that_are_no_tensors_are_left_out(odd: OperatorGraph) -> None:
    assert "BatchNormalization" in [layer.op for layer in layer_graph(odd).layers]
    assert len(odd.outputs) == 3


def test_shared_weights_and_token_ids_are_read(tmp_path: Path) -> None:
    path = save(Tokens(), tmp_path, torch.zeros(1, 128, dtype=torch.long))
    record = examine(path)
    assert record.code == examine(Tokens()).code
    assert record.quality == 1


class Choice(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
    """Control flow that depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        return torch.cond(
            x.sum() > 0, lambda x: self.left(x), lambda x: torch.relu(self.right(x)), (x,)
        )


def test_branches_are_read(tmp_path: Path) -> None:
    graph = layers_of(save(Choice(), tmp_path, torch.zeros(4, 8)))
    names = [layer.op for layer in graph.layers]
    assert names.count("Gemm") == 2
    assert "If" in names


def test_the_callers_process_does_not_import_torch(tmp_path: Path) -> None:
    path = archive(tmp_path, program())
    script = (
        "import sys; from assay.examine import examine; r = examine(sys.argv[1]);"
        " print(len(r.graph.layers), 'torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )
    assert run.stdout.split() == ["1", "False"]
