"""The zoo's trainable networks: what they weigh, that they learn, and that they can be exported."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from small_tasks import CLASSES, SHAPE, squares

from assay.errors import BadOption
from assay.training import Optimizer, Training, train

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from assay.running.modules import accuracy, digest, head  # noqa: E402
from assay.zoo import networks  # noqa: E402
from assay.zoo.networks import NETWORKS, build, stages  # noqa: E402

TABLE = {
    name: (int(weights.replace(",", "")), int(products.replace(",", "")))
    for name, weights, products in re.findall(
        r"^ +([a-z0-9-]+) +([\d,]+) +([\d,]+)$", networks.__doc__ or "", re.MULTILINE
    )
}
SHAPES = [(1, 28, 28), (1, 8, 8), (3, 32, 32), (1, 9, 17)]
every_network = pytest.mark.parametrize("name", NETWORKS)


def batch(shape: tuple[int, ...], count: int = 3) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


def products(module: torch.nn.Module, inputs: torch.Tensor) -> int:
    """Multiply-adds as torch counts them, in operations that it knows how to count."""
    with (
        torch.backends.mkldnn.flags(enabled=False),  # else a GRU is one operation of its own
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        module.eval()(inputs)
    return int(counter.get_total_flops()) // 2


def test_the_table_lists_every_network() -> None:
    assert TABLE.keys() == NETWORKS.keys()


@every_network
@pytest.mark.filterwarnings("ignore:TF32 acceleration")
def test_weights_and_multiply_adds_are_those_of_the_table(name: str) -> None:
    module = build(name, (1, 28, 28), 10, 0)
    weights = sum(parameter.numel() for parameter in module.parameters())
    assert (weights, products(module, batch((1, 28, 28), 1))) == TABLE[name]


def test_lenet_5_has_the_layers_that_papers_on_pruning_count() -> None:
    matrices = [p.numel() for p in build("lenet-5", (1, 28, 28), 10, 0).parameters() if p.dim() > 1]
    assert matrices == [500, 25_000, 400_000, 5_000]


def test_lenet_300_100_has_the_layers_that_papers_on_pruning_count() -> None:
    module = build("lenet-300-100", (1, 28, 28), 10, 0)
    assert [p.numel() for p in module.parameters() if p.dim() > 1] == [235_200, 30_000, 1_000]


@every_network
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logits_and_gradients_for_pictures_of_many_sizes(name: str, shape: tuple[int, ...]) -> None:
    module = build(name, shape, 7, 0)
    logits = module(batch(shape))
    logits.square().sum().backward()
    assert logits.shape == (3, 7)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


@every_network
def test_a_batch_of_one_trains(name: str) -> None:
    assert build(name, SHAPE, CLASSES, 0)(batch(SHAPE, 1)).shape == (1, CLASSES)


@every_network
def test_the_seed_is_all_that_decides_the_weights(name: str) -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first = digest(build(name, SHAPE, CLASSES, 1))
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)
    assert digest(build(name, SHAPE, CLASSES, 1)) == first
    assert digest(build(name, SHAPE, CLASSES, 2)) != first


@every_network
def test_width_makes_a_network_larger_or_smaller(name: str) -> None:
    sizes = [
        sum(p.numel() for p in build(name, SHAPE, CLASSES, 0, width).parameters())
        for width in (0.01, 0.5, 1, 2)
    ]
    assert sizes == sorted(set(sizes))


@every_network
def test_the_last_part_is_the_head_and_the_stages_before_it_give_features(name: str) -> None:
    module = build(name, SHAPE, CLASSES, 0).eval()
    seen = []
    for stage in stages(module):
        module.get_submodule(stage).register_forward_hook(
            lambda _module, _inputs, features, stage=stage: seen.append((stage, len(features)))
        )
    module(batch(SHAPE))
    assert seen == [(stage, 3) for stage in stages(module)] != []
    assert head(module, batch(SHAPE).numpy()) == ("head", module.head)


@every_network
def test_a_network_learns(name: str) -> None:
    module = build(name, SHAPE, CLASSES, 3)
    epochs = 20 if name == "transformer" else 6  # it has to learn first what is next to what
    training = Training(epochs=epochs, batch=32, optimizer=Optimizer("adam", rate=0.005))
    train(module, squares(400, 1), training, seed=0)
    assert accuracy(module, squares(200, 2)) > 0.8  # chance is 0.25


@every_network
@pytest.mark.filterwarnings("ignore:The tensor attributes .* assigned during export")  # a GRU's
def test_an_exported_program_takes_any_batch(name: str) -> None:
    module = build(name, SHAPE, CLASSES, 0).eval()
    sizes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(module, (batch(SHAPE, 2),), dynamic_shapes=sizes)
    inputs = batch(SHAPE, 5)
    torch.testing.assert_close(program.module()(inputs), module(inputs))


@pytest.mark.parametrize(
    ("name", "shape", "classes", "width", "culprit"),
    [
        ("alexnet", SHAPE, 10, 1, "no network 'alexnet'; there are lenet-5"),
        ("cnn", (28, 28), 10, 1, r"input shape \(28, 28\)"),
        ("cnn", (1, 28, 7), 10, 1, r"input shape \(1, 28, 7\).*8 x 8"),
        ("cnn", (0, 28, 28), 10, 1, r"input shape \(0, 28, 28\)"),
        ("cnn", SHAPE, 0, 1, "classes 0"),
        ("cnn", SHAPE, 10, 0, "width 0"),
        ("cnn", SHAPE, 10, float("nan"), "width nan"),
    ],
)
def test_what_is_no_network_is_refused(
    name: str, shape: tuple[int, ...], classes: int, width: float, culprit: str
) -> None:
    with pytest.raises(BadOption, match=culprit):
        build(name, shape, classes, 0, width)


def test_networks_that_begin_with_the_same_layer_do_not_begin_with_the_same_weights() -> None:
    first = {
        name: build(name, SHAPE, CLASSES, 0).stage1[0].weight.flatten()
        for name in ("vgg", "resnet", "mobilenet")
    }
    for one, other in combinations(first, 2):
        assert first[one].shape == first[other].shape
        assert abs(torch.cosine_similarity(first[one], first[other], dim=0)) < 0.4
