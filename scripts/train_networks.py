"""Train the hash networks that come with the package, from the zoo's layer graphs.

    python scripts/train_networks.py                   # all
    python scripts/train_networks.py boosted-minhash   # some ten minutes of one core
    python scripts/train_networks.py --forget contrastive-gin  # the one before was never released

``hnn-net`` and ``ghashing`` learn the paper's 21 networks, as published: each with nine copies that
lack 10 % of its layers.  ``contrastive-gin`` and ``boosted-minhash`` learn the whole zoo and make
their copies as they go; the latter's 256 bits are shipped whole and as the 128 and 64 that they
begin with.  A run that was killed goes on from ``build/networks``.  The network that was there
before goes into ``networks/older``, named by its scheme: registries go on with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from assay.hashers._learned import OLDER, SHIPPED, SUFFIX
from assay.hashers._network_file import HashNetwork
from assay.hashers.boosted_minhash import beginning
from assay.trainers import TRAINERS, Progress, Sample, train
from assay.trainers._folder import Source, distinct, samples
from assay.zoo import Architecture, architectures, paper_architectures

SEED = 0
BITS = 64
BUILD = Path(__file__).parents[1] / "build" / "networks"


def main() -> None:
    """Train those that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    methods = sorted(TRAINERS)
    parser.add_argument("method", nargs="*", default=methods, help=", ".join(methods))
    parser.add_argument("--forget", action="store_true", help="keep no older networks")
    arguments = parser.parse_args()
    for method in arguments.method:
        network = train(
            TRAINERS[method](bits=max(lengths(method))),  # type: ignore[call-arg]
            learned(method),
            seed=SEED,
            checkpoint=BUILD / method,
            progress=lambda progress, method=method: show(method, progress),  # type: ignore[misc]
        )
        for length in lengths(method):
            file = ship(
                network if length == network.bits else beginning(network, length),
                SHIPPED,
                keep=not arguments.forget,
            )
            print(f"{file.name}: {HashNetwork.load(file).name}")


def lengths(method: str) -> tuple[int, ...]:
    """Bits of the codes that are shipped."""
    return (64, 128, 256) if method == "boosted-minhash" else (BITS,)


def ship(network: HashNetwork, folder: Path, *, keep: bool = True) -> Path:
    """Put ``network`` into the folder of those that come with assay; the one before is kept."""
    file = folder / f"{network.method}-{network.bits}{SUFFIX}"
    if keep and file.exists():
        before = HashNetwork.load(file)
        if before.name != network.name:
            (folder / OLDER).mkdir(exist_ok=True)
            file.rename(folder / OLDER / f"{before.method}-{before.bits}@{before.name}{SUFFIX}")
    folder.mkdir(exist_ok=True)
    network.save(file)
    return file


def learned(method: str) -> list[Sample]:
    """What a network is trained on."""
    if method in ("contrastive-gin", "boosted-minhash"):
        return [Sample(s.path, s.category, s.graph) for s in sources(architectures())]
    return samples(sources(paper_architectures()), SEED)


def sources(found: Sequence[Architecture]) -> list[Source]:
    """Those whose layers differ."""
    return distinct([Source(each.name, each.family, each.graph) for each in found]).models


def show(method: str, progress: Progress) -> None:
    """A line now and then."""
    if progress.done % (10 if progress.stage == "epochs" else 1000) == 0:
        losses = " ".join(f"{name} {loss:.3f}" for name, loss in progress.losses.items())
        print(f"{method}: {progress.stage} {progress.done}/{progress.total} {losses}", flush=True)


if __name__ == "__main__":
    main()
