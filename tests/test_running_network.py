"""A graph and its weights as a torch module; ONNX Runtime is the judge."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assay import formats
from assay.errors import UnfitModel, UnreadableModel

torch = pytest.importorskip("torch")
from onnx import ModelProto, helper, numpy_helper, parser, save  # noqa: E402
from onnxruntime import InferenceSession  # noqa: E402
from torch import nn  # noqa: E402

from assay.running.network import network  # noqa: E402

pytestmark = pytest.mark.torch

Array = NDArray[np.float32]


def model(text: str, weights: dict[str, Sequence[int] | Array], opset: int = 17) -> ModelProto:
    """A graph written as text; weights of which only the shape is given are random."""
    proto = ModelProto(ir_version=8, opset_import=[helper.make_opsetid("", opset)])
    proto.graph.CopyFrom(parser.parse_graph(text))
    rng = np.random.default_rng(0)
    for name, weight in weights.items():
        is_shape = isinstance(weight, tuple)
        values = rng.normal(size=weight).astype(np.float32) if is_shape else weight
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return proto


def module(proto: ModelProto, folder: Path, **shapes: tuple[int, ...]) -> nn.Module:
    """The network of a model, read from a file."""
    save(proto, folder / "model.onnx")
    read = formats.read(folder / "model.onnx", shapes)
    assert read.layers is not None
    return network(read.layers, read.weights, opset=read.metadata["opset"])


def judged(proto: ModelProto, made: nn.Module, *inputs: Array, within: float = 1e-5) -> None:
    """The module's outputs are those of ONNX Runtime."""
    session = InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    expected = session.run(None, dict(zip(names, inputs, strict=True)))
    with torch.no_grad():
        found = made(*map(torch.from_numpy, inputs))
    found = found if isinstance(found, tuple) else (found,)
    for wanted, got in zip(expected, found, strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, rtol=within, atol=within)


def noise(*shape: int) -> Array:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


CONVOLUTIONS = """
g (float[1, 3, 8, 8] x) => (float[1, 5] y) {
    c = Conv<pads=[1, 1, 1, 1]>(x, features_0_weight, features_0_bias)
    n = BatchNormalization(c, bn_weight, bn_bias, bn_mean, bn_var)
    r = Relu(n)
    p = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(r)
    s = Conv<auto_pad="SAME_LOWER", kernel_shape=[2, 2], group=2>(p, depth_weight)
    shape = Constant<value = int64[2] {1, -1}>()
    f = Reshape(s, shape)
    m = MatMul(f, head_weight)
    y = Add(m, head_bias)
}"""
WEIGHTS: dict[str, Sequence[int] | Array] = {
    "features_0_weight": (4, 3, 3, 3),
    "features_0_bias": (4,),
    "bn_weight": (4,),
    "bn_bias": (4,),
    "bn_mean": (4,),
    "bn_var": np.full(4, 0.5, np.float32),
    "depth_weight": (4, 2, 2, 2),
    "head_weight": (64, 5),
    "head_bias": (5,),
}


def test_constant_weights_make_layers_under_their_names(tmp_path: Path) -> None:
    proto = model(CONVOLUTIONS, WEIGHTS)
    made = module(proto, tmp_path)
    judged(proto, made, noise(1, 3, 8, 8))
    layers = [type(part) for part in made.modules() if list(part.parameters(recurse=False))]
    assert layers == [nn.Conv2d, nn.BatchNorm2d, nn.Conv2d, nn.Linear]
    assert made.get_parameter("head.bias").shape == (5,)


def test_a_literal_batch_of_one_takes_more(tmp_path: Path) -> None:
    made = module(model(CONVOLUTIONS, WEIGHTS), tmp_path)
    both = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    each = torch.cat([made(both[:1]), made(both[1:])])
    torch.testing.assert_close(made(both), each, rtol=1e-4, atol=1e-4)


