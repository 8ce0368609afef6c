"""What lower levels tell of a higher one, in bits and in accuracy; measured on the files.

Two holders put together what they have: keys, files, weights.  Of weights that are lacking the
best guess from those that are known is their layer's mean at that place; its correlation with what
was there is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from assay.errors import UnreadableLicense
from assay.keys.signing import SigningKey
from assay.keys.wrapping import ReceivingKey
from assay.licenses._distributable import activate, distribute, part_of
from assay.licenses._grants import Grant, level_key, part_key
from assay.licenses._manifest import Manifest
from assay.licenses._parts import unseal, windows
from assay.running.examples import Array
from assay.running.modules import copy_of
from assay.values import Json

LOW, LOWER, HIGH = 2, 3, 1  # levels of the holders, and the one that they would like to have


def collusion(
    files: list[Path], folder: Path, make: nn.Module, judged: Callable[[nn.Module], float]
) -> Json:
    """Of a distributable of these files, the original's first and the one without a key last."""
    owner, bob = SigningKey.new(), ReceivingKey.new()
    model = folder / "model.safetensors"
    notes = [{"level": str(level)} for level in range(len(files))]
    manifest = distribute(files, notes, model, owner, "benchmark")
    opened, secrets = {}, {}
    for level in (LOW, LOWER):
        grant = Grant.make(manifest, owner, level, "Bob", bob.public)
        activate(model, grant, bob, folder / f"opened-{level}.safetensors")
        opened[level] = (folder / f"opened-{level}.safetensors").read_bytes()
        secrets[level] = grant.open(manifest, bob)
    words = {n: np.frombuffer(path.read_bytes(), np.uint32) for n, path in enumerate(files)}
    lacking = words[HIGH] != words[LOW]
    elsewhere = np.any([words[n] == words[HIGH] for n in range(LOW + 1, len(files))], 0)
    both = {*_chain(secrets[LOW], LOW, len(files) - 1)}
    both |= {*_chain(secrets[LOWER], LOWER, len(files) - 1)}
    known = [load_file(folder / f"opened-{level}.safetensors") for level in (LOW, LOWER)]
    wanted = load_file(files[HIGH])
    return {
        "words of level 1 that level 2 lacks": int(lacking.sum()),
        "of these in a lower file": int((lacking & elsewhere).sum()),
        "messages of higher parts": sum(_messages(manifest, level) for level in (0, HIGH)),
        "opened by the keys of both": sum(
            _opens(part_of(model, level), manifest, level, key)
            for level in (0, HIGH)
            for key in both
        ),
        "keys of both are those of level 2": both == {*_chain(secrets[LOW], LOW, len(files) - 1)},
        "level 2 with both keys is its file": opened[LOW] == files[LOW].read_bytes(),
        "accuracy": {
            "level 2": judged(_with(make, known[0])),
            "mean of levels 2 and 3": judged(_with(make, _mixed(*known, 0.5))),
            "level 2, and what it has more than 3 twice": judged(_with(make, _mixed(*known, 2))),
            "level 2, its zeros guessed": judged(_with(make, _guessed(known[0]))),
            "level 1": judged(_with(make, wanted)),
        },
        **_correlation(known[0], wanted),
    }


def price(files: list[Path], folder: Path) -> int:
    """The bytes of the last level's part, which leads there from what needs no key."""
    model = folder / "priced.safetensors"
    distribute(files, [{"level": ""}] * len(files), model, SigningKey.new(), "benchmark")
    return part_of(model, len(files) - 2).stat().st_size


def _chain(secret: bytes, level: int, levels: int) -> list[bytes]:
    """The keys of all parts that a level's holder can make."""
    return [part_key(level_key(secret, level, each)) for each in range(level, levels)]


def _messages(manifest: Manifest, level: int) -> int:
    return windows(manifest.levels[level].restored.size)


def _opens(part: Path, manifest: Manifest, level: int, key: bytes) -> int:
    """How many messages of a part a key opens."""
    about = f"assay license part 1 {manifest.id} level {level}".encode()
    count = 0
    with part.open("rb") as stream:
        try:
            for _ in unseal(stream, _messages(manifest, level), key, about):
                count += 1
        except UnreadableLicense:
            return count
    return count


def _with(make: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    made = copy_of(make)
    made.load_state_dict(dict(tensors))
    return made


def _mixed(
    one: Mapping[str, Tensor], other: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """``share`` of one and the rest of the other: above 1, beyond the one."""
    return {
        name: (share * tensor + (1 - share) * other[name]) if tensor.is_floating_point() else tensor
        for name, tensor in one.items()
    } | {
        name: (share * tensor + (1 - share) * other[name]).clamp_min(0)
        for name, tensor in one.items()
        if name.endswith("running_var")
    }


def _guess(values: Array) -> Array:
    """What is not zero says what the zeros are: means of the row and the column, less the whole."""
    there = values != 0
    whole = values.sum() / max(1, there.sum())
    rows, columns = (
        np.where(
            (count := there.sum(axis, keepdims=True)) > 0,
            values.sum(axis, keepdims=True) / np.maximum(1, count),
            whole,
        )
        for axis in (0, 1)
    )
    found: Array = rows + columns - whole
    return found


def _guessed(known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """With its zeros filled in; of scales with the largest known, for the largest went first."""
    found = {}
    for name, tensor in known.items():
        values = tensor.numpy().copy()
        gone = values == 0
        if values.ndim > 1:
            values[gone] = _guess(values)[gone]
        elif name.endswith((".weight", "running_var")):
            values[gone] = values.max()
        found[name] = torch.from_numpy(values)
    return found


def _correlation(known: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Json:
    """Of guesses with what is lacking, over all layers; each by its own mean and deviation."""
    pairs = []
    for name, tensor in known.items():
        values, true = tensor.numpy(), wanted[name].numpy()
        if values.ndim > 1 and (lacking := (values == 0) & (true != 0)).sum() > 2:
            guess, truth = _guess(values)[lacking], true[lacking]
            if guess.std() and truth.std():
                pairs.append([(each - each.mean()) / each.std() for each in (guess, truth)])
    if not pairs:
        return {"weights lacking": 0}
    guess, truth = (np.concatenate(each) for each in zip(*pairs, strict=True))
    count = len(guess)
    return {
        "weights lacking": count,
        "correlation": round(float((guess * truth).mean()), 4),
        "deviation by chance": round(count**-0.5, 4),
    }
