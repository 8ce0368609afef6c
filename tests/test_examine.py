"""From a file to its record."""

import hashlib
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from hostile import building, external
from onnx import helper
from small_networks import CATEGORIES, learned, saved

from assay.errors import AssayError, UnreadableModel
from assay.examine import DEFAULT_HASHER, ENOUGH_LAYERS, examine, quality
from assay.hashers import HASHERS
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.sketches import sketch
from assay.sketches.readings import tried
from assay.values import Layer, LayerGraph, Record


def test_a_record_says_what_the_file_holds(light_models: dict[str, Path]) -> None:
    path = light_models["squeezenet"]
    record = examine(path)
    assert record.path == str(path)
    assert record.name == path.stem
    assert record.format == "onnx"
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record.graph is not None
    assert record.code == HASHERS[DEFAULT_HASHER]()(record.graph)
    assert record.parameters == record.graph.parameters == 1_235_496
    assert record.quality == 1
    assert record.metadata["opset"] == 9
    assert record.metadata["producer"] == "onnx-caffe2"
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_a_path_may_be_text(light_models: dict[str, Path]) -> None:
    path = light_models["squeezenet"]
    assert examine(str(path)) == examine(path)


def test_no_digest_no_sha256(light_models: dict[str, Path]) -> None:
    path = light_models["squeezenet"]
    assert examine(path, digest=False).sha256 is None
    assert examine(path, digest=False).code == examine(path).code


def test_the_hasher_is_the_callers(light_models: dict[str, Path]) -> None:
    code = examine(light_models["squeezenet"], hasher=WeisfeilerLehman(bits=128)).code
    assert code is not None
    assert len(code) == 128


def test_a_category_is_told_where_the_hasher_has_one(
    tmp_path: Path, light_models: dict[str, Path]
) -> None:
    hasher = learned(saved(tmp_path))
    record = examine(light_models["vgg19"], hasher=hasher)
    assert record.graph is not None
    assert record.predicted is not None
    category, likely = hasher.classify(record.graph) or ("", 0.0)
    assert record.predicted[0] == category in CATEGORIES
    assert likely - 1e-4 < record.predicted[1] <= likely
    baseline = WeisfeilerLehman()
    assert examine(light_models["vgg19"], hasher=baseline).predicted is None


def test_raw_leaves_the_merge_rules_out(light_models: dict[str, Path]) -> None:
    merged, raw = (examine(light_models["resnet50"], raw=r).graph for r in (False, True))
    assert merged is not None
    assert raw is not None
    assert len(raw.layers) > len(merged.layers)
    assert (raw.rules.endswith("-raw"), merged.rules.endswith("-raw")) == (True, False)


def test_a_graph_of_nothing_has_no_code(tmp_path: Path) -> None:
    record = examine(building.saved(tmp_path, "g (float[2] x) => (float[2] y) { y = Identity(x) }"))
    assert record.graph is not None
    assert (record.graph.layers, record.code, record.quality) == ((), None, 0.0)


def test_external_data_count_in_the_digest(tmp_path: Path) -> None:
    data = tmp_path / "weights.bin"
    data.write_bytes(b"\0" * 12)
    path = external.using(tmp_path, external.external("weights.bin"))
    first = examine(path)
    data.write_bytes(b"\1" * 12)
    second = examine(path)
    assert first.sha256 != second.sha256
    assert first.code == second.code
    assert first.sha256 != hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_renamed_model_with_external_data_is_the_same_model(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0" * 12)
    path = external.using(tmp_path, external.external("weights.bin"))
    before = examine(path)
    after = examine(path.rename(tmp_path / "stolen.onnx"))
    assert after.sha256 == before.sha256


def test_data_in_another_place_are_another_model(tmp_path: Path) -> None:
    digests = set()
    for place in ("a.bin", "b.bin"):
        (tmp_path / place).write_bytes(b"\0" * 12)
        digests.add(examine(external.using(tmp_path, external.external(place))).sha256)
    assert len(digests) == 2


def test_a_model_that_is_not_whole_has_no_digest_and_half_the_quality(tmp_path: Path) -> None:
    nodes = building.chain(lambda a, b, i: helper.make_node("Mul", [a, "w"], [b]), 20)
    weights = external.external("weights.bin", (3, 1, 1))
    path = building.of_nodes(tmp_path, nodes, [weights])
    record = examine(path)
    assert record.sha256 is None
    assert record.quality == 0.5
    (tmp_path / "weights.bin").write_bytes(b"\0" * 12)
    assert examine(path).quality == 1
    assert examine(path).sha256 is not None


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match=rf"^{tmp_path}/gone\.onnx: no such file$"):
        examine(tmp_path / "gone.onnx")


