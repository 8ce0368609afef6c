"""The weights in a value that a pickle gave, each by the dotted name of its place.

A module of PyTorch is walked as ``state_dict`` would: parameters, buffers and the modules in it.
Of a checkpoint, what belongs to its training (the optimizer's state) is left out, and said to be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from assay.containers.pickle_opcodes import Entries, Node
from assay.containers.pickled_tensors import Pending
from assay.containers.strided import Strided
from assay.errors import UnreadableModel
from assay.weights import Weight

MOST_TENSORS = 100_000
MOST_PLACES = 1_000_000  # that the walk looks at
MOST_DEPTH = 100
MOST_NAMES = 32 * 2**20  # characters of all names
MOST_SHARED = 64  # times that a file's bytes may be shown, by names that share them
_LISTED = 20  # names of classes
_TRAINING = re.compile(
    r"(?:.*_)?(?:optim|optimizers?|(?:lr_)?schedulers?|(?:grad_)?scaler|rng|callbacks|loops)"
    r"(?:_states?|_state_dict)?",
    re.IGNORECASE,
)

Place = tuple[str, Any]  # name in its container, and value
Found = list[tuple[str, Strided]]


class Walk:
    """Looks for tensors in values; what all looks together may take is bounded."""

    def __init__(self, size: int) -> None:
        self.places, self.names, self.tensors = MOST_PLACES, MOST_NAMES, MOST_TENSORS
        self.bytes = MOST_SHARED * size + 2**26

    def find(self, value: Any, name: str = "") -> Found:
        """The tensors in ``value``, in order.  A value that contains itself is entered once."""
        found: Found = []
        inside: list[tuple[int, str, Iterator[Place]]] = [(0, name, iter([("", value)]))]
        entered = {0}
        while inside:
            key, prefix, places = inside[-1]
            place = next(places, None)
            if place is None:
                inside.pop()
                entered.discard(key)
                continue
            label, inner = place
            self.places -= 1
            if self.places < 0:
                raise UnreadableModel(f"it has more than {MOST_PLACES:,} values")
            if isinstance(inner, Pending) and inner.tensor is not None:
                inner = inner.tensor
            if not isinstance(inner, Strided | list | tuple | Node | Pending):
                continue
            path = f"{prefix}.{label}" if prefix and label else prefix or label
            self._count_name(path)
            if isinstance(inner, Strided):
                found.append((path, inner))
                self._count(inner)
            elif id(inner) not in entered:
                if len(inside) > MOST_DEPTH:
                    raise UnreadableModel(f"its values are nested more than {MOST_DEPTH} deep")
                entered.add(id(inner))
                inside.append((id(inner), path, places_of(inner)))
        return found

    def _count_name(self, path: str) -> None:
        self.names -= len(path)
        if self.names < 0:
            raise UnreadableModel("its tensors have too long names")

    def _count(self, tensor: Strided) -> None:
        self.tensors -= 1
        if self.tensors < 0:
            raise UnreadableModel(f"it has more than {MOST_TENSORS:,} tensors")
        count = 1
        for size in tensor.shape:
            count *= size
        self.bytes -= count
        if self.bytes < 0:
            raise UnreadableModel("its tensors show the same numbers too often")


def places_of(value: Any) -> Iterator[Place]:
    """What a container holds, by name."""
    if isinstance(value, Entries):
        labeled = {
            str(key) if isinstance(key, str | int) else f"[{place}]": inner
            for place, (key, inner) in enumerate(value)
        }
        yield from labeled.items()
    elif isinstance(value, list | tuple):
        yield from ((str(place), inner) for place, inner in enumerate(value))
    elif isinstance(value, Pending):
        objects = value.objects if isinstance(value.objects, list) else []
        is_one = value.shape == () and len(objects) == 1
        yield from [("", objects[0])] if is_one else places_of(objects)
    elif isinstance(value, Node):
        state = value.state.named() if isinstance(value.state, Entries) else {}
        if {"_parameters", "_modules"} <= state.keys():
            yield from _module(state)
        else:
            for part in (value.parts, value.state, value.entries, value.elements):
                is_container = isinstance(part, list | tuple | Node)
                yield from places_of(part) if is_container else [("", part)]


def _module(state: dict[str, Any]) -> Iterator[Place]:
    """What ``state_dict`` lists of a module."""
    passing = state.get("_non_persistent_buffers_set")
    names = {n for n in passing if type(n) is str} if isinstance(passing, list) else set()
    yield from places_of(state["_parameters"])
    yield from (p for p in places_of(state.get("_buffers", ())) if p[0] not in names)
    yield from places_of(state["_modules"])


def weights(value: Any, size: int, lone: str) -> tuple[dict[str, Weight], dict[str, Any]]:
    """The weights in a pickled value, and what to note of it.

    Args:
        value: what was read from a file of ``size`` bytes.
        size: bounds how much its tensors may show.
        lone: the name of a tensor that stands alone.

    Raises:
        UnreadableModel: it has none, or too many.
    """
    walk = Walk(size)
    notes: dict[str, Any] = {}
    if isinstance(value, Entries):
        found = _of_checkpoint(walk, dict(places_of(value)), notes)
    else:
        found = walk.find(value)
    if not found:
        raise UnreadableModel("it holds no tensors")
    return by_name(found, lone), notes


def by_name(found: Found, lone: str = "tensor") -> dict[str, Weight]:
    """Weights by name; of a name that several have, the later ones are numbered."""
    seen: Counter[str] = Counter()
    result = {}
    for path, tensor in found:
        name = path or lone
        seen[name] += 1
        while name in result:
            name = f"{path or lone}#{seen[path or lone]}"
            seen[path or lone] += 1
        result[name] = tensor.weight(name)
    return result


def _of_checkpoint(walk: Walk, entries: dict[str, Any], notes: dict[str, Any]) -> Found:
    """The tensors of a state dict, or of a dictionary in which it is one of several entries."""
    training = {key: v for key, v in entries.items() if _is_training(key, v)}
    found = _of_entries(walk, {k: v for k, v in entries.items() if k not in training})
    if not found:
        return _of_entries(walk, training)
    if training:
        notes["left_out"] = sorted(key[:100] for key in training)[:_LISTED]
    return found


def _of_entries(walk: Walk, entries: dict[str, Any]) -> Found:
    """Tensors by name, without the entry's where only one has tensors and is no tensor itself."""
    found = {key: walk.find(value) for key, value in entries.items()}
    holders = [key for key, tensors in found.items() if tensors]
    if len(holders) == 1 and all(name for name, _ in found[holders[0]]):
        return found[holders[0]]
    return [
        (f"{key}.{name}" if name else key, tensor) for key in holders for name, tensor in found[key]
    ]


def _is_training(key: str, value: Any) -> bool:
    is_tensor = isinstance(value, Strided | Pending)
    return (
        len(key) < 100
        and _TRAINING.fullmatch(key) is not None
        and (not is_tensor or "rng" in key.lower())
    )


def inert(classes: Collection[str]) -> dict[str, Any]:
    """A note of the classes that were not made, where there are any."""
    names = sorted(name[:100] for name in classes)
    return {"inert_objects": names[:_LISTED]} if names else {}
