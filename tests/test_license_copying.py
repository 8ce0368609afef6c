"""Levels made ready for copies: what files lack, what the original keeps, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_copies import METHOD
from small_licenses import digits, licensee, owner

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from assay.errors import UnfitModel  # noqa: E402
from assay.licenses._distributable import activate  # noqa: E402
from assay.licenses._granting import granted, read_ledger  # noqa: E402
from assay.licenses.pruning import Pruning  # noqa: E402
from assay.running.modules import accuracy, copy_of  # noqa: E402
from assay.watermarks.structural import Structural  # noqa: E402
from assay.zoo.networks import build  # noqa: E402


def test_copies_differ_from_levels_at_marked_places_alone(tmp_path: Path) -> None:
    examples, tests = digits()
    module = build("vgg", examples.inputs.shape[1:], 10, 0, 0.5).half().float().eval()
    original, model = tmp_path / "original.safetensors", tmp_path / "model.safetensors"
    state = {n: t.half() if t.is_floating_point() else t for n, t in module.state_dict().items()}
    save_file(state, original)
    manifest = Pruning(rates=(0.2, 0.5)).issue(
        module, model, owner(), examples.take(slice(64)), judge=tests.take(slice(64)),
        original=original, trace=METHOD,
    )  # fmt: skip
    (site,) = read_ledger(model, manifest, owner()).sites
    assert {"accuracy", "top_3", "unmarked"} <= set(manifest.levels[0].about)
    assert not load_file(model)[site.name].any()
    for level in (0, 1):
        mine = granted(model, owner(), level, "Bob", licensee(0).public)
        activate(model, mine, licensee(0), tmp_path / "mine.safetensors")
        found = load_file(tmp_path / "mine.safetensors")
        if level == 0:
            same = {name: torch.equal(found[name], state[name]) for name in state}
            assert [name for name in same if not same[name]] == [site.name]
        values, own = (each[site.name].float().numpy().reshape(-1) for each in (found, state))
        changed = np.flatnonzero((values != own) & (values != 0))
        assert set(changed.tolist()) <= set(site.places.ravel().tolist())
        assert (values[site.places] != 0).all()  # every level has them
        opened = copy_of(module)
        opened.load_state_dict({name: tensor.to(torch.float32) for name, tensor in found.items()})
        promised = float(manifest.levels[level].about["accuracy"])
        assert accuracy(opened, tests.take(slice(64))) >= promised - 0.15  # untrained: any digit


def test_what_cannot_tell_copies_apart_is_refused(tmp_path: Path) -> None:
    examples, _ = digits()
    some = examples.take(slice(64))
    module = build("vgg", examples.inputs.shape[1:], 10, 0, 0.5)
    trace: object
    for trace, words in (
        (Structural(), "structural: its marks are not told weight by weight"),
        (type(METHOD)(hosts=("stage1.0.weight",)), "weights are to be large"),
        (type(METHOD)(hosts=("nowhere",)), "no mark of copies can lie in 'nowhere'"),
    ):
        with pytest.raises(UnfitModel, match=words):
            Pruning(rates=(0.2, 0.5)).issue(
                module, tmp_path / "model.safetensors", owner(), some, trace=trace,  # type: ignore[arg-type]
            )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
