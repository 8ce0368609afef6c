"""A registry finds models by their parts: a backbone that is inside of a detector."""

import json
import logging
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from small_records import record

from assay.cli import main
from assay.comparisons.parts import Parts
from assay.examine import DEFAULT_HASHER, examine
from assay.hashers import HASHERS, parted
from assay.registry import Registry, Where, _codes
from assay.values import Evidence, LayerGraph, Record, Relation, Report

HASHER = HASHERS[DEFAULT_HASHER]()


def detector(backbone: Path, file: Path) -> Path:
    """Made of a ResNet-50 for classes: its head gone, a pyramid on its last two stages instead."""
    model = onnx.load(backbone)
    nodes = list(model.graph.node)
    pool = next(
        i for i, node in enumerate(nodes) if node.op_type in ("AveragePool", "GlobalAveragePool")
    )
    deep, made = nodes[pool].input[0], []
    shapes = {
        each.name: [d.dim_value for d in each.type.tensor_type.shape.dim]
        for each in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    middle = next(
        node.output[0]
        for node in reversed(nodes[:pool])
        if node.op_type == "Relu" and shapes[node.output[0]][1:] == [1024, 14, 14]
    )
    weights = {
        "w5": np.ones((256, 2048, 1, 1)), "w4": np.ones((256, 1024, 1, 1)),
        "w": np.ones((256, 256, 3, 3)), "twice": np.array([1, 1, 2, 2]),
        "boxes": np.ones((36, 256, 1, 1)), "classes": np.ones((90, 256, 1, 1)),
    }  # fmt: skip
    added = [
        helper.make_node("Conv", [deep, "w5"], ["level5"]),
        helper.make_node("Upsample", ["level5", "twice"], ["upper"], mode="nearest"),
        helper.make_node("Conv", [middle, "w4"], ["lateral4"]),
        helper.make_node("Add", ["upper", "lateral4"], ["level4"]),
    ]
    for level, size in (("level5", 7), ("level4", 14)):
        for head, count in (("boxes", 36), ("classes", 90)):
            before, own = level, f"{level}_{head}"
            for i in range(4):
                one, two = f"{own}_{i}", f"{own}_relu{i}"
                added.append(helper.make_node("Conv", [before, "w"], [one], pads=[1, 1, 1, 1]))
                added.append(helper.make_node("Relu", [one], [two]))
                before = two
            added.append(helper.make_node("Conv", [before, head], [own]))
            made.append(helper.make_tensor_value_info(own, 1, [1, count, size, size]))
    del model.graph.node[:]
    del model.graph.output[:]
    model.graph.node.extend([*nodes[:pool], *added])
    model.graph.initializer.extend(
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()
    )
    model.graph.output.extend(made)
    onnx.save(model, file)
    return file


def by_parts(report: Report, name: str) -> Evidence | None:
    """What parts tell of a match."""
    for kin in report.matches:
        if kin.record.name == name:
            return next((e for e in kin.evidence if e.method.startswith("Parts(")), None)
    return None


def known(path: Path) -> Record:
    return parted(examine(path, hasher=HASHER), HASHER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, light_models: dict[str, Path]) -> Path:
    """A registry of the nine networks that onnx ships, and a detector made of one beside it."""
    folder = tmp_path_factory.mktemp("parts")
    detector(light_models["resnet50"], folder / "detector.onnx")
    with Registry.open(folder / "registry") as registry:
        for path in light_models.values():
            registry.add(path)
    return folder


def test_a_backbone_inside_a_detector_is_a_lead_and_a_stranger_is_none(folder: Path) -> None:
    with Registry.open(folder / "registry") as registry:
        report = registry.check(folder / "detector.onnx")
    found = by_parts(report, "light_resnet50")
    assert found is not None
    assert found.log10_false_alarm is None
    assert found.detail["suspect"]["part"] == found.detail["source"]["part"] == "first"
    assert found.detail["source"]["macs"] > 0.7
    assert found.detail["distance"] <= Parts.radius
    assert "the beginning (" in found.detail["in_words"]
    assert not report.needs_review
    for name in ("vgg19", "squeezenet", "densenet121", "inception_v2", "shufflenet", "zfnet512"):
        assert by_parts(report, f"light_{name}") is None


def test_a_part_is_never_more_than_a_family(folder: Path, light_models: dict[str, Path]) -> None:
    ours, theirs = known(folder / "detector.onnx"), known(light_models["resnet50"])
    found = Parts().compare(ours, theirs)
    assert found is not None
    assert Parts().relation(found) is Relation.SAME_FAMILY
    assert Parts(share=0.999).compare(ours, theirs) is None
    assert Parts().compare(theirs, theirs) is None, "structure says it"
    pruned = replace(theirs, code=None)
    assert Parts().compare(pruned, theirs) is None, "all of it, or nearly"
    assert Parts(whole=1.1).compare(pruned, theirs) is not None
    poor = Parts().compare(replace(ours, quality=0.2), theirs)
    assert poor is not None
    assert Parts().relation(poor) is Relation.UNRELATED
    assert Parts().compare(replace(ours, parts=None), theirs) is None
    assert Parts().compare(replace(ours, parts=()), theirs) is None
    other = tuple(replace(part, scheme="another") for part in ours.parts or ())
    assert Parts().compare(replace(ours, parts=other), theirs) is None


def test_parts_are_searched_with_filters_and_forgotten_with_their_model(
    folder: Path, tmp_path: Path, light_models: dict[str, Path]
) -> None:
    suspect = folder / "detector.onnx"
    with Registry.open(tmp_path) as registry:
        registry.add(light_models["resnet50"], owner="ann")
        registry.add(light_models["vgg19"], owner="bob")
        assert by_parts(registry.check(suspect), "light_resnet50")
        assert by_parts(registry.check(suspect, where=Where(owner="ann")), "light_resnet50")
        assert not by_parts(registry.check(suspect, where=Where(owner="bob")), "light_resnet50")
        registry.remove("light_resnet50")
        assert not by_parts(registry.check(suspect), "light_resnet50")
        with Registry.open(tmp_path) as other:
            other.add(light_models["resnet50"])
        assert by_parts(registry.check(suspect), "light_resnet50"), "added by another process"


def test_an_older_registry_has_no_parts_says_so_and_rehash_makes_them(
    folder: Path, tmp_path: Path, light_models: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    suspect = folder / "detector.onnx"
    with Registry.open(tmp_path) as registry:
        registry.add(light_models["resnet50"])
        code = registry.show("light_resnet50").code
    connection = sqlite3.connect(tmp_path / "registry.sqlite")
    connection.execute("DROP TABLE parts")
    connection.execute("DROP TABLE signers")
    connection.execute("PRAGMA user_version = 6")
    connection.close()
    caplog.set_level(logging.WARNING)
    with Registry.open(tmp_path) as registry:
        for _ in range(2):
            assert not by_parts(registry.check(suspect), "light_resnet50")
        (said,) = caplog.messages
        assert said.startswith("models whose parts were not looked for")
        assert "'assay rehash' makes them" in said
        assert [each.name for each in registry.rehash(registry.hasher)] == ["light_resnet50"]
        assert registry.show("light_resnet50").code == code
        assert [*registry.rehash(registry.hasher)] == []
        assert by_parts(registry.check(suspect), "light_resnet50")
    caplog.clear()
    with Registry.open(tmp_path) as registry:
        registry.check(suspect)
    assert caplog.messages == []


def test_a_graph_without_layers_has_no_parts_to_be_missed(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Registry.open(tmp_path) as registry:
        registry.put(replace(record(1), graph=LayerGraph((), (), "g1"), code=None))
        registry.use(HASHER)
        assert [*registry.rehash(registry.hasher)] == []
        caplog.set_level(logging.WARNING)
        registry.check(folder / "detector.onnx")
    assert not [said for said in caplog.messages if "parts" in said]


def test_parts_follow_the_hasher(
    folder: Path, tmp_path: Path, light_models: dict[str, Path]
) -> None:
    suspect = folder / "detector.onnx"
    with Registry.open(tmp_path) as registry:
        registry.add(light_models["resnet50"])
        for hasher in (HASHERS["weisfeiler-lehman"](), HASHER):
            assert len([*registry.rehash(hasher)]) == 1
            report = registry.check(suspect)
            assert {part.scheme for part in report.suspect.parts or ()} == {
                f"{hasher.scheme}+g1-p1"
            }
            assert by_parts(report, "light_resnet50")


def test_what_is_put_with_parts_keeps_them_and_what_does_not_fit_is_left_out(
    tmp_path: Path, light_models: dict[str, Path]
) -> None:
    whole = known(light_models["resnet50"])
    assert Record.from_json(whole.to_json()).parts == whole.parts
    parts = whole.parts or ()
    strange = replace(whole, parts=tuple(replace(part, scheme="another") for part in parts))
    longer = replace(whole, parts=tuple(replace(part, digest=2 * part.digest) for part in parts))
    many = replace(whole, parts=parts * 17)  # their keys would be other models'
    suspect = replace(whole, sha256=None, code=None)
    assert parts
    for place, given in enumerate((whole, strange, longer, many)):
        finds = given is whole
        with Registry.open(tmp_path / str(place)) as registry:
            registry.put(given)
            assert bool(registry.kin(suspect)) == finds
            registry.put(record(1))  # has no parts: nothing is kept of them
            assert bool(registry.kin(suspect)) == finds


def test_codes_of_parts_have_a_snapshot_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_codes, "SNAPSHOT_EVERY", 40)
    made = [parted(record(number), HASHERS["weisfeiler-lehman"]()) for number in range(30)]
    with Registry.open(tmp_path) as registry:
        for each in made:
            registry.put(each)
        some = next(each for each in made if each.parts)
        suspect = replace(some, sha256=None, code=None)
        expected = {kin.record.name for kin in registry.kin(suspect, top=200)}
    assert some.name in expected
    assert len([*tmp_path.glob("parts-*.snapshot")]) == 1
    with Registry.open(tmp_path) as registry:
        assert {kin.record.name for kin in registry.kin(suspect, top=200)} == expected


def test_the_command_says_it_and_tells_of_codes_of_parts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*words, str(folder / "detector.onnx")])
        assert ended.value.code == 0
        return capsys.readouterr().out

    answer = said("check", "--registry", str(folder / "registry"))
    assert "Parts: score" in answer
    assert "is laid out as the beginning (" in answer
    assert "not evidence of copying" in answer
    (about,) = map(json.loads, said("hash", "--json", "--parts").splitlines())
    assert [each["code"] for each in about["parts"]] == [
        str(code) for code in known(folder / "detector.onnx").parts or ()
    ]
    assert all(each["macs"] > 0 and each["layers"] >= 10 for each in about["parts"])
