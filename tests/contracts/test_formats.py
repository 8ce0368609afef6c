"""What every format owes: what is not of it or is cut is refused, and nothing is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import MissingExtra, UnreadableModel
from assay.formats import FORMATS, HEAD, known_suffixes, read

TEXT = b"This is a letter, not a model. " * 200
ZEROS = bytes(100_000)


def refuses(name: str, path: Path) -> None:
    """Reading ``path`` as this format ends in one of our errors, and leaves the file as it was."""
    before = path.read_bytes()
    with pytest.raises((UnreadableModel, MissingExtra)):
        FORMATS[name]().read(path, {})
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", [TEXT, ZEROS, b"\0", b"PK\x03\x04" + ZEROS, b"\x80\x04."])
def test_what_is_no_model_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "suspect"
    path.write_bytes(content)
    refuses(name, path)


@pytest.mark.parametrize("name", FORMATS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(content=st.binary(min_size=1, max_size=300))
def test_any_bytes_are_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "suspect"
    path.write_bytes(content)
    refuses(name, path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_says_its_suffixes_and_sniffs_no_text(name: str) -> None:
    method = FORMATS[name]()
    assert method.suffixes
    assert all(s.startswith(".") and s == s.lower() for s in method.suffixes)
    assert set(method.suffixes) <= set(known_suffixes())
    assert not method.sniff(TEXT[:HEAD])
    assert not method.sniff(ZEROS[:HEAD])


@pytest.mark.parametrize("suffix", known_suffixes())
def test_the_error_begins_with_the_path_and_is_one_line(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"suspect{suffix}"
    path.write_bytes(ZEROS)
    with pytest.raises((UnreadableModel, MissingExtra)) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, MissingExtra) or str(caught.value).startswith(f"{path}: ")