HEADS = """
g (float[1, 6, 8] x) => (float[1, 6, 8] y) {
    steps = Transpose<perm=[1, 0, 2]>(x)
    apart = Constant<value = int64[3] {6, 2, 4}>()
    a = Reshape(steps, apart)
    b = Transpose<perm=[1, 0, 2]>(a)
    heads = Constant<value = int64[4] {1, 2, 6, 4}>()
    c = Reshape(b, heads)
    d = Softmax(c)
    e = Transpose<perm=[2, 0, 1, 3]>(d)
    rows = Constant<value = int64[2] {6, 8}>()
    f = Reshape(e, rows)
    m = MatMul(f, w)
    whole = Constant<value = int64[3] {6, 1, 8}>()
    h = Reshape(m, whole)
    y = Transpose<perm=[1, 0, 2]>(h)
}"""


def test_a_literal_batch_is_followed_through_heads_and_rows(tmp_path: Path) -> None:
    proto = model(HEADS, {"w": (8, 8)})
    made = module(proto, tmp_path)
    judged(proto, made, noise(1, 6, 8))
    inputs = torch.randn(3, 1, 6, 8)
    torch.testing.assert_close(made(torch.cat([*inputs])), torch.cat([made(x) for x in inputs]))


def test_it_is_trained_and_copied(tmp_path: Path) -> None:
    made = module(model(CONVOLUTIONS, WEIGHTS), tmp_path)
    twin = copy.deepcopy(made).train()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    optimizer = torch.optim.SGD(twin.parameters(), 0.1)
    loss = nn.functional.cross_entropy(twin(torch.randn(4, 3, 8, 8)), torch.arange(4))
    loss.backward()
    optimizer.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())
    weights = {name: p for name, p in twin.named_parameters() if p.ndim > 1}
    assert len(weights) == 3
    assert not any(torch.equal(weight, before[name]) for name, weight in weights.items())


def test_channels_are_pruned(tmp_path: Path) -> None:
    import torch_pruning

    made = module(model(CONVOLUTIONS, WEIGHTS), tmp_path)
    x = torch.randn(2, 3, 8, 8)
    graph = torch_pruning.DependencyGraph().build_dependency(made, x)
    first = made.get_submodule("features_0")
    group = graph.get_pruning_group(first, torch_pruning.prune_conv_out_channels, [0, 2])
    group.prune()
    assert first.weight.shape == (2, 3, 3, 3)
    assert made(x).shape == (2, 5)


def test_a_weight_that_two_operators_read_is_one_parameter(tmp_path: Path) -> None:
    text = """
    g (int64[1, 6] x) => (float[1, 6, 9] y) {
        e = Gather(table, x)
        t = Transpose<perm=[1, 0]>(table)
        y = MatMul(e, t)
    }"""
    proto = model(text, {"table": (9, 4)})
    made = module(proto, tmp_path)
    judged(proto, made, np.arange(6)[None])
    (embedding,) = (part for part in made.modules() if isinstance(part, nn.Embedding))
    (linear,) = (part for part in made.modules() if isinstance(part, nn.Linear))
    assert embedding.weight is linear.weight
    assert len(list(made.parameters())) == 1


RECURRENT = """
g (float[7, 2, 3] x) => (float[7, D, 2, 4] y, float[D, 2, 4] h) {{
    y, h = {op}<hidden_size=4, direction="{direction}"{more}>(x, w, r, b)
}}"""


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("op", "gates", "more", "kind"),
    [
        ("LSTM", 4, "", nn.LSTM),
        ("GRU", 3, ", linear_before_reset=1", nn.GRU),
        ("GRU", 3, "", None),  # resets before the product, which torch's does not
        ("RNN", 1, "", nn.RNN),
    ],
)
def test_recurrent_layers(
    op: str, gates: int, more: str, kind: type | None, direction: str, tmp_path: Path
) -> None:
    count = 2 if direction == "bidirectional" else 1
    text = RECURRENT.format(op=op, direction=direction, more=more).replace("D", str(count))
    weights = {
        "w": (count, gates * 4, 3),
        "r": (count, gates * 4, 4),
        "b": (count, 2 * gates * 4),
    }
    proto = model(text, weights)
    made = module(proto, tmp_path)
    judged(proto, made, noise(7, 2, 3))
    found = [type(part) for part in made.modules() if isinstance(part, nn.RNNBase)]
    assert found == ([kind] if kind else [])
    assert made(torch.randn(5, 3, 3))[0].shape == (5, count, 3, 4)


