"""SavedModels whose checkpoints lead astray: offsets, blocks, links, and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samples import saved_model as files
from samples.protobuf import message, varint
from samples.saved_model import (
    BIAS,
    KERNEL,
    VALUE,
)

from hostile.building import attack

NAMES = ("_w/0" + VALUE, "_w/1" + VALUE)


def _index(folder: Path) -> Path:
    return files.small(folder) / "variables" / "variables.index"


def _with_entry(folder: Path, **changes: Any) -> Path:
    """The small model; fields of the kernel's entry are changed."""
    path = files.small(folder)
    numbers = {"dtype": 1, "shape": 2, "shard": 3, "offset": 4, "size": 5, "slices": 7}
    fields = files.entry(KERNEL, 0, 0) | {numbers[k]: v for k, v in changes.items()}
    files.checkpoint(path, [{NAMES[1]: BIAS}], {NAMES[0]: fields})
    return path


@attack("lies outside its shard")
def saved_model_offset_outside(folder: Path) -> Path:
    return _with_entry(folder, offset=2**40)


@attack("lies outside its shard")
def saved_model_offset_below_zero(folder: Path) -> Path:
    return _with_entry(folder, offset=-8)


@attack("bytes, not 24")
def saved_model_size_that_does_not_fit(folder: Path) -> Path:
    return _with_entry(folder, size=2**40)


@attack("absurd shape")
def saved_model_variable_of_2_60_elements(folder: Path) -> Path:
    return _with_entry(folder, shape=files.shape([2**30, 2**30]), size=2**62)


@attack("has no shard 7")
def saved_model_shard_that_is_not_counted(folder: Path) -> Path:
    return _with_entry(folder, shard=7)


@attack("a part of tensor")
def saved_model_part_that_is_missing(folder: Path) -> Path:
    return _with_entry(folder, size=0, slices={1: [{2: 3}, {2: 2}]})


@attack("overlap")
def saved_model_variables_that_overlap(folder: Path) -> Path:
    path = files.small(folder)
    shared = files.entry(KERNEL, 0, 0)
    files.checkpoint(path, [{NAMES[0]: KERNEL, NAMES[1]: BIAS}], {"other": shared, "third": shared})
    return path


@attack("is missing")
def saved_model_shard_that_is_missing(folder: Path) -> Path:
    path = files.small(folder)
    (path / "variables" / "variables.data-00000-of-00001").unlink()
    return path


@attack("lies outside its folder")
def saved_model_shard_that_is_a_link_out(folder: Path) -> Path:
    path = files.small(folder)
    shard = path / "variables" / "variables.data-00000-of-00001"
    shard.rename(folder / "elsewhere")
    shard.symlink_to(folder / "elsewhere")
    return path


@attack("outside the model's folder")
def saved_model_variables_that_are_a_link_out(folder: Path) -> Path:
    path = files.small(folder)
    (path / "variables").rename(folder / "elsewhere")
    (path / "variables").symlink_to(folder / "elsewhere")
    return path


@attack("is no table")
def saved_model_index_that_is_cut(folder: Path) -> Path:
    index = _index(folder)
    index.write_bytes(index.read_bytes()[:-9])
    return index.parents[1]


@attack("compressed")
def saved_model_index_that_is_compressed(folder: Path) -> Path:
    """The first block says that it is in Snappy's form."""
    index = _index(folder)
    entries = [(b"", message({1: 1})), (b"a", message(files.entry(KERNEL, 0, 0)))]
    data = bytearray(files.table(entries))
    data[len(files.block(entries)) - 5] = 1
    index.write_bytes(data)
    return index.parents[1]


@attack("lies outside it")
def saved_model_block_outside(folder: Path) -> Path:
    index = _index(folder)
    footer = (bytes(2) + varint(2**50) + varint(64)).ljust(40, b"\0")
    index.write_bytes(bytes(64) + footer + files.MAGIC.to_bytes(8, "little"))
    return index.parents[1]


@attack("not sorted")
def saved_model_one_block_many_times(folder: Path) -> Path:
    index = _index(folder)
    data = files.block([(b"a", message({9: bytes(50_000)}))])
    handle = varint(0) + varint(len(data) - 5)
    listed = files.block([(b"%09d" % i, handle) for i in range(100_000)])
    footer = bytes(2) + varint(len(data)) + varint(len(listed) - 5)
    tail = footer.ljust(40, b"\0") + files.MAGIC.to_bytes(8, "little")
    index.write_bytes(data + listed + tail)
    return index.parents[1]


@attack("not sorted")
def saved_model_names_that_share_kilobytes(folder: Path) -> Path:
    """Each of 50,000 entries takes six bytes, and is called by nine thousand."""
    index = _index(folder)
    first = varint(0) + varint(9000) + varint(0) + b"a" * 9000
    data = first + (varint(9000) + b"\1\0b") * 50_000 + bytes(4) + (1).to_bytes(4, "little")
    listed = files.block([(b"z", varint(0) + varint(len(data)))])
    data += bytes(5)
    footer = bytes(2) + varint(len(data)) + varint(len(listed) - 5)
    tail = footer.ljust(40, b"\0") + files.MAGIC.to_bytes(8, "little")
    index.write_bytes(data + listed + tail)
    return index.parents[1]
