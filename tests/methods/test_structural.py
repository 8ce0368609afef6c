"""A mark in structure: words in numbers of channels, tolerance, what is lost and never misread."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import product
from math import log10, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_marks import LAYERED, PAYLOAD, key_for, layered, method, weight

from assay.errors import BadData, BadOption, UnfitModel
from assay.watermarks import verify
from assay.watermarks._idle import active
from assay.watermarks._quantizing import (
    LEAST_TAG,
    agreeing,
    bins,
    capacity,
    removed,
    symbol_of,
    wanted,
)
from assay.watermarks._structure import Channels, Structure, counts

if TYPE_CHECKING:
    from assay.watermarks import Weights
    from assay.watermarks._key import Key

SIZES = (16, 16, 32, 32, 64, 64)  # of the zoo's vgg


def shaped(channels: list[int]) -> Weights:
    """A suspect whose marked layers have so many channels."""
    made = {n: weight(n, np.ones((c, 8))) for n, c in zip(LAYERED, channels, strict=True)}
    return {**made, "head.weight": weight("head.weight", np.ones((10, 8)))}


def left(key: Key) -> list[int]:
    """How many channels each layer has once it is marked."""
    pairs = zip(key.template["layers"], wanted(key), strict=True)
    return [each["channels"] - removed(each, v, key.template["step"]) for each, v in pairs]


@pytest.mark.parametrize("tolerance", [0, 1, 2])
def test_what_is_within_tolerance_is_read_and_what_is_beyond_is_lost(tolerance: int) -> None:
    made, random = method("structural", tolerance=tolerance), np.random.default_rng(tolerance)
    key = key_for(made, layered())
    marked = np.array(left(key))
    for _ in range(50):
        within = random.integers(-tolerance, tolerance + 1, len(marked))
        found = verify(shaped((marked + within).tolist()), key, controls=1)
        assert (found.score, found.detail["payload"]) == (1.0, PAYLOAD.hex())
        beyond = within.copy()
        beyond[random.integers(len(marked))] = random.choice([-1, 1]) * (tolerance + 1)
        lost = verify(shaped((marked + beyond).tolist()), key, controls=1)
        assert lost.detail["payload"] is None
        assert lost.score == pytest.approx(23 / 24, abs=1e-5)
    assert made.detect(shaped(marked.tolist()), key).log10_tail == pytest.approx(
        -sum(log10(each["symbols"]) for each in key.template["layers"])
    )


def test_every_payload_is_read_as_it_was_written() -> None:
    made = method("structural", tolerance=0)
    for number in range(256):
        key = key_for(made, layered(64), number, bytes([number]))
        assert made.payload(shaped(left(key)), key) == bytes([number])
        assert made.payload(shaped(left(key)), key.wrong(0)) is None


def test_an_unmarked_model_and_one_that_lost_all_it_could_say_nothing() -> None:
    made = method("structural")
    key = key_for(made, layered())
    for suspect in (layered(), shaped([1] * 24), shaped([129] * 24), {}):
        found = verify(suspect, key, controls=5)
        assert (found.score, found.log10_false_alarm, found.detail["payload"]) == (0.0, 0.0, None)
    narrow = shaped([left(key)[0]] * 24)  # a plain architecture of half the width, say
    assert verify(narrow, key, controls=50).log10_false_alarm > -3  # type: ignore[operator]


def test_the_tail_counts_the_words_that_agree_as_often() -> None:
    sizes = (2, 3, 5)
    words = Counter(
        sum(a == b for a, b in zip(word, (0, 1, 4), strict=True))
        for word in product(*map(range, sizes))
    )
    assert agreeing(sizes) == tuple(words[score] for score in range(4))
    assert agreeing(()) == (1,)


def test_wrong_keys_agree_as_often_as_the_tail_says() -> None:
    made = method("structural", layers=LAYERED[:6], most=0.5)
    model = {n: weight(n, np.ones((c, 3))) for n, c in zip(LAYERED, SIZES, strict=False)}
    key = key_for(method("structural", tolerance=0, layers=LAYERED[:6]), model, payload=b"A")
    suspect = {
        each["rows"][0]: weight("", np.ones((count, 3)))
        for each, count in zip(key.template["layers"], left(key), strict=True)
    }
    tails = [made.detect(suspect, key.wrong(number)).log10_tail for number in range(2000)]
    for level in (-0.5, -1, -2):
        often = sum(tail is not None and tail <= level for tail in tails) / 2000
        assert often <= 10**level + 3 * (10**level / 2000) ** 0.5


def test_symbols_lie_between_the_rates_and_a_channel_stays() -> None:
    for channels, step, least, most in product((2, 7, 64), (1, 3, 5), (0.0, 0.1), (0.5, 0.99)):
        first, symbols = bins(channels, step, least, most)
        layer: dict[str, Any] = {"channels": channels, "first": first, "symbols": symbols}
        assert first >= max(1, least * channels)
        for symbol in range(symbols):
            gone = removed(layer, symbol, step)
            assert gone + step // 2 <= min(most * channels, channels - 1)
            for moved in range(-(step // 2), step // 2 + 1):
                assert symbol_of(layer, channels - gone + moved, step) == symbol
        assert symbol_of(layer, channels, step) is None
        assert symbol_of(layer, None, step) is None


def test_who_makes_another_template_draws_other_words() -> None:
    made = method("structural", tolerance=0)
    key = key_for(made, layered())
    suspect = shaped([90] * 24)  # a stranger's
    fitted = json.loads(json.dumps(key.template))
    for each, symbol in zip(fitted["layers"], wanted(key), strict=True):
        each["channels"] = 90 + removed(each, symbol, 1)  # as if it had lost just these
    forged = replace(key, template=fitted)
    made.check(forged)
    assert forged.digest != key.digest
    found = verify(suspect, forged, controls=20)
    assert found.detail["payload"] is None
    assert found.log10_false_alarm > -3  # type: ignore[operator]


@pytest.mark.parametrize(
    "damage",
    [
        {"step": 2}, {"step": "3"}, {"layers": [{}]}, {"layers": 7}, {"tag_bits": 0},
        {"tag_bits": 4000}, {"skeleton": []}, {"skeleton": None},
    ],
)  # fmt: skip
def test_a_damaged_template_is_said_to_be(damage: dict[str, Any]) -> None:
    made = method("structural")
    key = key_for(made, layered())
    damaged = replace(key, template={**key.template, **damage})
    with pytest.raises(BadData, match=f"{damaged.digest[:12]}.*damaged"):
        verify(layered(), damaged)


def test_what_does_not_fit_is_said_with_its_numbers() -> None:
    with pytest.raises(
        UnfitModel, match=r"800 bits: 24 layers hold 111 bits at tolerance=1.*88 fit"
    ):
        method("structural").new_key(layered(), 800)
    with pytest.raises(UnfitModel, match="none fits"):
        method("structural", layers=LAYERED[:2]).new_key(layered(), 8)
    with pytest.raises(UnfitModel, match="not in weights alone"):
        method("structural", layers=()).new_key(layered(), 8)
    with pytest.raises(UnfitModel, match="no weight 'none'"):
        method("structural", layers=("none",)).new_key(layered(), 8)
    for wrong in ({"tolerance": -1}, {"least": 0.7, "most": 0.7}, {"most": 1.0}):
        with pytest.raises(BadOption):
            method("structural", **wrong)
    plan = method("structural").plan(layered(), 64)
    assert (plan["capacity"], plan["tag_bits"], plan["tolerance"]) == (111, 32, 1)
    assert prod(each["symbols"] for each in plan["hosts"]) >= 2 ** plan["capacity"]
    short = method("structural", layers=LAYERED[:9]).plan(layered(), 24)
    assert short["tag_bits"] == short["capacity"] - 24 >= LEAST_TAG
    assert capacity(key_for(method("structural"), layered()).template["layers"]) == 111


def test_tensors_are_found_by_name_or_else_by_place() -> None:
    key = key_for(method("structural"), layered())
    suspect = shaped(left(key))
    renamed = {f"x{number}": each for number, each in enumerate(suspect.values())}
    mixed = dict(reversed(suspect.items()))
    without = {n: w for n, w in suspect.items() if n != LAYERED[3]}
    assert verify(renamed, key, controls=1).score == 1.0
    assert verify(mixed, key, controls=1).score == 1.0
    assert counts(without, key.template)[3] is None
    assert verify(without, key, controls=1).score == pytest.approx(23 / 24, abs=1e-5)
    assert verify(without, key, controls=1).detail["hosts"][3] is None
    assert verify(dict([*renamed.items()][1:]), key, controls=1).score == 0.0


def test_tied_layers_must_agree() -> None:
    groups = [Channels((LAYERED[0], LAYERED[1])), *(Channels((name,)) for name in LAYERED[2:6])]
    both = Structure(layered(), groups)
    key = method("structural", tolerance=0, layers=()).new_key(both, 8)
    rest = [64] * 20
    assert counts(shaped([64, 64, 50, 51, *rest]), key.template) == [64, 50, 51, 64, 64]
    assert counts(shaped([64, 63, 50, 51, *rest]), key.template) == [None, 50, 51, 64, 64]


@pytest.mark.torch
@pytest.mark.parametrize("network", ["vgg", "resnet"])
def test_a_network_loses_channels_and_what_does_nothing_does_not_hide_it(network: str) -> None:
    torch = pytest.importorskip("torch")
    from assay.derivations import DERIVATIONS
    from assay.running.examples import Examples
    from assay.running.modules import digest, outputs
    from assay.zoo.networks import build

    data = Examples(np.random.default_rng(0).normal(size=(8, 1, 8, 8)))
    module = build(network, (1, 8, 8), 4, 0).eval()
    before, made = digest(module), method("structural", tolerance=0, layers=())
    described = made.described(module, data)
    key = key_for(made, described, payload=b"A")
    assert made.new_key(module, 8, key.secret, data).digest == key.digest
    assert [each["channels"] for each in key.template["layers"]] == [16, 16, 32, 32, 64, 64]
    marked = made.mark(module, key, data=data)
    assert marked.module is not None
    found = verify(marked.module, key, controls=20)
    assert (found.score, found.detail["payload"]) == (1.0, b"A".hex())
    assert [host["left"] for host in marked.notes["hosts"]] == found.detail["channels"] == left(key)
    assert marked.weights["head.weight"].shape[1] == left(key)[-1]
    assert (digest(module), verify(module, key, controls=5).score) == (before, 0.0)
    for kind in ("zero", "clique", "split"):
        make: Any = DERIVATIONS["dummy-neurons"]
        hidden = make(kind=kind).derive(marked.module, data=data).module
        assert np.allclose(
            outputs(hidden, data.inputs), outputs(marked.module, data.inputs), atol=1e-4
        )
        found = verify(hidden, key, controls=20)
        assert found.detail["read"] == "without channels that do nothing"
        assert (found.score, found.detail["payload"]) == (1.0, b"A".hex())
    assert active(marked.weights, key.template) == left(key)
    other = key_for(made, made.described(build(network, (1, 8, 8), 4, 0, 1.5), data), payload=b"A")
    with pytest.raises(UnfitModel, match="the key marks"):
        made.mark(module, other, data=data)
    with torch.no_grad(), pytest.raises(BadData, match="needs examples"):
        made.mark(module, key)


@pytest.mark.torch
def test_channels_that_matter_stay_and_what_is_left_is_tuned() -> None:
    pytest.importorskip("torch")
    from small_tasks import squares, trained

    from assay.running.modules import accuracy
    from assay.training import Optimizer, Training

    model, data, judge = trained("mobilenet"), squares(96, 3), squares(200, 4)
    with_training = Training(epochs=2, batch=32, optimizer=Optimizer(rate=0.01))
    options: dict[str, Any] = {"tolerance": 0, "layers": (), "most": 0.7}
    bare, tuned = (
        method("structural", **options),
        method("structural", training=with_training, **options),
    )
    key = key_for(bare, bare.described(model, data), payload=b"A")
    cut, healed = (made.mark(model, key, data=data).module for made in (bare, tuned))
    assert cut is not None
    assert healed is not None
    assert verify(healed, key, controls=5).score == 1.0
    assert accuracy(healed, judge) >= accuracy(cut, judge)
    assert accuracy(healed, judge) > accuracy(model, judge) - 0.2
    scale = dict(model.state_dict())["stage5.1.weight"].abs().numpy()
    kept = dict(cut.state_dict())["stage5.1.weight"].abs().numpy()
    assert np.allclose(np.sort(scale)[-len(kept) :], np.sort(kept))


@pytest.mark.torch
def test_a_file_with_a_graph_is_planned_marked_and_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    from click.testing import CliRunner

    from assay.cli import main
    from assay.running.to_onnx import export
    from assay.zoo.networks import build

    model, marked, key = (str(tmp_path / name) for name in ("m.onnx", "marked.onnx", "k.key"))
    export(build("vgg", (1, 8, 8), 4, 0, 2.0).eval(), torch.randn(1, 1, 8, 8), Path(model))
    common = ["mark", model, "--method", "structural", "--set", "tolerance=0"]
    runner = CliRunner()
    plan = runner.invoke(main, [*common, "--plan", "--bits", "8", "--json"])
    assert json.loads(plan.output)["capacity"] == 25
    done = runner.invoke(main, [*common, "--payload", "41", "--key", key, "--output", marked])
    assert done.exit_code == 0, done.output
    one, two = (runner.invoke(main, ["verify", each, "--key", key]) for each in (marked, model))
    assert (one.exit_code, two.exit_code) == (0, 1)
    assert "5 of 5 symbols" in one.output
    assert "a structure can be copied" in one.output
