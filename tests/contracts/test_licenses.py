"""What every license owes: ordered levels, an original that comes back, keys that open no more."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from small_licenses import digits, grant, licensee, network, owner

from assay.errors import BadData, Unlicensed, UnreadableLicense
from assay.licenses import LICENSES, Grade, License

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from assay.licenses import _issuing  # noqa: E402
from assay.licenses._distributable import activate, manifest_of, part_of  # noqa: E402
from assay.licenses._grants import level_key, part_key, root_of  # noqa: E402
from assay.licenses._manifest import Manifest  # noqa: E402
from assay.licenses._parts import unseal, windows  # noqa: E402
from assay.running.modules import accuracy, copy_of, digest  # noqa: E402
from assay.running.normalization import recalibrate  # noqa: E402

LEVELS = (0.8, 0.6, 0.4)  # tuning is done sooner than with the highest


def method(name: str, **options: Any) -> License:
    make: Any = LICENSES[name]
    return make(levels=LEVELS, **options)


@cache
def grades(name: str) -> tuple[Grade, ...]:
    examples, tests = digits()
    return method(name).grades(network(), examples, judge=tests)


@cache
def issued(name: str) -> tuple[Path, TemporaryDirectory[str]]:
    """The distributable of a file, in a folder that lasts as long as the tests."""
    kept = TemporaryDirectory()
    original = Path(kept.name) / "original.safetensors"
    save_file(network().state_dict(), original, {"made": "by Ann"})
    model = Path(kept.name) / "model.safetensors"
    _issuing.issued(method(name), grades(name), model, owner(), original=original)
    return model, kept


def opened(model: Path, level: int, output: Path) -> float:
    """The accuracy of what a license gives, as its file has it."""
    activate(model, grant(Manifest.read(manifest_of(model)), level), licensee(0), output)
    module = copy_of(network())
    module.load_state_dict(load_file(output))
    return accuracy(module, digits()[1])


@pytest.mark.parametrize("name", LICENSES)
def test_levels_are_ordered_and_the_model_stays_as_it_is(name: str) -> None:
    before = digest(network())
    found = grades(name)
    assert digest(network()) == before == digest(found[0].module)
    accuracies = [grade.accuracy for grade in found]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len({*accuracies}) == len(accuracies) >= 4
    assert accuracies[-1] <= 0.15  # a constant answer gets .117
    assert all(not grade.module.training for grade in found)


@pytest.mark.parametrize("name", LICENSES)
def test_examples_without_labels_raise_no_level(name: str) -> None:
    _, tests = digits()
    for grade in grades(name)[1:]:
        made = copy_of(grade.module)  # anybody can take statistics anew
        recalibrate(made, tests.inputs[:200])
        assert accuracy(made, tests) < grade.accuracy + 0.03


@pytest.mark.parametrize("name", LICENSES)
def test_one_seed_gives_the_same_distributable_but_for_what_is_drawn(
    name: str, tmp_path: Path
) -> None:
    model, kept = issued(name)
    examples, tests = digits()
    again, original = tmp_path / "again", Path(kept.name) / "original.safetensors"
    made = method(name)
    found = made.issue(network(), again, owner(), examples, judge=tests, original=original)
    first = Manifest.read(manifest_of(model))
    assert again.read_bytes() == model.read_bytes()
    assert [each.restored for each in found.levels] == [each.restored for each in first.levels]
    assert found.id != first.id
    for level in range(len(found.levels)):
        one, two = (part_of(path, level).read_bytes() for path in (model, again))
        assert (len(one), one == two) == (len(two), False)


@pytest.mark.parametrize("name", LICENSES)
def test_each_key_opens_its_level_as_it_was_measured(name: str, tmp_path: Path) -> None:
    model, kept = issued(name)
    manifest = Manifest.read(manifest_of(model))
    for level, about in enumerate(manifest.levels):
        found = opened(model, level, tmp_path / f"{level}.safetensors")
        assert f"{found:.4f}" == about.about["accuracy"] == f"{grades(name)[level].accuracy:.4f}"
    original = Path(kept.name) / "original.safetensors"
    assert (tmp_path / "0.safetensors").read_bytes() == original.read_bytes()
    bare = copy_of(network())
    bare.load_state_dict(load_file(model))  # the distributable is a file as any other
    assert f"{accuracy(bare, digits()[1]):.4f}" == manifest.about["accuracy"]


@pytest.mark.parametrize("name", LICENSES)
def test_a_key_opens_nothing_of_a_higher_level(name: str, tmp_path: Path) -> None:
    model, _ = issued(name)
    manifest = Manifest.read(manifest_of(model))
    last = len(manifest.levels) - 1
    secret = grant(manifest, last).open(manifest, licensee(0))
    assert secret == level_key(root_of(owner(), manifest.id), 0, last)
    about = f"assay license part 1 {manifest.id} level"
    for level in range(last + 1):
        count = windows(manifest.levels[level].restored.size)
        with part_of(model, level).open("rb") as part:
            messages = unseal(part, count, part_key(secret), f"{about} {level}".encode())
            if level == last:
                assert sum(map(len, messages)) > 0
            else:
                with pytest.raises(UnreadableLicense):
                    next(messages)


@pytest.mark.parametrize("name", LICENSES)
def test_a_wrong_key_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    model, _ = issued(name)
    mine = grant(Manifest.read(manifest_of(model)), 1)
    with pytest.raises(Unlicensed, match="made out to 'Bob'"):
        activate(model, mine, licensee(1), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", LICENSES)
def test_examples_that_do_not_fit_are_told(name: str) -> None:
    examples, tests = digits()
    with pytest.raises(BadData, match="labels"):
        method(name).grades(network(), type(examples)(examples.inputs))
    few = copy_of(network())
    few.head = torch.nn.Linear(few.head.in_features, 4)
    with pytest.raises(BadData, match="labels up to 9 do not fit"):
        method(name).grades(few, examples, judge=tests)
