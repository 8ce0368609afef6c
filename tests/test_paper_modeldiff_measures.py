"""What the reuse benchmark is judged by, against cases computed by hand and by loops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts_of import Module, scripts_of

from assay.fingerprints import Queries, calibrate, fuse
from assay.running.predictors.answers import of_scores
from assay.zoo.reuse import Contest

FOLDER = Path(__file__).parents[1] / "papers" / "modeldiff"
Json = dict[str, Any]

pytestmark = pytest.mark.torch
pytest.importorskip("torch")


@pytest.fixture(scope="module")
def paper() -> Iterator[Module]:
    """Imports a module of the paper's folder by its name."""
    with scripts_of(FOLDER) as module:
        yield module


def pairs(paper: Module, derived: list[bool], draws: int = 0) -> Any:
    """Each of an origin of its own."""
    origins = [(f"owner {n}", f"owner {n}" if d else f"other {n}") for n, d in enumerate(derived)]
    return paper("measures").Pairs.of(derived, origins, draws)


def test_the_share_found_is_that_above_the_strangers_that_may_be_accused(paper: Module) -> None:
    measures = paper("measures")
    strangers, derived = [*range(100)], [99.5, 98.5, 94.5, 94.5, 50.0]
    truth = pairs(paper, [False] * 100 + [True] * 5)
    found = measures.measured(truth, [*strangers, *derived])
    assert found.found[0.01][0] == pytest.approx(2 / 5)  # one of a hundred above 98.5
    assert found.found[0.05][0] == pytest.approx(4 / 5)
    below = sum(s < d for s in strangers for d in derived) + 0.5  # one tie, at 50
    assert found.area[0] == pytest.approx(below / 500)


def test_ties_are_accused_together_or_not_at_all(paper: Module) -> None:
    measures = paper("measures")
    truth = pairs(paper, [False] * 40 + [True] * 4)
    scores = [1.0] * 3 + [0.0] * 37 + [2.0, 1.0, 1.0, 0.0]
    found = measures.measured(truth, scores)
    assert found.found[0.05][0] == 0.25  # three strangers at 1 are too many of forty
    with_three = measures.measured(truth, [1.0, *[0.0] * 39, 2.0, 1.0, 1.0, 0.0])
    assert with_three.found[0.05][0] == 0.75
    assert measures.measured(truth, [0.0] * 44).area[0] == 0.5


def test_who_abstains_is_not_accused(paper: Module) -> None:
    measures, nan = paper("measures"), float("nan")
    truth = pairs(paper, [False] * 4 + [True] * 4)
    found = measures.summary(truth, [nan, nan, nan, nan, 1.0, nan, nan, nan])
    assert found["abstained"] == 7
    assert found["tpr_at_0.05"]["value"] == 0.25
    assert measures.measured(pairs(paper, [True, True]), [1.0, 2.0]).found[0.05][0] != 1  # NaN


def test_measures_of_weights_are_those_of_pairs_that_are_repeated(paper: Module) -> None:
    measures, rng = paper("measures"), np.random.default_rng(0)
    derived = rng.random(60) < 0.3
    scores = np.round(rng.normal(size=60) + derived, 1)
    counts = rng.integers(0, 4, 60)
    weighted = measures.Pairs(derived, counts[None].astype(np.float32))
    repeated = pairs(paper, [*np.repeat(derived, counts)])
    one, other = (
        measures.measured(truth, values)
        for truth, values in ((weighted, scores), (repeated, np.repeat(scores, counts)))
    )
    assert one.area[0] == pytest.approx(other.area[0])
    assert one.found[0.05][0] == pytest.approx(other.found[0.05][0])
    both = [(d, s) for s in scores[derived].repeat(counts[derived])
            for d in scores[~derived].repeat(counts[~derived])]  # fmt: skip
    assert one.area[0] == pytest.approx(np.mean([(s > d) + (s == d) / 2 for d, s in both]))


def test_roots_are_drawn_again_and_pairs_with_them(paper: Module) -> None:
    measures = paper("measures")
    origins = [("a", "a"), ("a", "b"), ("b", "c"), ("c", "c"), ("c", "a")]
    truth = [True, False, False, True, False]
    found = measures.Pairs.of(truth, origins, 400, seed=3)
    assert found.weights.shape == (401, 5)
    assert (found.weights[0] == 1).all()
    drawn = found.weights[1:]
    a, c = drawn[:, 0], drawn[:, 3]
    b = 3 - a - c  # three origins are drawn of three
    np.testing.assert_array_equal(drawn[:, 1], a * b)
    np.testing.assert_array_equal(drawn[:, 2], b * c)
    np.testing.assert_array_equal(drawn[:, 4], c * a)
    assert drawn[:, 0].mean() == pytest.approx(1, abs=0.15)
    again = measures.Pairs.of(truth, origins, 400, seed=3)
    np.testing.assert_array_equal(found.weights, again.weights)


