"""The weights in a value that a pickle gave, each by the dotted name of its place.

A module of PyTorch is walked as ``state_dict`` would: parameters, buffers and the modules in it.
What belongs to a training (an optimizer's averages of gradients, states of random generators) is
no weight: it is left out, and said to be.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from assay.containers.pickle_opcodes import Entries, Node
from assay.containers.pickled_arrays import Pending
from assay.containers.sparse_tensors import Sparse
from assay.containers.strided import Strided, Unread
from assay.errors import UnreadableModel
from assay.weights import Weight

MOST_TENSORS = 100_000
MOST_PLACES = 1_000_000  # that the walk looks at
MOST_DEPTH = 100
MOST_NAMES = 32 * 2**20  # characters of all names
MOST_SHARED = 64  # times that a file's bytes may be shown, by names that share them
_LISTED = 20  # names of classes
_MOST_PARTS = 4  # of what an optimizer's ``state_dict`` gives
_TRAINING = re.compile(
    r"(?:.*_)?(?:optim|optimizers?|(?:lr_)?schedulers?|(?:grad_)?scaler|rng|callbacks|loops)"
    r"(?:_states?|_state_dict)?",
    re.IGNORECASE,
)

_OF_TRAINING = ("torch.optim.", "numpy.random.", "sklearn.neural_network._stochastic_optimizers.")

Tensor = Strided | Sparse | Unread
Place = tuple[str, Any]  # name in its container, and value
Found = list[tuple[str, Tensor]]


class Walk:
    """Looks for tensors in values; what all looks together may take is bounded."""

    def __init__(self, size: int) -> None:
        self.places, self.names, self.tensors = MOST_PLACES, MOST_NAMES, MOST_TENSORS
        self.bytes = MOST_SHARED * size + 2**26
        self.left_out: list[str] = []  # names of what belongs to a training

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
            if not isinstance(inner, Tensor | list | tuple | Node | Pending):
                continue
            path = f"{prefix}.{label}" if prefix and label else prefix or label
            self._count_name(path)
            if isinstance(inner, Tensor):
                found.append((path, inner))
                self._count(inner)
            elif _is_optimizer(inner):
                self.left_out.append(path)
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

    def _count(self, tensor: Tensor) -> None:
        self.tensors -= 1
        if self.tensors < 0:
            raise UnreadableModel(f"it has more than {MOST_TENSORS:,} tensors")
        if isinstance(tensor, Strided | Sparse):
            self.bytes -= math.prod(tensor.shape)
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
        elif _is_packed(value):
            yield "", value.state[0]
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
    yield from (place for place in state.items() if _is_packed(place[1]))


def _is_packed(value: Any) -> bool:
    """Whether it holds the quantized weights of a module, packed for one kind of processor."""
    is_packed = isinstance(value, Node) and value.name == "torch.ScriptObject"
    return is_packed and isinstance(value.state, tuple) and len(value.state) == 2


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
    if isinstance(value, Entries) and not _is_optimizer(value):
        found = _of_checkpoint(walk, dict(places_of(value)))
    else:
        found = walk.find(value)
    if not found and walk.left_out:
        raise UnreadableModel("it holds the state of a training only, no weights")
    if not found:
        raise UnreadableModel("it holds no tensors")
    left_out = sorted(name[:100] for name in walk.left_out)[:_LISTED]
    return by_name(found, lone), {"left_out": left_out} if left_out else {}


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


def _of_checkpoint(walk: Walk, entries: dict[str, Any]) -> Found:
    """Tensors by name, without the entry's where only one has tensors and is no tensor itself."""
    training = {key for key, value in entries.items() if _is_training(key, value)}
    walk.left_out += training
    found: dict[str, Found] = {}
    for key in [key for key in entries if key not in training]:
        before = len(walk.left_out)
        found[key] = walk.find(entries[key])
        inner = walk.left_out[before:]
        walk.left_out[before:] = [f"{key}.{name}" if name else key for name in inner]
    holders = [key for key, tensors in found.items() if tensors]
    if len(holders) == 1 and all(name for name, _ in found[holders[0]]):
        return found[holders[0]]
    return [
        (f"{key}.{name}" if name else key, tensor) for key in holders for name, tensor in found[key]
    ]


def _is_optimizer(value: Any) -> bool:
    """Whether it is an optimizer, what its ``state_dict`` gives, or a generator of randomness."""
    if isinstance(value, Node):
        return value.name.startswith(_OF_TRAINING)
    if not isinstance(value, Entries) or len(value) > _MOST_PARTS:
        return False
    return {"state", "param_groups"} <= value.named().keys()


def _is_training(key: str, value: Any) -> bool:
    is_tensor = isinstance(value, Tensor | Pending)
    return (
        len(key) < 100
        and _TRAINING.fullmatch(key) is not None
        and (not is_tensor or "rng" in key.lower())
    )


def inert(classes: Collection[str]) -> dict[str, Any]:
    """A note of the classes that were not made, where there are any."""
    names = sorted(name[:100] for name in classes)
    return {"inert_objects": names[:_LISTED]} if names else {}
