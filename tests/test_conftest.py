"""A skip is a failure where nothing may be left out, as in `make test`."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SKIPS = {
    "in a test": "import pytest\ndef test_it(): pytest.skip('later')\n",
    "by a mark": "import pytest\n@pytest.mark.skip\ndef test_it(): ...\n",
    "of a module": "import pytest\npytest.importorskip('no_such_module')\n",
}


def status(folder: Path, text: str, *options: str) -> int:
    """Exit status of pytest over a file with ``text``, with the hooks of this folder."""
    (folder / "test_one.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "conftest", *options, str(folder)]
    environment = {"PYTHONPATH": str(HERE)}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return run.returncode


@pytest.mark.parametrize("text", SKIPS.values(), ids=SKIPS)
def test_a_skip_turns_red_where_it_is_forbidden(text: str, tmp_path: Path) -> None:
    allowed = pytest.ExitCode.NO_TESTS_COLLECTED if "importorskip" in text else pytest.ExitCode.OK
    assert status(tmp_path, text) == allowed
    assert status(tmp_path, text, "--no-skips") in (
        pytest.ExitCode.TESTS_FAILED,
        pytest.ExitCode.INTERRUPTED,
    )


def test_a_test_that_runs_or_is_expected_to_fail_stays_green(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.xfail\ndef test_a(): assert 0\ndef test_b(): assert 1\n"
    assert status(tmp_path, text, "--no-skips") == pytest.ExitCode.OK
