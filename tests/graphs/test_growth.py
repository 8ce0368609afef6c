"""Long graphs take work that grows with their length, whatever they are made of."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import growing
import pytest

import assay

SHORT, LONG = 300, 1200
MOST_SECONDS = 40  # of processor time; with its square it would be many minutes


def calls(name: str, count: int) -> int:
    """How many Python functions are called on the way from operators to a code."""
    graph = growing.network(name, count)
    number = 0

    def counting(frame: object, event: str, argument: object) -> None:
        nonlocal number
        number += event == "call"

    sys.setprofile(counting)
    try:
        growing.work(graph)
    finally:
        sys.setprofile(None)
    return number


@pytest.mark.parametrize("name", growing.GROWING)
def test_four_times_the_length_takes_four_times_the_calls(name: str) -> None:
    growing.work(growing.network(name, 10))  # what is made once
    assert calls(name, LONG) <= 1.1 * (LONG / SHORT) * calls(name, SHORT)


@pytest.mark.parametrize(
    "name",
    [
        "alike_layers",
        "scales",
        "concatenations",
        "one_tensor_with_many_readers",
        "normed_layers_that_are_outputs",
    ],
)
def test_as_many_operators_as_a_file_may_have_are_followed(name: str) -> None:
    done = subprocess.run(
        [sys.executable, growing.__file__, name, "50000"],
        env={"PYTHONPATH": str(Path(assay.__file__).parents[1])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    layers, _ = map(int, done.stdout.split())
    assert layers >= 25_000
