"""Writes tests/fixtures/keras: small networks as Keras 3, tf.keras, TF.js, TFLite, ONNX write them.

HDF5 files are mostly padding, so they are packed: Keras' own in ``files.tar.xz``, those of other
formats in ``exports.tar.xz``.  Needs keras, tensorflow, tf_keras, tensorflowjs, tf2onnx and h5py,
none of which the tests need; ``versions.json`` tells which were used.  Every weight is drawn from
one seed, so that all files of a network hold the same values, which are in ``values.npz`` too.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import tempfile
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
import tf2onnx
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

ARCHIVES = Path(__file__).parents[1] / "tests" / "fixtures" / "keras"
FOLDER = Path(tempfile.mkdtemp())
EXPORTS = FOLDER / "exports"
PACKAGES = ("keras", "tensorflow-cpu", "tf_keras", "tensorflowjs", "tf2onnx", "h5py", "onnx")
VALUES: dict[str, Any] = {}


def image(kit: Any) -> Any:
    """Every usual layer over images."""
    lay = kit.layers
    x = start = kit.Input((8, 8, 3))
    x = lay.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    y = lay.DepthwiseConv2D(3, padding="same", depth_multiplier=1, name="deep")(x)
    y = lay.Conv2D(6, 1, activation="relu", name="point")(y)
    x = lay.MaxPooling2D(name="pool")(lay.Add(name="sum")([x, y]))
    x = lay.Conv2DTranspose(5, 2, strides=2, name="up")(x)
    x = lay.SeparableConv2D(4, 3, padding="same", name="apart")(x)
    x = lay.GlobalAveragePooling2D(name="mean")(x)
    x = lay.Dense(3, activation="softmax", name="out")(lay.Dropout(0.5, name="drop")(x))
    return kit.Model(start, x)


def sequence(kit: Any) -> Any:
    """Recurrent layers, one way and both."""
    lay = kit.layers
    return kit.Sequential(
        [
            kit.Input((7,), dtype="int32"),
            lay.Embedding(11, 4, name="table"),
            lay.Bidirectional(lay.LSTM(3, return_sequences=True, name="lstm"), name="both"),
            lay.GRU(5, return_sequences=True, name="gru"),
            lay.SimpleRNN(4, return_sequences=True, name="plain"),
            lay.TimeDistributed(lay.Dense(2, name="step"), name="steps"),
            lay.Flatten(name="flat"),
            lay.Dense(2, name="out"),
        ]
    )


def nested(kit: Any) -> Any:
    """A model in a model, two results of one, and a layer that is called three times."""
    lay = kit.layers
    inner = kit.Sequential(
        [kit.Input((4,)), lay.Dense(5, name="a"), lay.Dense(4, name="b")], name="in"
    )
    middle = kit.Input((4,))
    two = kit.Model(
        middle, [lay.Dense(3, name="p")(middle), lay.Dense(4, name="q")(middle)], name="two"
    )
    shared = lay.Dense(4, activation="tanh", name="shared")
    start = kit.Input((4,))
    first = shared(start)
    p, q = two(inner(first))
    joined = lay.Concatenate(name="join")([p, shared(q), shared(first)])
    return kit.Model(start, lay.Dense(2, name="out")(joined))


def attention(kit: Any) -> Any:
    """One block of a transformer, normalizations of three kinds."""
    lay = kit.layers
    start = kit.Input((6, 8))
    mixed = lay.MultiHeadAttention(2, 3, name="heads")(start, start)
    x = lay.LayerNormalization(name="norm")(lay.Add(name="sum")([start, mixed]))
    x = lay.BatchNormalization(name="batch")(lay.Dense(8, activation="gelu", name="wide")(x))
    x = lay.GroupNormalization(4, name="groups")(lay.Reshape((2, 3, 8), name="square")(x))
    x = lay.Flatten(name="flat")(lay.PReLU(shared_axes=[1, 2], name="slope")(x))
    return kit.Model(start, lay.Dense(2, name="out")(x))


NETWORKS = {"image": image, "sequence": sequence, "nested": nested, "attention": attention}


def drawn(kit: Any, name: str) -> Any:
    """The network with values from the seed of its name; they are noted by variable."""
    kit.backend.clear_session()
    network = NETWORKS[name](kit)
    random = np.random.default_rng(sorted(NETWORKS).index(name))
    for place, variable in enumerate(network.weights):
        values = random.normal(size=variable.shape).astype(np.float32)
        path = getattr(variable, "path", variable.name).split(":")[0]
        variable.assign(np.abs(values) + 0.5 if path.endswith("variance") else values)
        if kit is keras:
            short = "/".join(path.split("/")[-3:])
            VALUES[f"{name}/{place:02}/{short}"] = variable.numpy()
    return network


def exports(network: Any, name: str) -> None:
    """TFLite and ONNX."""
    signature = [tf.TensorSpec((1, *i.shape[1:]), i.dtype, name="x") for i in network.inputs]
    function = tf.function(lambda x: network(x, training=False), input_signature=signature)
    tf2onnx.convert.from_function(
        function, signature, opset=17, output_path=str(EXPORTS / f"{name}.onnx")
    )
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    lite = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    (EXPORTS / f"{name}.tflite").write_bytes(lite)


def web(path: Path, name: str, *options: str) -> None:
    """A TF.js model; its converter imports jax, which Keras files do not need."""
    for missing in ("jax", "jax.experimental", "jax.experimental.jax2tf"):
        sys.modules.setdefault(missing, types.ModuleType(missing))
    sys.modules["jax.experimental"].jax2tf = sys.modules["jax.experimental.jax2tf"]  # type: ignore[attr-defined]
    from tensorflowjs.converters import converter

    converter.convert([*options, str(path), str(EXPORTS / name)])


def hdf5(name: str, libver: str) -> None:
    """Data sets stored in every way; each counts up from zero, row by row."""
    with h5py.File(FOLDER / name, "w", libver=libver) as file:
        values = np.arange(13 * 11, dtype="f4").reshape(13, 11)
        cut = {"chunks": (4, 3)}
        file.create_dataset("whole", data=values)
        file.create_dataset("chunked", data=values, **cut)
        file.create_dataset("packed", data=values, compression="gzip", shuffle=True, **cut)
        file.create_dataset("checked", data=values, fletcher32=True, **cut)
        file.create_dataset("single", data=values, chunks=(13, 11), compression="gzip")
        file.create_dataset("growing", data=values, maxshape=(None, 11), **cut)
        file.create_dataset("growing_twice", data=values, maxshape=(None, None), **cut)
        file.create_dataset("limited", data=values, maxshape=(40, 30), **cut)
        for kind in (">f4", ">f8", "<f2", "<i2", ">u4", "u1"):
            file.create_dataset(f"kinds/{kind[-2:]}", data=(values % 100).astype(kind))
        filled = file.create_dataset("filled", shape=(6, 6), dtype="f4", fillvalue=2.5, **cut)
        filled[0, 0] = 1.0
        for i in range(40):
            file[f"many/{i:02}"] = np.float32(i)
            file["many"].attrs[f"name {i:02}"] = f"text {i}"
        file.attrs["fixed"] = np.bytes_("of a fixed length")
        file.attrs["varied"] = "of any length é"
        file.attrs["list"] = [b"a", b"bcd"]
        file["soft"] = h5py.SoftLink("/soft")
        file["hard"] = file["whole"]


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs from one making to the next."""
    info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
    return info


