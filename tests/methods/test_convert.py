"""The same model in another number type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadOption, UnfitModel
from assay.formats import read

torch = pytest.importorskip("torch")
nn = torch.nn

pytestmark = pytest.mark.torch
from assay.running.modules import outputs  # noqa: E402

DATA, JUDGE = squares(200, 1), squares(400, 2)
Convert: Any = DERIVATIONS["convert"]


@pytest.mark.parametrize("name", ["cnn", "resnet", "gru", "transformer"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_parameters_are_the_nearest_numbers_of_the_type(name: str, dtype: str) -> None:
    parent, wanted = trained(name), getattr(torch, dtype)
    derived = Convert(dtype=dtype).derive(parent, data=DATA, judge=JUDGE)
    child, largest = derived.module, 0.0
    state = parent.state_dict()
    for path, parameter in parent.named_parameters():
        layer, _, last = path.rpartition(".")
        value, parameter = getattr(child.get_submodule(layer), last).detach(), parameter.detach()
        assert torch.equal(value, parameter.to(wanted).float())
        largest = max(largest, float((value - parameter).abs().max()))
        del state[path]
    assert derived.lineage.notes["largest_error"] == pytest.approx(largest)
    kept = child.state_dict()
    assert all(torch.equal(kept[path], tensor) for path, tensor in state.items())  # statistics
    held = sum(t.dtype == wanted for t in kept.values())
    assert held == len([*parent.parameters()])
    before, after = derived.lineage.accuracy["parents"][0], derived.lineage.accuracy["child"]
    assert abs(before - after) <= 0.01


def test_float32_changes_nothing() -> None:
    derived = Convert().derive(trained("cnn"))
    assert derived.lineage.child == derived.lineage.parents[0]
    assert derived.lineage.notes["largest_error"] == 0


@pytest.mark.filterwarnings("ignore")  # the exporter's own
def test_files_hold_the_type_and_are_read_as_the_values(tmp_path: Any) -> None:
    from safetensors.torch import save_file

    child = Convert(dtype="float16").derive(trained("cnn")).module
    inputs = torch.from_numpy(JUDGE.inputs[:2])
    torch.onnx.export(
        child, (inputs,), tmp_path / "a.onnx", dynamo=True, optimize=False, external_data=False,
        verbose=False,
    )  # fmt: skip
    save_file(child.state_dict(), tmp_path / "a.safetensors")
    wanted = {p.shape: p.half().float().numpy(force=True) for p in trained("cnn").parameters()}
    for suffix in ("onnx", "safetensors"):
        weights = read(tmp_path / f"a.{suffix}").weights.values()
        assert {weight.dtype for weight in weights} == {"float16"}
        assert len(weights) == len([*trained("cnn").parameters()])
        for weight in weights:
            if len(weight.shape) > 1:
                assert np.array_equal(weight.read(), wanted[weight.shape])


def test_what_does_not_fit_the_type_is_refused() -> None:
    with pytest.raises(BadOption, match="dtype"):
        Convert(dtype="float8")
    huge = nn.Linear(2, 2)
    nn.init.constant_(huge.weight, 1e6)
    with pytest.raises(UnfitModel, match="too large for float16"):
        Convert(dtype="float16").derive(huge)
    assert huge.weight[0, 0].item() == 1e6
    assert Convert(dtype="bfloat16").derive(huge).module.weight[0, 0].item() == pytest.approx(
        1e6, rel=0.01
    )


@pytest.mark.parametrize("name", ["cnn", "vgg", "gru", "transformer"])
def test_what_was_an_onnx_file_meanwhile_answers_the_same(name: str) -> None:
    parent = trained(name)
    child = Convert(through="onnx").derive(parent, data=DATA).module
    assert type(child) is not type(parent)
    expected, given = outputs(parent, DATA.inputs), outputs(child, DATA.inputs)
    assert np.abs(given - expected).max() < 1e-4 * np.abs(expected).max()
