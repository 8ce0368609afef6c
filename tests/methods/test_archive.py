"""Archives: a model inside is read as it is outside; nothing is unpacked elsewhere, or too much."""

from __future__ import annotations

import gc
import io
import random
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import building
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import safetensors, sample, tflite

from assay.containers import tar
from assay.containers.sources import InMemory
from assay.errors import UnreadableModel
from assay.formats import FORMATS, read
from assay.formats.archive import APPS, Archive
from assay.graphs import layer_graph


def tarred(path: Path, members: dict[str, bytes], mode: str = "w", kind: int = 1) -> Path:
    with tarfile.open(path, mode, format=kind) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, so that a test sees what is left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("suffix", [each for each in Archive.suffixes if each not in APPS])
def test_every_kind_of_archive_gives_the_model_inside(suffix: str, tmp_path: Path) -> None:
    content = tflite.small(tmp_path).read_bytes()
    members = {"notes/README": b"about it", "notes/model.tflite": content}
    path = tmp_path / f"release{suffix}"
    if suffix == ".zip":
        zipped(path, members)
    else:
        packing = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "tbz2": "bz2", "xz": "xz", "txz": "xz"}
        tarred(path, members, f"w:{packing.get(suffix.rpartition('.')[2], '')}")
    model = read(path)
    assert (model.format, model.files) == ("tflite", (path,))
    assert model.metadata["archive"] == "notes/model.tflite"
    assert model.layers is not None
    assert [layer.op for layer in layer_graph(model.layers).layers] == tflite.OPS


def test_weights_may_be_read_late_and_nothing_stays_behind(tmp_path: Path, temporary: Path) -> None:
    content = safetensors.small(tmp_path).read_bytes()
    path = zipped(tmp_path / "a.zip", {"model.safetensors": content})
    weights = read(path).weights
    weight = weights["weight"]
    del weights
    gc.collect()
    assert np.array_equal(weight.read(), np.array(safetensors.WEIGHTS["weight"], np.float32))
    del weight
    gc.collect()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names_are_understood(kind: int, tmp_path: Path) -> None:
    name = "/".join(["folder" * 8, "folder" * 9, "model.safetensors"])
    longer = name if kind == tarfile.USTAR_FORMAT else f"{'x' * 120}/{name}"
    content = safetensors.small(tmp_path).read_bytes()
    path = tarred(tmp_path / "a.tar", {longer: content}, kind=kind)
    assert read(path).metadata["archive"] == longer


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    files=st.dictionaries(st.text("aä/b.", min_size=1, max_size=150), st.binary(max_size=1500)),
    kind=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_tar_members_are_those_that_tarfile_finds(
    files: dict[str, bytes], kind: int, tmp_path: Path
) -> None:
    path = tarred(tmp_path / "a.tar", files, kind=kind)
    content = path.read_bytes()
    ours = [(m.name, content[m.start : m.start + m.size]) for m in tar.members(InMemory(content))]
    with tarfile.open(path) as archive:
        files_there = ((m.name, archive.extractfile(m)) for m in archive.getmembers())
        theirs = [(name, file.read()) for name, file in files_there if file is not None]
    assert [(name.rstrip("/"), data) for name, data in ours] == [
        (name.rstrip("/"), data) for name, data in theirs
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(["zip", "tar", "tar.gz"]))
def test_a_damaged_archive_is_read_or_refused(seed: int, kind: str, tmp_path: Path) -> None:
    content = safetensors.small(tmp_path).read_bytes()
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        zipped(path, {"model.safetensors": content})
    else:
        tarred(path, {"model.safetensors": content}, "w:gz" if kind == "tar.gz" else "w")
    damaged, draw = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(draw.randint(1, 4)):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    path.write_bytes(damaged)
    wrong = ""
    try:
        weights = [weight.read() for weight in read(path).weights.values()]
        assert all(weight.dtype == np.float32 for weight in weights)
    except UnreadableModel as error:
        wrong = str(error)
    assert "please report" not in wrong


def test_a_folder_model_is_found_inside(tmp_path: Path) -> None:
    folders = [name for name in FORMATS if sample(name).small(_folder(tmp_path / name)).is_dir()]
    for name in folders:
        root = sample(name).small(_folder(tmp_path / "made" / name))
        files = [file for file in root.rglob("*") if file.is_file()]
        members = {f"top/{f.relative_to(root.parent).as_posix()}": f.read_bytes() for f in files}
        model = read(zipped(tmp_path / f"{name}.zip", members))
        assert model.format == name
        assert model.weights.keys() == sample(name).WEIGHTS.keys()
    assert folders, "some formats are folders"


def _folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_two_models_and_none_are_named(tmp_path: Path) -> None:
    content = safetensors.small(tmp_path).read_bytes()
    relu = building.small(tmp_path).read_bytes()
    both = zipped(tmp_path / "both.zip", {"a.safetensors": content, "b/c.onnx": relu})
    with pytest.raises(UnreadableModel, match=r"holds 2 models \('a.safetensors', 'b/c.onnx'"):
        read(both)
    with pytest.raises(UnreadableModel, match="holds no model"):
        read(zipped(tmp_path / "none.zip", {"README.md": b"# nothing"}))


def test_what_lies_beside_the_model_is_no_second_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.write(building.small(tmp_path), "model.onnx")
        archive.writestr("labels.json", "[]")
        archive.writestr("README.html", "<html></html>")
        archive.writestr("notes.bin", "none")
        archive.writestr("__MACOSX/._model.onnx", "a resource fork")
    assert read(tmp_path / "m.zip").metadata["archive"] == "model.onnx"
