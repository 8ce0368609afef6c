"""What every format owes: what is not of it or is cut is refused, what is of it is read the same
each time, and nothing is changed or executed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import archives, building
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import MissingExtra, UnreadableModel
from assay.formats import FORMATS, HEAD, known_suffixes, read
from assay.graphs import layer_graph

TEXT = b"This is a letter, not a model. " * 200
ZEROS = bytes(100_000)
SAMPLES: dict[str, Callable[[Path], Path]] = {  # a small sound file of each format
    "onnx": building.small,
    "torch-export": lambda folder: archives.archive(folder, archives.program()),
}
NEEDS_TORCH = {"torch-export"}  # to be read whole; what is damaged is refused without
names = pytest.mark.parametrize("name", FORMATS)
readable = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.torch) if n in NEEDS_TORCH else n for n in SAMPLES]
)


def refuses(name: str, path: Path) -> None:
    """Reading ``path`` as this format ends in one of our errors, and leaves the file as it was."""
    before = path.read_bytes()
    with pytest.raises(UnreadableModel):
        FORMATS[name]().read(path, {})
    assert path.read_bytes() == before


def test_every_format_has_a_sample() -> None:
    assert SAMPLES.keys() == FORMATS.keys()


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
    path = SAMPLES[name](tmp_path)
    content = path.read_bytes()
    for end in {1, *range(3, len(content), max(1, len(content) // 40)), len(content) - 1}:
        path.write_bytes(content[:end])
        refuses(name, path)


@names
def test_models_of_other_formats_are_refused(name: str, tmp_path: Path) -> None:
    for other in SAMPLES.keys() - {name}:
        refuses(name, SAMPLES[other](tmp_path))


@names
def test_a_format_says_its_suffixes_and_sniffs_no_text(name: str) -> None:
    method = FORMATS[name]()
    assert method.suffixes
    assert all(s.startswith(".") and s == s.lower() for s in method.suffixes)
    assert set(method.suffixes) <= set(known_suffixes())
    assert not method.sniff(TEXT[:HEAD])
    assert not method.sniff(ZEROS[:HEAD])


def test_no_two_formats_share_a_suffix() -> None:
    suffixes = [suffix for method in FORMATS.values() for suffix in method.suffixes]
    assert len(suffixes) == len(set(suffixes))


@names
def test_a_format_sniffs_its_own_models_only(name: str, tmp_path: Path) -> None:
    head = SAMPLES[name](tmp_path).read_bytes()[:HEAD]
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
    path = SAMPLES[name](tmp_path)
    before = path.read_bytes(), path.stat().st_mtime_ns
    graphs = []
    for _ in range(2):
        model = read(path)
        assert model.format == name
        assert model.files == (path,)
        assert model.layers is not None
        graphs.append(layer_graph(model.layers))
    assert graphs[0] == graphs[1]
    assert [layer.op for layer in graphs[0].layers] == ["Relu"]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(tmp_path.iterdir()) == [path], "something was written, or executed"


@readable
def test_a_model_is_known_by_its_content_where_the_suffix_says_nothing(
    name: str, tmp_path: Path
) -> None:
    path = SAMPLES[name](tmp_path)
    renamed = path.rename(tmp_path / "download.bin")
    assert read(renamed).format == name
