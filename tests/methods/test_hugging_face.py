"""Snapshot folders: which of their files are read, and what the configuration makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.archives import CANARY
from hostile.pickles import call, dictionary, tensor, torch_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples.hugging_face import CONFIG, llama, small, snapshot
from samples.safetensors import written

from assay.errors import UnreadableModel
from assay.examine import examine
from assay.formats import read
from assay.graphs import layer_graph

INDEX = "model.safetensors.index.json"


def sharded(folder: Path, name: str = "model-{}.safetensors") -> Path:
    """A snapshot of two shards."""
    snapshot(folder, {}, CONFIG)
    (folder / "model.safetensors").unlink()
    arrays = llama()
    places = {}
    for number in range(2):
        part = dict(list(arrays.items())[number::2])
        places |= dict.fromkeys(part, name.format(number))
        written(folder / name.format(number), part)
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))
    return folder


def names(files: tuple[Path, ...]) -> list[str]:
    return [file.name for file in files]


def test_a_set_of_shards_is_the_model_of_one_file(tmp_path: Path) -> None:
    one, many = read(small(tmp_path)), read(sharded(tmp_path / "many"))
    shards = ["model-0.safetensors", "model-1.safetensors"]
    assert names(many.files) == ["config.json", INDEX, *shards]
    assert one.layers is not None
    assert many.layers is not None
    assert layer_graph(one.layers) == layer_graph(many.layers)
    assert one.weights.keys() == many.weights.keys()
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(weight.read(), many.weights[name].read())


def test_all_its_files_decide_the_sha256(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "many")
    found = {examine(folder).sha256}
    for name in ("config.json", INDEX, "model-0.safetensors", "model-1.safetensors"):
        content = (folder / name).read_bytes()
        changed = content.replace(b"}", b"} ", 1) if name.endswith("json") else content[:-1] + b"\1"
        (folder / name).write_bytes(changed)
        found.add(examine(folder).sha256)
        (folder / name).write_bytes(content)
    assert None not in found
    assert len(found) == 5
    (folder / "README.md").write_text("no part of the model")
    moved = folder.rename(tmp_path / "moved")
    assert examine(moved).sha256 in found


def test_of_several_sets_one_is_read_in_the_order_of_transformers(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "llama")
    written(folder / "model.fp16.safetensors", {"b": np.ones(3, "f4")})
    (folder / "pytorch_model.bin").write_bytes(b"never looked at")
    assert names(read(folder).files)[1] == INDEX
    written(folder / "model.safetensors", llama())
    assert names(read(folder).files) == ["config.json", "model.safetensors"]
    for name in ("model.safetensors", INDEX):
        (folder / name).unlink()
    with pytest.raises(UnreadableModel, match="not a PyTorch file"):
        read(folder)
    (folder / "pytorch_model.bin").unlink()
    for name in ("model-0.safetensors", "model-1.safetensors"):
        with pytest.raises(UnreadableModel, match="a folder that is no model"):
            read(folder)
        (folder / name).unlink()
    assert set(read(folder).weights) == {"b"}


def test_shards_of_pytorch_are_read_and_not_run(tmp_path: Path) -> None:
    for name in ("a", "b"):
        body = dictionary((name, tensor()), ("canary", call(tmp_path)))
        torch_file(tmp_path, body, name=f"pytorch_model-{name}.bin")
    places = {"a": "pytorch_model-a.bin", "b": "pytorch_model-b.bin"}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    model = read(tmp_path)
    assert names(model.files)[1:] == ["pytorch_model.bin.index.json", *places.values()]
    for weight in model.weights.values():
        np.testing.assert_array_equal(weight.read(), np.arange(6, dtype="f4").reshape(2, 3))
    assert not (tmp_path / CANARY).exists()


def test_a_missing_shard_leaves_weights_and_no_graph(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "llama")
    (folder / "model-1.safetensors").unlink()
    record = examine(folder)
    assert (record.sha256, record.graph) == (None, None)
    assert record.metadata["missing_external_data"] == ["model-1.safetensors"]
    assert "no tensor" in record.metadata["no_graph"]


def test_a_tied_table_is_counted_once(tmp_path: Path) -> None:
    tied = {**CONFIG, "tie_word_embeddings": True}
    graphs = []
    for number, arrays in enumerate((llama(tied=True), llama())):  # without a copy, and with it
        model = read(snapshot(tmp_path / str(number), arrays, tied))
        assert model.layers is not None
        graphs.append(layer_graph(model.layers))
    assert graphs[0] == graphs[1]
    assert graphs[0].parameters == sum(array.size for array in llama(tied=True).values())
    assert graphs[0].layers[-1].op == "Gemm"
    assert model.metadata["outside_graph"] == ["lm_head.weight"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "mamba"}, "'mamba' is not known"),
        ({"model_type": None}, "is not known"),
        ({"model_type": ["llama"]}, "is not known"),
        ({"model_type": "bert"}, "no tensor 'embeddings.word_embeddings.weight'"),
        ({"num_hidden_layers": 2}, "no tensor 'model.layers.1.input_layernorm.weight'"),
        ({"num_hidden_layers": 2**60}, "no num_hidden_layers"),
        ({"num_hidden_layers": 10**6}, "1,000,000 layers"),
        ({"num_attention_heads": 3}, "8 values are not 3 heads"),
        ({"num_attention_heads": True}, "no num_attention_heads"),
        ({"num_key_value_heads": 0}, "no num_key_value_heads"),
        ({"hidden_act": "import os"}, "unknown activation 'import os'"),
    ],
)
def test_a_configuration_that_does_not_fit_gives_no_graph(
    change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    folder = snapshot(tmp_path / "m", llama(), {**CONFIG, **change})
    model = read(folder)
    assert model.layers is None
    assert reason in model.metadata["no_graph"]
    assert len(model.weights) == len(llama())
    with pytest.raises(UnreadableModel):
        read(folder, {"input_ids": (1, 7)})


def test_a_configuration_of_a_part_gives_no_graph(tmp_path: Path) -> None:
    """One that hides blocks would make a stranger of a registered model."""
    model = read(snapshot(tmp_path / "m", llama(blocks=9), CONFIG))
    assert model.layers is None
    assert "less than half" in model.metadata["no_graph"]


def test_inputs_may_have_another_length(tmp_path: Path) -> None:
    folder = small(tmp_path)
    layers = read(folder, {"input_ids": (2, 7)}).layers
    assert layers is not None
    assert layer_graph(layers).layers[-1].shape == (2, 7, 5)
    for wrong in ({"pixel_values": (1, 3, 8, 8)}, {"input_ids": (7,)}, {"input_ids": (0, 7)}):
        with pytest.raises(UnreadableModel, match="input"):
            read(folder, wrong)


def test_a_snapshot_in_a_download_cache_is_read(tmp_path: Path) -> None:
    """Files of a snapshot are links into the blobs beside it."""
    blobs, cached = tmp_path / "blobs", tmp_path / "snapshots" / "1a2b"
    cached.mkdir(parents=True)
    small(tmp_path).rename(blobs)
    for file in blobs.iterdir():
        (cached / file.name).symlink_to(Path("../../blobs") / file.name)
    assert read(cached).weights.keys() == llama().keys()


FUZZED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KEYS = st.sampled_from([*CONFIG, "rope_parameters", "partial_rotary_factor", "rotary_pct"])
TYPES = ["llama", "starcoder2", "gpt2", "gpt_neox", "bert", "distilbert", "vit"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(changes=st.dictionaries(KEYS, FUZZED, max_size=4), kind=st.sampled_from(TYPES))
def test_any_configuration_is_read_or_refused(
    changes: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    folder = snapshot(tmp_path / "m", llama(), {**CONFIG, "model_type": kind, **changes})
    model = read(folder)
    assert len(model.weights) == len(llama())
    assert model.layers is None or layer_graph(model.layers).layers


def outcome(folder: Path) -> str:
    """What is wrong with the model or one of its weights, or nothing."""
    try:
        examine(folder)
        for weight in read(folder).weights.values():
            weight.read()
    except UnreadableModel as error:
        return str(error)
    return ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_any_flipped_byte_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    folder = sharded(tmp_path / "m")
    file = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    assert "please report" not in outcome(folder)
