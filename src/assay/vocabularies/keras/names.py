"""Where a Keras file keeps the variables of a layer, and what each is called [Keras, saving].

Files up to Keras 2 and ``.h5`` files name a group after the layer and a data set after the
variable.  Newer files name a group after the layer's class, with a number from the second on, and
number the variables in the order of their creation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Json = Any
_CONTAINERS = frozenset({"vars", "layers", "_layer_checkpoint_dependencies"})
_OUTERMOST = "model_weights"
_CELLS = (("kernel", ""), ("recurrent_kernel", ""), ("bias", "use_bias"))
_SCALED = (("gamma", "scale"), ("beta", "center"))
_SEPARABLE = (("depthwise_kernel", ""), ("pointwise_kernel", ""), ("bias", "use_bias"))
_USUAL = (("kernel", ""), ("bias", "use_bias"))
_RANKS = ("1D", "2D", "3D")
# Variables of layers in the order of their creation, each with the option that must be set.
_ORDER: dict[str, tuple[tuple[str, str], ...]] = {
    "BatchNormalization": (*_SCALED, ("moving_mean", ""), ("moving_variance", "")),
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), _SCALED),
    "RMSNormalization": (("scale", ""),),
    "Normalization": (("mean", ""), ("variance", ""), ("count", "")),
    "Embedding": (("embeddings", ""),),
    "PReLU": (("alpha", ""),),
    **dict.fromkeys(("Dense", "EinsumDense", "MultiHeadAttention"), _USUAL),
    **{f"Conv{rank}": _USUAL for rank in _RANKS},
    **{f"Conv{rank}Transpose": _USUAL for rank in _RANKS},
    **{f"DepthwiseConv{rank}": _USUAL for rank in _RANKS},
    **{f"SeparableConv{rank}": _SEPARABLE for rank in _RANKS},
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "ConvLSTM2D"), _CELLS),
    **dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell"), _CELLS),
}
_OLD_NAMES = {  # Keras 1
    "W": "kernel",
    "U": "recurrent_kernel",
    "b": "bias",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",  # it is the variance, whatever it is called
}


@dataclass
class Folder:
    """A group of the file: its own variables and the groups in it."""

    variables: dict[str, str] = field(default_factory=dict)  # name → path
    folders: dict[str, Folder] = field(default_factory=dict)
    _nearest: dict[str, Folder] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, paths: Iterable[str], is_numbered: bool) -> Folder:
        """The outermost group; groups that say nothing are left out."""
        root = cls()
        for path in paths:
            *outer, last = path.replace("\\", "/").split("/")
            if is_numbered:
                outer = [part for part in outer if part not in _CONTAINERS]
            elif outer[:1] == [_OUTERMOST]:
                outer = outer[1:]
            here = root
            for part in outer:
                here = here.folders.setdefault(part, cls())
            here.variables[last] = path
        return root

    def nearest(self, name: str) -> Folder | None:
        """The group of that name that lies least deep within this one."""
        if self._nearest is None:
            self._nearest = {}
            waiting = [self]
            for folder in waiting:  # grows; outer groups come first
                waiting += folder.folders.values()
                for part, inner in folder.folders.items():
                    self._nearest.setdefault(part, inner)
        return self._nearest.get(name)

    def everything(self) -> Iterator[tuple[str, str]]:
        """All variables within, as (name from here, path)."""
        waiting = [("", self)]
        while waiting:
            before, folder = waiting.pop()
            for name, path in folder.variables.items():
                yield f"{before}{name}", path
            waiting += [(f"{before}{part}/", inner) for part, inner in folder.folders.items()]


def snake(kind: str) -> str:
    """A class's name as Keras spells it in files."""
    plain = re.sub(r"\W+", "", kind[:80])
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", plain)).lower()


def class_of(part: str) -> str:
    """The class that a group's name tells, whatever its number; "" where it tells none."""
    return _classes().get(re.sub(r"_\d{1,9}$", "", part), "")


@cache
def _classes() -> dict[str, str]:
    return {snake(kind): kind for kind in _ORDER}


def last_of(path: str) -> str:
    """A variable's own name, in Keras 2's words."""
    *outer, last = re.split(r"[/\\]", path)
    name = last.split(":")[0]
    if outer and name.startswith(f"{outer[-1]}_"):  # Keras 1 puts the layer's name before it
        name = name[len(outer[-1]) + 1 :]
    return _OLD_NAMES.get(name, name)


def variables_of(kind: str, config: Mapping[str, Json]) -> tuple[str, ...]:
    """What the variables of a layer are called, in the order of their creation."""
    order = _ORDER.get(re.sub(r"V[12]$", "", kind), _USUAL)
    return tuple(name for name, needs in order if config.get(needs, True))


def called(folder: Folder | None, kind: str, config: Mapping[str, Json]) -> dict[str, str]:
    """A layer's variables: what each is called in Keras → its path."""
    listed = {} if folder is None else dict(folder.everything())
    own = {name: last_of(path) for name, path in listed.items()}
    if len(set(own.values())) < len(own):
        return listed  # several layers in one: their groups tell them apart
    if not all(name.isdigit() for name in own.values()):
        return {own[name]: path for name, path in listed.items()}
    paths = [listed[name] for name in sorted(own, key=lambda name: int(own[name]))]
    names = variables_of(kind, config)
    names += tuple(str(place) for place in range(len(names), len(paths)))
    return dict(zip(names, paths, strict=False))
