"""Models that are asked, as a command line names them: a URL, a file that is run, or a module."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.cli._options import Shapes
from assay.containers.archives import place
from assay.errors import AssayError, BadOption, MissingExtra, UnfitModel
from assay.formats import naming, read
from assay.formats.tflite import INPUT_RANGE
from assay.running.examples import Array
from assay.running.predictors import Predictor, is_tflite, predictor
from assay.values import Json

if TYPE_CHECKING:
    from torch import nn

RUN = (".onnx", ".tflite")  # files that a runtime answers for
KINDS = (*RUN, ".safetensors")
_PROBES = 8  # inputs on which a file and the module made of it must agree
_MOST = 0.05  # difference of their probabilities on average


def is_url(path: str) -> bool:
    """Whether a model is behind a URL."""
    return path.startswith(("http://", "https://"))


@dataclass(frozen=True)
class AtHand:
    """A model's file, also of one that lies in an app: then it stays as long as ``held``."""

    path: Path
    held: object = None

    @property
    def is_run(self) -> bool:
        """Whether a runtime answers for it, and not a module that is made of it."""
        return self.path.suffix.lower() in RUN or is_tflite(self.path)


def at_hand(path: str) -> AtHand:
    """The file of a model.  Raises UnreadableModel where it is not in the app that is named."""
    inside = place(Path(path))
    if inside is None:
        return AtHand(Path(path))
    from assay.formats._apps import unpacked

    with naming(path):
        found = unpacked(*inside)
    return AtHand(found.path, found.folder)


def answering(
    path: str, shapes: Shapes, budget: int | None = None, timeout_s: float | None = None
) -> Predictor:
    """A model that can be asked; of a URL, so many inputs at most, each request within this time.

    Raises UnreadableModel, UnfitModel where it cannot be run, MissingExtra, and BadOption where
    there is a ``budget`` and no URL.
    """
    if is_url(path):
        from assay.running.predictors.remote import TIMEOUT_S, Remote

        return Remote(path, budget=budget, timeout_s=timeout_s or TIMEOUT_S)
    if budget is not None:
        raise BadOption("--budget counts what a URL is asked, and the suspect is a file")
    file = at_hand(path)
    if not file.is_run:
        return _of_module(_module(path, shapes), path)
    found = predictor(file.path)
    found.name, found.held = Path(path).name, file.held
    if found.span is None and is_tflite(file.path):
        low, high = read(file.path).metadata.get(INPUT_RANGE, (None, None))
        found.span = None if low is None else (low, high)
    return found


def opened(path: str, shapes: Shapes, inputs: Array) -> Predictor:
    """The owner's model: as a module, whose layers are open, where its file can be made one.

    The module must answer as the file does when it is run.  Raises as ``answering`` does.
    """
    run = answering(path, shapes)
    if getattr(run, "module", None) is not None:
        return run
    try:
        found = _of_module(_module(path, shapes), path)
        own, theirs = (model.ask(inputs[:_PROBES]) for model in (found, run))
    except AssayError:  # of many kinds: what cannot be made a module can still be asked
        return run
    if own.classes != theirs.classes or own.is_hard != theirs.is_hard:
        return run
    apart = float(np.abs(own.probabilities - theirs.probabilities).mean())
    found.span = run.span
    return found if apart <= _MOST else run


def read_shape(path: str, shapes: Shapes) -> tuple[int, ...]:
    """Shape of one input, channels first.  Raises BadOption where the file leaves it open."""
    file = at_hand(path)
    if file.is_run:
        sizes = predictor(file.path).shape or (None,)
        if None in sizes and shapes:
            (sizes,) = [shape[1:] for shape in shapes.values()]
        if None in sizes:
            raise BadOption(f"{path}: leaves the shape of its input open: say it by --input-shape")
        shape = tuple(int(size) for size in sizes if size is not None)
        last = file.path.suffix != ".onnx" and len(shape) == 3 and shape[-1] in (1, 3)
        return (shape[-1], *shape[:-1]) if last else shape
    record = _record_of(Path(path))
    if record is None:
        raise BadOption(f"{path}: holds no shape of its input: give examples with --inputs")
    return tuple(map(int, record["input_shape"]))


def _of_module(module: nn.Module, path: str) -> Predictor:
    from assay.running.predictors.of_module import OfModule

    return OfModule(module, Path(path).name)


def _module(path: str, shapes: Shapes) -> nn.Module:
    try:
        from assay.cli import _model_files
        from assay.zoo.families import load
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{path} is run as a module ({error}): pip install 'assay[torch]'"
        ) from error
    file = Path(path)
    if _record_of(file) is not None:
        return load(file.parent, file.stem)
    return _model_files.read_parent(path, shapes).module


def _record_of(file: Path) -> Json | None:
    """The zoo's record beside the weights of one of its networks: which one, for which inputs."""
    beside = file.with_suffix(".json")
    if file.suffix != ".safetensors" or not beside.is_file():
        return None
    try:
        record = json.loads(beside.read_text())
    except ValueError:
        return None
    known = isinstance(record, dict) and {"network", "input_shape", "file"} <= record.keys()
    return record if known and record["file"] == file.name else None


def models_in(given: str) -> list[str]:
    """A model, or the models of a folder by their names.  Raises UnfitModel where there is none."""
    folder = Path(given)
    if is_url(given) or not folder.is_dir():
        return [given]
    found = sorted(str(each) for each in folder.iterdir() if each.suffix.lower() in KINDS)
    if not found:
        raise UnfitModel(f"{given}: no model in this folder: {', '.join(KINDS)}")
    return found
