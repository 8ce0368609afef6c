"""One network: made from its parent, kept as a file, and judged, also on crossbars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from plan import CROSSBAR, KEEP, Job, Scope
from torch import Tensor, nn

from assay.crossbars import Flaws
from assay.derivations import DERIVATIONS
from assay.derivations.memristor import Cut
from assay.running.crossbars import Hardware, on_crossbars
from assay.running.examples import Examples
from assay.running.modules import accuracy, weighted
from assay.zoo.grounds import Ground, pictures

Json = dict[str, Any]
FLAWS = {
    "noise 5 %": Flaws(0.05),
    "noise 10 %": Flaws(0.1),
    "noise 20 %": Flaws(0.2),
    "lognormal noise 10 %": Flaws(0.1, "lognormal"),
    "stuck on 0.2 %, off 0.9 %": Flaws(stuck_on=0.002, stuck_off=0.009),
    "stuck on 1.75 %, off 9.04 %": Flaws(stuck_on=0.0175, stuck_off=0.0904),
}


def ground(scope: Scope, folder: Path, sets: Path | None) -> Ground:
    """The data, from a folder of that name in ``sets`` or from the usual places."""
    examples = pictures(scope.data, sets, scope.copies)
    return Ground(*examples, folder, folder / "checkpoints", scope.width)


def measured(job: Job, place: Ground, notes: Mapping[str, Any]) -> Json:
    """Makes a job's network; accuracies in percent.  ``notes``: those of its parent."""
    started = monotonic()
    module, found = made(job, place)
    found["accuracy"] = place.percent(module)
    found["seconds"] = round(monotonic() - started, 1)
    if job.bits:
        found |= on_hardware(job, place, module, found["spacing"])
        found["seconds_on_crossbars"] = round(monotonic() - started - found["seconds"], 1)
        found["left"], found["reduction"] = notes["left"], notes["reduction"]
    return found


def made(job: Job, place: Ground) -> tuple[nn.Module, Json]:
    """A job's network, kept, and what is noted of it; its parent is made again where it is lost."""
    if job.ratio != 1 and not place.path(job.parent.file).exists():
        made(job.parent, place)
    module, found = _dense(job, place) if job.ratio == 1 else _derived(job, place)
    place.save(job.file, module)
    return module, found


def _dense(job: Job, place: Ground) -> tuple[nn.Module, Json]:
    module, scope = place.network(job.seed), job.scope
    history = place.train(module, scope.training(scope.dense), job.seed)
    return module, {"loss": round(history.losses[-1], 5)}


def _derived(job: Job, place: Ground) -> tuple[nn.Module, Json]:
    """Pruned from the dense network or one less pruned, or mapped from the pruned one."""
    scope = job.scope
    drawing, retraining = (
        (scope.mapping, scope.remapping) if job.bits else (scope.drawing, scope.retraining)
    )
    make: Any = DERIVATIONS["memristor"]
    method = make(
        cut=Cut((1.0,) if job.bits else KEEP[job.ratio, job.group], job.group),
        bits=job.bits,
        crossbar=CROSSBAR,
        training=scope.training(drawing, "constant"),
        retraining=scope.training(retraining),
        soft_answers=scope.soft,
    )
    parent = place.load(job.parent.file, place.network(job.seed))
    derived = place.derive(method, parent, seed=job.seed)
    notes = derived.lineage.notes
    kept = {key: notes[key] for key in ("left", "reduction", "spacing", "arrays") if key in notes}
    return derived.module, kept


def scales(spacing: Mapping[str, float]) -> dict[str, float]:
    """The weight of a level, by layer and no longer by parameter."""
    return {name.removesuffix(".weight"): value for name, value in spacing.items()}


def on_hardware(job: Job, place: Ground, module: nn.Module, spacing: Mapping[str, float]) -> Json:
    """Accuracies on crossbars: with converters, with flaws, with both."""
    plain = Hardware(CROSSBAR, bits=job.bits, converters=None)
    few = place.training.inputs[: job.scope.calibration]

    def judged(hardware: Hardware, test: Examples, seed: int = 0) -> float:
        made = on_crossbars(module, hardware, scales(spacing), few, seed)
        return percent(accuracy(made, test))

    some = place.test.take(slice(job.scope.read))
    read = replace(plain, converters=Hardware().converters)
    noisy = replace(read, flaws=FLAWS["noise 10 %"])
    return {
        "crossbars": judged(plain, place.test),
        "read": {
            "examples": len(some),
            "without converters": judged(plain, some),
            "converters": judged(read, some),
            "converters, noise 10 %": judged(noisy, some),
        },
        "flaws": {
            name: [
                judged(replace(plain, flaws=flaws), place.test, draw)
                for draw in range(job.scope.draws)
            ]
            for name, flaws in FLAWS.items()
        },
    }


def percent(share: float) -> float:
    """A share as it is printed."""
    return round(100 * share, 3)


def on_levels(module: nn.Module, spacing: Mapping[str, float]) -> bool:
    """Whether each weight is a multiple of its layer's level."""
    return all(_whole(layer.weight, spacing[f"{name}.weight"])
               for name, layer in weighted(module).items())  # fmt: skip


def _whole(weight: Tensor, spacing: float) -> bool:
    steps = weight.detach().double() / spacing
    return bool(((steps - steps.round()).abs() < 1e-3).all())
