"""TF.js models: layers and graphs, quantized shards, and what their manifests may not do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutated_json
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras_fixtures import fixture
from samples import tfjs as files
from samples.tfjs import entry, group, node, placeholder, save

from assay.errors import UnreadableModel
from assay.formats import FORMATS, Model, folder_format, read
from assay.graphs import layer_graph

RANDOM = np.random.default_rng(0)


def operators(model: Model) -> list[str]:
    assert model.layers is not None
    return [layer.op for layer in layer_graph(model.layers).layers]


@pytest.mark.parametrize("name", ["layers", "graph", "uint8", "uint16", "float16"])
def test_the_converter_s_models_have_the_graph_of_the_keras_file(name: str) -> None:
    model, keras = read(fixture(f"image-{name}")), read(fixture("image-tf.h5"))
    assert model.format == "tfjs"
    assert model.layers is not None
    assert keras.layers is not None
    assert layer_graph(model.layers) == layer_graph(keras.layers)


@pytest.mark.parametrize(
    ("name", "steps"), [("layers", 0), ("uint8", 255), ("uint16", 65535), ("float16", 2048)]
)
def test_quantized_values_are_within_half_a_step_of_the_keras_file(name: str, steps: int) -> None:
    web, keras = read(fixture(f"image-{name}")).weights, read(fixture("image-tf.h5")).weights
    by_end = {path.split("/", 2)[2].removesuffix(":0"): weight for path, weight in keras.items()}
    assert {key: weight.shape for key, weight in web.items()} == {
        key: weight.shape for key, weight in by_end.items()
    }
    for key, weight in web.items():
        value, wanted = weight.read(), by_end[key].read()
        assert weight.canonical
        if name == "float16":
            assert np.array_equal(value, wanted.astype(np.float16).astype(np.float32))
            continue
        reach = np.ptp(wanted) / steps if steps else 0
        # The converter moves the range so that zero is one of its steps.
        assert np.abs(value - wanted).max() <= reach * (1.01 if steps else 0) + 1e-7 * bool(steps)


def test_the_graph_s_weights_are_the_keras_file_s() -> None:
    web = [weight.read() for weight in read(fixture("image-graph")).weights.values()]
    for weight in read(fixture("image-tf.h5")).weights.values():
        value = weight.read()
        assert any(v.shape == value.shape and np.array_equal(v, value) for v in web), weight.name


@pytest.mark.parametrize(
    ("stored", "quantization", "expected"),
    [
        (np.array([[0, 255]], "u1"), {"dtype": "uint8", "min": -1.0, "scale": 0.5}, [-1, 126.5]),
        (np.array([[1, 65535]], "<u2"), {"dtype": "uint16", "min": 2, "scale": 1}, [3, 65537]),
        (np.array([[0.5, -2]], "<f2"), {"dtype": "float16"}, [0.5, -2]),
        (np.array([[np.nan, np.inf]], "<f4"), None, [np.nan, np.inf]),
    ],
)
def test_numbers_stand_for_what_the_manifest_says(
    stored: Any, quantization: Any, expected: Any, tmp_path: Path
) -> None:
    weights = [(entry("w", stored, quantization, "float32"), stored)]
    nodes = [placeholder("x", [1, 2]), node("w", "Const"), node("y", "Mul", ["x", "w"])]
    model = read(save(tmp_path, {"node": nodes}, [group(weights)]))
    assert np.array_equal(model.weights["w"].read(), np.array([expected], "f4"), equal_nan=True)
    assert operators(model) == ["Mul"]


@pytest.mark.parametrize("cuts", [[], [1], [4, 8, 20], [3, 3, 3, 47]])
def test_a_tensor_may_lie_in_several_shards(cuts: list[int], tmp_path: Path) -> None:
    first, second = RANDOM.normal(size=(2, 3)).astype("<f4"), RANDOM.normal(size=7).astype("<f4")
    weights = [(entry("fc/kernel", first), first), (entry("other", second), second)]
    model = read(save(tmp_path, files.dense(), [group(weights, cuts)]))
    assert np.array_equal(model.weights["fc/kernel"].read(), first.T)
    assert np.array_equal(model.weights["other"].read(), second)


def test_groups_have_shards_of_their_own_which_may_lie_deeper(tmp_path: Path) -> None:
    first, second = np.ones((2, 3), "<f4"), np.arange(3, dtype="<f4")
    groups = [
        group([(entry("fc/kernel", first), first)], prefix="a"),
        group([(entry("fc/bias", second), second)], prefix="deep/b"),
    ]
    model = read(save(tmp_path, files.dense(), groups))
    assert np.array_equal(model.weights["fc/bias"].read(), second)
    assert [path.name for path in model.files] == ["model.json", "a0.bin", "b0.bin"]


def test_texts_between_numbers_are_passed_over(tmp_path: Path) -> None:
    texts = np.frombuffer(b"\x02\0\0\0ab\x00\0\0\0", np.uint8)
    listed = {"name": "words", "shape": [2], "dtype": "string"}
    value = np.array([[7.0, 8.0]], "<f4")
    weights = [(listed, texts), (entry("w", value), value)]
    nodes = [placeholder("x", [1, 2]), node("w", "Const"), node("y", "Mul", ["x", "w"])]
    model = read(save(tmp_path, {"node": nodes}, [group(weights)]))
    assert np.array_equal(model.weights["w"].read(), value)


def test_results_are_counted_by_what_reads_them(tmp_path: Path) -> None:
    axis = np.array(1, "<i4")
    nodes = [
        placeholder("x", [1, 4]),
        node("axis", "Const"),
        node("parts", "Split", ["axis", "x"], num_split={"i": "2"}),
        node("y", "Mul", ["parts", "parts:1"]),
    ]
    signature = {"outputs": {"y": {"name": "y:0"}}}
    groups = [group([(entry("axis", axis), axis)])]
    model = read(save(tmp_path, {"node": nodes}, groups, signature=signature))
    assert operators(model) == ["Slice", "Slice", "Mul"]


def test_a_model_is_known_by_what_is_in_it_not_by_its_name(tmp_path: Path) -> None:
    web = FORMATS["tfjs"]()
    assert not web.suffixes
    assert web.sniff(b'{"format": "graph-model", "generatedBy": "2"')
    assert web.sniff(b' {\n"modelTopology" : {')
    assert not web.sniff(b'{"architectures": ["BertModel"], "format": "x"}')
    assert not web.sniff(b'["modelTopology"')
    folder = files.small(tmp_path)
    assert folder_format(folder) is FORMATS["tfjs"]
    (folder / "shard0.bin").rename(folder / "other")
    (folder / "shard1.bin").unlink()
    assert folder_format(folder) is None


def changed(path: Path, change: Callable[[Any], Any]) -> Path:
    """The model with another description."""
    file = path / "model.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return path


REFUSED = [
    (lambda c: c["weightsManifest"][0]["paths"].append("../secret.bin"), "outside"),
    (lambda c: c["weightsManifest"][0]["paths"].append("/etc/passwd"), "outside"),
    (lambda c: c["weightsManifest"][0]["paths"].append("https://x/y.bin"), "missing"),
    (lambda c: c["weightsManifest"][0]["paths"].append(7), "outside"),
    (lambda c: c["weightsManifest"][0]["paths"].pop(), "missing or cut"),
    (lambda c: c["weightsManifest"][0]["weights"][0].update(shape=[2**30, 2**30]), "absurd"),
    (lambda c: c["weightsManifest"][0]["weights"][0].update(shape=[-1]), "absurd"),
    (lambda c: c["weightsManifest"][0]["weights"][0].update(shape=[1e3]), "no shape"),
    (lambda c: c["weightsManifest"][0]["weights"][0].update(dtype="object"), "of the type"),
    (lambda c: c["weightsManifest"][0]["weights"][1].update(name="fc/kernel"), "listed twice"),
    (lambda c: c["weightsManifest"][0]["weights"][0].update(quantization={"scale": "x"}), "scale"),
    (lambda c: c.update(weightsManifest={}), "damaged"),
    (lambda c: c.update(modelTopology=[]), "no topology"),
]


@pytest.mark.parametrize(("change", "error"), REFUSED)
def test_a_description_that_cannot_be_is_refused(change: Any, error: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(99))
    with pytest.raises(UnreadableModel, match=error):
        read(changed(files.small(tmp_path), change))


def test_a_shard_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = files.small(tmp_path)
    outside = (path / "shard1.bin").rename(tmp_path / "outside.bin")
    (path / "shard1.bin").symlink_to(outside)
    with pytest.raises(UnreadableModel, match="outside"):
        read(path)


def test_a_download_cache_links_description_and_shards_to_one_place(tmp_path: Path) -> None:
    path, blobs = files.small(tmp_path), tmp_path / "blobs"
    blobs.mkdir()
    for file in sorted(path.iterdir()):
        file.rename(blobs / file.name)
        file.symlink_to(blobs / file.name)
    assert np.array_equal(read(path).weights["fc/bias"].read(), np.array(files.BIAS, "f4"))


def test_a_shard_that_is_missing_or_compressed_is_named(tmp_path: Path) -> None:
    path = files.small(tmp_path)
    shard = path / "shard1.bin"
    shard.write_bytes(gzip.compress(shard.read_bytes())[:20])
    with pytest.raises(UnreadableModel, match=r"'shard1\.bin' is compressed"):
        read(path)
    shard.unlink()
    with pytest.raises(UnreadableModel, match=r"'shard1\.bin' is missing"):
        read(path)


def test_a_shard_that_became_shorter_is_refused_when_its_weights_are_read(tmp_path: Path) -> None:
    path = files.small(tmp_path)
    model = read(path)
    (path / "shard1.bin").write_bytes(b"")
    with pytest.raises(UnreadableModel):
        model.weights["fc/bias"].read()


def copied(source: Path, target: Path) -> Path:
    """A folder that may be written to, with the files of another one."""
    target.mkdir(exist_ok=True)
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), name=st.sampled_from(["graph", "uint8"]))
def test_changed_bytes_are_read_or_refused(name: str, data: Any, tmp_path: Path) -> None:
    folder = copied(fixture(f"image-{name}"), tmp_path / "web")
    content = bytearray((folder / "model.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(32, 126))
    (folder / "model.json").write_bytes(content)
    assert "please report" not in mutated_json.outcome(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), name=st.sampled_from(["image-graph", "nested-graph", "sequence-layers"]))
def test_descriptions_that_are_changed_anywhere_are_read_or_refused(
    name: str, data: Any, tmp_path: Path
) -> None:
    folder = copied(fixture(name), tmp_path / "web")
    description = folder / "model.json"
    content = json.loads(description.read_text())
    mutated_json.changed(data, content)
    description.write_text(json.dumps(content))
    assert "please report" not in mutated_json.outcome(folder)
