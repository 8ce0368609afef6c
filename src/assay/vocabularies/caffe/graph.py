"""A Caffe network as an operator graph in ONNX's words, its blobs as ONNX's operators read them.

Blobs of data have names that later layers may write again, in place; each writing gets a name of
its own.  A network without weights is typed by its settings; with them, the weights say more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, OperatorGraph, Shape
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.caffe.blobs import Blob
from assay.vocabularies.caffe.layers import Layer, Network
from assay.vocabularies.fitting import Images
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.weights import Array
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

_SINGLE = 2  # axes that old files fill from the end: a vector is 1×1×1×n


class Writer:
    """What is read of a network so far.

    ``held`` are the blobs of each layer by its name, as far as there are weights.
    """

    def __init__(self, held: Mapping[str, Sequence[Blob]], side: int = 0) -> None:
        self.held = held
        self.images = Images(side)
        self.build = GraphBuilder()
        self.stored: dict[str, Stored] = {}
        self.current: dict[str, str] = {}  # blob → the tensor that was written last
        self.skip: set[str] = set()  # blobs that are part of how others are read
        self.unread: dict[str, None] = {}  # tensors that no layer has read yet, in order

    def read(self, network: Network, given: InputShapes) -> OperatorGraph:
        """The network's graph."""
        from assay.vocabularies.caffe.operators import translate

        self._inputs(network, given)
        for layer in network.layers:
            translate(Step(self, layer))
        for name, blobs in self.held.items():
            for place in range(len(blobs)):
                if f"{name}/{place}" not in self.skip:
                    self.keep(name, place)
        outputs = list(self.unread) or list(self.current.values())[-1:]
        if not outputs:
            raise UnreadableModel("a network that computes nothing")
        return self.build.graph(outputs)

    def _inputs(self, network: Network, given: InputShapes) -> None:
        """Those that are declared, and all that is read and never written."""
        dims = dict(network.inputs)
        written: set[str] = set()
        used: dict[str, Layer] = {}
        for layer in network.layers:
            for name in layer.bottoms:
                if name not in written:
                    used.setdefault(name, layer)
            written.update(layer.tops)
        names = [name for name in dims if name in used] + [n for n in used if n not in dims]
        wanted = match(given, names)
        for name in names:
            declared, shape = dims.get(name), wanted.get(name)
            if shape is None or declared is not None:
                declared = self._guess(used[name], declared)
            code = INT64 if used[name].kind == "Embed" else FLOAT
            self.build.input(name, concrete(name, code, declared, shape))
            self.current[name] = name

    def _guess(self, reader: Layer, dims: list[Dimension] | None) -> list[Dimension] | None:
        """What is not declared, by the first weight that is applied to it."""
        shape = next((blob.shape for blob in self.held.get(reader.name, ())), ())
        if reader.kind == "Convolution" and len(shape) >= 3 and (dims is None or dims[1] is None):
            group = reader.settings.section("convolution_param").integer("group", 1)
            space = dims[2:] if dims else self.images.axes(len(shape) - 2)
            return [None, shape[1] * max(group, 1), *space]
        if reader.kind == "InnerProduct" and dims is None and len(shape) >= _SINGLE:
            turned = reader.settings.section("inner_product_param").flag("transpose")
            return [None, shape[-2] if turned else shape[-1]]
        return dims if dims is not None else [None, None, *self.images.axes(2)]

    def keep(self, layer: str, place: int, change: Change | None = None) -> Stored | None:
        """A blob among the weights, as an operator reads it; None where there is none."""
        name, blobs = f"{layer}/{place}", self.held.get(layer, ())
        if name in self.stored or place >= len(blobs):
            return self.stored.get(name)
        blob = blobs[place]
        shape, run = change or (_without_ones(blob.shape), lambda values: values)
        if not self.images.check(f"blob {name[:80]!r}", blob.shape, shape):
            shape, run = _without_ones(blob.shape), lambda values: values
        stored = Stored(shape, blob.dtype, lambda: run(blob.read()).reshape(shape), real=True)
        self.stored[name] = stored
        return stored


Change = tuple[Shape, Callable[[Array], Array]]  # the shape that is read, and how it comes about


def _without_ones(shape: Shape) -> Shape:
    """Vectors and matrices of old files have four axes."""
    if len(shape) != 4 or shape[:2] != (1, 1):
        return shape
    return shape[3:] if shape[2] == 1 else shape[2:]


class Step:
    """One layer, and what its translation needs."""

    def __init__(self, writer: Writer, layer: Layer) -> None:
        self.writer, self.layer, self.build = writer, layer, writer.build
        self.kind, self.name = layer.kind, layer.name
        self.inputs = []
        for name in layer.bottoms:
            tensor = writer.current.get(name)
            if tensor is None:
                raise UnreadableModel(f"layer {self.name[:80]!r} reads {name[:80]!r}, unwritten")
            self.inputs.append(tensor)
            writer.unread.pop(tensor, None)
        self.blobs = len(writer.held.get(self.name, ()))

    @property
    def x(self) -> str:
        """The first input.  Raises UnreadableModel where there is none."""
        if not self.inputs:
            raise UnreadableModel(f"layer {self.name[:80]!r}, {self.kind[:40]}, reads nothing")
        return self.inputs[0]

    def shape(self, place: int = 0) -> Shape:
        """Of an input; empty where unknown."""
        known = place < len(self.inputs) and self.build.known(self.inputs[place]).shape
        return known or ()

    def add(
        self, op: str, inputs: Iterable[str], attributes: Mapping[str, object] | None = None
    ) -> str:
        """One operator that ends in no blob yet."""
        return self.build.add(op, list(inputs), self.build.fresh(self.name or op), attributes)

    def write(self, *tensors: str) -> None:
        """What the layer's tops are from now on."""
        for top, tensor in zip(self.layer.tops, tensors, strict=False):
            self.writer.current[top] = tensor
            self.writer.unread[tensor] = None

    def end(
        self, op: str, inputs: Iterable[str], attributes: Mapping[str, object] | None = None
    ) -> None:
        """The operator that writes the layer's tops, all of them."""
        names = [self.build.fresh(top) for top in self.layer.tops] or [self.build.fresh(op)]
        self.build.add(op, list(inputs), names, attributes)
        self.write(*names)

    def weight(self, place: int, wanted: Sequence[int] | None = None, last: int = 0) -> str:
        """The tensor of a blob, of the shape that is wanted or stored; "" where neither is known.

        ``last`` are axes of one that its reader wants behind: of a vector, one for each channel.
        """
        known = wanted is not None and all(dim > 0 for dim in wanted)
        shape = tuple(wanted or ()) if known else None
        stored = self.writer.keep(
            self.name, place, None if shape is None else (shape, lambda values: values)
        )
        return self.named(place, stored.shape if stored is not None else shape, last)

    def changed(self, place: int, shape: Shape, run: Callable[[Array], Array]) -> str:
        """The tensor of a blob whose numbers are changed before they are what an operator reads."""
        self.writer.keep(self.name, place, (shape, run))
        return self.named(place, shape)

    def named(self, place: int, shape: Shape | None, last: int = 0) -> str:
        """The name of a tensor, which is known from now on."""
        if shape is None:
            return ""
        name = f"{self.name}/{place}"
        dims = shape_of(f"blob {name[:80]!r}", (*shape, *(1 for _ in range(last))))
        self.build.untyped(name, dims)
        return name

    def blob(self, place: int) -> Blob | None:
        """As the file has it."""
        held = self.writer.held.get(self.name, ())
        return held[place] if place < len(held) else None
