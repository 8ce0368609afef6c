"""``compare --method``: what two models answer, beside what their files tell."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest
from small_files import save_network
from small_servers import Reply, reply, served

from assay.running.predictors import predictor

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

Run = Callable[..., Any]
AGREE = Path(__file__).parents[1] / "fixtures" / "agree"
ON = ("--inputs", "held.npz")
STRANGERS = ("--references", "strangers")


def behavior(answer: Any) -> list[dict[str, Any]]:
    """The evidence from answers."""
    (line,) = answer.json
    (match,) = line["matches"]
    return [each for each in match["evidence"] if "access" in each["detail"]]


@pytest.mark.usefixtures("asked")
def test_without_references_likeness_is_a_lead(run: Run) -> None:
    answer = run("compare", "--json", "stranger.onnx", "mine.onnx", "--method", "modeldiff", *ON)
    (evidence,) = behavior(answer)
    detail = evidence["detail"]
    assert answer.status == 0
    assert evidence["log10_false_alarm"] is None
    assert evidence["score"] == pytest.approx(1 - detail["distance"])
    assert (detail["queries"], detail["access"], detail["references"]) == (200, "scores", 0)
    assert detail["seeds"] == "held.npz"
    assert detail["why"] == "without reference models it is a lead"
    assert answer.json[0]["verdict"] in ("unrelated", "same-family")
    others = {each["method"].partition("(")[0] for each in answer.json[0]["matches"][0]["evidence"]}
    assert {"ModelDiff", "Structure", "AlignedWeights"} <= others


@pytest.mark.usefixtures("asked")
def test_one_command_gives_the_same_again(run: Run) -> None:
    given = ("compare", "--json", "copy.onnx", "mine.onnx", "--method", "modeldiff", *ON)
    first, again, other = run(*given), run(*given), run(*given, "--seed", "1")
    assert first.json == again.json
    digests = {behavior(each)[0]["detail"]["queries_sha256"] for each in (first, other)}
    assert len(digests) == 2


@pytest.mark.usefixtures("asked")
def test_with_too_few_references_the_evidence_abstains_and_says_how_many_it_takes(run: Run) -> None:
    given = ("--json", "copy.onnx", "mine.onnx", "--method", "modeldiff", *ON, *STRANGERS)
    (evidence,) = behavior(run("compare", *given))
    assert evidence["log10_false_alarm"] is None
    assert evidence["detail"]["why"] == "a false alarm of 0.01 takes 99 references, and there are 3"
    assert len(evidence["detail"]["null"]) == 3
    shutil.copy("strangers/1.onnx", "strangers/again.onnx")  # equal files are one model
    (same,) = behavior(run("compare", *given))
    assert same["detail"]["null"] == evidence["detail"]["null"]


def asked_by_url(run: Run, model: str, *more: str) -> Any:
    """The answer on a suspect that is a model behind a URL."""
    held = predictor(model)

    def answered(inputs: Any) -> Reply:
        return reply(outputs=held.run(inputs).tolist())

    with served(answered) as url:
        return run("compare", url, "mine.onnx", "--method", "modeldiff", *ON, *more)


@pytest.mark.usefixtures("asked")
def test_behavior_alone_says_a_common_source_at_most_and_strangers_none(run: Run) -> None:
    more = ("--json", *STRANGERS, "--alarm", "0.25")
    copy = asked_by_url(run, "copy.onnx", *more)
    assert (copy.status, copy.json[0]["verdict"]) == (1, "common-ancestor")
    (evidence,) = behavior(copy)
    assert evidence["log10_false_alarm"] == pytest.approx(math.log10(1 / 4))
    assert evidence["score"] > max(evidence["detail"]["null"])
    stranger = asked_by_url(run, "stranger.onnx", *more)
    assert (stranger.status, stranger.json[0]["verdict"]) == (0, "unrelated")
    assert behavior(stranger)[0]["log10_false_alarm"] > math.log10(0.25)


@pytest.mark.usefixtures("asked")
def test_terminal_page_and_sarif_say_that_it_is_the_answers(run: Run) -> None:
    pages = ("--html", "page.html", "--sarif", "found.sarif")
    answer = asked_by_url(run, "copy.onnx", *STRANGERS, "--alarm", "0.25", *pages)
    said = "answers more like a model below than reference models or its twins do"
    assert said in answer.out
    assert "Its weights" not in answer.out
    assert "It could only be asked" in answer.out
    assert said in Path("page.html").read_text()
    (result,) = json.loads(Path("found.sarif").read_text())["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("common-ancestor", "warning")
    assert said in result["message"]["text"]


@pytest.mark.usefixtures("asked")
def test_of_all_methods_their_joint_statistic_alone_has_a_false_alarm(run: Run) -> None:
    more = (*STRANGERS, "--alarm", "0.25", "--queries", "40", "--plot", "plot.svg")
    arguments = ("copy.onnx", "mine.onnx", "--method", "all", *ON, *more, "--html", "page.html")
    together, *single = behavior(run("compare", "--json", *arguments))
    assert together["method"].startswith("Together(")
    assert together["log10_false_alarm"] == pytest.approx(math.log10(1 / 4))
    assert all(each["log10_false_alarm"] is None for each in single)
    names = [each["method"].partition("(")[0] for each in single]
    assert len(names) == len({*names}) == 12
    why = {n: each["detail"]["why"] for n, each in zip(names, single, strict=True)}
    assert "trained on" in why["DatasetInference"] or "samples" in why["DatasetInference"]
    assert why["AKH"] == "the methods together are one statistic"
    picture = Path("plot.svg").read_text()
    root = ElementTree.fromstring(picture)
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Together", "AKH", "the suspect", "a reference model"} <= {*texts}
    dots = [e for e in root.iter("{http://www.w3.org/2000/svg}circle") if e.get("r") == "2.6"]
    assert len(dots) == 20  # a pair of queries each
    page = Path("page.html").read_text()
    assert "What both answer" in page
    assert "--method all --inputs held.npz --references strangers --queries 40" in page


@pytest.mark.usefixtures("asked")
def test_among_twins_of_the_source_no_references_are_needed(run: Run) -> None:
    Path("twins").mkdir()
    for seed in (1, 2, 3):
        save_network("cnn", f"twins/{seed}.onnx", seed)
    more = (*ON, "--twins", "twins", "--alarm", "0.25")
    arguments = ("--json", "copy.onnx", "mine.onnx", "--method")
    copy = run("compare", *arguments, "partial-correlation", *more, "--plot", "plot.svg")
    (evidence,) = behavior(copy)
    assert evidence["log10_false_alarm"] == pytest.approx(math.log10(1 / 4))
    assert (evidence["detail"]["twins"], evidence["detail"]["references"]) == (3, 0)
    assert "3 twins" in evidence["detail"]["in_words"]
    assert "a twin" in Path("plot.svg").read_text()
    together, *single = behavior(run("compare", *arguments, "all", *more, "--queries", "60"))
    assert together["log10_false_alarm"] == pytest.approx(math.log10(1 / 4))
    assert "PartialCorrelation" in together["method"]
    assert "AKH" not in together["method"]
    why = {each["method"].partition("(")[0]: each["detail"]["why"] for each in single}
    assert "sets it apart from its twins" in why["ModelDiff"]


@pytest.mark.usefixtures("asked")
def test_a_model_that_tells_labels_alone_is_compared_by_labels(run: Run) -> None:
    held = predictor("copy.onnx")

    def answered(inputs: Any) -> Reply:
        return reply(labels=held.run(inputs).argmax(1).tolist())

    with served(answered) as url:
        method = ("--method", "partial-correlation", *ON, *STRANGERS, "--alarm", "0.25")
        answer = run("compare", "--json", url, "mine.onnx", *method)
        known = run("compare", "--json", url, "mine.onnx", "--method", "sac", *method[2:])
    (evidence,) = behavior(answer)
    assert evidence["detail"]["access"] == "labels"
    assert "entries='labels'" in evidence["method"]
    assert evidence["log10_false_alarm"] is None
    assert "it takes twins" in evidence["detail"]["why"]
    assert behavior(known)[0]["log10_false_alarm"] is not None


@pytest.mark.usefixtures("asked")
def test_models_of_two_formats_are_asked_by_noise(run: Run) -> None:
    files = [str(AGREE / f"cnn.{suffix}") for suffix in ("tflite", "onnx")]
    for pair in (files, files[::-1]):
        answer = run("compare", "--json", *pair, "--method", "modeldiff", "--inputs", "noise")
        (evidence,) = behavior(answer)
        assert evidence["detail"]["distance"] < 1e-4
        assert evidence["detail"]["seeds"] == "noise, for want of examples"


@pytest.mark.usefixtures("asked")
def test_an_owner_that_is_no_module_is_searched_by_asking(run: Run) -> None:
    """A classifier whose operators no module is made of: ONNX Runtime runs it all the same."""
    held = onnx.load("mine.onnx")
    last = held.graph.output[0].name
    scaled = {"offset": [0.0], "scale": [2.0], "domain": "ai.onnx.ml"}
    held.graph.node.append(onnx.helper.make_node("Scaler", [last], ["odd"], **scaled))
    held.graph.output[0].name = "odd"
    held.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 1))
    onnx.save(held, "odd.onnx")
    given = ("copy.onnx", "odd.onnx", *ON)
    (evidence,) = behavior(run("compare", "--json", *given, "--method", "modeldiff"))
    assert "crafting='black-box'" in evidence["method"]
    answer = run("compare", *given, "--method", "ipguard")
    assert answer.status == 2
    assert answer.error == "ipguard needs gradients of the owner's model"


def test_pictures_of_a_folder_are_brought_to_the_models_size(run: Run, asked: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    for number in range(12):
        file = asked / "pictures" / f"class{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), np.uint8)
        pillow.fromarray(pixels).save(file)
    given = ("copy.onnx", "mine.onnx", "--method", "label-agreement", "--inputs", "pictures")
    (evidence,) = behavior(run("compare", "--json", *given))
    assert evidence["detail"]["seeds"] == "12 pictures of pictures"
    assert evidence["detail"]["queries"] == 12
    (asked / "pictures" / "class0" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    answer = run("compare", *given)
    assert (answer.status, "0.png" in answer.error) == (2, True)


def test_weights_of_the_zoos_networks_are_asked(run: Run, asked: Path) -> None:
    from safetensors.torch import save_file
    from small_tasks import CLASSES, SHAPE, trained

    for name, seed in (("one", 0), ("other", 1)):
        save_file(trained("cnn", seed).state_dict(), asked / f"{name}.safetensors")
        about = {"network": "cnn", "width": 0.5, "input_shape": SHAPE, "classes": CLASSES}
        about |= {"seed": seed, "file": f"{name}.safetensors"}
        (asked / f"{name}.json").write_text(json.dumps(about))
    files = ("other.safetensors", "one.safetensors")
    for inputs in ("held.npz", "noise"):
        given = ("--method", "modeldiff", "--inputs", inputs)
        (evidence,) = behavior(run("compare", "--json", *files, *given))
        assert 0 < evidence["detail"]["distance"] < 2
    (asked / "one.json").unlink()
    answer = run("compare", *files, "--method", "modeldiff", *ON)
    assert (answer.status, "has no graph" in answer.error) == (2, True)
