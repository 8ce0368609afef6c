"""Makes tests/fixtures/caffe: small networks as Caffe's two files and, by torch, as ONNX.

Made with torch 2.13.0.  ``--judge`` runs both forms of each with OpenCV (4.14.0 was used) instead:
their results must be the same, so what the tests' own writer of Caffe files writes is sound.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "fixtures" / "caffe"
SHAPES = {"residual": (1, 3, 17, 17), "mixed": (1, 3, 16, 16)}
Layers = list[dict[str, Any]]


def designs() -> Iterator[tuple[str, Layers, Any, dict[str, Any]]]:
    """Name, Caffe's layers, torch's module, and which tensors of it each layer holds."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    yield "residual", residual(), residual_module(nn), RESIDUAL
    yield "mixed", mixed(), mixed_module(nn, torch), MIXED


def normalized(name: str, bottom: str) -> Layers:
    """Batch normalization and its factor, in place."""
    from samples.caffe import layer

    return [
        layer(f"{name}_bn", "BatchNorm", bottom, bottom, batch_norm_param={"eps": 1e-5}),
        layer(f"{name}_scale", "Scale", bottom, bottom, scale_param={"bias_term": True}),
    ]


def residual() -> Layers:
    """Two branches that are added, each normalized."""
    from samples.caffe import Word, convolution, layer

    plain = {"bias_term": False, "pad": 1}
    return [
        convolution("stem", "data", 8, stride=2, **plain),
        *normalized("stem", "stem"),
        layer("stem_relu", "ReLU", "stem", "stem"),
        layer("pool", "Pooling", "stem", "pool", pooling_param={"kernel_size": 3, "stride": 2}),
        convolution("a", "pool", 16, group=4, **plain),
        *normalized("a", "a"),
        layer("a_relu", "ReLU", "a", "a"),
        convolution("b", "a", 16, **plain),
        *normalized("b", "b"),
        convolution("skip", "pool", 16, kernel_size=1, bias_term=False),
        *normalized("skip", "skip"),
        layer("sum", "Eltwise", ["b", "skip"], "sum"),
        layer("sum_relu", "ReLU", "sum", "sum"),
        layer(
            "mean", "Pooling", "sum", "mean",
            pooling_param={"pool": Word("AVE"), "global_pooling": True},
        ),
        layer("fc", "InnerProduct", "mean", "fc", inner_product_param={"num_output": 5}),
        layer("prob", "Softmax", "fc", "prob"),
    ]  # fmt: skip


RESIDUAL = {
    "stem": "stem", "a": "a", "b": "b", "skip": "skip", "fc": "fc",
    **{f"{n}_bn": f"{n}_bn" for n in ("stem", "a", "b", "skip")},
    **{f"{n}_scale": f"{n}_bn" for n in ("stem", "a", "b", "skip")},
}  # fmt: skip


