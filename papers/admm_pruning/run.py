"""Trains every row of the reproduction of ADMM pruning, and writes results.json and README.md.

    python papers/admm_pruning/run.py            # all that is missing; ends with both files
    python papers/admm_pruning/run.py --only mnist
    python papers/admm_pruning/run.py --report   # only the files, from what is finished
    python papers/admm_pruning/run.py --small    # half a minute: digits of 8 x 8, two epochs

A run that is killed goes on where it was: ledger.jsonl has a line for every finished network, work
the dense twins and the state of the training at hand.  Needs ``assay[torch]`` and the data sets
``mnist`` and ``fashion-mnist`` (docs/data.md).

Multiplications are done in bfloat16 while a network learns, everything else in float32; networks
are judged in float32.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from page import results, with_tables
from plan import PAPER, SMALL, Run, Scope, runs
from safetensors.torch import load_file, save_file
from torch import nn

from assay.durable import append_entry, read_ledger
from assay.running.examples import Examples
from assay.running.modules import accuracy
from assay.training import train
from assay.zoo.datasets import load, shifted

HERE = Path(__file__).parent
Json = dict[str, Any]


@cache
def pictures(data: str, split: str, folder: Path | None) -> Examples:
    """A split, from a folder that has one for each data set, or from the usual places."""
    return load(data, split, folder and folder / data)  # type: ignore[arg-type]


def make(run: Run, work: Path, data: Path | None) -> Json:
    """One network: trained or derived, judged, and kept in ``work``."""
    started, computed = time.monotonic(), time.process_time()
    examples = shifted(pictures(run.data, "train", data), run.schedule.copies)
    judge = pictures(run.data, "test", data)
    checkpoint = work / "checkpoints" / run.data / str(run.seed)  # rows have a stage in common
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):  # weights change in it
        if run.twin is None:
            module = _laid_out(run.network(examples.inputs.shape[1:]))
            history = train(module, examples, run.training, seed=run.seed, checkpoint=checkpoint)
            found: Json = {"losses": history.losses}
        else:
            parent = read(run.twin, work, examples)
            derived = run.method.derive(parent, data=examples, seed=run.seed, checkpoint=checkpoint)
            module, found = derived.module, dict(derived.lineage.notes)
    found["accuracy"] = accuracy(module, judge)
    found["on_training"] = accuracy(module, examples)
    file = path_of(run, work)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: t.contiguous() for name, t in module.state_dict().items()}, file)
    found["seconds"] = round(time.monotonic() - started)
    found["cpu_seconds"] = round(time.process_time() - computed)
    return found


def read(run: Run, work: Path, examples: Examples) -> nn.Module:
    """A network that is finished."""
    module = _laid_out(run.network(examples.inputs.shape[1:]))
    module.load_state_dict(load_file(path_of(run, work)))
    return module.eval()


def path_of(run: Run, work: Path) -> Path:
    """Where a network's weights are."""
    return work / "networks" / f"{run.key.replace('/', '-').replace(' ', '_')}.safetensors"


def _laid_out(module: nn.Module) -> nn.Module:
    """Channels last: convolutions are twice as fast."""
    return module.to(memory_format=torch.channels_last)


def make_all(scope: Scope, ledger: Path, work: Path, data: Path | None, only: str | None) -> None:
    """Those that are missing, or were made in another way, or whose file is needed and gone."""
    done = read_ledger(ledger)
    for run in (run for run in runs(scope) if only in (None, run.data)):
        entry = done.get(run.key)
        finished = entry is not None and entry["behavior"] == run.behavior
        if finished and (run.twin is not None or path_of(run, work).exists()):
            continue
        found = make(run, work, data)
        entry = {"key": run.key, "data": run.data, "row": run.row, "seed": run.seed}
        done[run.key] = entry | found | {"behavior": run.behavior}
        append_entry(ledger, done[run.key])
        print(f"{run.key}: {found['accuracy']:.4f} in {found['seconds']} s", flush=True)


def report(scope: Scope, ledger: Path, folder: Path) -> None:
    """Writes results.json, and the tables of README.md where there is one."""
    done = read_ledger(ledger)
    entries = [
        done[run.key]
        for run in runs(scope)
        if run.key in done and done[run.key]["behavior"] == run.behavior
    ]
    found = results(entries)
    (folder / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    page = folder / "README.md"
    if page.exists():
        page.write_text(with_tables(page.read_text(), found))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="digits of 8 x 8 and two epochs")
    parser.add_argument("--report", action="store_true", help="only write the files")
    parser.add_argument("--only", choices=PAPER.schedules, help="one data set")
    parser.add_argument("--folder", type=Path, help="of the ledger, the results and work")
    parser.add_argument("--data", type=Path, help="a folder with one for each data set")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scope = SMALL if options.small else PAPER
    folder = options.folder or (HERE / "work" / "small" if options.small else HERE)
    folder.mkdir(parents=True, exist_ok=True)
    data = None if options.small else options.data
    if not options.report:
        make_all(scope, folder / "ledger.jsonl", folder / "work", data, options.only)
    report(scope, folder / "ledger.jsonl", folder)


if __name__ == "__main__":
    main()