def test_intervals_hold_the_value_and_a_method_is_no_better_than_itself(paper: Module) -> None:
    measures, rng = paper("measures"), np.random.default_rng(1)
    names = [f"root {n}" for n in range(12)]
    origins = [(a, b) for a in names for b in names]
    derived = [a == b for a, b in origins]
    truth = measures.Pairs.of(derived, origins, 200)
    scores = rng.normal(size=len(derived)) + 2.0 * np.array(derived)
    cell = measures.summary(truth, scores)["auc"]
    low, high = cell["interval"]
    assert low < cell["value"] < high
    same = measures.difference(truth, scores, scores, 0.05)
    assert (same["value"], same["interval"]) == (0.0, [0.0, 0.0])
    kinds = ["" if not d else "odd" if n % 2 else "even" for n, d in enumerate(derived)]
    by_kind = measures.by_kind(truth, scores, kinds, 0.05)
    whole = measures.measured(truth, scores).found[0.05][0]
    counted = sum(cell["value"] * cell["derived"] for cell in by_kind.values())
    assert counted / sum(derived) == pytest.approx(whole, abs=2e-3)


def test_calibration_is_the_share_at_or_below_what_is_stated(paper: Module) -> None:
    assert paper("measures").calibration([0.5, 0.25, 0.25, 1.0]) == [
        [0.25, 0.5],
        [0.5, 0.75],
        [1.0, 1.0],
    ]


def family(paper: Module, roots: int) -> Any:
    """Records: of each root one owner's model and a copy of it, of one task."""
    records = []
    for root in range(roots):
        base = {"network": "cnn", "accuracy": 0.9, "weights": str(root)}
        owned, task = f"cnn.task.half-a.{root}", "task/half-a"
        records.append(base | {"name": owned, "task": task, "parents": [], "method": "train"})
        copy = {"name": f"{owned}.prune-50", "task": "task/half-b", "parents": [owned]}
        records.append(base | copy | {"method": "magnitude-prune"})
    return paper("ground").Lineage(tuple(records))


def filled(paper: Module, lineage: Any, scope: Any, owner: str) -> tuple[Any, Json]:
    """An archive with random logits; copies answer nearly as their parents."""
    rng, kept, logits = np.random.default_rng(2), paper("archive").Kept(), {}
    common = rng.normal(size=(32, 6))
    for name, record in lineage.by_name.items():
        near = logits[record["parents"][0]] if record["parents"] else common
        logits[name] = near + (0.3 if record["parents"] else 1.0) * rng.normal(size=(32, 6))
        for questions in scope.questions:
            if questions.kept == "scores":
                kept.add((questions.name, owner, "scores"), name, logits[name])
    return kept, logits


def test_scores_are_those_of_the_library(paper: Module) -> None:
    """By every method that reads scores, and by all of them together."""
    lineage, scope = family(paper, 6), paper("plan").SMALL
    owner = lineage.owners[0]
    kept, logits = filled(paper, lineage, scope, owner)
    court = paper("judging").Court(kept, lineage, scope, owner)
    answers, several, expected = {n: of_scores(x) for n, x in logits.items()}, [], []
    pair = next(p for p in lineage.pairs if p.source == owner and not p.is_derived)
    references = court.references(pair.suspect)
    apart = {lineage.origins[owner], lineage.origins[pair.suspect]}
    assert len(references) == 8
    assert not apart & {lineage.origins[name] for name in references}
    for row in scope.rows:
        if row.questions.kept == "scores" and row.method.method != "deepjudge":
            ours = court.calibrated(row, pair.suspect)
            theirs = calibrate(
                [row.method],
                answers[owner],
                answers[pair.suspect],
                [answers[name] for name in references],
                Queries(np.zeros((32, 1))),
                roots=[lineage.origins[name] for name in references],
                alarm=0.5,
            )
            assert ours.score == pytest.approx(theirs.score)
            assert ours.null == pytest.approx(theirs.null)
            assert ours.log10_false_alarm == theirs.log10_false_alarm
            if row.together:
                several.append(ours)
                expected.append(theirs)
    assert fuse(several, 0.5).score == pytest.approx(fuse(expected, 0.5).score)
    assert len(several) == 4, [row.name for row in scope.rows]


