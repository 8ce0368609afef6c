"""benchmarks/parts: it runs, and finds what is there."""

from __future__ import annotations

from pathlib import Path

from scripts_of import run_small

FOLDER = Path(__file__).parents[1] / "benchmarks" / "parts"


def test_a_small_run_asks_everything_and_writes_nothing() -> None:
    before = {file: file.read_bytes() for file in FOLDER.iterdir() if file.is_file()}
    lines = run_small(FOLDER)
    assert {file: file.read_bytes() for file in FOLDER.iterdir() if file.is_file()} == before
    asked = [line.partition(" {")[0].partition(", ")[2] for line in lines]
    assert asked[:3] == ["strangers", "built upon", "cost"]
    assert "another head" in asked
    assert "'transformers/detr-resnet-50', 'resnet50', 0" in lines[1]
