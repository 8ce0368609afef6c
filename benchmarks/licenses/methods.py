"""The other methods of licenses measured: selective encryption, and noise for who only asks.

usage: methods.py [--small | --part encryption|perturbation]

Selective encryption: what share of the weights leaves chance, with running statistics as they
were and taken anew; what the levels are; what who knows the places, or has examples, makes of them.
Perturbation: what is regained by who averages answers to near inputs, or several users' answers.
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from run import tuned
from torch import nn

from assay.errors import UnfitModel
from assay.licenses import Work
from assay.licenses._gates import Gates
from assay.licenses._slices import Select, Slices
from assay.licenses.selective_encryption import SelectiveEncryption
from assay.running.examples import Array, Examples
from assay.running.modules import accuracy, copy_of
from assay.running.normalization import recalibrate
from assay.running.predictors import Predictor
from assay.running.predictors.of_module import OfModule
from assay.running.predictors.perturbed import Graded, Perturbation, Where
from assay.training import Optimizer, Training, train
from assay.values import Json
from assay.zoo.datasets import load
from assay.zoo.networks import build

RESULTS = Path(__file__).with_name("methods.json")
NETWORKS = ("vgg", "resnet", "mobilenet")
SHARES = (0.03, 0.08, 0.15, 0.25, 0.4)
SELECT: tuple[Select, ...] = ("gates", "magnitude", "random")
FEW = 64  # unlabeled inputs
AVERAGED = (1, 2, 4, 16, 64)  # answers
UNITS = (1 / 256, 0.25, 1.0)  # of normalized pixels, whose values lie between -0.8 and 1.8
ASKED = 200  # inputs
WHERES: tuple[Where, ...] = ("output", "input")
CELL = 4.0  # to whose multiples logits are rounded, where noise follows from these


@cache
def task() -> tuple[Examples, Examples]:
    """For training, and for tests."""
    return load("digits", "train"), load("digits", "test")


@cache
def trained(name: str, seed: int) -> nn.Module:
    """A network that has learned it."""
    examples, _ = task()
    module = build(name, examples.inputs.shape[1:], 10, seed)
    train(module, examples, Training(epochs=6, batch=32, optimizer=Optimizer("adam", 0.003)))
    return module.eval()


def with_statistics(module: nn.Module, whole: nn.Module) -> nn.Module:
    """The module with the running statistics of the original."""
    made = copy_of(module)
    known = dict(whole.named_buffers())
    for key, buffer in made.named_buffers():
        buffer.copy_(known[key])
    return made


def anew(module: nn.Module) -> float:
    """Its accuracy after a few inputs without labels."""
    made = copy_of(module)
    recalibrate(made, task()[0].inputs[:FEW])
    return round(accuracy(made, task()[1]), 4)


def ranked(name: str, seed: int, selects: tuple[Select, ...]) -> Json:
    """What shares of a network's slices leave, by how they are selected."""
    (examples, tests), whole = task(), trained(name, seed)
    row: Json = {"network": name, "seed": seed, "accuracy": round(accuracy(whole, tests), 4)}
    for select in selects:
        slices = Slices(Work(copy_of(whole), examples, tests, seed), select, (), Gates())
        taken = [slices.first(share) for share in SHARES]
        made = [slices.without(np.arange(count), noise=True) for count in taken]
        row[select] = {
            "anew": [round(accuracy(each, tests), 4) for each in made],
            "as they were": [round(accuracy(with_statistics(m, whole), tests), 4) for m in made],
            "zeroed": [round(slices.accuracy(np.arange(count)), 4) for count in taken],
        }
    return row


def encryption(name: str, seed: int, counts: tuple[int, ...]) -> Json:
    """A network's slices, as each way of selecting ranks them; levels; and what is made of them."""
    (examples, tests), whole = task(), trained(name, seed)
    row = ranked(name, seed, SELECT)
    for key, layers in (("all layers", ()), ("first three layers", (0, 1, 2))):
        levels = () if layers else (0.92, 0.82, 0.72)
        method = SelectiveEncryption(layers=layers, levels=levels)
        row[key] = graded(method, name, seed, counts)
    for select in SELECT[1:]:
        grades = SelectiveEncryption(select=select, levels=()).grades(whole, examples, judge=tests)
        row[select]["weights"] = grades[-1].notes["weights"]
    fresh = build(name, examples.inputs.shape[1:], 10, 1000 + seed)
    row["from scratch"] = [tuned(fresh, some(count, seed), tests) for count in counts]
    return row


def some(count: int, seed: int) -> Examples:
    """So many examples with labels."""
    examples, _ = task()
    return examples.take(np.random.default_rng(seed).permutation(len(examples))[:count])


def graded(method: SelectiveEncryption, name: str, seed: int, counts: tuple[int, ...]) -> Json:
    """Levels of a network; who takes statistics, knows the places, or has examples."""
    (examples, tests), whole = task(), trained(name, seed)
    try:
        grades = method.grades(whole, examples, judge=tests)
    except UnfitModel as error:
        return {"error": str(error)}
    bare = grades[-1].module
    return {
        "levels": [round(grade.accuracy, 4) for grade in grades],
        "weights": [grade.notes["weights"] for grade in grades[1:]],
        "after_64_inputs": [anew(grade.module) for grade in grades[1:]],
        "zeroed": float(grades[-1].notes["zeroed"]),
        "tuned": [tuned(bare, some(count, seed), tests) for count in counts],
    }