def pack(folder: Path, name: str) -> None:
    """All files of a folder as one archive; they are gone from the folder then."""
    with tarfile.open(ARCHIVES / name, "w:xz") as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.add(path, str(path.relative_to(folder)), filter=_plain)
    shutil.rmtree(folder)


def main() -> None:
    """Makes all files anew."""
    EXPORTS.mkdir()
    for name in NETWORKS:
        network = drawn(keras, name)
        network.save(FOLDER / f"{name}.keras")
        network.save(FOLDER / f"{name}.h5")
        network.save_weights(FOLDER / f"{name}.weights.h5")
        exports(network, name)
        older = drawn(tf_keras, name)
        older.save(FOLDER / f"{name}-tf.h5")
        older.save(FOLDER / f"{name}-tf.keras")
        saved = FOLDER / "saved"
        older.save(saved)
        shards = "--weight_shard_size_bytes=300"
        web(FOLDER / f"{name}-tf.h5", f"{name}-layers", "--input_format=keras", shards)
        # TF.js itself does not know GELU's Erfc, but its converter does.
        web(saved, f"{name}-graph", "--input_format=tf_saved_model", "--skip_op_check", shards)
        shutil.rmtree(saved)
    for kind in ("uint8", "uint16", "float16"):
        web(FOLDER / "image-tf.h5", f"image-{kind}", "--input_format=keras", f"--quantize_{kind}=*")
    for libver in ("earliest", "latest"):
        hdf5(f"{libver}.hdf5", libver)
    np.savez_compressed(FOLDER / "values.npz", **VALUES)
    versions = {package: version(package) for package in PACKAGES}
    (FOLDER / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
    ARCHIVES.mkdir(parents=True, exist_ok=True)
    pack(EXPORTS, "exports.tar.xz")
    pack(FOLDER, "files.tar.xz")


if __name__ == "__main__":
    main()
