"""The same networks with the same flaws on IBM's aihwkit, beside ours: cross_check.json.

    pip install aihwkit==1.1.0 torch==2.13.0    # in an environment of its own
    python papers/memristor/cross_check.py --sets FOLDER

aihwkit has no digits and no bits given one after the other: a weight of 5 bits is one pair of
devices in both, so these are compared.  Its compiled tiles refuse torch 2.13 ("weights must be a
CPU tensor"); those written in torch are used.  Its rounding is of each product: inputs to 8 bits of
their largest value, outputs to 8 bits of a range of 12 in its units, on tiles of 32 x 32.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import mean, stdev
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import aihwkit
import torch
from aihwkit.inference.converter.conductance import SinglePairConductanceConverter
from aihwkit.inference.noise.pcm import PCMLikeNoiseModel
from aihwkit.nn.conversion import convert_to_analog
from aihwkit.simulator.configs import TorchInferenceRPUConfig
from measure import ground, percent, scales
from plan import CROSSBAR, DIGITS, Job, jobs
from run import HERE
from torch import nn

from assay.crossbars import Converters, Flaws
from assay.durable import write_whole
from assay.running.crossbars import Hardware, on_crossbars
from assay.running.modules import accuracy
from assay.zoo.experiments import finished, hardware
from assay.zoo.grounds import Ground

Json = dict[str, Any]
SPREADS = (0.05, 0.1, 0.2)
ON, OFF = 1.0, 0.1  # microsiemens


def theirs(module: nn.Module, spread: float, bits: int | None) -> nn.Module:
    """On aihwkit: programmed with an error of so many parts of a device's conductance."""
    config = TorchInferenceRPUConfig()
    config.mapping.max_input_size, config.mapping.max_output_size = CROSSBAR.rows, CROSSBAR.columns
    config.mapping.digital_bias = True
    config.mapping.weight_scaling_omega = 1.0  # the largest weight is the largest conductance
    config.forward.is_perfect = bits is None
    config.forward.out_noise = 0.0
    if bits is not None:
        config.forward.inp_res = config.forward.out_res = 1 / (2**bits - 2)
    config.noise_model = PCMLikeNoiseModel(
        prog_coeff=[0.0, spread * ON],
        g_converter=SinglePairConductanceConverter(g_max=ON, g_min=OFF),
        read_noise_scale=0.0,
        drift_scale=0.0,
    )
    config.drift_compensation = None
    made = convert_to_analog(module, config).eval()
    if spread:
        made.program_analog_weights()
    return made


def compared(job: Job, place: Ground, spacing: Json, draws: int) -> Json:
    """Accuracies in percent: ours and theirs."""
    module = place.load(job.file, place.network(job.seed)).to(memory_format=torch.contiguous_format)
    few = place.training.inputs[: job.scope.calibration]
    found: Json = {"network": job.key, "accuracy": place.percent(module)}

    def ours(flaws: Flaws, converters: Converters | None, seed: int) -> float:
        hardware = Hardware(CROSSBAR, bits=job.bits, converters=converters, flaws=flaws)
        made = on_crossbars(module, hardware, scales(spacing), few, seed)
        return percent(accuracy(made, place.test))

    def of_them(spread: float, bits: int | None, seed: int) -> float:
        torch.manual_seed(seed)
        return percent(accuracy(theirs(module, spread, bits), place.test))

    found["exact"] = {"ours": ours(Flaws(), None, 0), "aihwkit": of_them(0.0, None, 0)}
    found["8-bit converters"] = {"ours": ours(Flaws(), Converters(), 0),
                                 "aihwkit": of_them(0.0, 8, 0)}  # fmt: skip
    for spread in SPREADS:
        pairs = [(ours(Flaws(spread), None, seed), of_them(spread, None, seed))
                 for seed in range(draws)]  # fmt: skip
        found[f"noise {spread:.0%}"] = {
            name: {"mean": round(mean(values), 3), "deviation": round(stdev(values), 3)}
            for name, values in zip(("ours", "aihwkit"), zip(*pairs, strict=True), strict=True)
        }
    return found


def main() -> None:
    """Every network of 5 bits that the ledger has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sets", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    place = ground(DIGITS, HERE / "work", options.sets)
    rows = []
    done = finished(jobs(DIGITS), HERE / "ledger.jsonl")
    for job in jobs(DIGITS):
        if job.key in done and (job.bits, job.group) == (5, "block"):
            rows.append(compared(job, place, done[job.key]["spacing"], options.draws))
            print(rows[-1], flush=True)
    found = {
        "command": f"python papers/memristor/cross_check.py --draws {options.draws}",
        "hardware": f"{hardware()}; one thread",
        "versions": {"aihwkit": aihwkit.__version__, "torch": torch.__version__},
        "draws": options.draws,
        "rows": rows,
    }
    write_whole(HERE / "cross_check.json", (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
