"""Pickles, and archives around them, that would run code, exhaust the reader, or lie about sizes.

Each canary, were it executed, would make the file ``canary`` beside the file.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hostile.archives import CANARY
from hostile.building import attack

GLOBALS = {
    "storage": b"ctorch\nFloatStorage\n",
    "rebuild": b"ctorch._utils\n_rebuild_tensor_v2\n",
    "ordered": b"ccollections\nOrderedDict\n",
}


def text(value: str) -> bytes:
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def number(value: int) -> bytes:
    if 0 <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    content = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def numbers(values: Iterable[int]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(key: str = "0", count: int = 6) -> bytes:
    parts = text("storage"), GLOBALS["storage"], text(key), text("cpu"), number(count)
    return b"(" + b"".join(parts) + b"tQ"


def tensor(
    shape: Iterable[int] = (2, 3),
    strides: Iterable[int] = (3, 1),
    offset: int = 0,
    stored: bytes | None = None,
) -> bytes:
    """The opcodes of a tensor; of six numbers, unless told otherwise."""
    body = storage() if stored is None else stored
    parts = body, number(offset), numbers(shape), numbers(strides), b"\x89", GLOBALS["ordered"]
    return GLOBALS["rebuild"] + b"(" + b"".join(parts) + b")RtR"


def dictionary(*pairs: tuple[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in pairs) + b"u"


def whole(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def torch_file(
    folder: Path,
    body: bytes,
    storages: dict[str, bytes] | None = None,
    packing: int = zipfile.ZIP_STORED,
    name: str = "hostile.pt",
) -> Path:
    """A zip archive as ``torch.save`` writes it, around the opcodes of ``body``."""
    path = folder / name
    held = {"0": struct.pack("<6f", *range(6))} if storages is None else storages
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("archive/data.pkl", whole(body))
        archive.writestr("archive/byteorder", "little")
        for key, content in held.items():
            archive.writestr(f"archive/data/{key}", content)
    return path


def script_file(folder: Path, body: bytes, name: str = "hostile.jit") -> Path:
    """A TorchScript archive, around the opcodes of its ``data.pkl``."""
    path = torch_file(folder, body, name=name)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/code/__torch__/module.py", "raise SystemExit\n")
    return path


def plain_file(folder: Path, content: bytes, name: str = "hostile.pkl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def sound(folder: Path) -> Path:
    """A state dict of one tensor of two rows of three."""
    return torch_file(folder, dictionary(("weight", tensor())), name="sound.pt")


def legacy(body: bytes, keys: list[str], storages: bytes) -> bytes:
    """A file as ``torch.save`` wrote it before 1.6."""
    about = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    heads = (pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, about))
    return b"".join(heads) + whole(body) + pickle.dumps(keys, 2) + storages


def sound_legacy(folder: Path) -> Path:
    held = struct.pack("<q6f", 6, *range(6))
    content = legacy(dictionary(("weight", tensor())), ["0"], held)
    return plain_file(folder, content, "legacy.pt")


def call(folder: Path, opcode: bytes = b"R") -> bytes:
    """Opcodes that open the canary for writing."""
    made = text(str(folder / CANARY)) + text("w")
    ways = {
        b"R": b"cbuiltins\nopen\n(" + made + b"tR",
        b"o": b"(cbuiltins\nopen\n" + made + b"o",
        b"i": b"(" + made + b"ibuiltins\nopen\n",
        b"\x81": b"cbuiltins\nopen\n(" + made + b"t\x81",
        b"\x92": b"cbuiltins\nopen\n(" + made + b"t}\x92",
        b"\x93": text("builtins") + text("open") + b"\x93(" + made + b"tR",
    }
    return ways[opcode]


CALLS = (b"R", b"o", b"i", b"\x81", b"\x92", b"\x93")


def canaries(folder: Path) -> list[Path]:
    """Sound files of every container, in which a pickle calls by each opcode that can."""
    found = []
    for place, opcode in enumerate(CALLS):
        run = call(folder, opcode)
        body = dictionary(("weight", tensor()), ("evil", run))
        found.append(torch_file(folder, body, name=f"canary{place}.pt"))
        found.append(script_file(folder, body, f"canary{place}.jit"))
        old = legacy(body, ["0"], struct.pack("<q6f", 6, *range(6)))
        found.append(plain_file(folder, old, f"legacy{place}.pt"))
    return found


class _Executes:
    """Unpickled, it makes the canary."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / CANARY)

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def canary_beside(folder: Path, value: Any) -> bytes:
    """A pickle of ``value``, beside one that makes the canary."""
    return pickle.dumps({"value": value, "evil": _Executes(folder)}, 2)


