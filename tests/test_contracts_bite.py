"""The contract tests find a method by its file alone, and turn red where it breaks its contract.

Each case adds one file to a copy of the source and runs that role's contract tests on it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FIRST_LISTED = '''
"""A code of the layer that happens to be listed first."""
from hashlib import sha256
from assay.hashers import Hasher

class FirstListed(Hasher):
    scheme = "first-listed-64"

    def digest(self, graph):
        return sha256(repr(graph.layers[0]).encode()).digest()[:8]
'''
FORGETFUL = '''
"""An index that leaves the last match out."""
from assay.indexes.naive import Naive as _Naive

class Forgetful(_Naive):
    def search(self, code, k=None, radius=None, where=None):
        return super().search(code, k, radius, where)[:-1]
'''
CARELESS = '''
"""A format that takes anything for a model."""
from assay.formats import Format, Model

class Careless(Format):
    suffixes = (".careless",)

    def sniff(self, head):
        return False

    def read(self, path, input_shapes):
        return Model("careless", None, (path,))
'''
ACCUSER = '''
"""A comparison that accuses everybody."""
from assay.comparisons import Comparison
from assay.values import Evidence, Relation

class Accuser(Comparison):
    def compare(self, suspect, source):
        return Evidence("Accuser()", 1.0, None, {})

    def supported(self, evidence):
        return Relation.DERIVED
'''


@pytest.mark.parametrize(
    ("role", "file", "source"),
    [
        ("hashers", "first_listed.py", FIRST_LISTED),
        ("indexes", "forgetful.py", FORGETFUL),
        ("formats", "careless.py", CARELESS),
        ("comparisons", "accuser.py", ACCUSER),
    ],
)
def test_a_broken_method_turns_its_contract_tests_red(
    role: str, file: str, source: str, tmp_path: Path
) -> None:
    copy = tmp_path / "src"
    shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert contract_tests(role, copy).returncode == 0
    (copy / "assay" / role / file).write_text(source)
    broken = contract_tests(role, copy)
    assert broken.returncode == 1, broken.stdout
    name = file.removesuffix(".py").replace("_", "-")
    failed = [line for line in broken.stdout.splitlines() if line.startswith("FAILED")]
    assert any(name in line for line in failed), failed


def contract_tests(role: str, source: Path) -> subprocess.CompletedProcess[str]:
    paths = f"pythonpath={source} {ROOT / 'scripts'} {ROOT / 'tests'}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", paths]
    command += ["-m", "not torch", str(ROOT / "tests" / "contracts" / f"test_{role}.py")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
