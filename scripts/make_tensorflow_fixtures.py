"""Writes ``tests/fixtures/tensorflow`` with TensorFlow itself, and what TensorFlow says of it.

    python scripts/make_tensorflow_fixtures.py

Made with tensorflow-cpu 2.21.0; any 2.x should do.  Each network is small and of random weights:

- ``images``: convolution, fused batch normalization, depthwise convolution, pool, dense layer, as a
  SavedModel, a frozen graph and a TensorFlow Lite file;
- ``sentences``: embedding, a loop over time, a branch, a product of matrices, as a SavedModel, and
  frozen, once with functions and once with the old operators of control flow;
- ``old``: a SavedModel as TensorFlow 1 wrote it, with references, one in two parts, and Adam's;
- ``shards``: a checkpoint of two shards and of several types.

``truth.npz`` holds each variable as ``tf.train.load_checkpoint`` reads it, by network and name.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures" / "tensorflow"
RANDOM = np.random.default_rng(0)


def variable(name: str, *shape: int, least: float = -1.0) -> tf.Variable:
    """Of random values."""
    values = RANDOM.uniform(least, 1.0, shape).astype(np.float32)
    return tf.Variable(values, name=name)


class Images(tf.Module):
    """A small network for images."""

    def __init__(self) -> None:
        super().__init__()
        self.first = variable("first/kernel", 3, 3, 3, 8)
        self.gamma, self.beta = variable("norm/gamma", 8, least=0.5), variable("norm/beta", 8)
        self.mean, self.variance = variable("norm/mean", 8), variable("norm/variance", 8, least=0.5)
        self.depthwise, self.bias = variable("depthwise", 3, 3, 8, 1), variable("depthwise/bias", 8)
        self.last, self.last_bias = variable("last/kernel", 8, 5), variable("last/bias", 5)

    @tf.function(input_signature=[tf.TensorSpec([1, 16, 16, 3], tf.float32, "image")])
    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.nn.conv2d(image, self.first, 2, "SAME")
        norm = (self.gamma, self.beta, self.mean, self.variance, 1e-3)
        x, *_ = tf.compat.v1.nn.fused_batch_norm(x, *norm, is_training=False)
        x = tf.nn.depthwise_conv2d(tf.nn.relu6(x), self.depthwise, [1, 1, 1, 1], "SAME")
        x = tf.nn.relu(tf.nn.bias_add(x, self.bias))
        x = tf.reduce_mean(tf.nn.max_pool2d(x, 2, 2, "VALID"), [1, 2])
        x = tf.nn.bias_add(tf.matmul(x, self.last), self.last_bias)
        return {"classes": tf.nn.softmax(x)}


class Sentences(tf.Module):
    """A small network for words, with a loop and a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.table = variable("table", 20, 6)
        self.inner, self.outer = variable("inner", 6, 4), variable("outer", 4, 4)
        self.yes, self.no = variable("yes", 4, 3), variable("no", 4, 3)
        self.never = variable("never", 7)

    @tf.function(input_signature=[tf.TensorSpec([1, 5], tf.int32, "words")])
    def __call__(self, words: tf.Tensor) -> dict[str, tf.Tensor]:
        state = tf.zeros([1, 4])
        vectors = tf.transpose(tf.gather(self.table, words), [1, 0, 2])
        for vector in vectors:
            state = tf.tanh(tf.matmul(vector, self.inner) + tf.matmul(state, self.outer))
        if tf.reduce_sum(state) > 0:
            result = tf.matmul(state, self.yes)
        else:
            result = tf.nn.relu(tf.matmul(state, self.no))
        return {"logits": result}


def saved_model(name: str, module: tf.Module) -> dict[str, Any]:
    """A SavedModel, frozen files; the variables by their names."""
    function = module.__call__.get_concrete_function()
    tf.saved_model.save(module, str(FOLDER / name), signatures=function)
    for place in (FOLDER / name).iterdir():  # what a reader does without
        if place.name in ("assets", "fingerprint.pb"):
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    for lower in (False, True):
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=lower)
        kind = "frozen-lowered" if lower else "frozen"
        content = frozen.graph.as_graph_def().SerializeToString(deterministic=True)
        if not lower or name == "sentences":
            (FOLDER / f"{name}-{kind}.pb").write_bytes(content)
    return {f"{name}|{v.name.removesuffix(':0')}": v.numpy() for v in module.variables}


