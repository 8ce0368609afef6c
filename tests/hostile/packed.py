"""Archives that lead out of their folder, unpack to too much, or are not what they seem."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

from hostile.building import RELU, attack, model, write

RELU_BYTES = model(RELU).SerializeToString()


def _tar(folder: Path, info: tarfile.TarInfo, content: bytes = b"") -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return write(folder, out.getvalue(), "hostile.tar")


def _link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("model.onnx")
    info.type, info.linkname = kind, target
    return info


def _zip(folder: Path, members: dict[str, bytes]) -> Path:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return write(folder, out.getvalue(), "hostile.zip")


@attack("no place inside a folder")
def tar_member_above_its_folder(folder: Path) -> Path:
    return _tar(folder, tarfile.TarInfo("../../canary.onnx"), RELU_BYTES)


@attack("no place inside a folder")
def tar_member_at_the_root(folder: Path) -> Path:
    return _tar(folder, tarfile.TarInfo("/tmp/canary.onnx"), RELU_BYTES)


@attack("no place inside a folder")
def zip_member_above_its_folder(folder: Path) -> Path:
    return _zip(folder, {"../canary.onnx": RELU_BYTES})


@attack("no place inside a folder")
def zip_member_of_windows(folder: Path) -> Path:
    return _zip(folder, {"C:\\canary.onnx": RELU_BYTES})


@attack("link or device")
def tar_link_out(folder: Path) -> Path:
    return _tar(folder, _link(tarfile.SYMTYPE, "/etc/passwd"))


@attack("link or device")
def tar_hard_link(folder: Path) -> Path:
    return _tar(folder, _link(tarfile.LNKTYPE, "../model.onnx"))


@attack("link or device")
def tar_device(folder: Path) -> Path:
    return _tar(folder, _link(tarfile.CHRTYPE, ""))


@attack("link, which is not followed")
def zip_link_out(folder: Path) -> Path:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("model.onnx")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return write(folder, out.getvalue(), "hostile.zip")


@attack("times its size")
def zip_of_zeros(folder: Path) -> Path:
    return _zip(folder, {"model.onnx": bytes(150_000_000)})


@attack("packed in an unknown way")
def zip_of_bzip2_that_claims_little(folder: Path) -> Path:
    """zipfile would unpack all that a piece of 4 KiB holds, here 100 MB, and then cut it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("model.onnx", bytes(10**8))
        archive.infolist()[0].file_size = 100  # written last, in the directory
    return write(folder, out.getvalue(), "hostile.zip")


@attack("it is not what it claims")
def zip_member_that_is_longer_than_it_claims(folder: Path) -> Path:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.onnx", bytes(10**8))
        archive.infolist()[0].file_size = 100
    return write(folder, out.getvalue(), "hostile.zip")


@attack("holds 3000 models")
def zip_of_many_models(folder: Path) -> Path:
    """Its directory may not be read anew for each of them."""
    return _zip(folder, {f"{number}.onnx": b"x" for number in range(3000)})


@attack("unpacks to more than")
def tar_of_zeros(folder: Path) -> Path:
    info = tarfile.TarInfo("model.onnx")
    info.size = 150_000_000
    content = info.tobuf() + bytes(info.size)
    return write(folder, gzip.compress(content, 1), "hostile.tar.gz")


@attack("a header of")
def tar_header_without_end(folder: Path) -> Path:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 60_000_000
    content = info.tobuf(tarfile.USTAR_FORMAT) + bytes(info.size)
    return write(folder, gzip.compress(content, 1), "hostile.tar.gz")


@attack("members")
def tar_of_many_members(folder: Path) -> Path:
    content = tarfile.TarInfo("x").tobuf() * 60_000
    return write(folder, gzip.compress(content, 1), "hostile.tar.gz")


@attack("beyond its end")
def tar_member_of_2_to_the_60(folder: Path) -> Path:
    info = tarfile.TarInfo("model.onnx")
    info.size = 2**60
    return write(folder, info.tobuf(tarfile.GNU_FORMAT) + bytes(1024), "hostile.tar")


@attack("two members")
def tar_file_as_folder(folder: Path) -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("model", "model/model.onnx"):
            info = tarfile.TarInfo(name)
            info.size = len(RELU_BYTES)
            archive.addfile(info, io.BytesIO(RELU_BYTES))
    return write(folder, out.getvalue(), "hostile.tar")


@attack("another archive")
def zip_in_a_zip(folder: Path) -> Path:
    inner = _zip(folder, {"model.onnx": RELU_BYTES})
    return _zip(folder, {"inner.zip": inner.read_bytes()})
