"""PyTorch's less usual tensors and containers, made to break their reader."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

from hostile import archives
from hostile.archives import META, archive, config, program
from hostile.building import attack
from hostile.pickles import number, numbers, storage, tensor, text, torch_file

FLOATS = b"ctorch\nFloatStorage\n"
LAYOUT = b"ctorch.serialization\n_get_layout\n"
SPARSE = b"ctorch._utils\n_rebuild_sparse_tensor\n"
LONGS = b"ctorch\nLongStorage\n"


def longs(key: str, count: int, *shape: int) -> bytes:
    """The opcodes of a tensor of int64 without gaps, of one or two axes."""
    parts = text("storage"), LONGS, text(key), text("cpu"), number(count)
    strides = (shape[1], 1) if len(shape) == 2 else (1,)
    return tensor(shape, strides, 0, b"(" + b"".join(parts) + b"tQ")


def sparse(layout: str, *parts: bytes) -> bytes:
    """The opcodes of a sparse tensor; ``parts`` are its indices, values and shape."""
    named = LAYOUT + text(f"torch.{layout}") + b"\x85R"
    return SPARSE + named + b"(" + b"".join(parts) + b"t\x86R"


def coordinates(folder: Path, places: list[int], shape: tuple[int, ...]) -> Path:
    """A sparse matrix of three numbers at the places, three rows and then three columns."""
    held = {"0": struct.pack("<6q", *places), "1": struct.pack("<3f", 5, 6, 7)}
    values = tensor((3,), (1,), 0, storage("1", 3))
    body = sparse("sparse_coo", longs("0", 6, 2, 3), values, numbers(shape))
    return torch_file(folder, body, held)


def tar_file(
    folder: Path,
    tensors: bytes | None = None,
    storages: bytes | None = None,
    value: bytes = b"}X\6\0\0\0weightX\1\0\0\x007Qs",
) -> Path:
    """A file as PyTorch 0.1 wrote it: six numbers, and a tensor of two rows of three."""
    shape = struct.pack("<i4x5q", 2, 2, 3, 3, 1, 0)
    about = b"\x80\x02(K\7K\x64ctorch\nFloatTensor\nt."
    held = b"\x80\x02(K\x64X\3\0\0\0cpuctorch\nFloatStorage\nt." + struct.pack("<q6f", 6, *range(6))
    one = pickle.dumps(1, 2)
    members = {
        "sys_info": pickle.dumps({"protocol_version": 1000}, 2),
        "pickle": b"\x80\x02" + value + b".",
        "tensors": one + about + shape if tensors is None else tensors,
        "storages": one + held + pickle.dumps([], 2) if storages is None else storages,
    }
    path = folder / "hostile.pth.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as out:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path


@attack("indices of a sparse tensor lie outside it")
def sparse_tensor_with_a_row_outside(folder: Path) -> Path:
    return coordinates(folder, [0, 1, 2**40, 0, 1, 2], (3, 3))


@attack("indices of a sparse tensor lie outside it")
def sparse_tensor_with_a_column_below_zero(folder: Path) -> Path:
    return coordinates(folder, [0, 1, 2, 0, -1, 2], (3, 3))


@attack("too often")
def sparse_tensor_of_2_to_the_48(folder: Path) -> Path:
    return coordinates(folder, [0, 1, 2, 0, 1, 2], (2**24, 2**24))


@attack("a tensor's shape is none")
def sparse_tensor_of_2_to_the_60(folder: Path) -> Path:
    return coordinates(folder, [0, 1, 2, 0, 1, 2], (2**30, 2**30))


@attack("too many axes")
def sparse_tensor_of_many_axes(folder: Path) -> Path:
    return coordinates(folder, [0] * 6, (1,) * 1000)


@attack("do not fit its values")
def sparse_rows_that_end_before_they_begin(folder: Path) -> Path:
    held = {"0": struct.pack("<4q", 0, 3, 1, 3), "1": struct.pack("<3f", 5, 6, 7)}
    held["2"] = struct.pack("<3q", 0, 1, 2)
    parts = longs("0", 4, 4), longs("2", 3, 3), tensor((3,), (1,), 0, storage("1", 3))
    return torch_file(folder, sparse("sparse_csr", *parts, numbers((3, 3))), held)


@attack("unknown layout")
def sparse_tensor_of_no_layout(folder: Path) -> Path:
    return torch_file(folder, sparse("strided", tensor(), tensor(), numbers((2, 3))))


@attack("indices are of type float32")
def sparse_tensor_with_indices_that_are_no_whole_numbers(folder: Path) -> Path:
    return torch_file(folder, sparse("sparse_coo", tensor(), tensor(), numbers((2, 3))))


@attack("has no values")
def tensor_on_no_device_of_2_to_the_48(folder: Path) -> Path:
    shape = numbers((2**24, 2**24))
    body = b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(ctorch\nfloat32\n"
    return torch_file(folder, body + shape + numbers((2**24, 1)) + b"\x89tR")


@attack("reaches beyond its storage")
def packed_numbers_beyond_their_storage(folder: Path) -> Path:
    kind = b"ctorch\nQUInt4x2Storage\n"
    held = b"(" + text("storage") + kind + text("0") + text("cpu") + number(3) + b"tQ"
    scheme = b"(ctorch\nper_tensor_affine\nG" + struct.pack(">d", 0.5) + b"K\0t"
    parts = held, number(0), numbers((7,)), numbers((1,)), scheme, b"\x89N"
    body = b"ctorch._utils\n_rebuild_qtensor\n(" + b"".join(parts) + b"tR"
    return torch_file(folder, body, {"0": bytes(3)})


@attack("reaches beyond its storage")
def tar_with_a_tensor_beyond_its_storage(folder: Path) -> Path:
    about = pickle.dumps(1, 2) + b"\x80\x02(K\7K\x64ctorch\nFloatTensor\nt."
    return tar_file(folder, about + struct.pack("<i4x5q", 2, 2**30, 3, 3, 1, 0))


@attack("cut, or claims more")
def tar_with_a_storage_of_2_to_the_60(folder: Path) -> Path:
    held = b"\x80\x02(K\x64X\3\0\0\0cpuctorch\nFloatStorage\nt." + struct.pack("<q", 2**60)
    return tar_file(folder, storages=pickle.dumps(1, 2) + held)


@attack("cut, or claims more")
def tar_with_2_to_the_60_storages(folder: Path) -> Path:
    return tar_file(folder, storages=pickle.dumps(2**60, 2))


@attack("too many axes")
def tar_with_a_tensor_of_a_billion_axes(folder: Path) -> Path:
    about = pickle.dumps(1, 2) + b"\x80\x02(K\7K\x64ctorch\nFloatTensor\nt."
    return tar_file(folder, about + struct.pack("<i4x", 10**9))


@attack("not described")
def tar_with_a_tensor_of_no_storage(folder: Path) -> Path:
    about = pickle.dumps(1, 2) + b"\x80\x02(K\7K\x63ctorch\nFloatTensor\nt."
    return tar_file(folder, about + struct.pack("<i4x5q", 2, 2, 3, 3, 1, 0))


@attack("is missing")
def tar_that_refers_to_no_tensor(folder: Path) -> Path:
    return tar_file(folder, value=b"X\1\0\0\x009Q")


@attack("the state of a training only")
def optimizer_without_a_model(folder: Path) -> Path:
    inner = b"}(" + text("exp_avg") + tensor() + b"u"
    return torch_file(folder, b"}(" + text("state") + inner + text("param_groups") + b"](}eu")


@attack("is missing")
def archive_with_a_weight_that_is_not_there(folder: Path) -> Path:
    return archive(folder, program(), config("weights", path_name="../../../etc/passwd"))


@attack("reaches beyond its storage")
def archive_with_a_weight_beyond_its_member(folder: Path) -> Path:
    listed = config("weights", tensor_meta={**META, "sizes": [{"as_int": 2**20}] * 2})
    return archive(folder, program(), {**listed, "data/weights/weight_0": bytes(12)})


@attack("torch.save did not write it")
def archive_with_a_pickle_for_all_weights(folder: Path) -> Path:
    pickles: dict[str, str | bytes] = {"data/weights/model.pt": archives.pickled(folder)}
    return archive(folder, program(), pickles)


@attack("it has no models/model.json")
def archive_with_a_program_in_a_second_folder(folder: Path) -> Path:
    path = archive(folder, program())
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(folder / "two.pt2", "w") as new:
        new.writestr("first/archive_format", "pt2")
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return folder / "two.pt2"
