"""One network: made from its parent, kept as a file, and judged, also on crossbars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from plan import CROSSBAR, KEEP, Job, Scope
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from assay.crossbars import Flaws
from assay.derivations import DERIVATIONS
from assay.running.crossbars import Hardware, on_crossbars
from assay.running.examples import Examples
from assay.running.modules import accuracy, weighted
from assay.training import train
from assay.zoo.datasets import load, shifted
from assay.zoo.networks import build

Json = dict[str, Any]
FLAWS = {
    "noise 5 %": Flaws(0.05),
    "noise 10 %": Flaws(0.1),
    "noise 20 %": Flaws(0.2),
    "lognormal noise 10 %": Flaws(0.1, "lognormal"),
    "stuck on 0.2 %, off 0.9 %": Flaws(stuck_on=0.002, stuck_off=0.009),
    "stuck on 1.75 %, off 9.04 %": Flaws(stuck_on=0.0175, stuck_off=0.0904),
}


@dataclass(frozen=True)
class Ground:
    """Data, and where networks are kept."""

    scope: Scope
    training: Examples
    test: Examples
    folder: Path

    def network(self, seed: int) -> nn.Sequential:
        shape = self.training.inputs.shape[1:]
        made = build("lenet-5", shape, 10, seed, self.scope.width)
        return made.to(memory_format=torch.channels_last)

    def path(self, job: Job) -> Path:
        return self.folder / f"{job.key.replace(' ', '-')}.safetensors"

    def load(self, job: Job) -> nn.Sequential:
        """What a finished job has left."""
        module = self.network(job.seed)
        module.load_state_dict(load_file(self.path(job)))
        return module.eval()

    def save(self, job: Job, module: nn.Module) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
        save_file(state, self.path(job))


def ground(scope: Scope, folder: Path, sets: Path | None) -> Ground:
    """The data, from a folder of that name in ``sets`` or from the usual places."""
    place = None if sets is None or scope.data == "digits" else sets / scope.data
    parts = [load(scope.data, split, place) for split in ("train", "test")]
    training, test = (part.take(slice(scope.limit)) for part in parts)
    return Ground(scope, shifted(training, scope.copies), test, folder)


@contextmanager
def quick() -> Iterator[None]:
    """Products in bfloat16, weights and sums in float32.  Nothing is cached: weights change."""
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
        yield


def measured(job: Job, place: Ground, notes: Mapping[str, Any]) -> Json:
    """Makes a job's network; accuracies in percent.  ``notes``: those of its parent."""
    started = monotonic()
    module, found = made(job, place)
    found["accuracy"] = percent(accuracy(module, place.test))
    found["seconds"] = round(monotonic() - started, 1)
    if job.bits:
        found |= on_hardware(job, place, module, found["spacing"])
        found["seconds_on_crossbars"] = round(monotonic() - started - found["seconds"], 1)
        found["left"], found["reduction"] = notes["left"], notes["reduction"]
    return found


def made(job: Job, place: Ground) -> tuple[nn.Module, Json]:
    """A job's network, kept, and what is noted of it; its parent is made again where it is lost."""
    if job.ratio != 1 and not place.path(job.parent).exists():
        made(job.parent, place)
    module, found = _dense(job, place) if job.ratio == 1 else _derived(job, place)
    place.save(job, module)
    return module, found


def _dense(job: Job, place: Ground) -> tuple[nn.Module, Json]:
    module, scope = place.network(job.seed), place.scope
    with quick():
        history = train(
            module,
            place.training,
            scope.training(scope.dense),
            seed=job.seed,
            checkpoint=place.folder / "checkpoints",
        )
    return module, {"loss": round(history.losses[-1], 5)}


def _derived(job: Job, place: Ground) -> tuple[nn.Module, Json]:
    """Pruned from the dense network, or mapped from the pruned one."""
    scope = place.scope
    drawing, retraining = (
        (scope.mapping, scope.remapping) if job.bits else (scope.drawing, scope.retraining)
    )
    make: Any = DERIVATIONS["memristor"]
    method = make(
        keep=(1.0,) if job.bits else KEEP[job.ratio, job.group],
        group=job.group,
        bits=job.bits,
        crossbar=CROSSBAR,
        training=scope.training(drawing, "constant"),
        retraining=scope.training(retraining),
    )
    with quick():
        derived = method.derive(
            place.load(job.parent),
            data=place.training,
            seed=job.seed,
            checkpoint=place.folder / "checkpoints",
        )
    notes = derived.lineage.notes
    kept = {key: notes[key] for key in ("left", "reduction", "spacing", "arrays") if key in notes}
    return derived.module, kept


def scales(spacing: Mapping[str, float]) -> dict[str, float]:
    """The weight of a level, by layer and no longer by parameter."""
    return {name.removesuffix(".weight"): value for name, value in spacing.items()}


def on_hardware(job: Job, place: Ground, module: nn.Module, spacing: Mapping[str, float]) -> Json:
    """Accuracies on crossbars: with converters, with flaws, with both."""
    plain = Hardware(CROSSBAR, bits=job.bits, converters=None)
    few = place.training.inputs[: place.scope.calibration]

    def judged(hardware: Hardware, test: Examples, seed: int = 0) -> float:
        made = on_crossbars(module, hardware, scales(spacing), few, seed)
        return percent(accuracy(made, test))

    some = place.test.take(slice(place.scope.read))
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
                for draw in range(place.scope.draws)
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
