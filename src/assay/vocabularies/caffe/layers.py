"""The layers of a Caffe network, whichever of three versions wrote them [Caffe, upgrade_proto.cpp].

A network is text or binary.  Old layers become new ones; layers that the testing phase leaves out
are left out; what feeds the network becomes its inputs, what only trains or counts is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from assay.containers.messages import Message
from assay.containers.prototxt import Section
from assay.errors import UnreadableModel
from assay.vocabularies.caffe.blobs import Blob, blobs
from assay.vocabularies.caffe.schema import LAYERS, WORDS, section
from assay.vocabularies.inputs import Dimension

MOST_LAYERS = 50_000
_MOST_INPUTS = 10_000

# How version 1 spells a kind; all others are in capitals with underscores.
_V1_TYPES = {
    "ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output", "LRN": "LRN", "MVN": "MVN", "PRELU": "PReLU", "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss", "TANH": "TanH",
}  # fmt: skip
# What version 0 called a kind → its new name, its section, and fields that are called otherwise.
_V0_TYPES = {
    "conv": ("Convolution", "convolution_param"),
    "pool": ("Pooling", "pooling_param"),
    "innerproduct": ("InnerProduct", "inner_product_param"),
    "lrn": ("LRN", "lrn_param"),
    "concat": ("Concat", "concat_param"),
    "data": ("Data", "transform_param"),
    "images": ("ImageData", "transform_param"),
    "window_data": ("WindowData", "transform_param"),
    "hdf5_data": ("HDF5Data", "transform_param"),
    "padding": ("Padding", "padding"),
    "relu": ("ReLU", "relu_param"),
    "tanh": ("TanH", ""),
    "bnll": ("BNLL", ""),
    "softmax_loss": ("SoftmaxWithLoss", ""),
    "hdf5_output": ("HDF5Output", ""),
}
_V0_FIELDS = {"biasterm": "bias_term", "kernelsize": "kernel_size", "cropsize": "crop_size"}

_FEEDS = {
    "Input", "Data", "ImageData", "HDF5Data", "MemoryData", "WindowData", "DummyData",
    "AnnotatedData", "VideoData",
}  # fmt: skip
# What only trains, counts or writes; two losses leave a result, which a network is run for.
_DROPPED = {"Accuracy", "Silence", "HDF5Output", "DetectionEvaluate"}
RESULTS = {"SoftmaxWithLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid"}


@dataclass(frozen=True)
class Layer:
    """One layer, as version 2 has it."""

    name: str
    kind: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    settings: Section
    blobs: tuple[Blob, ...] = ()

    @property
    def feeds(self) -> bool:
        """Whether the network starts from it."""
        return self.kind in _FEEDS or (not self.bottoms and self.kind == "Python")

    @property
    def dropped(self) -> bool:
        """Whether it is of no use where the network is only run."""
        is_loss = self.kind.endswith("Loss") and self.kind not in RESULTS
        return self.kind in _DROPPED or is_loss


@dataclass
class Network:
    """Layers in the order in which they run, and what they start from."""

    name: str
    layers: list[Layer]
    inputs: dict[str, list[Dimension] | None] = field(default_factory=dict)


def of_binary(path: Path, message: Message) -> Network:
    """The network of a ``.caffemodel``.  A saved layer says in which phase it was."""
    net = section(message, "net")
    layers = []
    for kind in ("layers", "layer"):
        number, held = LAYERS[kind]
        parts = message.messages(number)
        if len(parts) > MOST_LAYERS:
            raise UnreadableModel(f"a network of {len(parts):,} layers")
        for part in parts:
            layer = _layer(section(part, kind), kind)
            stored = part.messages(held)
            if kind == "layers" and part.has(1):
                stored = part.message(1).messages(LAYERS["v0"][1])
            layers.append(replace(layer, blobs=tuple(blobs(path, stored, layer.name))))
    return _network(net, layers)


def of_text(net: Section) -> Network:
    """The network of a ``.prototxt``."""
    parts = [(kind, part) for kind in ("layers", "layer") for part in net.sections(kind)]
    if len(parts) > MOST_LAYERS:
        raise UnreadableModel(f"a network of {len(parts):,} layers")
    return _network(net, [_layer(part, kind) for kind, part in parts])


def _layer(part: Section, kind: str) -> Layer:
    bottoms, tops = tuple(part.texts("bottom")), tuple(part.texts("top"))
    if kind == "layer":
        return Layer(part.text("name"), part.text("type"), bottoms, tops, part)
    if part.has("layer"):
        old = part.section("layer")
        found, settings = _of_version_0(old)
        return Layer(old.text("name"), found, bottoms, tops, settings)
    return Layer(part.text("name"), _type_1(part), bottoms, tops, part)


def _type_1(part: Section) -> str:
    name = part.text("type")
    if not name and part.has("type"):
        number = part.integer("type")
        name = WORDS["v1"][number] if 0 <= number < len(WORDS["v1"]) else str(number)
    return _V1_TYPES.get(name, "".join(word.capitalize() for word in name.split("_")))


def _of_version_0(old: Section) -> tuple[str, Section]:
    """Kind and settings; what was one list of fields is a section of each kind's own."""
    name = old.text("type")
    kind, where = _V0_TYPES.get(name, ("".join(w.capitalize() for w in name.split("_")), ""))
    settings = Section()
    own = {_V0_FIELDS.get(key, key): values for key, values in old.fields.items()}
    if where:
        settings.add(where, Section(own))
    return kind, settings