def old() -> dict[str, Any]:
    """A SavedModel of references, trained once so that it has slots, with two tags."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.disable_resource_variables()
        x = v1.placeholder(tf.float32, [None, 4], "x")
        rate = v1.placeholder_with_default(tf.constant(False), [], "training")
        parts = v1.fixed_size_partitioner(2)
        w = v1.get_variable(
            "w", [4, 3], initializer=v1.truncated_normal_initializer(seed=1), partitioner=parts
        )
        b = v1.get_variable("b", initializer=tf.constant(RANDOM.normal(size=3), tf.float32))
        y = tf.nn.relu(v1.nn.xw_plus_b(x, w, b))
        y = v1.cond(rate, lambda: v1.nn.dropout(y, rate=0.5), lambda: tf.identity(y))
        train = v1.train.AdamOptimizer().minimize(tf.reduce_sum(y))
        session.run(v1.global_variables_initializer())
        session.run(train, {x: np.ones((1, 4), np.float32), rate: True})
        v1.saved_model.simple_save(session, str(FOLDER / "old"), {"x": x}, {"y": y})
        first, second = session.run(list(w))
        return {"old|w[0,2:0,3]": first, "old|w[2,2:0,3]": second, "old|b": session.run(b)}


def shards() -> dict[str, Any]:
    """A checkpoint that two processes wrote, each a part of the longest tensor."""
    values: dict[str, Any] = {
        "double": RANDOM.normal(size=(2, 3)),
        "half": RANDOM.normal(size=4).astype(np.float16),
        "long": np.arange(5, dtype=np.int64),
        "single": RANDOM.normal(size=(3, 2, 2)).astype(np.float32),
        "truth": np.array([True, False, True]),
        "byte": np.arange(6, dtype=np.uint8),
    }
    tensors = {name: tf.constant(value) for name, value in values.items()}
    tensors["brain"] = tf.cast(tf.constant(RANDOM.normal(size=7), tf.float32), tf.bfloat16)
    values["brain"] = tf.cast(tensors["brain"], tf.float32).numpy()
    prefix, names = FOLDER / "shards" / "variables", sorted(tensors)
    prefix.parent.mkdir()
    parts = [f"{prefix}_part{i}" for i in range(2)]
    whole, edges = RANDOM.integers(0, 255, (300, 2)).astype(np.uint8), (0, 130, 300)
    for i, (part, listed) in enumerate(zip(parts, (names[:4], names[4:]), strict=True)):
        start, end = edges[i : i + 2]
        tf.raw_ops.SaveV2(
            prefix=part,
            tensor_names=[*listed, "parts"],
            shape_and_slices=[""] * len(listed) + [f"300 2 {start},{end - start}:-"],
            tensors=[*(tensors[name] for name in listed), tf.constant(whole[start:end])],
        )
        values[f"parts[{start},{end - start}:-]"] = whole[start:end]
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(prefix))
    return {f"shards|{name}": value for name, value in values.items()}


def main() -> None:
    """Makes the folder anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    images = Images()
    truth = saved_model("images", images) | saved_model("sentences", Sentences()) | old() | shards()
    function = images.__call__.get_concrete_function()
    lite = tf.lite.TFLiteConverter.from_concrete_functions([function], images).convert()
    (FOLDER / "images.tflite").write_bytes(lite)
    for name in ("images", "sentences", "old"):
        reader = tf.train.load_checkpoint(str(FOLDER / name / "variables" / "variables"))
        shapes = reader.get_variable_to_shape_map()
        print(name, sorted(shapes.items()))
    np.savez_compressed(FOLDER / "truth.npz", **truth)
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            print(path.relative_to(FOLDER), path.stat().st_size)


if __name__ == "__main__":
    main()
