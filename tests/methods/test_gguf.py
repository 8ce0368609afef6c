"""GGUF: each block type as ggml decodes it, split models, and Llama's rows in their own order."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from samples import gguf, hugging_face
from samples.gguf import entry, of_arrays, text, written

from assay.errors import UnreadableModel
from assay.examine import examine
from assay.formats import Model, read
from assay.graphs import layer_graph
from assay.weights.gguf_types import KINDS

BLOCKS = Path(__file__).parents[1] / "fixtures" / "gguf" / "blocks.npz"  # made_by gguf 0.19
RNG = np.random.default_rng(0)
Array = NDArray[np.float32]


def test_shapes_are_reversed_and_metadata_kept(tmp_path: Path) -> None:
    values = RNG.standard_normal((3, 4)).astype("<f4")
    entries = entry("general.name", "x") + entry("n", 7)
    entries += text("words") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    path = written(tmp_path / "m.gguf", [("w", (4, 3), 0, values.tobytes())], entries, 3)
    model = read(path)
    assert model.layers is None
    assert model.metadata.items() >= {"general.name": "x", "words": "2 values", "n": 7}.items()
    assert model.metadata["no_graph"] == "the architecture None is not known"
    weight = model.weights["w"]
    assert (weight.shape, weight.dtype, weight.canonical) == ((3, 4), "float32", True)
    np.testing.assert_array_equal(weight.read(), values)


def test_a_number_that_json_has_not_is_kept_as_text(tmp_path: Path) -> None:
    entries = (
        text("x.rope") + struct.pack("<If", 6, np.nan) + text("y") + struct.pack("<If", 6, 0.5)
    )
    path = tmp_path / "m.gguf"
    written(path, [("w", (8, 8), 0, bytes(256))], entries, 2)
    metadata = read(path).metadata
    assert (metadata["x.rope"], metadata["y"]) == ("nan", 0.5)


def test_blocks_are_decoded_as_ggmls_own_package_does(tmp_path: Path) -> None:
    with np.load(BLOCKS) as stored:
        judged = {int(name.partition(".")[0]) for name in stored}
        for code in judged:
            blocks, values = stored[f"{code}.blocks"], stored[f"{code}.values"]
            tensor = ("w", values.shape[::-1], code, blocks.tobytes())
            found = read(written(tmp_path / "m.gguf", [tensor])).weights["w"]
            assert found.dtype == KINDS[code].name
            np.testing.assert_array_equal(found.read(), values)
    assert KINDS.keys() - judged == {0, 1, 24, 25, 26, 27, 28, 30, 9, 15, 41}  # numbers; see below


def half(*values: float) -> bytes:
    return np.array(values, "<f2").tobytes()


def q8_1() -> tuple[int, bytes, list[float]]:
    q = RNG.integers(-128, 128, 32)
    return 9, half(0.25, 9) + q.astype("i1").tobytes(), [0.25 * v for v in q]


def q8_k() -> tuple[int, bytes, list[float]]:
    q = RNG.integers(-128, 128, 256)
    data = struct.pack("<f", 0.25) + q.astype("i1").tobytes() + bytes(32)
    return 15, data, [0.25 * v for v in q]


def q1_0() -> tuple[int, bytes, list[float]]:
    q = RNG.integers(0, 2, 128)
    packed = bytes(sum(int(q[8 * b + i]) << i for i in range(8)) for b in range(16))
    return 41, half(0.5) + packed, [0.5 if v else -0.5 for v in q]


@pytest.mark.parametrize("make", [q8_1, q8_k, q1_0], ids=lambda make: str(make.__name__))
def test_blocks_without_a_judge_follow_ggmls_formula(make: object, tmp_path: Path) -> None:
    kind, data, real = make()  # type: ignore[operator]
    path = written(tmp_path / "m.gguf", [("w", (len(real), 2), kind, data * 2)])
    np.testing.assert_array_equal(read(path).weights["w"].read(), np.float32([real, real]))


def test_a_scale_that_is_no_number_passes_through(tmp_path: Path) -> None:
    path = written(tmp_path / "m.gguf", [("w", (32,), 8, half(np.nan) + bytes([1] * 32))])
    assert np.isnan(read(path).weights["w"].read()).all()


LLAMA = {
    "general.architecture": "llama",
    "llama.block_count": 1,
    "llama.embedding_length": hugging_face.WIDTH,
    "llama.attention.head_count": hugging_face.HEADS,
    "llama.attention.head_count_kv": hugging_face.GROUPS,
}
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def converted(arrays: hugging_face.Arrays) -> dict[str, Array]:
    """As llama.cpp's converter writes a Llama: rows of queries and keys interleaved."""
    found = {}
    for name, array in arrays.items():
        layer = name.removesuffix(".weight")
        if layer.startswith("model.layers."):
            _, _, block, layer = layer.split(".", 3)
            layer = f"blk.{block}.{NAMES[layer]}"
        heads = {"attn_q": hugging_face.HEADS, "attn_k": hugging_face.GROUPS}.get(layer[6:], 0)
        if heads:
            parts = array.reshape(heads, 2, len(array) // heads // 2, -1)
            array = parts.swapaxes(1, 2).reshape(array.shape)
        found[NAMES.get(layer, layer) + ".weight"] = array
    return found


def ordered(model: Model) -> list[list[float]]:
    """The weights' numbers, whatever their names."""
    return sorted(weight.read().reshape(-1).tolist() for weight in model.weights.values())


@pytest.mark.parametrize("tied", [False, True])
def test_a_llama_is_the_same_as_its_snapshot(tied: bool, tmp_path: Path) -> None:
    arrays, config = hugging_face.llama(tied=tied), hugging_face.CONFIG
    config = {**config, "tie_word_embeddings": tied}
    usual = read(hugging_face.snapshot(tmp_path / "llama", arrays, config))
    model = read(of_arrays(tmp_path / "llama.gguf", converted(arrays), LLAMA))
    assert model.layers is not None
    assert usual.layers is not None
    assert layer_graph(model.layers) == layer_graph(usual.layers)
    assert ordered(model) == ordered(usual)
    assert set(model.layers.tensors) >= set(model.weights)  # by their names in the file


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("llama.block_count", 2, "no tensor 'model.layers.1"),
        ("llama.attention.head_count", 3, "8 values are not 3 heads"),
        ("llama.attention.head_count", "many", "no num_attention_heads"),
        ("general.architecture", "gpt2", "'gpt2' is not known"),
    ],
)
def test_metadata_that_do_not_fit_give_no_graph(
    key: str, value: int | str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.gguf"
    of_arrays(path, converted(hugging_face.llama()), {**LLAMA, key: value})
    model = read(path)
    assert model.layers is None
    assert reason in model.metadata["no_graph"]
    assert len(ordered(model)) == len(hugging_face.llama())
    with pytest.raises(UnreadableModel):
        read(path, {"input_ids": (1, 7)})


def split(folder: Path, count: int = 3) -> list[Path]:
    """A Llama in several files; only the first has the metadata."""
    arrays = list(converted(hugging_face.llama()).items())
    edges = [len(arrays) * part // count for part in range(count + 1)]
    paths = []
    for number, (start, end) in enumerate(pairwise(edges), 1):
        metadata = {} if number > 1 else dict(LLAMA)
        metadata |= {"split.no": number - 1, "split.count": count}
        path = folder / f"llama-{number:05}-of-{count:05}.gguf"
        paths.append(of_arrays(path, dict(arrays[start:end]), metadata))
    return paths


def test_a_split_model_is_one_whichever_part_is_named(tmp_path: Path) -> None:
    parts = split(tmp_path)
    whole = read(of_arrays(tmp_path / "llama.gguf", converted(hugging_face.llama()), LLAMA))
    for part in parts:
        model = read(part)
        assert model.files == tuple(parts)
        assert ordered(model) == ordered(whole)
        assert model.layers is not None
    assert len({examine(part).sha256 for part in parts}) == 1


def test_a_part_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    parts = split(tmp_path)
    parts[1].unlink()
    model = read(parts[0])
    assert model.metadata["missing_external_data"] == [parts[1].name]
    assert model.files == (parts[0], parts[2])
    renamed = read(parts[0].rename(tmp_path / "other.gguf"))
    assert "2 other parts" in renamed.metadata["missing_external_data"][0]


def test_parts_that_hold_the_same_are_refused(tmp_path: Path) -> None:
    parts = split(tmp_path)
    parts[1].write_bytes(parts[2].read_bytes())
    with pytest.raises(UnreadableModel, match="in two of its files"):
        read(parts[0])


@pytest.mark.parametrize(
    ("start", "error"),
    [
        (struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 13), "unknown type 13"),
        (struct.pack("<IQQ", 3, 0, 2) + 2 * (text("k") + bytes(5)), "twice"),
    ],
)
def test_a_header_of_another_kind_is_refused(start: bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + start + bytes(64))
    with pytest.raises(UnreadableModel, match=error):
        read(path)


def outcome(path: Path) -> str:
    """What is wrong with the model or one of its weights, or nothing."""
    try:
        examine(path)
        for weight in read(path).weights.values():
            weight.read()
    except UnreadableModel as error:
        return str(error)
    return ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.data())
def test_any_flipped_byte_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    path = of_arrays(tmp_path / "m.gguf", converted(hugging_face.llama()), LLAMA)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, 1600))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert "please report" not in outcome(path)


NUMBERS = st.integers(0, 40) | st.integers(0, 2**64 - 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    dims=st.lists(NUMBERS, max_size=5),
    code=st.integers(0, 45),
    size=st.integers(0, 300),
    metadata=st.dictionaries(
        st.sampled_from([*LLAMA, "split.count", "general.alignment"]),
        st.integers(0, 2**32 - 1) | st.text(max_size=4),
    ),
)
def test_any_tensor_is_read_or_refused(
    dims: list[int], code: int, size: int, metadata: dict[str, int | str], tmp_path: Path
) -> None:
    entries = b"".join(entry(key, value) for key, value in metadata.items())
    tensor = ("blk.0.attn_q.weight", tuple(dims), code, bytes(size))
    path = gguf.written(tmp_path / "m.gguf", [tensor], entries, len(metadata))
    assert "please report" not in outcome(path)
