"""A ledger: what a kill cut short costs nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.durable import append_entry, read_ledger


@pytest.mark.parametrize("cut", ['{"key": "b", "f', '{"key": "b", "of": {"a": 1}'])
def test_a_line_that_was_cut_short_costs_the_ledger_nothing_else(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "new" / "ledger.jsonl"
    assert read_ledger(path) == {}
    append_entry(path, {"key": "a"})
    with path.open("a") as file:
        file.write(cut)
    assert [*read_ledger(path)] == ["a"]
    append_entry(path, {"key": "c"})
    assert [*read_ledger(path)] == ["a", "c"]


def test_the_last_entry_of_a_key_counts(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for value in (1, 2):
        append_entry(path, {"key": "a", "value": value})
    assert read_ledger(path) == {"a": {"key": "a", "value": 2}}