@pytest.mark.parametrize(
    ("shape", "op", "expected"),
    [((1, 8), "Conv", 1.0), (None, "Conv", 0.0), ((1, -1), "Conv", 0.0), ((1, 8), "acme::X", 0.0)],
)
def test_quality_counts_the_layers_that_are_understood(
    shape: tuple[int, ...] | None, op: str, expected: float
) -> None:
    layers = (Layer(op, shape),) * ENOUGH_LAYERS
    assert quality(LayerGraph(layers, (), "g1")) == expected


def test_few_layers_say_little() -> None:
    half = (Layer("Conv", (1, 8)),) * (ENOUGH_LAYERS // 2)
    assert quality(LayerGraph(half, (), "g1")) == 0.5
    assert quality(LayerGraph((), (), "g1")) == 0.0


def test_what_is_no_model_at_all_is_refused() -> None:
    pytest.importorskip("torch")
    with pytest.raises(AssayError, match=r"^int: expected a path or an nn\.Module, got int$"):
        examine(7)


def test_weights_are_not_read(tmp_path: Path) -> None:
    """A model of 400 MB takes no 400 MB; all of its weights are a hole in the file."""
    rows, columns = 100_000, 1000
    size = rows * columns * 4
    weight = onnx.TensorProto(name="w", dims=[rows, columns], data_type=1).SerializeToString()
    weight += building.varint(9 << 3 | 2) + building.varint(size)
    node = helper.make_node("Gemm", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, rows])],
        [helper.make_tensor_value_info("y", 1, None)],
    ).SerializeToString()
    graph += building.varint(5 << 3 | 2) + building.varint(len(weight) + size) + weight
    opset = building.field(8, helper.make_opsetid("", 17).SerializeToString())
    head = opset + building.varint(7 << 3 | 2) + building.varint(len(graph) + size)
    path = building.write(tmp_path, head + graph)
    os.truncate(path, path.stat().st_size + size)
    script = (
        "import re, sys; from assay.examine import examine;"
        "r = examine(sys.argv[1], digest=False);"
        # The kernel's figure of this process alone: ru_maxrss would count the one that started it.
        "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1];"
        "print(r.parameters, int(peak) // 1024)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")},
    )
    parameters, megabytes = map(int, run.stdout.split())
    assert parameters == rows * columns
    assert megabytes < 150


def test_weights_are_sketched_where_asked_for(tmp_path: Path) -> None:
    path, key = tmp_path / "a.npz", bytes(range(32))
    np.savez(path, hidden=np.random.default_rng(0).normal(size=(3, 3, 8, 16)).astype(np.float32))
    assert examine(path).sketch is None
    record = examine(path, sketcher=partial(sketch, key=key))
    assert record.sketch is not None
    assert [tensor.reading for tensor in record.sketch.tensors] == ["output last"]
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record
    suspect = examine(path, sketcher=partial(sketch, key=key, readings=tried)).sketch
    assert suspect is not None
    assert suspect.scheme == record.sketch.scheme
    assert set(record.sketch.tensors) < set(suspect.tensors)


def test_weights_that_are_missing_are_not_sketched(tmp_path: Path) -> None:
    path = external.using(tmp_path, external.external("weights.bin"))
    assert examine(path, sketcher=sketch).sketch is None
    (tmp_path / "weights.bin").write_bytes(b"\0" * 12)
    assert examine(path, sketcher=sketch).sketch is not None