def near(inputs: Array, count: int, unit: float, seed: int) -> Array:
    """(n, count, …): the inputs, and such in which one pixel, then two are a unit away."""
    generator = np.random.default_rng(seed)
    made = np.repeat(inputs[:, None], count, 1).reshape(len(inputs), count, -1)
    for versions in made:
        for number in range(1, count):
            pixels = generator.choice(made.shape[2], 1 + number // 32, replace=False)
            versions[number, pixels] += unit * generator.choice([-1, 1])
    return made.reshape(len(inputs), count, *inputs.shape[1:])


def averaged(answers: NDArray[Any], labels: Array) -> list[float]:
    """Accuracies of the means of so many answers (n, count, c)."""
    means = [answers[:, :count].mean(1).argmax(1) for count in AVERAGED]
    return [round(float((each == labels).mean()), 4) for each in means]


def votes(answers: NDArray[Any], labels: Array) -> list[float]:
    """The same of who is told labels alone."""
    return averaged(np.eye(answers.shape[2])[answers.argmax(2)], labels)


def perturbation(
    name: str, seed: int, wheres: tuple[Where, ...], units: tuple[float, ...], count: int
) -> Json:
    """Level 3 of a network's answers, and what averaging makes of it."""
    _, tests = task()
    model, row = OfModule(trained(name, seed)), Json({"network": name, "seed": seed})
    for where in wheres:
        for unit in units:
            found = Perturbation(where, unit).calibrate(model, tests, seed=seed)
            row[f"{where}, rounded to {unit:g}"] = asked(
                found, model, near(tests.inputs[:count], AVERAGED[-1], unit, seed)
            )
    row["noise from rounded answers"] = from_answers(model, seed, count)
    return row


def asked(found: Graded, model: Predictor, versions: Array) -> Json:
    """What is regained at level 3 from versions (n, count, …) of the first inputs for tests."""
    labels, inputs = task()[1].known_labels[: len(versions)], versions[:, 0]
    ann = found.answering(model, b"Ann's secret key", 3)
    answers = ann.ask(versions.reshape(-1, *inputs.shape[1:])).centered
    answers = answers.reshape(*versions.shape[:2], -1)
    keys = (b"key of a user %4d" % number for number in range(versions.shape[1]))
    users = [found.answering(model, key, 3).ask(inputs).centered for key in keys]
    again = np.stack([ann.ask(inputs).centered for _ in range(4)], 1)
    return {
        "levels": [round(level.accuracy, 4) for level in found.levels],
        "scales": [round(level.scale, 4) for level in found.levels],
        "same input": averaged(again, labels)[:3],
        "near inputs": averaged(answers, labels),
        "near inputs, labels alone": votes(answers, labels),
        "users": averaged(np.stack(users, 1), labels),
    }


def from_answers(model: Predictor, seed: int, count: int) -> Json:
    """Another way, which is no part of the library: noise follows from coarse answers.

    Near inputs have near answers, so averaging gives less; but few answers are left to be learned.
    """
    (examples, tests), scale = task(), 2.64
    inputs, labels = tests.inputs[:count], tests.known_labels[:count]

    def told(some: Array) -> NDArray[np.float64]:
        cells = np.rint(model.ask(some).centered.clip(-10, 10) / CELL).astype(np.int64)
        seeds = ([seed, *(cell + 2**20)] for cell in cells)
        noise = [np.random.default_rng(each).laplace(scale=scale, size=10) for each in seeds]
        moved: NDArray[np.float64] = cells * CELL + noise
        return moved

    versions = near(inputs, AVERAGED[-1], 1.0, seed)
    answers = told(versions.reshape(-1, *inputs.shape[1:])).reshape(*versions.shape[:2], -1)
    known, own = examples.take(slice(144)), told(tests.inputs)
    nearest = ((own[:, None] - told(known.inputs)) ** 2).sum(2).argmin(1)
    learned = (known.known_labels[nearest] == tests.known_labels).mean()
    return {
        "near inputs": averaged(answers, labels),
        "nearest of 144 labeled": round(float(learned), 4),
    }


def small() -> None:
    """One network, little of all, nothing written."""
    print(json.dumps(ranked("vgg", 0, SELECT[1:2])))
    print(json.dumps(perturbation("vgg", 0, WHERES[:1], UNITS[:1], 40)))


def main(words: list[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="one network, nothing written")
    parser.add_argument("--part", choices=("encryption", "perturbation"))
    given = parser.parse_args(words)
    torch.set_num_threads(1)
    if given.small:
        small()
        return
    found: Json = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in ("encryption", "perturbation"):
        if given.part not in (None, part):
            continue
        found[part] = []
        for seed, name in ((seed, name) for seed in range(3) for name in NETWORKS):
            if part == "encryption":
                row = encryption(name, seed, (14, 144))
            else:
                row = perturbation(name, seed, WHERES, UNITS, ASKED)
            found[part].append(row)
            print(json.dumps(row), flush=True)
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
