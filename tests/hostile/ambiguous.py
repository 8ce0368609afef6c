"""Files that two readers understand differently: what is hashed must be what is run."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
from onnx import TensorProto, load_model, save_model

from hostile.building import attack, small


def _npz(**arrays: float) -> bytes:
    content = io.BytesIO()
    np.savez(content, **{name: np.full((3, 3), value, "f4") for name, value in arrays.items()})
    return content.getvalue()


@attack("more than one directory")
def archive_with_another_before_it(folder: Path) -> Path:
    """One reader believes the place of the directory that the end gives, another the bytes."""
    path = folder / "two.npz"
    path.write_bytes(_npz(w=0) + _npz(w=1))
    return path


@attack("two members have the name")
def archive_members_that_differ_in_case(folder: Path) -> Path:
    """PyTorch looks names up without case."""
    path = folder / "case.npz"
    path.write_bytes(_npz(w=0, W=1))
    return path


@attack("two arrays are called 'w'")
def npz_member_beside_its_array(folder: Path) -> Path:
    """NumPy takes the member whose whole name is asked for."""
    path = folder / "decoy.npz"
    path.write_bytes(_npz(w=0))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("w", archive.read("w.npy"))
    return path


@attack("has its data twice")
def onnx_tensor_with_two_lists_of_numbers(folder: Path) -> Path:
    model = load_model(str(small(folder)))
    tensor = TensorProto(name="twice", data_type=TensorProto.FLOAT16, dims=[100])
    tensor.int32_data.extend([0] * 100)
    tensor.uint64_data.extend([1] * 100)
    model.graph.initializer.append(tensor)
    path = folder / "twice.onnx"
    save_model(model, str(path))
    return path


@attack("no regular file")
def snapshot_with_a_pipe_for_a_configuration(folder: Path) -> Path:
    """Whoever opens it waits without end."""
    path = folder / "snapshot"
    path.mkdir()
    os.mkfifo(path / "config.json")
    (path / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    return path


@attack("more than 1,500,000 items")
def header_of_millions_of_items(folder: Path) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [0] * 1_600_000, "data_offsets": [0, 0]}})
    path = folder / "items.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    return path