def residual_module(nn: Any) -> Any:
    """The same in torch."""

    class Net(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.stem_bn = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
            self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
            self.a = nn.Conv2d(8, 16, 3, 1, 1, groups=4, bias=False)
            self.b = nn.Conv2d(16, 16, 3, 1, 1, bias=False)
            self.skip = nn.Conv2d(8, 16, 1, bias=False)
            self.a_bn, self.b_bn, self.skip_bn = (nn.BatchNorm2d(16) for _ in range(3))
            self.fc = nn.Linear(16, 5)

        def forward(self, x: Any) -> Any:
            x = self.pool(self.stem_bn(self.stem(x)).relu())
            y = self.b_bn(self.b(self.a_bn(self.a(x)).relu()))
            x = (y + self.skip_bn(self.skip(x))).relu()
            return self.fc(x.mean((2, 3), keepdim=True).flatten(1)).softmax(1)

    return Net()


def mixed() -> Layers:
    """One of each of many other layers."""
    from samples.caffe import Word, convolution, layer

    average = {"pool": Word("AVE"), "kernel_size": 2, "stride": 2}
    return [
        convolution("one", "data", 8, pad=2, dilation=2),
        layer("prelu", "PReLU", "one", "one"),
        layer("pool", "Pooling", "one", "pool", pooling_param=average),
        convolution("left", "pool", 4, pad=1),
        layer("left_elu", "ELU", "left", "left"),
        convolution("right", "pool", 4, kernel_size=1),
        layer("right_leaky", "ReLU", "right", "right", relu_param={"negative_slope": 0.125}),
        layer("both", "Concat", ["left", "right"], "both"),
        layer("drop", "Dropout", "both", "both"),
        layer(
            "up", "Deconvolution", "both", "up", convolution_param={
                "num_output": 8, "kernel_size": 4, "stride": 2, "pad": 1, "group": 2
            },
        ),
        layer("cut", "Slice", "up", ["first", "second"], slice_param={"slice_point": 4}),
        layer("gate", "Sigmoid", "second", "gate"),
        layer(
            "product", "Eltwise", ["first", "gate"], "product",
            eltwise_param={"operation": Word("PROD")},
        ),
        layer("fc", "InnerProduct", "product", "fc", inner_product_param={"num_output": 6}),
        layer("out", "TanH", "fc", "out"),
    ]  # fmt: skip


MIXED = {name: name for name in ("one", "prelu", "left", "right", "up", "fc")}


def mixed_module(nn: Any, torch: Any) -> Any:
    """The same in torch."""

    class Net(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.prelu = nn.Conv2d(3, 8, 3, 1, 2, dilation=2), nn.PReLU(8)
            self.pool = nn.AvgPool2d(2, 2)
            self.left, self.right = nn.Conv2d(8, 4, 3, 1, 1), nn.Conv2d(8, 4, 1)
            self.up = nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=2)
            self.fc = nn.Linear(4 * 16 * 16, 6)

        def forward(self, x: Any) -> Any:
            x = self.pool(self.prelu(self.one(x)))
            left = nn.functional.elu(self.left(x))
            right = nn.functional.leaky_relu(self.right(x), 0.125)
            first, second = self.up(torch.cat([left, right], 1)).split(4, 1)
            return torch.tanh(self.fc((first * second.sigmoid()).flatten(1)))

    return Net()


def held(module: Any, kind: str) -> list[Any]:
    """A module's tensors as Caffe's blobs; the mean is kept as a sum over 2 batches."""
    if kind == "BatchNorm":
        moments = [2 * module.running_mean, 2 * module.running_var]
        return [*(m.numpy() for m in moments), np.float32([2])]
    return [
        p.detach().numpy() for p in (module.weight, getattr(module, "bias", None)) if p is not None
    ]


def make() -> None:
    """All files."""
    import torch
    from samples.caffe import net, save

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, layers, module, names in designs():
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                for tensor in (part.weight, part.bias, part.running_mean):
                    torch.nn.init.normal_(tensor)
                torch.nn.init.uniform_(part.running_var, 0.5, 2)
        module.eval()
        kinds = {layer["name"]: layer["type"] for layer in layers}
        blobs = {n: held(getattr(module, other), kinds[n]) for n, other in names.items()}
        save(FOLDER, net(layers, SHAPES[name]), blobs, name)
        example = torch.zeros(SHAPES[name])
        path = FOLDER / f"{name}.onnx"
        torch.onnx.export(module, (example,), path, dynamo=False, do_constant_folding=False)


def judge() -> None:
    """OpenCV runs both forms."""
    import cv2

    for name, shape in SHAPES.items():
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        files = [str(FOLDER / f"{name}.{end}") for end in ("prototxt", "caffemodel", "onnx")]
        results = []
        for network in (cv2.dnn.readNetFromCaffe(*files[:2]), cv2.dnn.readNetFromONNX(files[2])):
            network.setInput(x)
            results.append(network.forward())
        np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)
        print(f"{name}: the same, {results[0].ravel()[:3]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", action="store_true")
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]
    if parser.parse_args().judge:
        judge()
    else:
        make()
