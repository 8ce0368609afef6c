"""Rates that are of use, and whether two accuracies agree."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from small_tasks import squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.errors import BadOption, UnreadableLicense  # noqa: E402
from assay.keys.signing import SigningKey  # noqa: E402
from assay.licenses import Work  # noqa: E402
from assay.licenses._grading import grade_of  # noqa: E402
from assay.licenses._rates import Key, Measured, Pair, pairs  # noqa: E402
from assay.licenses.pruning import Pruning  # noqa: E402
from assay.running.modules import digest, outputs  # noqa: E402
from assay.training import Optimizer, Training  # noqa: E402

DATA, JUDGE = squares(160, 3), squares(300, 4)
TRAINING = Training(2, 32, Optimizer("adam", 0.005))
TRIED = (0.2, 0.5)


@pytest.mark.parametrize(
    ("pruned", "tuned", "fault"),
    [
        (0.10, 0.912, ""),  # 2, 7 and 10 % of the paper's table 1
        (0.10, 0.815, ""),
        (0.10, 0.736, ""),
        (0.93, 0.90, "pruned, it has more than 0.1200"),  # 0.1 %: hardly pruned, and worse after
        (0.30, 0.92, "pruned, it has more than 0.1200"),  # 0.6 %
        (0.10, 0.40, "tuning regains less than 50% of what was lost"),
    ],
)
def test_the_published_rule(pruned: float, tuned: float, fault: str) -> None:
    assert Pair(0.01, 0.935, pruned, tuned, 0.12).fault == fault


@pytest.mark.parametrize(("share", "of"), [(0.1, 50), (0.5, 359), (0.92, 2000), (0.0, 10)])
def test_an_interval_ends_where_what_was_found_would_be_2_58_deviations_off(
    share: float, of: int
) -> None:
    low, high = Measured(share, of).interval
    assert 0 <= low <= share <= high <= 1
    for bound in {low, high} - {share}:
        deviation = sqrt(bound * (1 - bound) / of)
        assert abs(share - bound) == pytest.approx(2.5758 * deviation, rel=1e-4)


def test_accuracies_agree_where_both_may_be_one() -> None:
    assert Measured(0.9, 300).agrees(Measured(0.94, 300))
    assert not Measured(0.9, 300).agrees(Measured(0.99, 300))
    assert Measured(0.9, None).agrees(Measured(0.9, None))
    assert not Measured(0.9, None).agrees(Measured(0.94, 3000))


def test_pairs_are_what_a_license_by_rates_measures() -> None:
    module = trained("vgg")
    before = digest(module)
    found = [*pairs(Work(module, DATA, JUDGE, 5), TRIED, Key(TRAINING))]
    assert digest(module) == before
    method = Pruning(rates=(*TRIED, 0.6), training=TRAINING)
    _, *levels, _ = method.grades(module, DATA, judge=JUDGE, seed=5)
    for pair, level in zip(found, levels, strict=True):
        assert f"{pair.pruned:.4f}" == level.notes["untuned"]
        assert pair.tuned == level.accuracy
        assert level.notes["rate"] == f"{round(pair.rate * 112) / 112:.6g}"
    assert found[0].fault
    with pytest.raises(BadOption, match="a rate must be above 0"):
        next(pairs(Work(module, DATA, JUDGE), [1.5], Key(TRAINING)))


def test_a_tuning_of_some_steps_is_another_pair() -> None:
    work = Work(trained("vgg"), DATA, JUDGE, 5)
    (none,) = pairs(work, [0.5], Key(TRAINING, steps=0))
    (few,) = pairs(work, [0.5], Key(TRAINING, steps=4.5))
    assert none.tuned == none.pruned == few.pruned < few.tuned


def test_the_three_largest_answers_count_beside_the_largest() -> None:
    grade = grade_of(trained("vgg"), JUDGE, {"rate": "0"})
    answers = outputs(trained("vgg"), JUDGE.inputs)
    best = [{*np.argsort(row)[-3:]} for row in answers]
    right = sum(label in three for label, three in zip(JUDGE.known_labels, best, strict=True))
    assert grade.notes == {"rate": "0", "top_3": f"{right / 300:.4f}"}
    assert grade.accuracy == (answers.argmax(1) == JUDGE.known_labels).mean()


def test_sizes_are_those_of_the_layers() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 3), torch.nn.BatchNorm2d(6), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(216, 4),
    ).eval()  # fmt: skip
    whole, one, _ = Pruning(rates=(0.34, 0.5)).grades(module, DATA, judge=JUDGE)
    for grade, channels in ((whole, 6), (one, 4)):
        assert grade.notes["multiply_adds"] == channels * 36 * 9 + channels * 36 * 4
        assert grade.notes["parameters"] == channels * (9 + 1 + 2) + channels * 36 * 4 + 4


def test_options_too_long_for_a_manifest_are_told_before_the_long_work(tmp_path: object) -> None:
    rates, said = tuple(n / 1000 for n in range(1, 300)), list[str]()
    with pytest.raises(UnreadableLicense, match="the method with its options: is not a line"):
        Pruning(rates=rates).issue(
            trained("vgg"),
            tmp_path / "out",
            SigningKey.new(),
            DATA,
            progress=said.append,  # type: ignore[operator]
        )
    assert said == []
