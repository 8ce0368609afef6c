"""Files of ``torch.save``: tensors as torch loads them, and hostile ones refused."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.archives import CANARY
from hostile.building import Attack
from hostile.pickles import (
    canaries,
    dictionary,
    script_file,
    sound,
    sound_legacy,
    storage,
    tensor,
    torch_file,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import UnreadableModel
from assay.formats import FORMATS, Model
from assay.formats.torch_pickle import TorchPickle

SIX = np.arange(6, dtype=np.float32)


def read(path: Path) -> Model:
    return TorchPickle().read(path, {})


@pytest.mark.parametrize("build", [sound, sound_legacy], ids=lambda build: build.__name__)
def test_a_state_dict_gives_its_tensors(build: Attack, tmp_path: Path) -> None:
    model = read(build(tmp_path))
    (weight,) = model.weights.values()
    assert model.layers is None
    assert (weight.name, weight.shape, weight.dtype) == ("weight", (2, 3), "float32")
    assert np.array_equal(weight.read(), SIX.reshape(2, 3))


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "wanted"),
    [
        ((3, 2), (1, 3), 0, SIX.reshape(2, 3).T),
        ((2,), (3,), 2, [2, 5]),
        ((4, 2), (0, 1), 1, [[1, 2]] * 4),
        ((), (), 5, 5),
        ((0, 9), (9, 1), 0, np.zeros((0, 9))),
    ],
)
def test_a_view_shows_its_part(
    shape: tuple[int, ...], strides: tuple[int, ...], offset: int, wanted: Any, tmp_path: Path
) -> None:
    path = torch_file(tmp_path, dictionary(("w", tensor(shape, strides, offset))))
    assert np.array_equal(read(path).weights["w"].read(), wanted)


def test_a_sparse_view_of_a_long_storage_is_read_in_parts(tmp_path: Path) -> None:
    numbers = np.arange(3 * 2**22, dtype=np.float32)
    body = tensor((3, 2), (2**22, 5), 1, stored=storage("0", numbers.size))
    path = torch_file(tmp_path, dictionary(("w", body)), {"0": numbers.tobytes()})
    values = read(path).weights["w"].read()
    assert np.array_equal(values, numbers[[[n * 2**22 + 1, n * 2**22 + 6] for n in range(3)]])


def test_deflated_members_are_read_too(tmp_path: Path) -> None:
    path = torch_file(tmp_path, dictionary(("w", tensor())), packing=zipfile.ZIP_DEFLATED)
    assert np.array_equal(read(path).weights["w"].read(), SIX.reshape(2, 3))


def test_tensors_that_share_a_storage_are_listed_by_each_name(tmp_path: Path) -> None:
    shared = dictionary(("a", tensor()), ("b", tensor((6,), (1,))))
    weights = read(torch_file(tmp_path, shared)).weights
    assert {name: weight.shape for name, weight in weights.items()} == {"a": (2, 3), "b": (6,)}


def test_the_optimizer_is_left_out_and_the_state_dict_is_not_a_prefix(tmp_path: Path) -> None:
    inner = dictionary(("layer.weight", tensor()), ("layer.bias", tensor((3,), (1,))))
    body = dictionary(("epoch", b"K\3"), ("state_dict", inner), ("optimizer_state", inner))
    model = read(torch_file(tmp_path, body))
    assert list(model.weights) == ["layer.weight", "layer.bias"]
    assert model.metadata["left_out"] == ["optimizer_state"]


def test_a_module_gives_what_its_state_dict_would(tmp_path: Path) -> None:
    leaf = b"cshop\nLinear\n)\x81" + dictionary(
        ("_parameters", dictionary(("weight", tensor()), ("bias", b"N"))),
        ("_buffers", dictionary(("kept", tensor()), ("passing", tensor()))),
        ("_non_persistent_buffers_set", b"](X\7\0\0\0passinge"),
        ("_modules", b"}"),
        ("scratch", tensor()),
    )
    nothing = b"}"
    root = b"cshop\nNet\n)\x81" + dictionary(
        ("_parameters", nothing),
        ("_buffers", nothing),
        ("_modules", dictionary(("fc", leaf + b"b"))),
    )
    model = read(torch_file(tmp_path, root + b"b"))
    assert list(model.weights) == ["fc.weight", "fc.kept"]
    assert model.metadata["inert_objects"] == ["shop.Linear", "shop.Net"]


def test_no_call_is_made_and_the_tensors_beside_it_are_read(tmp_path: Path) -> None:
    for path in canaries(tmp_path):
        format_name = "torchscript" if path.suffix == ".jit" else "torch-pickle"
        model = FORMATS[format_name]().read(path, {})
        assert list(model.weights) == ["weight"]
        assert np.array_equal(model.weights["weight"].read(), SIX.reshape(2, 3))
        assert model.metadata["inert_objects"] == ["builtins.open"]
    assert not (tmp_path / CANARY).exists()


def test_a_torchscript_archive_is_another_format(tmp_path: Path) -> None:
    path = script_file(tmp_path, dictionary(("w", tensor())), "module.pt")
    with pytest.raises(UnreadableModel, match="TorchScript"):
        read(path)


@pytest.mark.parametrize("build", [sound, sound_legacy], ids=lambda build: build.__name__)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_a_changed_byte_is_read_or_refused(
    build: Attack, data: st.DataObject, tmp_path: Path
) -> None:
    path = build(tmp_path)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        for weight in read(path).weights.values():
            assert weight.read().shape == weight.shape
    except UnreadableModel as error:
        assert str(error)  # noqa: PT017 - both outcomes are right, and a third is none


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.parametrize("is_zip", [True, False])
def test_values_are_those_that_torch_loads(is_zip: bool, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    base = torch.randn(6, 8, 4)
    small = ("bfloat16", "float16", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")
    state = {name: (base * 9).to(getattr(torch, name)) for name in small}
    eights = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
    for name in eights if is_zip else ():  # torch itself cannot load older files of them
        state[name] = base.to(getattr(torch, name))
    state["view"], state["turned"] = base[1:, ::2, 1:3], base.permute(2, 0, 1)
    state["expanded"], state["scalar"] = torch.randn(1, 4).expand(7, 4), torch.tensor(3.0)
    state["odd"] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    state["parameter"] = torch.nn.Parameter(base[0])
    scales = torch.rand(8) / 10 + 0.01
    state["per_tensor"] = torch.quantize_per_tensor(base, 0.03, 5, torch.qint8)
    state["per_channel"] = torch.quantize_per_channel(base, scales, torch.arange(8), 1, torch.qint8)
    path = tmp_path / "state.pt"
    torch.save(state, path, _use_new_zipfile_serialization=is_zip)
    weights = read(path).weights
    loaded = torch.load(path, weights_only=True)
    assert weights.keys() == loaded.keys() - {"int64", "bool"}  # indices and masks, no weights
    for name in weights:
        value = loaded[name]
        real = value.dequantize() if value.is_quantized else value
        wanted = real.detach().float().numpy()
        np.testing.assert_array_equal(weights[name].read(), wanted, name)


@pytest.mark.torch
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_whole_module_has_the_names_of_its_state_dict(is_zip: bool, tmp_path: Path) -> None:
    import torch
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LSTM(3, 4))
    path = tmp_path / "net.pt"
    whole = {"net": net, "args": argparse.Namespace(seed=1)}
    torch.save(whole, path, _use_new_zipfile_serialization=is_zip)
    weights = read(path).weights
    wanted = {name: v for name, v in net.state_dict().items() if v.is_floating_point()}
    assert list(weights) == list(wanted)
    for name, value in wanted.items():
        assert np.array_equal(weights[name].read(), value.numpy())
