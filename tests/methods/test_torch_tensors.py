"""PyTorch's less usual tensors: sparse, packed, sharded, without values; and what is no weight."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.pickles import dictionary, number, numbers, storage, tensor, text, torch_file
from hostile.torch_tensors import coordinates, longs, sparse, tar_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import UnreadableModel
from assay.formats import Model
from assay.formats.torch_pickle import TorchPickle

SIX = np.arange(6, dtype=np.float32)


def read(path: Path) -> Model:
    return TorchPickle().read(path, {})


def only(path: Path) -> Any:
    (weight,) = read(path).weights.values()
    values = weight.read()
    assert values.shape == weight.shape
    return values


# Containers


def test_a_tar_of_pytorch_0_1_is_read(tmp_path: Path) -> None:
    model = read(tar_file(tmp_path))
    assert model.metadata == {"container": "tar"}
    assert np.array_equal(model.weights["weight"].read(), SIX.reshape(2, 3))


def test_a_tar_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tar_file(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"storages", b"portages"))
    with pytest.raises(UnreadableModel):
        read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_a_changed_byte_of_a_tar_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(tar_file(tmp_path).read_bytes())
    place = data.draw(st.sampled_from([n for n, byte in enumerate(content) if byte]))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "changed.pth.tar"
    path.write_bytes(content)
    try:
        for weight in read(path).weights.values():
            assert weight.read().shape == weight.shape
    except UnreadableModel as error:
        assert str(error)  # noqa: PT017 - both outcomes are right, and a third is none


# Tensors


def test_a_sparse_tensor_is_read_with_its_zeros_and_equal_places_are_added(tmp_path: Path) -> None:
    assert np.array_equal(
        only(coordinates(tmp_path, [0, 0, 1, 1, 1, 0], (2, 3))), [[0, 11, 0], [7, 0, 0]]
    )


@pytest.mark.parametrize(
    ("layout", "wanted"),
    [
        ("sparse_csr", [[0, 5, 6], [7, 0, 0], [0, 0, 0]]),
        ("sparse_csc", [[0, 7, 0], [5, 0, 0], [6, 0, 0]]),
    ],
)
def test_rows_or_columns_of_a_sparse_tensor_are_read(
    layout: str, wanted: Any, tmp_path: Path
) -> None:
    held = {"0": struct.pack("<4q", 0, 2, 3, 3), "1": struct.pack("<3f", 5, 6, 7)}
    held["2"] = struct.pack("<3q", 1, 2, 0)
    parts = longs("0", 4, 4), longs("2", 3, 3), tensor((3,), (1,), 0, storage("1", 3))
    body = sparse(layout, *parts, numbers((3, 3)))
    assert np.array_equal(only(torch_file(tmp_path, body, held)), wanted)


def test_a_tensor_without_values_is_listed_and_says_so(tmp_path: Path) -> None:
    meta = b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(ctorch\nfloat16\n"
    meta += numbers((3, 4)) + numbers((4, 1)) + b"\x89tR"
    weights = read(torch_file(tmp_path, dictionary(("a", tensor()), ("b", meta)))).weights
    assert np.array_equal(weights["a"].read(), SIX.reshape(2, 3))
    assert (weights["b"].shape, weights["b"].dtype) == ((3, 4), "float16")
    with pytest.raises(UnreadableModel, match=r"'b' has no values"):
        weights["b"].read()


def test_numbers_of_four_bits_lie_two_in_a_byte(tmp_path: Path) -> None:
    kind = b"ctorch\nQUInt4x2Storage\n"
    held = b"(" + text("storage") + kind + text("0") + text("cpu") + number(3) + b"tQ"
    scheme = b"(ctorch\nper_tensor_affine\nG" + struct.pack(">d", 0.5) + b"K\2t"
    parts = held, number(0), numbers((5,)), numbers((1,)), scheme, b"\x89N"
    body = b"ctorch._utils\n_rebuild_qtensor\n(" + b"".join(parts) + b"tR"
    path = torch_file(tmp_path, body, {"0": b"\x42\xf0\x07"})
    assert np.array_equal(only(path), [0, 1, -1, 6.5, 2.5])


def test_a_parameter_of_before_0_4_has_the_name_of_its_place(tmp_path: Path) -> None:
    old = b"ctorch.nn.parameter\nParameter\n(" + tensor() + b"tR(\x89\x89NtR"
    old = old[:-1] + b"b"  # its state: whether it learns, is volatile, its hooks
    assert list(read(torch_file(tmp_path, dictionary(("weight", old)))).weights) == ["weight"]


def wrapped(name: str, shape: tuple[int, ...], state: bytes) -> bytes:
    """A tensor of a class that wraps others."""
    inner = b"ctorch._utils\n_rebuild_wrapper_subclass\n"
    kind = b"ctorch.distributed.tensor\n" + name.encode() + b"\n"
    arguments = b"(" + kind + b"ctorch\nfloat32\n" + numbers(shape) + b"t"
    return b"ctorch._tensor\n_rebuild_from_type_v2\n(" + inner + kind + arguments + state + b"tR"


@pytest.mark.parametrize("name", ["DTensor", "ShardedTensor"])
def test_a_shard_is_read_only_if_it_is_the_whole(name: str, tmp_path: Path) -> None:
    state = dictionary(("_local_tensor", tensor()))
    if name == "ShardedTensor":
        shard = b"ctorch\nShard\n)\x81(N" + dictionary(("tensor", tensor())) + b"tb"
        state = b"(](" + shard + b"et"
    body = dictionary(
        ("whole", wrapped(name, (2, 3), state)), ("part", wrapped(name, (4, 3), state))
    )
    weights = read(torch_file(tmp_path, body)).weights
    assert np.array_equal(weights["whole"].read(), SIX.reshape(2, 3))
    assert weights["part"].shape == (4, 3)
    with pytest.raises(UnreadableModel, match=r"'part' is a shard"):
        weights["part"].read()


# What is no weight


def test_an_optimizer_is_known_by_its_parts_whatever_its_name(tmp_path: Path) -> None:
    moments = dictionary(("0", dictionary(("exp_avg", tensor()))))
    optimizer = dictionary(("state", moments), ("param_groups", b"](}e"))
    net = dictionary(("weight", tensor()))
    body = dictionary(("generator", net), ("critic", net), ("g_opt", optimizer))
    model = read(torch_file(tmp_path, body))
    assert list(model.weights) == ["generator.weight", "critic.weight"]
    assert model.metadata["left_out"] == ["g_opt"]


def test_the_state_of_a_training_alone_is_no_model(tmp_path: Path) -> None:
    moments = dictionary(("0", dictionary(("exp_avg", tensor()))))
    optimizer = dictionary(("state", moments), ("param_groups", b"](}e"))
    with pytest.raises(UnreadableModel, match="training only"):
        read(torch_file(tmp_path, optimizer))


# As torch itself loads them


def _cases(torch: Any) -> dict[str, Callable[[Any], Any]]:
    ones, half = torch.ones(4, dtype=torch.int64), torch.rand(4)
    return {
        "coo": lambda x: (x * (x > 0)).to_sparse(),
        "hybrid": lambda x: x.reshape(4, 3, 2).to_sparse(2),
        "csr": lambda x: x.relu().to_sparse_csr(),
        "csc": lambda x: x.relu().to_sparse_csc(),
        "bsr": lambda x: x.to_sparse_bsr((2, 3)),
        "bsc": lambda x: x.to_sparse_bsc((2, 3)),
        "qint32": lambda x: torch.quantize_per_tensor(x, 0.1, 3, torch.qint32),
        "quint8": lambda x: torch.quantize_per_channel(x, half + 0.1, ones, 0, torch.quint8),
        "quint4x2": lambda x: torch.quantize_per_channel(x, half + 0.1, half, 0, torch.quint4x2),
        "odd_rows": lambda x: torch.quantize_per_tensor(x[:, :5], 0.3, 2, torch.quint4x2),
        "float8_e8m0fnu": lambda x: x.abs().to(torch.float8_e8m0fnu),
        "uint16": lambda x: (x.abs() * 999).to(torch.uint16),
        "complex32": lambda x: torch.complex(x, -x).to(torch.complex32),
        "complex64": lambda x: torch.complex(x, -x),
    }


@pytest.mark.torch
def test_values_are_those_that_torch_gives(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    base = torch.randn(4, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that quantized and compressed tensors are of old age
        made = {name: make(base) for name, make in _cases(torch).items()}
        torch.save(made, tmp_path / "state.pt")
        weights = read(tmp_path / "state.pt").weights
        for name, value in made.items():
            real = value.dequantize() if value.is_quantized else value
            real = real if real.layout == torch.strided else real.to_dense()
            pairs = real.is_complex()
            real = torch.view_as_real(real.to(torch.complex64)) if pairs else real
            np.testing.assert_array_equal(weights[name].read(), real.float().numpy(), name)


@pytest.mark.torch
def test_a_sub_class_of_tensors_is_its_numbers(tmp_path: Path) -> None:
    import torch

    parameter = torch.nn.Parameter(torch.randn(3))
    parameter.mark = "kept beside it"  # type: ignore[attr-defined, unused-ignore]
    torch.save({"w": parameter}, tmp_path / "state.pt")
    assert np.array_equal(only(tmp_path / "state.pt"), parameter.detach().numpy())
