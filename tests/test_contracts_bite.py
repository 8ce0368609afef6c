"""The contract tests find a method by its file alone, and turn red where it breaks its contract.

Each case adds one file to a copy of the source and runs that role's contract tests on the method;
that they are green for all others is what they say themselves.
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
        return Evidence("Accuser()", 1.0, -77.0, {})

    def supported(self, evidence):
        return Relation.DERIVED
'''


@pytest.mark.parametrize(
    ("role", "file", "source", "wrong"),
    [
        ("hashers", "first_listed.py", FIRST_LISTED, "test_the_order_of_layers_does_not_matter"),
        ("indexes", "forgetful.py", FORGETFUL, "test_answers_exactly_as_the_naive_index"),
        ("formats", "careless.py", CARELESS, "test_any_bytes_are_refused"),
        ("comparisons", "accuser.py", ACCUSER, "test_what_cannot_be_compared_gives_no_evidence"),
    ],
)
def test_a_broken_method_turns_its_contract_tests_red(
    role: str, file: str, source: str, wrong: str, tmp_path: Path
) -> None:
    copy = tmp_path / "src"
    shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "assay" / role / file).write_text(source)
    name = file.removesuffix(".py").replace("_", "-")
    broken = contract_tests(role, name, copy)
    assert broken.returncode == 1, broken.stdout
    failed = [line for line in broken.stdout.splitlines() if line.startswith("FAILED")]
    assert any(wrong in line for line in failed), failed


def contract_tests(role: str, name: str, source: Path) -> subprocess.CompletedProcess[str]:
    paths = f"pythonpath={source} {ROOT / 'scripts'} {ROOT / 'tests'}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", paths]
    command += [
        "-m",
        "not torch",
        "-k",
        name,
        str(ROOT / "tests" / "contracts" / f"test_{role}.py"),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
