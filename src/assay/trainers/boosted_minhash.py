"""Chooses bits, one after the other, each for what those before it confuse.

[Shakhnarovich, Learning Task-Specific Similarity, 2005; Freund & Schapire, JCSS 1997.]  Of q views
of networks and d networks, the loss is the mean over views of

    log(1 + Σ exp(-(distance to a stranger - distance to its own) / temperature)),

the sum over all other networks; of all candidates that bit is taken next that lowers it most, by
what the weights of the last step say.  Which categories networks are of is not asked; their codes
are kept with their categories, so that the hasher can name that of the nearest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from assay.durable import write_whole
from assay.errors import BadOption
from assay.graphs.label_kinds import VERSION, Kind
from assay.graphs.layer_labels import LayerLabels
from assay.hashers._bits import EXPONENTS, Above, Draw, bits
from assay.hashers._network_file import HashNetwork
from assay.hashers.boosted_minhash import COLUMNS, THRESHOLD, words
from assay.methods import name_of
from assay.trainers import Progress, Sample, Trainer
from assay.trainers._candidate_kinds import KINDS
from assay.trainers._digest import digest
from assay.trainers._memory import need
from assay.trainers._views import view
from assay.values import LayerGraph

if TYPE_CHECKING:
    from assay.trainers._distances import Distances

Bits = NDArray[np.bool_]
Signs = NDArray[np.float32]

THRESHOLDS = 15  # of each size, at quantiles of the networks
MOST_STRANGERS = 2000  # of the networks are asked against each view
BESIDE = 1e-3  # thresholds lie so far from the sizes of networks: rounding changes no bit
SETTLED = 1e-3  # a view whose weights' sum is less is told apart, and waits
COLDEST = 0.05  # temperature
LARGEST_EXPONENT = 75.0  # sums of exponentials stay in float32
SAVE_EVERY_S = 20.0
FOR_VIEW, FOR_STRANGER = 16, 20  # bytes at the peak: of each candidate of a view, each stranger


@dataclass(frozen=True)
class BoostedMinhash(Trainer):
    """``views`` of all networks together, ``functions`` hash functions for each kind of labels."""

    bits: int = 64
    views: int = 4000
    functions: int = 48
    temperature: float = 1.5

    copies = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        some = 1 <= self.views <= 100_000 and 1 <= self.functions <= 1000
        if not (some and self.temperature >= COLDEST):
            raise BadOption(
                "boosted-minhash: views must be 1 to 100000, functions 1 to 1000,"
                f" temperature {COLDEST} or more"
            )

    def fit(
        self,
        samples: Sequence[Sample],
        seed: int,
        distances: Distances | None,
        checkpoint: Path | None,
        progress: Callable[[Progress], None] | None,
    ) -> HashNetwork:
        """See ``assay.trainers.train``; of each model its first sample is the network itself."""
        del distances  # no edit distance is asked for
        by_model: dict[str, Sample] = {}
        for sample in samples:
            by_model.setdefault(sample.model, sample)
        networks = [*by_model.values()]
        state = _State(checkpoint, f"{self!r} {seed} {VERSION} {KINDS} {digest(networks)}")
        pool = _pool([sample.graph for sample in networks], self.functions)
        self._need_memory(len(networks), len(pool.source))
        wholes = np.array([bits(LayerLabels(sample.graph), pool.groups) for sample in networks])
        shares = self._shares(len(networks), seed)
        views = self._views(networks, shares, pool, seed, state, progress)
        chosen = self._chosen(wholes, views, np.array(shares), seed, progress)
        categories = tuple(sorted({sample.category for sample in networks}))
        return HashNetwork(
            method=name_of(type(self)),
            bits=self.bits,
            vocabulary=pool.vocabulary,
            categories=categories,
            weights={
                **pool.weights(chosen),
                "codes": words(wholes[:, chosen]),
                "category": np.array([categories.index(s.category) for s in networks], np.float32),
            },
            trained={**self.about(samples, len(networks), seed), "labels": VERSION},
        )

    def _need_memory(self, networks: int, candidates: int) -> None:
        """Raises BadOption where the machine has less than choosing bits takes."""
        strangers = min(networks, MOST_STRANGERS)
        size = FOR_VIEW * self.views * candidates + FOR_STRANGER * self.views * strangers
        what = f"boosted-minhash: {self.views:,} views and {candidates:,} bits to choose from"
        need(size, what, "take fewer views, or fewer functions")

    def _shares(self, networks: int, seed: int) -> list[int]:
        """Of which network each view is: as many of each as can be."""
        order = np.random.default_rng([seed, 0]).permutation(networks)
        return sorted(order[i % networks].item() for i in range(self.views))

    def _views(
        self,
        networks: Sequence[Sample],
        shares: Sequence[int],
        pool: _Pool,
        seed: int,
        state: _State,
        progress: Callable[[Progress], None] | None,
    ) -> Bits:
        """The candidates' bits (q, c) of each view; a killed run goes on."""
        rows = state.load()
        saved = monotonic()
        for number in range(len(rows), self.views):
            rng = np.random.default_rng([seed, 1, number])
            made = view(networks[shares[number]].graph, rng)
            rows.append(np.packbits(bits(LayerLabels(made), pool.groups)))
            last = number + 1 == self.views
            if monotonic() - saved > SAVE_EVERY_S or last:
                state.save(rows)
                saved = monotonic()
            if progress and (number % 100 == 99 or last):
                progress(Progress("views", number + 1, self.views))
        return np.unpackbits(np.array(rows), axis=1, count=len(pool.source)).astype(bool)

    def _chosen(
        self,
        wholes: Bits,
        views: Bits,
        own: NDArray[np.intp],
        seed: int,
        progress: Callable[[Progress], None] | None,
    ) -> list[int]:
        """Candidates, the best first."""
        count = min(len(wholes), MOST_STRANGERS)
        strangers = np.random.default_rng([seed, 2]).permutation(len(wholes))[:count]
        boosting = _Boosting(wholes, views, own, strangers, self.temperature)
        result: list[int] = []
        for number in range(self.bits):
            result.append(boosting.take())
            if progress:
                progress(Progress("bits", number + 1, self.bits, {"loss": boosting.loss}))
        return result


