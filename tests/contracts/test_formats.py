"""What every format owes: what is not of it or is cut is refused, what is of it is read the same
each time, and nothing is changed or executed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import sample

from assay.errors import MissingExtra, UnreadableModel
from assay.formats import FORMATS, HEAD, Model, folder_format, known_suffixes, opening, read
from assay.graphs import layer_graph
from assay.weights import Array

TEXT = b"This is a letter, not a model. " * 200
ZEROS = bytes(100_000)
NEEDS_TORCH = {"torch-export"}  # to be read whole; what is damaged is refused without
names = pytest.mark.parametrize("name", FORMATS)
readable = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.torch) if n in NEEDS_TORCH else n for n in FORMATS]
)


def files_of(path: Path) -> list[Path]:
    """The model's own file, or all of its folder."""
    return sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]


def state_of(path: Path) -> list[tuple[Path, bytes, int]]:
    """All that lies in the model's folder."""
    found = files_of(path if path.is_dir() else path.parent)
    return [(file, file.read_bytes(), file.stat().st_mtime_ns) for file in found]


def whole(model: Model) -> dict[str, Array]:
    """Every weight, read."""
    return {name: weight.read() for name, weight in model.weights.items()}


def refuses(name: str, path: Path) -> None:
    """Reading ``path`` as this format ends in one of our errors, and leaves the file as it was."""
    before = state_of(path)
    with pytest.raises(UnreadableModel):
        whole(FORMATS[name]().read(path, {}))
    assert state_of(path) == before


@names
@pytest.mark.parametrize("content", [TEXT, ZEROS, b"\0", b"PK\x03\x04" + ZEROS, b"\x80\x04."])
def test_what_is_no_model_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "suspect"
    path.write_bytes(content)
    refuses(name, path)


@names
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(content=st.binary(min_size=1, max_size=300))
def test_any_bytes_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "suspect"
    path.write_bytes(content)
    refuses(name, path)


@names
def test_a_model_that_is_cut_anywhere_is_refused(name: str, tmp_path: Path) -> None:
    path = sample(name).small(tmp_path)
    for file in files_of(path):
        content = file.read_bytes()
        for end in {1, *range(3, len(content), max(1, len(content) // 40)), len(content) - 1}:
            file.write_bytes(content[:end])
            refuses(name, path)
        file.write_bytes(content)


@names
def test_models_of_other_formats_are_refused(name: str, tmp_path: Path) -> None:
    for other in FORMATS.keys() - {name}:
        folder = tmp_path / other
        folder.mkdir()
        refuses(name, sample(other).small(folder))


@names
def test_a_format_says_its_suffixes_and_sniffs_no_text(name: str) -> None:
    method = FORMATS[name]()
    assert isinstance(method.suffixes, tuple)
    assert all(s.startswith(".") and s == s.lower() for s in method.suffixes)
    assert set(method.suffixes) <= set(known_suffixes())
    assert not method.sniff(TEXT[:HEAD])
    assert not method.sniff(ZEROS[:HEAD])
    assert not method.sniff_folder(frozenset({"README.md", "model.onnx", "weights.safetensors"}))


@names
def test_a_format_sniffs_its_own_models_only(name: str, tmp_path: Path) -> None:
    path = sample(name).small(tmp_path)
    if path.is_dir():
        entries = frozenset(entry.name for entry in path.iterdir())
        assert [other for other in FORMATS if FORMATS[other]().sniff_folder(entries)] == [name]
    else:
        head = opening(path)
        assert [other for other in FORMATS if FORMATS[other]().sniff(head)] == [name]


@pytest.mark.parametrize("suffix", known_suffixes())
def test_the_error_begins_with_the_path_and_is_one_line(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"suspect{suffix}"
    path.write_bytes(ZEROS)
    with pytest.raises((UnreadableModel, MissingExtra)) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


@readable
def test_a_model_is_read_the_same_twice_and_stays_as_it_is(name: str, tmp_path: Path) -> None:
    wanted = sample(name)
    path = wanted.small(tmp_path)
    before = state_of(tmp_path)
    graphs = []
    for _ in range(2):
        model = read(path)
        assert model.format == wanted.FORMAT
        assert model.files
        assert {*model.files} <= {*files_of(tmp_path)}
        weights = whole(model)
        assert weights.keys() == wanted.WEIGHTS.keys()
        for key, values in weights.items():
            assert values.dtype == np.float32
            assert values.shape == model.weights[key].shape
            assert np.array_equal(values, np.array(wanted.WEIGHTS[key], np.float32))
        graphs.append(None if model.layers is None else layer_graph(model.layers))
    assert graphs[0] == graphs[1]
    found = None if graphs[0] is None else [layer.op for layer in graphs[0].layers]
    assert found == wanted.OPS
    assert state_of(tmp_path) == before, "something was written, or executed"


@readable
def test_a_model_is_known_by_its_content_where_the_name_says_nothing(
    name: str, tmp_path: Path
) -> None:
    wanted = sample(name)
    path = wanted.small(tmp_path)
    if path.is_dir():
        renamed = tmp_path / "download"
        shutil.move(path, renamed)
        assert folder_format(renamed) is FORMATS[name]
    else:
        renamed = path.rename(tmp_path / "download.bin")
    assert read(renamed).format == wanted.FORMAT
