"""Suspects that hide: those who tell less are in ``plan.LIMITS``, those who answer otherwise here.

A disguise takes the ground, the name of a derived model and a folder to keep what it learned in,
and gives what is asked in its place.  Only derived models wear one; whom they are compared with
answers honestly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from archive import Kept
from ground import Ground, Lineage

from assay.errors import BadData
from assay.running.examples import Examples
from assay.running.predictors import Predictor, predictor
from assay.zoo import reuse
from assay.zoo._reused import THIEF
from assay.zoo.disguises import DIVERTED, LEARNING, PROBES, TRAINING, Detector, Evasive, kept, tune

Disguise = Callable[[Ground, str, Path], Predictor]
DETECTOR, REMOVAL = "probe detector", "RemovalNet-style tuning"
AWAY = 1.0  # weight of being unlike what was stolen, beside the true labels
SETTINGS = f"{TRAINING} {LEARNING} {dict(PROBES)} {DIVERTED} {AWAY}"  # decide what disguises answer
_WORN = " as "


def disguised(name: str, disguise: str) -> str:
    """What a model in disguise is called in the archive; without a disguise its own name."""
    return f"{name}{_WORN}{disguise}" if disguise else name


def undisguised(name: str) -> str:
    """Who it is."""
    return name.partition(_WORN)[0]


def worn(found: Kept) -> set[str]:
    """The disguises in which somebody was asked."""
    names = {name.partition(_WORN)[2] for several in found.arrays.values() for name in several}
    return names - {""}


def decoy(lineage: Lineage, name: str) -> str:
    """The honest model that a detector has answer probes: of the task, learned from scratch.

    Of the thief's half, and the suspect's network where there is one.  Raises BadData where there
    is none of another origin.
    """
    about = lineage.by_name[name]
    fit = [
        other for other, record in lineage.by_name.items()
        if not record["parents"] and lineage.tasks[other] == lineage.tasks[name]
        and record["task"].endswith(f"/{THIEF}") and other != lineage.origins[name]
    ]  # fmt: skip
    fit.sort(key=lambda other: lineage.by_name[other]["network"] != about["network"])
    if not fit:
        raise BadData(f"{name}: no honest model of its task")
    return fit[0]


def _own(ground: Ground, name: str) -> Examples:
    """What its maker has: the examples of its own half of the task."""
    return ground.seeds(name, published=True).examples


def _opened(ground: Ground, name: str) -> str:
    """The model whose weights can be tuned: of a quantized one its parent."""
    record = ground.lineage.by_name[name]
    parent: str = record["parents"][0]
    return parent if record["method"] == "quantize" else name


def _detecting(ground: Ground, name: str, folder: Path) -> Predictor:
    stolen = reuse.load(ground.folder, _opened(ground, name))
    file = folder / f"{name}.detector.safetensors"
    detector = Detector.of(stolen, _own(ground, name), file, width=0.5)
    return Evasive(ground.model(name), ground.model(decoy(ground.lineage, name)), detector)


def _removed(ground: Ground, name: str, folder: Path) -> Predictor:
    stolen = reuse.load(ground.folder, _opened(ground, name))
    file, own = folder / f"{name}.removed.safetensors", _own(ground, name)
    return predictor(kept(stolen, file, lambda made: tune(made, own, AWAY)))


DISGUISES: dict[str, Disguise] = {DETECTOR: _detecting, REMOVAL: _removed}