def _network(net: Section, layers: list[Layer]) -> Network:
    if not layers:
        raise UnreadableModel("a network without layers")
    state = net.section("state")
    network = Network(net.text("name"), [])
    _declared(net, network)
    padded: dict[str, tuple[str, Section]] = {}  # by the top of a padding layer of version 0
    for layer in layers:
        if not _is_met(layer.settings, state):
            continue
        if layer.kind == "Padding" and len(layer.bottoms) == len(layer.tops) == 1:
            padded[layer.tops[0]] = (layer.bottoms[0], layer.settings)
        elif layer.feeds:
            _feed(layer, network)
        elif layer.kind in RESULTS:
            network.layers.append(replace(layer, bottoms=layer.bottoms[:1]))
        elif not layer.dropped:
            network.layers.append(_unpadded(layer, padded))
    return network


def _declared(net: Section, network: Network) -> None:
    """Inputs that the network itself declares: by shapes, or by four sizes each."""
    names = net.texts("input")
    if len(names) > _MOST_INPUTS:
        raise UnreadableModel(f"a network of {len(names):,} inputs")
    shapes, sizes = net.sections("input_shape"), net.integers("input_dim")
    for place, name in enumerate(names):
        if place < len(shapes):
            network.inputs[name] = _dims(shapes[place].integers("dim"))
        else:
            network.inputs[name] = _dims(sizes[4 * place : 4 * place + 4])


def _dims(sizes: list[int]) -> list[Dimension] | None:
    """Of images, the first is a batch, which callers set anew."""
    if not sizes:
        return None
    dims: list[Dimension] = [size if size > 0 else None for size in sizes]
    return [None, *dims[1:]] if len(dims) == 4 else dims


def _feed(layer: Layer, network: Network) -> None:
    """What a layer without a bottom gives, as far as its settings tell."""
    settings = layer.settings
    shapes = settings.section(
        "input_param" if layer.kind == "Input" else "dummy_data_param"
    ).sections("shape")
    sizes: list[int] = []
    for name in ("memory_data_param", "dummy_data_param"):
        part = settings.section(name)
        sizes = sizes or [1, *(part.integer(n) for n in ("channels", "height", "width"))]
        sizes = sizes if any(sizes[1:]) else []
    crops = [
        settings.section(name).integer("crop_size")
        for name in ("transform_param", "data_param", "image_data_param", "window_data_param")
    ]
    crop = max(crops)
    for place, top in enumerate(layer.tops[:_MOST_INPUTS]):
        if shapes:
            network.inputs[top] = _dims(shapes[min(place, len(shapes) - 1)].integers("dim"))
        elif place == 0 and sizes:
            network.inputs[top] = _dims(sizes)
        else:
            network.inputs[top] = [None, None, crop, crop] if crop > 0 and place == 0 else None


def _unpadded(layer: Layer, padded: dict[str, tuple[str, Section]]) -> Layer:
    """A layer of version 0 that reads from a padding layer pads by itself."""
    if not layer.bottoms or layer.bottoms[0] not in padded:
        return layer
    source, padding = padded[layer.bottoms[0]]
    pad = padding.section("padding")
    settings = Section(dict(layer.settings.fields))
    for name, old in layer.settings.fields.items():
        if old and isinstance(old[0], Section):
            settings.fields[name] = [Section(old[0].fields | {"pad": pad.fields.get("pad", [])})]
    return replace(layer, bottoms=(source, *layer.bottoms[1:]), settings=settings)


def _is_met(layer: Section, state: Section) -> bool:
    """Whether a layer takes part: any rule to include it is met, or none to exclude it.

    Caffe's testing phase is meant, or that in which the layer was saved.
    """
    phase = layer.text("phase") or state.text("phase", "TEST")

    def met(rule: Section) -> bool:
        level, stages = state.integer("level"), state.texts("stage")
        return (
            rule.text("phase", phase) == phase
            and rule.integer("min_level", level) <= level <= rule.integer("max_level", level)
            and all(stage in stages for stage in rule.texts("stage"))
            and not any(stage in stages for stage in rule.texts("not_stage"))
        )

    if layer.has("include"):
        return any(met(rule) for rule in layer.sections("include"))
    return not any(met(rule) for rule in layer.sections("exclude"))
