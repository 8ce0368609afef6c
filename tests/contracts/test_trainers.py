"""What every trainer owes: weights of seed and samples alone, which its hasher runs."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_designs import DESIGNS, copies, network

from assay.errors import BadOption
from assay.hashers import HASHERS
from assay.hashers._learned import LearnedHasher
from assay.trainers import TRAINERS, NetworkTrainer, Progress, Sample, Trainer, train
from assay.values import LayerGraph

pytestmark = pytest.mark.torch
EPOCHS = 6
NETWORKS = [name for name in TRAINERS if issubclass(TRAINERS[name], NetworkTrainer)]


def trainer(name: str, **options: Any) -> Trainer:
    method: Any = TRAINERS[name]
    quick = {"epochs": EPOCHS} if name in NETWORKS else {"views": 60, "functions": 4}
    return method(**{"bits": 16, **quick, **options})


def trained(name: str, folder: Path, samples: list[Sample], epochs: int = EPOCHS) -> LearnedHasher:
    """The hasher of a network that was trained, saved and read again."""
    file = folder / f"{name}.safetensors"
    options = {"epochs": epochs} if name in NETWORKS else {}
    train(trainer(name, **options), samples).save(file)
    method: Any = HASHERS[name]
    hasher = method(weights=str(file))
    assert isinstance(hasher, LearnedHasher)
    return hasher


@pytest.mark.parametrize("name", TRAINERS)
def test_the_same_seed_gives_the_same_weights_and_another_others(name: str) -> None:
    samples = copies(2)
    first, again, other = (train(trainer(name), samples, seed=seed) for seed in (1, 1, 2))
    assert first.to_bytes() == again.to_bytes()
    assert first.name == again.name != other.name


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_that_was_killed_ends_as_if_it_had_not_been(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import assay.trainers._loop as loop

    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    samples = copies(2)
    seen: list[int] = []

    def killing(progress: Progress) -> None:
        if progress.stage == "epochs":
            seen.append(progress.done)
            if progress.done == 4:
                raise Killed

    with pytest.raises(Killed):
        train(trainer(name), samples, checkpoint=tmp_path, progress=killing)
    assert seen == [1, 2, 3, 4]
    seen.clear()
    resumed = train(
        trainer(name), samples, checkpoint=tmp_path, progress=lambda p: seen.append(p.done)
    )
    assert seen[-1] == EPOCHS
    assert [done for done in seen if done <= EPOCHS].count(1) <= 1, "epochs are not run again"
    assert 4 in seen, "the epoch that was not saved is"
    assert resumed.to_bytes() == train(trainer(name), samples).to_bytes()


@pytest.mark.parametrize("name", TRAINERS)
def test_trainings_that_share_a_folder_keep_apart(name: str, tmp_path: Path) -> None:
    train(trainer(name), copies(2), checkpoint=tmp_path)
    more: dict[str, Any] = {"epochs": 7} if name in NETWORKS else {"temperature": 2.0}
    for other, samples in ((trainer(name, **more), copies(2)), (trainer(name), copies(3))):
        beside = train(other, samples, checkpoint=tmp_path)
        assert beside.to_bytes() == train(other, samples).to_bytes()


@pytest.mark.parametrize("name", TRAINERS)
def test_a_damaged_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    train(trainer(name), copies(2), checkpoint=tmp_path)
    (file,) = tmp_path.glob("checkpoint-*.safetensors")
    file.write_bytes(b"no checkpoint")
    with pytest.raises(BadOption, match="damaged"):
        train(trainer(name), copies(2), checkpoint=tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
def test_numpy_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    import torch

    from assay.trainers._batches import GraphTensors, pack

    samples = copies(2)
    method = trainer(name)
    assert isinstance(method, NetworkTrainer)
    ops = {layer.op for sample in samples for layer in sample.graph.layers}
    vocabulary = method.vocabulary(ops)
    torch.manual_seed(3)
    net = method.network(vocabulary, ("gated", "mixing", "plain"))
    net.train()
    tensors = [method.tensors(sample.graph, vocabulary) for sample in samples]
    for _ in range(5):  # batch normalization has seen something
        net(pack(tensors))
    net.double().eval()
    file = tmp_path / "network.safetensors"
    network = train(replace(method, epochs=1), samples)  # type: ignore[type-var]
    replace(network, weights=method.weights(net)).save(file)
    net.load_state_dict({key: value.float().double() for key, value in net.state_dict().items()})
    hasher: Any = HASHERS[name]
    hasher = hasher(weights=str(file))
    for sample in (*samples, Sample("x", "x", network_of_unknown_operators())):
        graph = method.tensors(sample.graph, vocabulary)
        packed = pack([GraphTensors(graph.inputs.double(), graph.links)])
        with torch.no_grad():
            embedding, logits = (tensor[0].numpy() for tensor in net(packed))
        output = hasher.output(sample.graph)
        scale = max(1.0, np.abs(embedding).max())
        np.testing.assert_allclose(output.embedding, embedding, atol=1e-5 * scale)
        scale = max(1.0, np.abs(logits).max())
        np.testing.assert_allclose(output.logits, logits, atol=1e-5 * scale)


def network_of_unknown_operators() -> LayerGraph:
    graph = network("gated", 3)
    strange = tuple(replace(layer, op=f"my.{layer.op}") for layer in graph.layers)
    return replace(graph, layers=strange)


@pytest.mark.parametrize("name", TRAINERS)
def test_copies_that_were_not_trained_on_are_nearest_to_their_own_network(
    name: str, tmp_path: Path
) -> None:
    hasher = trained(name, tmp_path, copies(4), epochs=60)
    originals = {(d, b): hasher(network(d, b)) for d in DESIGNS for b in (3, 6)}
    right = 0
    for sample in (unseen := copies(3, seed=9)):
        code = hasher(sample.graph)
        nearest = min(originals, key=lambda key: code - originals[key])
        right += nearest[0] == sample.category
    assert right / len(unseen) > 0.8, "chance is a third"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_category_is_named_where_it_was_learned(name: str, tmp_path: Path) -> None:
    hasher = trained(name, tmp_path, copies(3), epochs=60)
    method = trainer(name)
    assert isinstance(method, NetworkTrainer)
    if not method.classifies:
        assert hasher.classify(network("plain", 3)) is None
        return
    right = 0
    for sample in copies(1, seed=4):
        guess = hasher.classify(sample.graph)
        assert guess is not None
        assert 0 < guess[1] <= 1
        right += guess[0] == sample.category
    assert right >= 5, "of six"


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("option", ["bits", "epochs", "weight"])
def test_options_without_meaning_are_refused(name: str, option: str) -> None:
    weights = [field.name for field in fields(trainer(name)) if field.type == "float"]  # type: ignore[arg-type]
    for wrong in ({option: -1},) if option != "weight" else [{each: -0.1} for each in weights]:
        with pytest.raises(BadOption, match=f"{name}: "):
            trainer(name, **wrong)


@pytest.mark.parametrize("name", TRAINERS)
def test_too_little_to_learn_from_is_refused(name: str) -> None:
    one = [sample for sample in copies(2) if sample.model == "plain-3"]
    with pytest.raises(BadOption, match="two models or more"):
        train(trainer(name), one)
    plain = [sample for sample in copies(2) if sample.category == "plain"]
    method = trainer(name)
    if isinstance(method, NetworkTrainer) and method.classifies:
        with pytest.raises(BadOption, match="one category, 'plain'"):
            train(trainer(name), plain)
        alone = train(trainer(name, classification=0.0), plain)
        assert alone.categories == ()
    empty = [*plain, Sample("empty", "gated", LayerGraph((), (), "g1"))]
    with pytest.raises(BadOption, match="empty: has no layers"):
        train(trainer(name), empty)