class _Boosting:
    """Which candidate comes next: c candidates, q views of networks, d strangers to each view."""

    def __init__(
        self,
        wholes: Bits,
        views: Bits,
        own: NDArray[np.intp],
        strangers: NDArray[np.intp],
        temperature: float,
    ) -> None:
        self._stays = views == wholes[own]  # (q, c)
        self._views, self._wholes = _signs(views), _signs(wholes[strangers])  # (q, c), (d, c)
        self._itself = strangers[None] == own[:, None]  # (q, d)
        self._margins = np.zeros(self._itself.shape, np.float32)  # stranger's distance less its own
        self._temperature = temperature
        self._taken: list[int] = []

    @property
    def loss(self) -> float:
        """Of what was taken."""
        return float(np.log1p(self._confused().sum(1)).mean())

    def take(self) -> int:
        """The next bit: the gain is what strangers' differences bring less what its own cost."""
        weights = self._confused()
        weights /= 1 + weights.sum(1, keepdims=True)
        each = weights.sum(1)  # (q)
        rows = np.flatnonzero(each > SETTLED)
        weights, each, stays = weights[rows], each[rows], self._stays[rows]
        differ = weights @ self._wholes  # in the end (q, c): what of each view's weights differs
        differ *= self._views[rows]
        differ -= each[:, None]
        differ *= -0.5
        brought = np.einsum("qc,qc->c", differ, stays)
        cost = each @ ~stays - (differ.sum(0) - brought)
        gain = np.expm1(-1 / self._temperature) * -brought
        gain -= np.expm1(1 / self._temperature) * cost
        gain[self._taken] = -np.inf
        best = int(gain.argmax())
        differs = self._views[:, best, None] != self._wholes[None, :, best]
        self._margins += differs.astype(np.float32) - ~self._stays[:, best, None]
        self._taken.append(best)
        return best

    def _confused(self) -> NDArray[np.float32]:
        exponents = -self._margins / np.float32(self._temperature)
        found = np.exp(np.minimum(exponents, np.float32(LARGEST_EXPONENT)))
        found[self._itself] = 0
        return found


@dataclass(frozen=True)
class _Pool:
    """All candidates (c): where each comes from, and how."""

    groups: tuple[Draw | Above, ...]
    vocabulary: tuple[str, ...]
    source: NDArray[np.float32]  # (c) place in the vocabulary
    exponent: NDArray[np.float32]
    function: NDArray[np.float32]
    threshold: NDArray[np.float32]

    def weights(self, chosen: Sequence[int]) -> dict[str, NDArray[np.float32]]:
        """What the hasher needs of the chosen ones."""
        return {name: getattr(self, name)[[*chosen]] for name in COLUMNS}


def _pool(graphs: Sequence[LayerGraph], functions: int) -> _Pool:
    sizes = [LayerLabels(graph).sizes for graph in graphs]
    vocabulary = (*KINDS, *(f"{THRESHOLD}{size}" for size in sizes[0]))
    groups: list[Draw | Above] = []
    rows: list[tuple[float, ...]] = []
    for number, kind in enumerate(KINDS):
        for exponent in EXPONENTS:
            groups.append(Draw(Kind.of(kind), exponent, tuple(range(functions))))
            rows += [(number, exponent, function, 0.0) for function in range(functions)]
    shares = np.linspace(0, 1, THRESHOLDS + 2)[1:-1]
    for number, size in enumerate(sizes[0], len(KINDS)):
        quantiles = np.quantile([each[size] for each in sizes], shares)
        found = (quantiles + BESIDE).astype(np.float32).tolist()  # as the file keeps them
        groups.append(Above(size, tuple(found)))
        rows += [(number, 0.0, 0.0, threshold) for threshold in found]
    return _Pool(tuple(groups), vocabulary, *np.array(rows, np.float32).T)


class _State:
    """The views that were made, in a file; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, training: str) -> None:
        name = hashlib.sha256(training.encode()).hexdigest()[:16]
        self.file = folder / f"checkpoint-{name}.safetensors" if folder else None

    def load(self) -> list[NDArray[np.uint8]]:
        """Rows of packed bits.  Raises BadOption where the file is damaged."""
        if self.file is None or not self.file.exists():
            return []
        try:
            return [*safetensors.numpy.load_file(self.file)["views"]]
        except (safetensors.SafetensorError, KeyError) as error:
            raise BadOption(f"{self.file}: is damaged; remove it to start anew") from error

    def save(self, rows: Sequence[NDArray[np.uint8]]) -> None:
        """Whole or not at all.  Raises OSError."""
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, safetensors.numpy.save({"views": np.array(rows)}))


def _signs(found: Bits) -> Signs:
    return np.where(found, np.float32(1), np.float32(-1))
