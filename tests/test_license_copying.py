"""Levels made ready for copies: what files lack, what the original keeps, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_copies import METHOD
from small_licenses import digits, licensee, owner
from small_tasks import squares, trained

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from assay.errors import UnfitModel  # noqa: E402
from assay.keys.wrapping import ReceivingKey  # noqa: E402
from assay.licenses import Work  # noqa: E402
from assay.licenses._copying import Copies  # noqa: E402
from assay.licenses._distributable import activate  # noqa: E402
from assay.licenses._granting import granted, read_ledger  # noqa: E402
from assay.licenses.pruning import Pruning  # noqa: E402
from assay.running.modules import accuracy, copy_of, digest  # noqa: E402
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


def test_a_level_promises_what_licensees_get_and_says_where_some_get_less(tmp_path: Path) -> None:
    module, judge, model = trained("vgg"), squares(300, 4), tmp_path / "model.safetensors"
    method, mine = Pruning(levels=(0.8,), recalibrate=False), tmp_path / "mine.safetensors"
    manifest = method.issue(module, model, owner(), squares(160, 3), judge=judge, trace=METHOD)
    got = []
    for _ in range(6):
        key = ReceivingKey.new()
        activate(model, granted(model, owner(), 1, "Bob", key.public), key, mine)
        opened = copy_of(module)
        opened.load_state_dict(load_file(mine))
        got.append(accuracy(opened, judge))
    whole, about = (level.about for level in manifest.levels)
    promised = float(about["accuracy"])
    assert promised == pytest.approx(0.8, abs=0.05)  # means of 4, 8 and 6 copies: a standard
    assert np.mean(got) == pytest.approx(promised, abs=0.05)  # deviation of .015
    least, most = map(float, about["copies"].split(" to "))
    assert least <= promised <= most
    off = max(0.8 - least, most - 0.8)
    assert about.get("missed") == (f"0.8 by up to {off:.4f}" if off > 0.01 else None)
    assert "missed" not in whole


def test_levels_are_made_of_the_mean_of_all_copies_and_judged_on_some() -> None:
    module, judge = trained("vgg"), squares(300, 4)
    grades = Pruning(rates=(0.2, 0.5)).grades(module, judge)
    copies = Copies.planned(METHOD, grades, owner(), None)
    (site,), base = copies.sites, copies.base()
    values = base.state_dict()[site.name].numpy().reshape(-1)
    before = digest(base)
    told = []
    for each in copies.searched(base):
        tensor = each.state_dict()[site.name].numpy().reshape(-1)
        word = np.abs(tensor) > np.abs(values)
        assert (word[site.places].sum(1) == site.ones).all()
        assert not word[np.setdiff1d(np.arange(word.size), site.places)].any()
        told.append((word.tobytes(), accuracy(each, judge)))
    assert len({word for word, _ in told}) == len(told) > 1
    assert digest(base) == before
    work = Work(base, judge, judge, copies=copies.searched)
    assert work.accuracy(base) == pytest.approx(np.mean([share for _, share in told]))
    assert Work(base, judge, judge).accuracy(base) == accuracy(base, judge)


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
