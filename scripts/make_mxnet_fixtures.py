"""Makes tests/fixtures/mxnet: small networks as MXNet's two files and, by its exporter, as ONNX.

Made with mxnet 1.9.1, numpy 1.23.5 and onnx 1.13.1 on Python 3.11.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mxnet as mx
import mxnet.onnx
import numpy as np

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures" / "mxnet"
SHAPES = {"residual": (1, 3, 16, 16), "mixed": (1, 3, 15, 15), "recurrent": (5, 1, 4)}


def normalized(x: Any, name: str, **settings: Any) -> Any:
    """A convolution without bias and its batch normalization."""
    x = mx.sym.Convolution(x, no_bias=True, name=name, **settings)
    return mx.sym.BatchNorm(x, fix_gamma=name == "a", eps=1e-5, name=f"{name}_bn")


def residual(x: Any) -> Any:
    """Two branches that are added, each normalized; one factor is fixed to one."""
    x = normalized(x, "stem", kernel=(3, 3), num_filter=8, stride=(2, 2), pad=(1, 1))
    x = mx.sym.Activation(x, act_type="relu")
    x = mx.sym.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max")
    y = normalized(x, "a", kernel=(3, 3), num_filter=16, pad=(1, 1), num_group=4)
    y = normalized(
        mx.sym.Activation(y, act_type="relu"), "b", kernel=(3, 3), num_filter=16, pad=(1, 1)
    )
    x = normalized(x, "skip", kernel=(1, 1), num_filter=16)
    x = mx.sym.Activation(mx.sym.elemwise_add(x, y), act_type="relu")
    x = mx.sym.Flatten(mx.sym.Pooling(x, kernel=(1, 1), global_pool=True, pool_type="avg"))
    return mx.sym.FullyConnected(mx.sym.Dropout(x), num_hidden=5, name="fc")


def mixed(x: Any) -> Any:
    """One of each of many other operators."""
    x = mx.sym.Convolution(x, kernel=(3, 3), num_filter=8, pad=(2, 2), dilate=(2, 2), name="one")
    x = mx.sym.LeakyReLU(x, act_type="prelu", name="prelu")
    x = mx.sym.LRN(x, nsize=5)
    x = mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max", pooling_convention="full")
    left = mx.sym.Convolution(x, kernel=(3, 3), num_filter=4, pad=(1, 1), name="left")
    right = mx.sym.Convolution(x, kernel=(1, 1), num_filter=4, name="right")
    left = mx.sym.LeakyReLU(left, act_type="elu", slope=1.0)
    right = mx.sym.LeakyReLU(right, act_type="leaky", slope=0.125)
    x = mx.sym.Concat(left, right, dim=1)
    x = mx.sym.Deconvolution(
        x,
        kernel=(4, 4),
        stride=(2, 2),
        pad=(1, 1),
        num_filter=8,
        num_group=2,
        no_bias=True,
        name="up",
    )
    first, second = mx.sym.SliceChannel(x, num_outputs=2, axis=1)
    x = mx.sym.broadcast_mul(first, mx.sym.sigmoid(second))
    x = mx.sym.transpose(mx.sym.reshape(x, shape=(0, 0, -1)), axes=(0, 2, 1))
    x = mx.sym.FullyConnected(mx.sym.Flatten(x), num_hidden=6, name="fc")
    return mx.sym.tanh(x)


def recurrent(x: Any) -> Any:
    """Two layers in both directions, their weights in one long array."""
    zeros = [mx.sym.zeros(shape=(4, 1, 3)) for _ in range(2)]
    return mx.sym.RNN(
        x, mx.sym.Variable("weights"), *zeros,
        state_size=3, num_layers=2, mode="lstm", bidirectional=True, name="rnn",
    )  # fmt: skip


def main() -> None:
    """All files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = np.random.RandomState(0)
    for make in (residual, mixed, recurrent):
        name = make.__name__
        symbol = body = make(mx.sym.Variable("data"))
        if name == "residual":  # the exporter does not know the loss that gives it
            symbol = mx.sym.SoftmaxOutput(body, name="softmax")
            body = mx.sym.softmax(body)
        arguments, _, states = symbol.infer_shape(data=SHAPES[name])
        arrays = {}
        for kind, names, shapes in (
            ("arg", symbol.list_arguments(), arguments),
            ("aux", symbol.list_auxiliary_states(), states),
        ):
            for variable, shape in zip(names, shapes, strict=True):
                if variable not in ("data", "softmax_label"):
                    arrays[f"{kind}:{variable}"] = mx.nd.array(np.abs(rng.randn(*shape)))
        weights, graph = (str(FOLDER / f"{name}{end}") for end in ("-0003.params", "-symbol.json"))
        mx.nd.save(weights, arrays)
        if name != "recurrent":
            body.save(graph)
            path = str(FOLDER / f"{name}.onnx")
            mxnet.onnx.export_model(graph, weights, [SHAPES[name]], np.float32, path)
        symbol.save(graph)


if __name__ == "__main__":
    main()
