"""What happened to a model, in words and numbers, from what happened to its tensors.

Findings are independent of one another: a model may be pruned, then trained on, then rounded, and
its channels permuted.  Each says how much of the source's values it holds for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from assay.diagnosis.tensors import Change
from assay.values import LayerMatch

SLIGHT = 0.02  # of the values: fewer are no finding
_MOST = 0.5  # of the values: what holds for the model
_TURNED = 0.25  # what turning a stream back may leave, over the source
_KEPT = 0.9  # of the values: no training leaves so many as they were
_LAST, _HEAD = 2, 0.25  # tensors that a head may be made of; its share of the values
_PLAIN = ("float32", "not finite")

Matched = tuple[LayerMatch, Change]
Listed = Mapping[str, tuple[int, ...]]  # shapes of a model's tensors that can be matched


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was done to the source."""

    kind: str  # "pruned", "fine-tuned" … which the functions of this module give
    text: str  # in words
    share: float  # of the matched values of the source that it holds for
    amount: float | None = None  # of what, the kind says: a share, a rank, a relative change
    tensors: tuple[str, ...] = ()  # names, where it holds for some only

    def to_json(self) -> dict[str, Any]:
        """Without what is not told."""
        told = {
            "kind": self.kind,
            "text": self.text,
            "share": round(self.share, 4),
            "amount": None if self.amount is None else round(self.amount, 4),
            "tensors": [*self.tensors],
        }
        return {name: value for name, value in told.items() if value not in (None, [])}


def diagnosed(matched: Sequence[Matched], source: Listed, suspect: Listed) -> list[Finding]:
    """All findings; ``matched`` are tensors of ``suspect`` with what became of the source's.

    Several of the suspect's may have one source.  Empty where nothing is matched.
    """
    if not matched:
        return []
    found = [
        *_numbers(matched),
        *_pruned(matched),
        *_moved(matched),
        *_freedoms(matched),
        *_layers(matched, source, suspect),
    ]
    if not found:
        found = [Finding("copied", "all weights are the source's", 1.0)]
    return found


def _values(matched: Sequence[Matched]) -> int:
    """How many the source has in these tensors."""
    return sum(prod(match.source_shape) for match, _ in matched)


def _mean(matched: Sequence[Matched], amount: Callable[[Change], float]) -> float:
    """Of an amount of each tensor, by its values."""
    total = sum(prod(match.source_shape) * amount(change) for match, change in matched)
    return total / max(_values(matched), 1)


def _numbers(matched: Sequence[Matched]) -> Iterator[Finding]:
    """The numbers most values are stored in, where they are not those of the source."""
    shares, finer = Counter[str](), 0
    for match, change in matched:
        if change.numbers not in _PLAIN and change.numbers != change.before:
            shares[change.numbers] += prod(match.source_shape)
        elif change.numbers == "float32" != change.before:
            finer += prod(match.source_shape)
    total = _values(matched)
    for numbers, size in shares.most_common(1):
        if size >= _MOST * total:
            half = numbers.endswith("float16")
            kind = (
                "half-precision" if half else "clustered" if "cluster" in numbers else "quantized"
            )
            yield Finding(kind, f"stored as {numbers}", size / total)
    if finer >= _MOST * total:
        text = "stored in more bits than the source, which is this model rounded"
        yield Finding("finer-numbers", text, finer / total)


def _pruned(matched: Sequence[Matched]) -> Iterator[Finding]:
    for of in ("values", "outputs", "inputs"):
        some = [pair for pair in matched if pair[1].of == of]
        share = _mean(some, lambda change: change.pruned) * _values(some) / _values(matched)
        if share >= SLIGHT:
            names = tuple(match.suspect for match, _ in some)
            what = "weights" if of == "values" else f"weights, whole {of} of layers,"
            text = f"{share:.0%} of the {what} are 0 and were not"
            yield Finding("pruned", text, share, share, _some(names, matched))