@attack("nested more than")
def deep_lists(folder: Path) -> Path:
    return torch_file(folder, b"]" * 100_000 + tensor() + b"a" * 100_000)


@attack("too long names")
def billion_laughs(folder: Path) -> Path:
    body = b"]\x94" + b"".join(b"(" + b"h%c" % n * 10 + b"l\x94" for n in range(40))
    return torch_file(folder, body)


@attack("show the same numbers too often")
def one_tensor_by_a_hundred_thousand_names(folder: Path) -> Path:
    wide = tensor((2**20,), (0,)) + b"\x94"
    return torch_file(folder, b"]" + wide + b"0](" + b"h\x00" * 100_000 + b"e")


@attack("steps")
def millions_of_opcodes(folder: Path) -> Path:
    return torch_file(folder, b"N0" * 1_500_000 + tensor(), packing=zipfile.ZIP_DEFLATED)


@attack("shape or strides are none")
def tensor_that_claims_2_to_the_60(folder: Path) -> Path:
    return torch_file(folder, tensor((2**30, 2**30), (2**30, 1)))


@attack("reaches beyond its storage")
def tensor_that_claims_a_billion_of_six_numbers(folder: Path) -> Path:
    return torch_file(folder, tensor((2**10, 2**20), (2**20, 1)))


@attack("a storage claims")
def storage_longer_than_its_member(folder: Path) -> Path:
    return torch_file(folder, tensor((2**40,), (1,), stored=storage("0", 2**40)))


@attack("missing")
def storage_that_is_not_there(folder: Path) -> Path:
    return torch_file(folder, tensor(stored=storage("7")))


@attack("missing")
def storage_outside_of_the_archive(folder: Path) -> Path:
    return torch_file(folder, tensor(stored=storage("../../../etc/passwd")))


@attack("reaches beyond its storage")
def strides_beyond_the_storage(folder: Path) -> Path:
    return torch_file(folder, tensor((2, 3), (4, 1)))


@attack("reaches beyond its storage")
def offset_beyond_the_storage(folder: Path) -> Path:
    return torch_file(folder, tensor(offset=1))


@attack("out of range")
def negative_strides(folder: Path) -> Path:
    return torch_file(folder, tensor((2, 3), (-3, 1), 3))


@attack("numbers of")
def one_number_shown_2_to_the_40_times(folder: Path) -> Path:
    return torch_file(folder, tensor((2**20, 2**20), (0, 0)))


@attack("claims to unpack")
def zip_bomb(folder: Path) -> Path:
    content = {"0": bytes(2**28)}
    body = tensor((2**26,), (1,), stored=storage("0", 2**26))
    return torch_file(folder, body, content, zipfile.ZIP_DEFLATED)


@attack("its pickle has a number of too many digits")
def number_of_a_million_digits(folder: Path) -> Path:
    return torch_file(folder, b"\x8b" + struct.pack("<I", 10**6) + b"\x01" * 10**6)


@attack("cut, or claims more")
def text_of_2_to_the_60_bytes(folder: Path) -> Path:
    return torch_file(folder, b"\x8e" + struct.pack("<Q", 2**60))


@attack("two members have the name")
def duplicate_members(folder: Path) -> Path:
    path = sound(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data/1", b"x" * 24)
    return plain_file(
        folder, path.read_bytes().replace(b"archive/data/1", b"archive/data/0"), "twice.pt"
    )


@attack("encrypted")
def encrypted_members(folder: Path) -> Path:
    content = bytearray(sound(folder).read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1  # the flags of the first member
    return plain_file(folder, bytes(content), "encrypted.pt")


@attack("no storage")
def persistent_identifier_that_is_a_text(folder: Path) -> Path:
    return torch_file(folder, text("storage") + b"Q")


@attack("unknown opcode")
def extension_registry(folder: Path) -> Path:
    return torch_file(folder, b"\x82\x01")


@attack("no tensors")
def dictionary_in_itself(folder: Path) -> Path:
    return torch_file(folder, b"}\x94" + text("self") + b"h\x00s")


@attack("another size")
def legacy_storage_of_another_size(folder: Path) -> Path:
    held = struct.pack("<q6f", 2**60, *range(6))
    return plain_file(folder, legacy(tensor(), ["0"], held), "hostile.pth")


@attack("not those that its pickle names")
def legacy_storages_by_the_same_name(folder: Path) -> Path:
    held = struct.pack("<q6f", 6, *range(6))
    return plain_file(folder, legacy(tensor(), ["0", "0"], held * 2), "hostile.pth")
