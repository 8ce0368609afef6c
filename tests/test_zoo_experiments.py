"""Experiments: the ledger's loop, intervals, and pages whose tables are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assay.errors import BadData
from assay.zoo.experiments import (
    finished,
    half_width,
    hardware,
    paired,
    with_tables,
    work_through,
    write_report,
)


@dataclass(frozen=True)
class Counted:
    """A job that tells how much was finished before it."""

    key: str
    behavior: str = "first"

    def made(self, done: Mapping[str, Any]) -> dict[str, Any]:
        return {"before": [*done]}


def test_what_was_made_in_another_way_is_made_again_and_the_rest_is_not(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    jobs = [Counted("a"), Counted("b"), Counted("a"), Counted("c")]
    first = [job.key for job, _ in work_through(jobs, ledger, Counted.made)]
    assert first == ["a", "b", "c"]
    assert [*work_through(jobs, ledger, Counted.made)] == []
    jobs[1] = Counted("b", "second")
    ((job, entry),) = work_through(jobs, ledger, Counted.made)
    assert job is jobs[1]
    assert entry == {"key": "b", "before": ["a", "c"], "behavior": "second"}
    assert [*finished(jobs, ledger)] == ["a", "b", "c"]
    assert [*finished([Counted("b")], ledger)] == []


def test_a_loop_that_ends_early_has_kept_what_it_gave(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    jobs = [Counted("a"), Counted("b")]
    for _ in work_through(jobs, ledger, Counted.made):
        break
    ledger.write_text(ledger.read_text() + '{"key": "b", "behav')
    assert [*finished(jobs, ledger)] == ["a"]
    assert [job.key for job, _ in work_through(jobs, ledger, Counted.made)] == ["b"]


@pytest.mark.torch
def test_intervals_are_student_s_of_paired_differences() -> None:
    found = paired([0.1, 0.3, 0.2, 0.0, 0.4])
    assert found == {"mean": 0.2, "pairs": 5, "interval": [0.004, 0.396]}  # t(4) is 2.776
    assert paired([0.5]) == {"mean": 0.5, "pairs": 1}
    assert half_width([0.1, 0.3, 0.2]) == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-4)
    assert half_width([0.1]) is None


def test_tables_are_written_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("# A\n<!-- a: written by run.py -->\nold\nolder\n<!-- end -->\nand so on\n")
    write_report(tmp_path, {"x": [1]}, {"a": "new \\1 \\g<0>\n"})
    text = "# A\n<!-- a: written by run.py -->\nnew \\1 \\g<0>\n<!-- end -->\nand so on\n"
    assert page.read_text() == text
    assert json.loads((tmp_path / "results.json").read_text()) == {"x": [1]}
    with pytest.raises(BadData, match="0 places for 'b', not one"):
        with_tables(text, {"b": ""})
    with pytest.raises(BadData, match="2 places for 'a', not one"):
        with_tables(text + text, {"a": ""})


def test_the_hardware_has_a_name_and_cores() -> None:
    assert hardware().endswith(" cores, no GPU")
    assert not hardware().startswith(",")
