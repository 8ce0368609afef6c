"""A network that has learned digits, distributables, and what opens them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.keys.signing import SigningKey
from assay.keys.wrapping import ReceivingKey
from assay.licenses._distributable import distribute
from assay.licenses._grants import Grant
from assay.licenses._manifest import Manifest

if TYPE_CHECKING:
    from torch import nn

    from assay.running.examples import Examples


@cache
def owner() -> SigningKey:
    """Ann's: always the same, so that what is drawn of it is, too."""
    return SigningKey("owner", Ed25519PrivateKey.from_private_bytes(sha256(b"Ann").digest()))


@cache
def licensee(number: int) -> ReceivingKey:
    """Bob's, or another's."""
    assert number >= 0
    return ReceivingKey.new()


@cache
def digits() -> tuple[Examples, Examples]:
    """For training, and for tests."""
    from assay.zoo.datasets import load

    return load("digits", "train").take(slice(500)), load("digits", "test")


@cache
def network() -> nn.Module:
    """A VGG that has learned them; copy it before it is changed."""
    from assay.training import Optimizer, Training, train
    from assay.zoo.networks import build

    examples, _ = digits()
    module = build("vgg", examples.inputs.shape[1:], 10, 0, 0.5)
    train(module, examples, Training(epochs=8, batch=32, optimizer=Optimizer("adam", rate=0.005)))
    return module


def distributed(folder: Path, contents: Sequence[bytes], **more: Any) -> tuple[Path, Manifest]:
    """A distributable whose files are ``contents``, the original's first."""
    files = []
    for level, content in enumerate(contents):
        files.append(folder / f"made-{level}")
        files[-1].write_bytes(content)
    about = [{"accuracy": f"{1 - level / 10:.4f}"} for level in range(len(files))]
    model = folder / "model.bin"
    return model, distribute(files, about, model, owner(), "test()", **more)


def grant(manifest: Manifest, level: int, who: int = 0, expires: str | None = None) -> Grant:
    """A license for a level, made out to Bob."""
    return Grant.make(manifest, owner(), level, "Bob", licensee(who).public, expires)
