"""Keras configurations and archives that are too much, too deep, or not what they say."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samples.keras import BIAS, KERNEL, functional, h5, layer, source

from hostile.archives import CANARY
from hostile.building import attack, write

WEIGHTS = {"fc/kernel:0": KERNEL, "fc/bias:0": BIAS}


def archive(folder: Path, method: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    """A Keras archive, sound but for the members that are given."""
    sound = {"config": json.dumps(described()).encode(), "weights": h5(WEIGHTS)}
    names = {"config": "config.json", "weights": "model.weights.h5", "about": "metadata.json"}
    with zipfile.ZipFile(folder / "hostile.keras", "w", method) as file:
        for key, content in (sound | members).items():
            file.writestr(names[key], content)
    return folder / "hostile.keras"


def described(**more: Any) -> dict[str, Any]:
    layers = [source([None, 2]), layer("Dense", "fc", ["x"], units=3, **more)]
    return functional(layers, ["fc"])


def configured(folder: Path, configuration: Mapping[str, Any]) -> Path:
    return archive(folder, zipfile.ZIP_DEFLATED, config=json.dumps(configuration).encode())


@attack("")
def keras_archive_that_is_sound(folder: Path) -> Path:
    return archive(folder)


@attack("nested too deep")
def keras_configuration_of_brackets(folder: Path) -> Path:
    return archive(folder, config=b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@attack("parts")
def keras_configuration_of_ten_million_lists(folder: Path) -> Path:
    return archive(folder, zipfile.ZIP_DEFLATED, config=b'{"a":[' + b"[]," * 10**7 + b"0]}")


@attack("times its size")
def keras_configuration_of_many_megabytes(folder: Path) -> Path:
    return archive(folder, zipfile.ZIP_DEFLATED, config=b" " * 2**28)


@attack("compressed weights have")
def keras_weights_that_are_a_bomb(folder: Path) -> Path:
    path = folder / "hostile.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", "{}")
        file.writestr("metadata.json", b"{" + b" " * 2**22 + b"}", zipfile.ZIP_STORED)
        with file.open("model.weights.h5", "w") as member:
            for _ in range(257):
                member.write(bytes(2**20))
    return path


@attack("more than 50,000 layers")
def keras_a_million_layers(folder: Path) -> Path:
    entry = {"class_name": "ReLU", "config": {"name": "a"}}
    layers = [{"class_name": "ReLU", "config": {"batch_input_shape": [1, 2]}}, *[entry] * 200_000]
    return configured(folder, {"class_name": "Sequential", "config": {"layers": layers}})


@attack("more than 50,000 layers")
def keras_a_layer_that_is_called_half_a_million_times(folder: Path) -> Path:
    entry = layer("ReLU", "a", ["x"])
    entry["inbound_nodes"] = [["x", 0, 0]] * 200_000
    return configured(folder, functional([source([1, 2]), entry], ["a"]))


@attack("nested more than 16 deep")
def keras_models_in_models(folder: Path) -> Path:
    inner: dict[str, Any] = {"class_name": "ReLU", "config": {"batch_input_shape": [1, 2]}}
    for _ in range(60):
        inner = {"class_name": "Sequential", "config": {"layers": [inner]}}
    return configured(folder, inner)


@attack("more than 50,000 layers")
def keras_models_that_are_called_twice_each(folder: Path) -> Path:
    """Two to the 15th calls of the innermost, in a file of some kilobytes."""
    inner = functional(
        [source([1, 2]), layer("ReLU", "a", ["x"]), layer("ReLU", "b", ["a"])], ["b"]
    )
    for _ in range(15):
        inner |= {"name": "m", "inbound_nodes": [[["x", 0, 0, {}]], [["m", 0, 0, {}]]]}
        inner["config"]["name"] = "m"
        outer = functional([source([1, 2]), inner], ["m"])
        outer["config"]["output_layers"] = [["m", 1, 0]]
        inner = outer
    return configured(folder, inner)


@attack("reads what no layer gives")
def keras_layers_in_a_circle(folder: Path) -> Path:
    layers = [source([1, 2]), layer("ReLU", "a", ["b"]), layer("ReLU", "b", ["a"])]
    return configured(folder, functional(layers, ["a"]))


@attack("")
def keras_layer_that_names_code(folder: Path) -> Path:
    """A Lambda holds code, marshalled; classes and functions are named by module."""
    code = ["4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMEAAAAdAABAA==", None, None]
    entry = layer("Lambda", "fc", ["x"], function=code, function_type="lambda", module="os")
    entry |= {"module": "os", "registered_name": f"system('touch {CANARY}')"}
    return configured(folder, functional([source([None, 2]), entry], ["fc"]))


@attack("absurd shape")
def keras_input_of_2_to_the_60(folder: Path) -> Path:
    layers = [source([None, 2**60]), layer("Dense", "fc", ["x"])]
    return configured(folder, functional(layers, ["fc"]))


@attack("")
def keras_options_of_other_types(folder: Path) -> Path:
    """Numbers where there should be lists, lists where there should be numbers."""
    odd = {"strides": "two", "padding": [[[1]]], "dilation_rate": {"a": 1}, "groups": -5}
    layers = [source([None, 8, 8, 2])]
    for place, kind in enumerate(["MaxPooling2D", "ZeroPadding2D", "Cropping2D", "UpSampling2D"]):
        before = layers[-1]["name"]
        layers.append(layer(kind, f"l{place}", [before], size=2.5, cropping=None, **odd))
    return configured(folder, functional(layers, [layers[-1]["name"]]))


@attack("not a zip archive")
def keras_archive_that_is_a_text(folder: Path) -> Path:
    return write(folder, b"PK\x03\x04 but not for long" * 10, "hostile.keras")


@attack("lies beyond the end")
def keras_archive_whose_member_lies_elsewhere(folder: Path) -> Path:
    path = archive(folder)
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 42 : entry + 46] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    return path