def _moved(matched: Sequence[Matched]) -> Iterator[Finding]:
    """Trained on: in all layers or some, or by an adapter that was merged."""
    moved = [pair for pair in matched if _has_moved(*pair)]
    share = _values(moved) / _values(matched)
    if share < SLIGHT:
        return
    amount = _mean(moved, lambda change: change.moved)
    names = tuple(match.suspect for match, _ in moved)
    low = [(match, change) for match, change in moved if change.rank is not None]
    if _values(low) >= _MOST * _values(moved):
        rank = max(change.rank or 0 for _, change in low)
        text = f"differences of rank {rank} at most were added: a merged adapter"
        yield Finding("adapter-merged", text, share, rank, _some(names, matched))
        return
    frozen = [match.suspect for match, change in matched if change.is_copy]
    kept = f", {len(frozen)} of {len(matched)} tensors kept as they were" if frozen else ""
    text = f"weights moved by {amount:.1%} of their size{kept}: trained on, or merged"
    yield Finding("fine-tuned", text, share, amount, _some(names, matched))


def _has_moved(match: LayerMatch, change: Change) -> bool:
    """Whether a tensor was changed by more than undoing what was done to it leaves."""
    if match.undone and change.unchanged >= _KEPT:  # a channel or two were taken for others
        return False
    return change.moved > (_TURNED if "rotated" in match.undone else 0.0)


def _freedoms(matched: Sequence[Matched]) -> Iterator[Finding]:
    """What a network's freedoms allow, which was undone."""
    words = {
        "permuted": ("permuted", "channels were put in another order"),
        "rescaled": ("rescaled", "channels were rescaled"),
        "removed": ("channels-pruned", "channels were removed"),
        "added": ("dummy-neurons", "channels were added"),
        "split": ("split-neurons", "channels were split into copies"),
        "rotated": ("rotated", "the residual stream was rotated"),
    }
    for word, (kind, text) in words.items():
        some = [pair for pair in matched if word in pair[0].undone]
        if not some:
            continue
        names, share = tuple(match.suspect for match, _ in some), _values(some) / _values(matched)
        amount = _amount_of(word, matched)
        said = text if amount is None else f"{text}: {amount:.0%} of the weights with them"
        yield Finding(kind, said, share, amount, _some(names, matched))


def _amount_of(word: str, matched: Sequence[Matched]) -> float | None:
    """Of the values, the share that is gone, or new."""
    before = _values(matched)
    after = sum(prod(match.suspect_shape) for match, _ in matched)
    if word == "removed":
        return max(1 - after / before, 0.0)
    return max(1 - before / after, 0.0) if word == "added" else None


def _layers(matched: Sequence[Matched], source: Listed, suspect: Listed) -> Iterator[Finding]:
    """Layers that one of both has alone, or that the suspect has several times."""
    theirs = {match.source for match, _ in matched}
    ours = {match.suspect for match, _ in matched}
    lost = {name: shape for name, shape in source.items() if name not in theirs}
    new = {name: shape for name, shape in suspect.items() if name not in ours}
    lost_share, new_share = _size(lost) / _size(source), _size(new) / _size(suspect)
    times = Counter(match.source for match, _ in matched)
    again = tuple(name for name, count in times.items() if count > 1)
    if again:
        text = f"{len(again)} of the source's tensors are there several times"
        yield Finding("layers-duplicated", text, 1 - lost_share, max(times.values()), again)
    if _is_head(lost, new) and max(lost_share, new_share) <= _HEAD:
        yield Finding("head-replaced", "the last layer is another", 1 - lost_share, None, (*new,))
        return
    if lost and (new or lost_share >= SLIGHT):  # a small one may have become too small to compare
        text = f"{lost_share:.0%} of the source's weights are not there"
        yield Finding("layers-dropped", text, 1 - lost_share, lost_share, (*lost,))
    if new and (lost or new_share >= SLIGHT):
        is_whole = lost_share < _MOST < new_share
        kind = "part-of" if is_whole else "layers-inserted"
        text = f"{new_share:.0%} of the suspect's weights are none of the source's"
        yield Finding(kind, text, 1 - new_share, new_share, (*new,))


def _is_head(lost: Listed, new: Listed) -> bool:
    """Whether a few tensors took the place of as many, and read as many channels."""
    if not 0 < len(lost) == len(new) <= _LAST:
        return False
    return sorted(shape[1] for shape in lost.values()) == sorted(shape[1] for shape in new.values())


def _size(some: Listed) -> int:
    return sum(map(prod, some.values()))


def _some(names: tuple[str, ...], matched: Sequence[Matched]) -> tuple[str, ...]:
    """Names, where they are not all."""
    return names if len(names) < len(matched) else ()