def test_softmax_before_opset_13_is_over_all_that_follows(tmp_path: Path) -> None:
    text = "g (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = Softmax<axis=1>(x) }"
    for opset in (11, 13):
        proto = model(text, {}, opset)
        judged(proto, module(proto, tmp_path), noise(2, 3, 4))


def test_codes_are_rounded_and_trained_through(tmp_path: Path) -> None:
    text = """
    g (float[1, 3, 6, 6] x) => (float[1, 4, 4, 4] y) {
        q = QuantizeLinear(x, scale, zero)
        d = DequantizeLinear(q, scale, zero)
        w = DequantizeLinear<axis=0>(codes, scales)
        c = Conv(d, w)
        k = QuantizeLinear(c, scale, zero)
        y = DequantizeLinear(k, scale, zero)
    }"""
    rng = np.random.default_rng(0)
    weights = {
        "scale": np.array(0.05, np.float32),
        "zero": np.array(10, np.uint8),
        "codes": rng.integers(-127, 127, (4, 3, 3, 3)).astype(np.int8),
        "scales": rng.uniform(0.001, 0.01, 4).astype(np.float32),
    }
    proto = model(text, weights)
    made = module(proto, tmp_path)
    judged(proto, made, noise(1, 3, 6, 6), within=1e-4)
    (layer,) = (part for part in made.modules() if isinstance(part, nn.Conv2d))
    made(torch.randn(1, 3, 6, 6)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_a_real_network(light_models: dict[str, Path]) -> None:
    path = light_models["squeezenet"]
    read = formats.read(path)
    assert read.layers is not None
    made = network(read.layers, read.weights, opset=read.metadata["opset"])
    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = noise(1, 3, 224, 224)
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(made(torch.from_numpy(x)).detach(), expected, atol=1e-5)


def test_what_cannot_be_run_is_named(tmp_path: Path) -> None:
    text = "g (float[1, 3] x) => (float[1, 3] y) { y = Multinomial(x) }"
    with pytest.raises(UnfitModel, match=r"operator Multinomial.*'y'"):
        module(model(text, {}), tmp_path)
    text = """
    g (bool c, float[1] x) => (float[1] y) {
        y = If(c) <then_branch = a () => (float[1] p) { p = Neg(x) },
                   else_branch = b () => (float[1] q) { q = Abs(x) }>
    }"""
    with pytest.raises(UnfitModel, match="operator If"):
        module(model(text, {}), tmp_path)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    text = """
    g (float[1, 4] x) => (float[1, 4] y) {
        shape = Constant<value = int64[2] {2, 3}>()
        w = Reshape(stored, shape)
        y = Add(x, w)
    }"""
    with pytest.raises(UnfitModel, match="Reshape 'w'"):
        module(model(text, {"stored": (40, 40)}), tmp_path)


def test_inputs_are_counted(tmp_path: Path) -> None:
    made = module(model("g (float[1] x) => (float[1] y) { y = Neg(x) }", {}), tmp_path)
    with pytest.raises(UnfitModel, match="reads 1 tensors, x"):
        made(torch.ones(1), torch.ones(1))


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = tmp_path / "outside.onnx"
    save(
        model("g (float[1, 40] x) => (float[1, 40] y) { y = MatMul(x, far) }", {"far": (40, 40)}),
        path,
        save_as_external_data=True,
        location="far.bin",
    )
    (tmp_path / "far.bin").unlink()
    read = formats.read(path)
    assert read.layers is not None
    with pytest.raises((UnfitModel, UnreadableModel, OSError), match="far"):
        network(read.layers, read.weights)
