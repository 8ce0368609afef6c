"""The weights of a Keras model in the canonical layout, said by the layer's class [Keras].

Keras keeps channels last and the output's axis at the end.  Where there is no configuration, the
name of a weight and the number of its axes tell as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.containers.hdf5 import File, walk
from assay.weights import Weight
from assay.weights import conventions as layouts

Json = Any
# Variables of layers in the order of their creation, and the option that must be set.
_ORDER: dict[str, tuple[tuple[str, str], ...]] = {
    "BatchNormalization": (
        ("gamma", "scale"),
        ("beta", "center"),
        ("moving_mean", ""),
        ("moving_variance", ""),
    ),
    "LayerNormalization": (("gamma", "scale"), ("beta", "center")),
    "SeparableConv1D": (("depthwise_kernel", ""), ("pointwise_kernel", ""), ("bias", "use_bias")),
    "SeparableConv2D": (("depthwise_kernel", ""), ("pointwise_kernel", ""), ("bias", "use_bias")),
    "Embedding": (("embeddings", ""),),
    "PReLU": (("alpha", ""),),
    **dict.fromkeys(
        ("LSTM", "GRU", "SimpleRNN"),
        (("kernel", ""), ("recurrent_kernel", ""), ("bias", "use_bias")),
    ),
}
_USUAL = (("kernel", ""), ("bias", "use_bias"))


@dataclass
class Variables:
    """All data sets of a file, as weights by path."""

    file: File | None  # none where the weights come from elsewhere
    by_path: dict[str, Weight] = field(default_factory=dict)
    configuration: str = ""  # JSON that the file holds of its layers
    metadata: dict[str, str] = field(default_factory=dict)
    folders: dict[str, list[str]] = field(default_factory=dict)  # → paths below

    def __post_init__(self) -> None:
        file = self.file
        if file is None:
            return
        for found in walk(file):
            if not found.path:
                self._attributes(found.attribute)
            if not found.is_data:
                continue
            layout = found.layout()
            if layout.kind.is_text or not layout.kind.numpy:
                continue
            if found.path.startswith(("optimizer", "_optimizer")):
                continue  # what training needs, not the network
            layout.check(file)
            name = found.path
            self.by_path[name] = Weight(
                name,
                layout.shape,
                layout.kind.name,
                lambda layout=layout: layout.read(file),  # type: ignore[misc]
            )

    def _attributes(self, attribute: Any) -> None:
        configuration = attribute("model_config")
        self.configuration = configuration if isinstance(configuration, str) else ""
        for name in ("keras_version", "backend"):
            text = attribute(name)
            if isinstance(text, str):
                self.metadata[name] = text[:80]

    def of(self, names: Iterable[str], kind: str, config: Mapping[str, Json]) -> dict[str, str]:
        """A layer's variables: what each is called in Keras → its path.

        ``names`` are what the layer may be called in the file, from most to least likely.
        """
        for name in names:
            paths = self._within(name)
            if paths:
                return _called(paths, kind, config)
        return {}

    @property
    def numbered(self) -> bool:
        """Whether variables have numbers for names, as in files of Keras 3."""
        return any("/vars/" in path for path in self.by_path)

    def _within(self, name: str) -> list[str]:
        """The paths of a layer's variables."""
        if not self.folders:
            for path in self.by_path:
                parts = path.split("/")
                for end in range(1, len(parts)):
                    self.folders.setdefault("/".join(parts[:end]), []).append(path)
        for root in ("model_weights/", "layers/", ""):
            if found := self.folders.get(f"{root}{name}"):
                return found
        return []

    def settle(self, path: str, kind: str, variable: str) -> Weight:
        """The layout of one weight, now that its layer is known."""
        weight = self.by_path[path]
        if not weight.canonical:
            weight = canonical(weight, kind, variable)
            self.by_path[path] = weight
        return weight

    def settle_rest(self) -> None:
        """The layout of what no layer claimed, by name."""
        for path, weight in self.by_path.items():
            if not weight.canonical:
                kind = "Depthwise" if "depthwise" in path.lower() else ""
                kind = "Transpose" if "transpose" in path.lower() else kind
                self.by_path[path] = canonical(weight, kind, _last(path))


def canonical(weight: Weight, kind: str, variable: str) -> Weight:
    """Output, input, space, for a variable of a layer of a class."""
    rank = len(weight.shape)
    if rank < 2 or variable == "embeddings":
        return layouts.known(weight)
    is_kernel = variable.endswith("kernel")
    if variable == "depthwise_kernel" or (is_kernel and "Depthwise" in kind and rank > 2):
        return layouts.depthwise(weight)
    if is_kernel and "Transpose" in kind and rank > 2:
        return layouts.transposed_output_first(weight)
    if is_kernel:
        return layouts.output_first(weight)
    return weight


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1].split(":")[0]


def _called(paths: list[str], kind: str, config: Mapping[str, Json]) -> dict[str, str]:
    """Names of variables; in new files they are numbers."""
    if not all(_last(path).isdigit() for path in paths):
        return {_last(path): path for path in paths}
    kind = kind.removesuffix("V1").removesuffix("V2")
    order = [name for name, needs in _ORDER.get(kind, _USUAL) if config.get(needs, True)]
    sorted_paths = sorted(paths, key=lambda path: int(_last(path)))
    return dict(zip(order, sorted_paths, strict=False))
