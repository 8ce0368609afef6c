"""boosted-minhash: its files, its lengths, and that it finds what it never saw."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from assay.errors import BadOption
from assay.graphs import rewrites, variants
from assay.graphs.label_kinds import VERSION, Kind
from assay.graphs.layer_labels import LayerLabels
from assay.hashers import HASHERS
from assay.hashers._bits import Draw, bits
from assay.hashers._learned import SHIPPED
from assay.hashers._network_file import HashNetwork
from assay.trainers import TRAINERS, Progress, Sample, train
from assay.trainers.boosted_minhash import COLDEST, _Boosting
from assay.values import Layer, LayerGraph
from assay.zoo import architectures


def hasher(**options: Any) -> Any:
    method: Any = HASHERS["boosted-minhash"]
    return method(**options)


def trainer(**options: Any) -> Any:
    method: Any = TRAINERS["boosted-minhash"]
    return method(**options)


def test_a_longer_code_begins_with_the_shorter_one() -> None:
    for each in architectures()[::200]:
        codes = [hasher(bits=bits).digest(each.graph) for bits in (64, 128, 256)]
        assert [len(code) for code in codes] == [8, 16, 32]
        assert codes[1][:8] == codes[0]
        assert codes[2][:16] == codes[1]


def test_bits_are_the_drawn_label_s() -> None:
    """Of one label there is nothing to draw; two graphs agree as often as they share labels."""
    relu, conv = Layer("Relu", (1, 8)), Layer("Conv", (1, 8, 4, 4), 9, 9)
    draw = [Draw(Kind.of("core"), 0.0, tuple(range(4000)))]

    def of(*layers: Layer) -> np.ndarray[Any, Any]:
        return bits(LayerLabels(LayerGraph(layers, (), "g1")), draw)

    one, both = of(relu), of(relu, conv)
    assert (one == of(relu, relu)).all(), "how often is not asked"
    assert abs((one == both).mean() - 0.75) < 0.03, "half of the labels, and a half by chance"
    assert abs((one == of(conv)).mean() - 0.5) < 0.03
    weighted = [replace(draw[0], exponent=1.0)]
    nine = bits(LayerLabels(LayerGraph((relu,) * 9 + (conv,), (), "g1")), weighted)
    assert abs((one == nine).mean() - 0.95) < 0.02, "nine times in ten the same is drawn"


def apart(family: str) -> bool:
    return int(sha256(family.encode()).hexdigest(), 16) % 5 == 0


def test_variants_of_families_it_never_saw_are_found(tmp_path: Path) -> None:
    """Few views and functions, and of the zoo some hundred: what a benchmark asks in full."""
    models = [each for each in architectures()[::6] if len(each.graph.layers) < 200]
    learned = [Sample(m.name, m.family, m.graph) for m in models if not apart(m.family)]
    network = train(trainer(views=300, functions=6), learned)
    file = tmp_path / "network.safetensors"
    network.save(file)
    made = hasher(weights=str(file))
    codes = [made(each.graph) for each in models]
    assert len({*codes}) > 0.95 * len(codes)
    ranks = []
    for place, each in enumerate(models):
        if not apart(each.family):
            continue
        rng = np.random.default_rng(place)
        for change, strength in (
            (variants.contracted, 0.1),
            (variants.other_activations, 1.0),
            (rewrites.spelled_out, 0.7),
        ):
            variant = change(each.graph, strength, rng)
            if variant is not None:
                code = made(variant.graph)
                distances = [code - other for other in codes]
                ranks.append(sum(d < distances[place] for d in distances))
    assert len(ranks) > 50
    assert np.mean(np.array(ranks) == 0) > 0.8


def test_a_killed_training_makes_no_view_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import assay.trainers.boosted_minhash as module

    monkeypatch.setattr(module, "SAVE_EVERY_S", 0.0)
    models = [each for each in architectures() if len(each.graph.layers) < 60][:12]
    samples = [Sample(each.name, each.family, each.graph) for each in models]
    seen: list[Progress] = []

    class Killed(Exception):
        pass

    def killing(progress: Progress) -> None:
        if progress.stage == "views" and progress.done == 100:
            raise Killed

    method = trainer(views=120, functions=2, bits=16)
    with pytest.raises(Killed):
        train(method, samples, checkpoint=tmp_path, progress=killing)
    resumed = train(method, samples, checkpoint=tmp_path, progress=seen.append)
    assert [p.done for p in seen if p.stage == "views"] == [120]
    assert resumed.to_bytes() == train(method, samples).to_bytes()
    losses = [p.losses["loss"] for p in seen if p.stage == "bits"]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 2


def test_of_each_model_its_first_sample_is_the_network() -> None:
    models = [each for each in architectures() if len(each.graph.layers) < 60][:8]
    wholes = [Sample(each.name, each.family, each.graph) for each in models]
    part = Sample(wholes[0].model, wholes[0].category, wholes[1].graph)
    method = trainer(views=40, functions=2, bits=16)
    with_part, without = train(method, [*wholes, part]), train(method, wholes)
    assert all((with_part.weights[n] == without.weights[n]).all() for n in without.weights)


def test_no_bit_is_taken_twice_where_views_are_nearer_to_strangers() -> None:
    wholes = np.random.default_rng(0).random((8, 64)) < 0.5
    own = np.arange(8)
    boosting = _Boosting(wholes, ~wholes[own], own, own, COLDEST)
    assert len({boosting.take() for _ in range(48)}) == 48
    assert np.isfinite(boosting.loss)


def strange(**changes: float) -> HashNetwork:
    """The shipped one with one number of its first bit changed."""
    network = HashNetwork.load(SHIPPED / "boosted-minhash-64.safetensors")
    weights = {name: weight.copy() for name, weight in network.weights.items()}
    for name, value in changes.items():
        weights[name][0] = value
    return replace(network, weights=weights)


@pytest.mark.parametrize(
    "network",
    [
        strange(source=10_000),
        strange(source=-1),
        strange(function=-1),
        strange(source=0, exponent=0.3),
        replace(strange(source=0), vocabulary=("colour",) * 99),
        replace(strange(source=0), vocabulary=("above colour",) * 99),
        replace(strange(), trained={}),
        replace(strange(), trained={"labels": VERSION + 1}),
    ],
    ids=[
        "no kind",
        "negative",
        "function",
        "exponent",
        "unknown kind",
        "unknown size",
        "no version",
        "newer labels",
    ],
)
def test_a_file_that_asks_for_what_is_not_known_is_refused(
    network: HashNetwork, tmp_path: Path
) -> None:
    file = tmp_path / "network.safetensors"
    network.save(file)
    with pytest.raises(BadOption, match=r"network\.safetensors: its bits are not those of this"):
        hasher(weights=str(file))


def test_a_file_without_codes_names_no_category(tmp_path: Path) -> None:
    whole = strange()
    none = {name: whole.weights[name][:0] for name in ("codes", "category")}
    replace(whole, weights={**whole.weights, **none}).save(tmp_path / "network.safetensors")
    bare = hasher(weights=str(tmp_path / "network.safetensors"))
    (one,) = (each for each in architectures() if each.name == "alexnet")
    assert bare.digest(one.graph) == hasher().digest(one.graph)
    assert bare.classify(one.graph) is None


@pytest.mark.parametrize("trained", [None, 1, ["labels"]])
def test_a_file_that_does_not_say_how_it_was_trained_is_refused(
    trained: Any, tmp_path: Path
) -> None:
    replace(strange(), trained=trained).save(tmp_path / "network.safetensors")
    with pytest.raises(BadOption, match="is no trained hash network"):
        hasher(weights=str(tmp_path / "network.safetensors"))


def test_codes_that_are_no_list_are_refused(tmp_path: Path) -> None:
    content = strange().to_bytes()
    size = int.from_bytes(content[:8], "little")
    weights = {**safetensors.numpy.load(content), "category": np.zeros((), np.float32)}
    metadata = json.loads(content[8 : 8 + size])["__metadata__"]
    (tmp_path / "network.safetensors").write_bytes(safetensors.numpy.save(weights, metadata))
    with pytest.raises(BadOption, match="does not fit boosted-minhash"):
        hasher(weights=str(tmp_path / "network.safetensors"))


@pytest.mark.parametrize(
    "options", [{"views": 0}, {"functions": 0}, {"temperature": 0.04}, {"bits": 65}]
)
def test_options_without_meaning_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match="boosted-minhash: "):
        trainer(**options)


def test_what_the_machine_has_no_memory_for_is_refused_before_the_long_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import assay.trainers.boosted_minhash as module

    models = [each for each in architectures() if len(each.graph.layers) < 60][:2]
    samples = [Sample(each.name, each.family, each.graph) for each in models]
    seen: list[Progress] = []
    monkeypatch.setattr(module, "FOR_VIEW", 2**50)  # bytes: no machine has as many for each
    method = trainer(views=2, functions=1, bits=16)
    with pytest.raises(BadOption, match=r"2 views and \d+ bits .* need [\d,.]+ GB of memory, and"):
        train(method, samples, progress=seen.append)
    assert not seen
    monkeypatch.delattr(os, "sysconf")  # as on Windows, where it is not known
    train(method, samples, progress=seen.append)
    assert seen
