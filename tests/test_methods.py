"""A role's folder is its registry."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from assay.errors import UnknownMethod
from assay.hashers import HASHERS
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.methods import Methods

ROLE = '''
from assay.methods import Methods

class Greeting:
    """Says it."""

GREETINGS = Methods(Greeting)
'''
METHOD = '''
from greetings_role import Greeting

class GoodMorning(Greeting):
    """In the morning."""
'''


@pytest.fixture
def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Methods[object]:
    folder = tmp_path / "greetings_role"
    folder.mkdir()
    (folder / "__init__.py").write_text(ROLE)
    (folder / "good_morning.py").write_text(METHOD)
    (folder / "_words.py").write_text("raise RuntimeError('shared code is no method')")
    (folder / "broken.py").write_text("raise RuntimeError('imported too early')")
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module("greetings_role").GREETINGS
    for name in [name for name in sys.modules if name.startswith("greetings_role")]:
        del sys.modules[name]


def test_a_file_is_a_method_and_is_imported_when_asked_for(role: Methods[object]) -> None:
    assert list(role) == ["broken", "good-morning"]
    assert len(role) == 2
    assert "greetings_role.good_morning" not in sys.modules
    assert role["good-morning"].__name__ == "GoodMorning"
    assert "greetings_role.broken" not in sys.modules


def test_an_unknown_method_is_refused_with_the_choices(role: Methods[object]) -> None:
    with pytest.raises(UnknownMethod, match=r"good_morning.*choose from.*good-morning"):
        role["good_morning"]


def test_the_hashers_are_found() -> None:
    assert HASHERS["weisfeiler-lehman"] is WeisfeilerLehman
