"""Weights as whole numbers: what is stored, what it costs, what other programs make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tasks import squares, trained

from assay.derivations import DERIVATIONS
from assay.errors import BadData, BadOption, UnfitModel

torch = pytest.importorskip("torch")
nn = torch.nn

from assay.running.modules import outputs  # noqa: E402 - torch may be missing

pytestmark = pytest.mark.torch
DATA, JUDGE = squares(200, 1), squares(400, 2)
Quantize: Any = DERIVATIONS["quantize"]


def integers(module: Any) -> dict[str, Any]:
    return {name: t for name, t in module.state_dict().items() if t.dtype == torch.int8}


@pytest.mark.parametrize("name", ["cnn", "resnet", "gru", "transformer"])
def test_every_matrix_is_stored_as_whole_numbers_and_the_model_answers_alike(name: str) -> None:
    parent = trained(name)
    derived = Quantize().derive(parent, data=DATA, judge=JUDGE)
    before, after = derived.lineage.accuracy["parents"][0], derived.lineage.accuracy["child"]
    assert before > 0.4  # by chance: 0.25
    assert abs(before - after) <= 0.01
    matrices = {n: p for n, p in parent.named_parameters() if p.dim() > 1 and "position" not in n}
    stored = integers(derived.module)
    assert sorted(t.shape for t in stored.values()) == sorted(p.shape for p in matrices.values())
    assert all(t.abs().max() == 127 for t in stored.values())
    assert not [n for n, p in derived.module.named_parameters() if n in matrices]
    assert [*derived.lineage.notes["largest_relative_error"]] == [*matrices]
    assert max(derived.lineage.notes["largest_relative_error"].values()) < 0.02


def test_four_bits_take_half_the_space_and_lose_more() -> None:
    parent = trained("cnn")
    eight, four = (Quantize(bits=bits).derive(parent, data=DATA, judge=JUDGE) for bits in (8, 4))
    assert min(int(t.min()) for t in integers(four.module).values()) >= -8
    assert max(int(t.max()) for t in integers(four.module).values()) <= 7
    assert four.lineage.notes["bytes_after"] < 0.6 * eight.lineage.notes["bytes_after"]
    assert eight.lineage.notes["bytes_after"] < 0.35 * eight.lineage.notes["bytes_before"]
    own, *others = (outputs(m, JUDGE.inputs) for m in (parent, eight.module, four.module))
    assert abs(own - others[1]).mean() > 5 * abs(own - others[0]).mean() > 0
    worst = [max(d.lineage.notes["largest_relative_error"].values()) for d in (eight, four)]
    assert worst[1] > 10 * worst[0]


def test_a_searched_scale_has_the_smaller_error_and_none_is_larger_than_half_a_step() -> None:
    from assay.running.quantized import quantize_weight

    def layer() -> Any:
        torch.manual_seed(0)
        return nn.Linear(50, 20)

    before = layer().weight.detach()
    errors = []
    for search in (False, True):
        made = layer()
        quantize_weight(made, "weight", 4, search=search)
        errors.append(float((made.weight - before).square().sum()))
    assert errors[1] < errors[0]
    plain = layer()
    quantize_weight(plain, "weight", 4, search=False)
    step = before.abs().amax(1, keepdim=True) / 7
    assert bool(((plain.weight - before).abs() <= step / 2 + 1e-7).all())


def test_inputs_are_rounded_to_256_values_between_what_was_seen() -> None:
    parent = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    child = Quantize().derive(parent, data=DATA).module
    seen: list[Any] = []
    child[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    child(torch.from_numpy(DATA.inputs))
    (rounded,) = seen
    assert len(rounded.unique()) <= 256
    assert abs(rounded.numpy().ravel() - DATA.inputs.ravel()).max() <= np.ptp(DATA.inputs) / 255
    clipped = Quantize(clipped=0.2).derive(parent, data=DATA).module[1].rounded_inputs
    assert clipped.scale < 0.5 * child[1].rounded_inputs.scale
    assert integers(Quantize(activations="none").derive(parent).module)  # needs no data


def test_a_row_of_zeros_and_a_transposed_convolution_keep_their_values() -> None:
    torch.manual_seed(0)
    convolution = nn.ConvTranspose2d(3, 5, 2, bias=False)
    with torch.no_grad():
        convolution.weight *= torch.tensor([1.0, 10, 100, 1000, 0]).view(1, 5, 1, 1)
    child = Quantize(activations="none").derive(convolution).module
    for channel, scale in enumerate((1.0, 10, 100, 1000, 0)):
        wrong = (child.weight - convolution.weight)[:, channel].abs().max()
        assert wrong <= 0.003 * scale


def test_gradients_pass_where_activations_are_rounded() -> None:
    child = Quantize().derive(trained("cnn"), data=DATA).module
    inputs = torch.from_numpy(DATA.inputs[:4]).requires_grad_()
    child(inputs).sum().backward()
    assert bool((inputs.grad != 0).any())


@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("options", [{}, {"bits": 4, "activations": "none"}], ids=json.dumps)
def test_an_exported_model_has_integers_that_other_programs_read(
    options: dict[str, Any], tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    derived = Quantize(**options).derive(trained("cnn"), data=DATA)
    path = tmp_path / "child.onnx"
    inputs = torch.from_numpy(JUDGE.inputs[:8])
    torch.onnx.export(
        derived.module, (inputs,), path, dynamo=True, optimize=False, external_data=False,
        verbose=False,
    )  # fmt: skip
    proto = onnx.load(path)
    operators = [node.op_type for node in proto.graph.node]
    stored = {i.name for i in proto.graph.initializer if i.data_type == onnx.TensorProto.INT8}
    assert {*integers(derived.module)} <= stored
    assert operators.count("DequantizeLinear") == (5 if options else 10)
    assert operators.count("QuantizeLinear") == (0 if options else 5)
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path)
    (answers,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    own = derived.module(inputs).detach().numpy()
    assert (answers.argmax(1) == own.argmax(1)).all()
    assert abs(answers - own).max() < (1e-4 if options else 0.1 * abs(own).max())


def test_what_cannot_be_quantized_is_refused() -> None:
    for wrong in (
        {"bits": 5}, {"activations": "int4"}, {"scales": "best"}, {"clipped": 1.0},
        {"clipped": -0.1}, {"calibration": 0},
    ):  # fmt: skip
        with pytest.raises(BadOption, match=next(iter(wrong))):
            Quantize(**wrong)
    with pytest.raises(UnfitModel, match="no convolution"):
        Quantize().derive(nn.Sequential(nn.Flatten(), nn.ReLU()), data=DATA)
    with pytest.raises(BadData, match="needs examples"):
        Quantize().derive(trained("cnn"))


@pytest.mark.parametrize("name", ["cnn", "gru"])
def test_a_settled_copy_has_plain_weights_and_answers_alike(name: str) -> None:
    from assay.running.modules import copy_of, digest
    from assay.running.quantized import settled

    parent = trained(name)
    quantized = Quantize().derive(parent, data=DATA).module
    before, answers = digest(quantized), outputs(quantized, JUDGE.inputs)
    plain = settled(copy_of(quantized))
    assert np.array_equal(outputs(plain, JUDGE.inputs), answers)
    assert [n for n, _ in plain.named_parameters()] == [n for n, _ in parent.named_parameters()]
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(1)
    assert not np.array_equal(outputs(plain, JUDGE.inputs), answers)
    assert digest(quantized) == before
    assert np.array_equal(outputs(quantized, JUDGE.inputs), answers)


@pytest.mark.parametrize("name", ["cnn", "gru"])
@pytest.mark.parametrize("bits", [8, 4])
def test_a_child_that_was_written_and_read_answers_as_it_did(
    name: str, bits: int, tmp_path: Path
) -> None:
    from assay.formats import read
    from assay.running.network import network
    from assay.running.to_onnx import export

    child = Quantize(bits=bits, activations="none").derive(trained(name), data=DATA).module
    export(child, torch.from_numpy(JUDGE.inputs[:1]), tmp_path / "child.onnx")
    model = read(tmp_path / "child.onnx")
    assert model.layers is not None
    again = outputs(network(model.layers, model.weights), JUDGE.inputs)
    assert abs(again - outputs(child, JUDGE.inputs)).max() < 1e-5
