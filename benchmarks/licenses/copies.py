"""What a level promises, and what licensees get, where copies say whose they are.

usage: copies.py [--small] [--families FOLDER] [--data FOLDER]

Each network is issued with levels, and opened at each level by licensees who have nothing to do
with the copies that levels were searched with.  Networks are those of ``benchmarks/families`` on
Fashion-MNIST, and some that learn digits now; with --small one of these.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file
from torch import nn
from tracing import GENTLE, asked, networks

from assay.errors import UnfitModel
from assay.keys.signing import SigningKey
from assay.keys.wrapping import ReceivingKey
from assay.licenses import License
from assay.licenses._distributable import activate
from assay.licenses._granting import granted
from assay.licenses.pruning import Pruning
from assay.licenses.selective_encryption import SelectiveEncryption
from assay.running.examples import Examples
from assay.running.modules import accuracy, copy_of
from assay.training import Optimizer, Training, train
from assay.values import Json
from assay.zoo.datasets import load
from assay.zoo.networks import build

RESULTS = Path(__file__).with_name("copies.json")
BELOW = (0.005, 0.1, 0.2)  # the model itself: how far levels lie
DIGITS = (("vgg", 1.0), ("vgg", 0.5), ("resnet", 1.0), ("mobilenet", 1.0))  # and widths
LICENSEES = 10  # at each level
JUDGED = 2000  # examples at most, on which levels are searched and copies judged

Kind = type[Pruning] | type[SelectiveEncryption]
Case = tuple[str, nn.Module, Examples, Examples]  # name; to learn from and to judge on


def got(
    module: nn.Module, model: Path, owner: SigningKey, level: int, judge: Examples
) -> Iterator[float]:
    """The accuracies of licensees' copies of a level, as their files have them."""
    file = model.with_name("mine.safetensors")
    for number in range(LICENSEES):
        key = ReceivingKey.new()
        mine = granted(model, owner, level, f"licensee {number}", key.public)
        activate(model, mine, key, file)
        opened = copy_of(module)
        opened.load_state_dict(load_file(file))
        yield round(accuracy(opened, judge), 4)


def row(module: nn.Module, method: License, data: Examples, judge: Examples) -> Json:
    """What each level of a distributable was to have, promises, and is."""
    owner, found = SigningKey.new(), []
    with TemporaryDirectory() as folder:
        model = Path(folder) / "model.safetensors"
        try:
            manifest = method.issue(module, model, owner, data, judge=judge, trace=GENTLE)
        except UnfitModel as error:
            return {"refused": str(error)}
        for level, each in enumerate(manifest.levels):
            copies = [*got(module, model, owner, level, judge)]
            kept = ("accuracy", "copies", "missed")
            about = {name: each.about[name] for name in kept if name in each.about}
            mean = round(statistics.mean(copies), 4)
            found.append({**about, "got": [min(copies), mean, max(copies)]})
    return {"levels": found, "no_key": manifest.about["accuracy"]}


def cases(is_small: bool, families: Path | None, data: Path | None) -> Iterator[tuple[Kind, Case]]:
    """All that is measured."""
    if is_small:
        yield from ((Pruning, case) for case in learned(DIGITS[1:2], 400))
        return
    for kind in (Pruning, SelectiveEncryption):
        yield from ((kind, case) for case in learned(DIGITS))
    if families is not None:
        yield from ((Pruning, case) for case in networks(families, data))


def learned(networks: Sequence[tuple[str, float]], most: int | None = None) -> Iterator[Case]:
    """Networks that learn digits now, ``most`` of them at most."""
    examples, tests = (load("digits", split).take(slice(most)) for split in ("train", "test"))
    for name, width in networks:
        module = build(name, examples.inputs.shape[1:], 10, 0, width)
        train(module, examples, Training(6, 32, Optimizer("adam", 0.003)))
        yield f"{name} of width {width:g} on digits", module, examples, tests


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for."""
    given = asked(arguments)
    rows = []
    for kind, (name, module, data, tests) in cases(given.small, given.families, given.data):
        judge = tests.take(slice(JUDGED))
        own = accuracy(module, judge)
        levels = tuple(round(own - each, 3) for each in (BELOW[1:2] if given.small else BELOW))
        about = {"network": name, "method": kind.__name__, "itself": round(own, 4)}
        rows.append({**about, "asked": levels, **row(module, kind(levels=levels), data, judge)})
        print(json.dumps(rows[-1]), flush=True)
        if not given.small:
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