def test_a_derived_model_in_disguise_is_judged_as_what_it_answers(paper: Module) -> None:
    lineage, scope = family(paper, 5), paper("plan").SMALL
    owner, copy = lineage.owners[0], f"{lineage.owners[0]}.prune-50"
    kept, logits = filled(paper, lineage, scope, owner)
    worn = logits[lineage.owners[1]] + 1e-3  # a stranger's answers
    for questions in scope.questions:
        if questions.kept == "scores":
            kept.add((questions.name, owner, "scores"), f"{copy} as liar", worn)
    row = next(row for row in scope.rows if row.name == "partial-correlation")
    make = paper("judging").Court
    honest, hidden = (
        make(kept, lineage, scope, owner, a).calibrated(row, copy) for a in ("", "liar")
    )
    assert honest.score > 3 > hidden.score
    labels = make(kept, lineage, scope, owner, "top-1")
    assert labels.calibrated(row, copy).score > 3, "it has a form for labels"
    scored = next(row for row in scope.rows if row.name == "logits-on-mistakes")
    assert labels.calibrated(scored, copy).score is None, "it takes scores"


def test_a_parent_wins_where_it_is_nearest_and_a_tie_is_lost(paper: Module) -> None:
    contests = paper("contests")
    contest = Contest("suspect", "parent", "prune-50", False, ("one", "two"))

    def led(**apart: float) -> bool | None:
        found: bool | None = contests.led({k: np.float32(v) for k, v in apart.items()}, contest)
        return found

    assert led(parent=0.1, one=0.2, two=0.3)
    assert led(parent=0.1, one=0.2, two=float("nan")), "who cannot be compared is no rival"
    assert led(parent=0.1, one=0.1, two=0.3) is False
    assert led(one=0.2, two=0.3) is None
    combined = Contest("suspect", "root", "transfer-10 + soft-other", True, ())
    assert [contests.group(each) for each in (contest, combined)] == ["prune", "steal"]


def test_what_is_kept_is_read_back(paper: Module, tmp_path: Path) -> None:
    archive = paper("archive")
    kept = archive.Kept()
    for name, classes in (("a", 5), ("b", 10), ("c", 5)):
        array = np.arange(2 * classes, dtype=np.float16).reshape(2, classes) + ord(name)
        kept.add(("mistakes", "owner", "scores"), name, array)
    kept.add(("layers", "owner", "cka"), "a", np.float32(0.5))
    archive.save(kept, tmp_path / "kept.npz", family(paper, 2))
    again, lineage = archive.load(tmp_path / "kept.npz")
    assert {*again.arrays} == {*kept.arrays}
    for key, found in kept.arrays.items():
        for name, array in found.items():
            np.testing.assert_array_equal(again.of(key)[name], array)
    assert lineage.records == family(paper, 2).records


@pytest.mark.parametrize("name", ["no diversity of outputs", "one image", "noise"])
def test_changed_queries_stay_within_epsilon(paper: Module, name: str) -> None:
    from small_reuse import digits

    from assay.fingerprints import Seeds
    from assay.zoo.networks import build

    method = paper("plan").SMALL.ablations[name]
    found = method.craft(build("cnn", (1, 8, 8), 10, 0, 0.5), Seeds(digits()[2])).inputs
    normal, moved = found[: method.pairs], found[method.pairs :]
    epsilon = method.epsilon * normal.std()
    assert 0 < np.abs(moved - normal).max() <= epsilon + 1e-6
    distinct = len({each.tobytes() for each in normal})
    assert distinct == (1 if name == "one image" else method.pairs)


def test_pairs_of_one_kind_are_shifted_by_one(paper: Module) -> None:
    from small_reuse import digits

    from assay.fingerprints import Seeds
    from assay.zoo.networks import build

    for name in ("normal beside normal", "adversarial beside adversarial"):
        method = paper("plan").SMALL.ablations[name]
        made = method.craft(build("cnn", (1, 8, 8), 10, 0, 0.5), Seeds(digits()[2])).inputs
        first, second = np.split(made, 2)
        np.testing.assert_array_equal(second, np.roll(first, 1, axis=0))
