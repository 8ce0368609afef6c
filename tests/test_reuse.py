"""The reuse benchmark: who learns from what, how models are related, and which pairs are judged."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from assay import formats
from assay.errors import BadOption, UnknownModel
from assay.values import Json
from assay.zoo._members import Member, Plan, Setting
from assay.zoo._reused import (
    EDITIONS,
    OWNER,
    THIEF,
    Edition,
    Task,
    answered,
    members,
    plan,
    subset,
)
from assay.zoo.reuse import HARD, build, contests, pairs, records

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from assay.running.modules import matrices  # noqa: E402
from assay.zoo import _building  # noqa: E402
from assay.zoo._making import task  # noqa: E402

TINY = Edition(
    networks={"cnn": "mlp"},
    width=1.0,
    roots=2,
    root=Task("digits/half-a/half-turned", 20, 12),
    tasks={"five": Task("digits/half-b/first-five", 5, 40, "digits/half-b/inverted/half-b")},
    scratch=1,
    setting=Setting(examples=2_000, channels_last=True),
    tuned=(1.0,),
    pruned=(0.5,),
)
ROOT, OWNED = "cnn.root.0", "cnn.root.0.five.transfer-100"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("reuse")
    _building.build(made, tiny(), jobs=2)
    return made


@pytest.fixture(scope="module")
def about(folder: Path) -> dict[str, Json]:
    return {record["name"]: record for record in _building.records(folder, tiny().members)}


def tiny() -> Plan:
    return Plan("tiny", tuple(members(TINY)), TINY.setting)


def planned(found: Iterable[Member]) -> list[Json]:
    """Records as far as the plan goes, of models that are all equally good."""
    return [
        {
            "name": m.name,
            "network": m.network,
            "task": m.task,
            "method": m.method,
            "parents": [*m.parents],
            "accuracy": 0.8,
        }
        for m in found
    ]


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_member_comes_after_its_parents_and_the_subset_first(edition: str) -> None:
    everyone = plan(edition).members
    names = [member.name for member in everyone]
    assert len({*names}) == len(names) == len([*members(EDITIONS[edition])])
    for place, member in enumerate(everyone):
        assert {*member.parents} <= {*names[:place]}
    first = [member.name for member in subset(EDITIONS[edition])]
    assert names[: len(first)] == first
    assert len({member.seed for member in everyone}) == len(everyone)  # nobody begins alike


@pytest.mark.parametrize("edition", EDITIONS)
def test_root_owner_and_thief_share_no_examples(edition: str) -> None:
    """By what their tasks are called: halves are taken of what the others have left."""
    about = EDITIONS[edition]
    halves = [each.split("/half-turned")[0] for each in about.root.examples.split("+")]
    assert all(half.endswith("/half-a") for half in halves)
    for each in about.tasks.values():
        assert each.examples.split("/")[1] == each.foreign.split("/")[1] == "half-b"
    for member in members(about):
        if member.method == "transfer":
            assert member.task.endswith("/half-a")
        elif member.parents:
            assert member.task.endswith("/half-b")


def test_halves_of_halves_have_no_picture_in_common() -> None:
    root, owner, thief = (
        task(name, "train", 2_000, None)
        for name in (
            "digits/half-a",
            "digits/half-b/first-five/half-a",
            "digits/half-b/first-five/half-b",
        )
    )
    seen = [{picture.tobytes() for picture in each.inputs} for each in (root, owner, thief)]
    repeated = sum(map(len, seen)) - len(set.union(*seen))
    assert repeated <= 2  # the data set has a few pictures twice
    assert {*owner.known_labels} == {*thief.known_labels} == {*range(5)}


def test_joined_tasks_have_the_classes_of_each() -> None:
    both = task("digits/half-a/half-turned+digits/half-b/first-five", "train", 2_000, None)
    assert both.classes == 25
    tested = task("digits/half-a/half-turned+digits/half-b/first-five", "test", 2_000, None)
    assert len(tested) == 359 + (task("digits", "test", 2_000, None).known_labels < 5).sum()


def test_the_paper_s_protocol_has_its_pairs_and_ours_many_more() -> None:
    found = planned(subset(EDITIONS["reuse"]))
    paper = contests(found, {"vgg.root.0", "resnet.root.0"})
    assert len(paper) == 144
    assert Counter(each.is_combined for each in paper) == {False: 84, True: 60}
    direct = Counter(each.reuse.partition("-")[0] for each in paper if not each.is_combined)
    assert direct == {"transfer": 12, "quantize": 12, "prune": 36, "distill": 12, "soft": 12}
    ours = pairs(found)
    assert len(ours) >= 1_000
    assert sum(pair.is_hard for pair in ours) >= 500


@pytest.mark.parametrize("edition", EDITIONS)
def test_owner_and_thief_answer_one_task_also_where_it_is_half_of_a_set(edition: str) -> None:
    for each in EDITIONS[edition].tasks.values():
        assert {answered(f"{each.examples}/{half}") for half in (OWNER, THIEF)} == {each.examples}
    stolen = [
        p for p in pairs(planned(plan(edition).members)) if p.is_derived and "+" not in p.reuse
    ]
    owned = [pair for pair in stolen if pair.source.count(".") != 2]  # no root
    assert owned
    assert all(pair.same_task for pair in owned)


def test_references_are_of_other_roots_and_include_the_same_architecture() -> None:
    found = planned(subset(EDITIONS["reuse"]))
    method = {record["name"]: record["method"] for record in found}
    for contest in contests(found):
        root = ".".join(contest.suspect.split(".")[:3])
        assert contest.parent.startswith(root)
        assert not any(name.startswith(root) for name in contest.references)
        assert not any(method[name] == "quantize" for name in contest.references)
        assert root.replace(".0", ".1") in contest.references or root.endswith(".1")


def test_a_pair_is_what_its_models_descend_from() -> None:
    found = {(pair.source, pair.suspect): pair for pair in pairs(planned(members(TINY)))}
    assert found[ROOT, OWNED].reuse == "transfer-100"
    assert found[ROOT, f"{OWNED}.prune-50"].reuse == "transfer-100 + prune-50"
    assert not found[ROOT, f"{OWNED}.prune-50"].same_task
    assert found[OWNED, f"{OWNED}.hard-other"].reuse == "hard-other"
    assert (OWNED, ROOT) not in found  # a parent was not made from its child
    expected = {
        (ROOT, "cnn.root.1"): "other-seed",
        (ROOT, "cnn.root.1.five.transfer-100.distill"): "other-root",
        (ROOT, "cnn.five.half-a.0"): "other-task",
        (OWNED, "cnn.root.1"): "other-task",
        (OWNED, "cnn.root.1.five.transfer-100.distill"): "other-root",
        (OWNED, "cnn.root.1.five.transfer-100.soft-other"): "other-network",
        (OWNED, "cnn.five.half-a.0"): "other-seed",
        (OWNED, "cnn.five.half-b.0"): "other-half",
    }
    assert {key: found[key].stranger for key in expected} == expected
    assert all(found[key].is_hard == (kind in HARD) for key, kind in expected.items())
    thief = f"{OWNED}.prune-50"
    assert not any(source == thief for source, _ in found)


def test_strangers_that_are_less_good_are_not_hard() -> None:
    records = planned(members(TINY))
    by_name = {record["name"]: record for record in records}
    by_name["cnn.five.half-b.0"]["accuracy"] = 0.78
    by_name["cnn.five.half-a.0"]["accuracy"] = 0.7799
    by_name["cnn.root.1.five.transfer-100"]["accuracy"] = 0.9
    found = {(pair.source, pair.suspect): pair for pair in pairs(records)}
    assert found[OWNED, "cnn.five.half-b.0"].is_hard
    assert not found[OWNED, "cnn.five.half-a.0"].is_hard
    cross = found[ROOT, "cnn.root.1.five.transfer-100"]  # to be taken for the root's own transfer
    assert cross.gap == pytest.approx(0.1)
    assert not cross.is_hard


def test_parents_are_told_by_the_digest_of_their_files(
    folder: Path, about: dict[str, Json]
) -> None:
    assert [*about] == [member.name for member in members(TINY)]
    for record in about.values():
        files = [folder / about[parent]["file"] for parent in record["parents"]]
        assert record["parents_sha256"] == [
            hashlib.sha256(file.read_bytes()).hexdigest() for file in files
        ]
    assert any(record["parents_sha256"] for record in about.values())


def test_whole_networks_are_quantized(folder: Path, about: dict[str, Json]) -> None:
    record = about[f"{OWNED}.quantize-8"]
    model = formats.read(folder / record["file"])
    assert model.layers is not None
    operators = [operator.op for operator in model.layers.operators]
    weighted = len(matrices(_building.load(folder, OWNED)))
    assert operators.count("QuantizeLinear") == weighted  # the inputs of each layer
    assert operators.count("DequantizeLinear") == 2 * weighted  # and the weights
    assert record["accuracy"] == pytest.approx(about[OWNED]["accuracy"], abs=0.05)


def test_thieves_learn_from_the_queries_they_have(about: dict[str, Json]) -> None:
    record = about[f"{OWNED}.foreign-same"]
    assert record["queries"] == "digits/half-b/inverted/half-b"
    assert record["data"] != about[f"{OWNED}.soft-same"]["data"]
    assert record["data"] == record["lineage"]["data"]["sha256"]
    assert about[f"{OWNED}.soft-other"]["network"] == "mlp"
    notes = about[f"{OWNED}.adversarial-same"]["lineage"]["notes"]
    assert notes["queries"] == 2 * about[f"{OWNED}.soft-same"]["lineage"]["notes"]["queries"]


def test_models_have_learned_and_copies_answer_as_their_owners_do(about: dict[str, Json]) -> None:
    for name in (OWNED, f"{OWNED}.prune-50", f"{OWNED}.soft-same", "cnn.five.half-b.0"):
        assert about[name]["accuracy"] > 0.7, name
    assert about[ROOT]["accuracy"] > 0.4  # of twenty classes


def test_a_subset_is_gone_on_with_in_the_same_folder(
    tmp_path: Path, folder: Path, about: dict[str, Json]
) -> None:
    whole = tiny()
    some = {ROOT, OWNED}
    assert len(_building.build(tmp_path, whole, only=some)) == 2
    for name in about:
        if name not in some and name != f"{OWNED}.prune-50":
            for file in (f"{name}.json", about[name]["file"]):
                (tmp_path / file).write_bytes((folder / file).read_bytes())
    again = {record["name"]: record["weights"] for record in _building.build(tmp_path, whole)}
    assert again == {name: record["weights"] for name, record in about.items()}


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="no edition 'huge'"):
        build(tmp_path, "huge")
    with pytest.raises(UnknownModel, match="holds the edition 'none'"):
        records(tmp_path)
    (tmp_path / "edition.json").write_text(json.dumps({"edition": "reuse", "plan": "0" * 64}))
    with pytest.raises(BadOption, match="was made by another version's plan"):
        build(tmp_path)
