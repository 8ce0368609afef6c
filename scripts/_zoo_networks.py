"""One network of any source, without weights, as the layer graphs that the zoo keeps.

The half of ``make_zoo_graphs.py`` that needs torch, onnxscript and the sources.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from _zoo_designed import traced as traced_design
from _zoo_exports import SEED, VARIANTS, Variant, export, randomize
from _zoo_exports import build as build_torchvision
from _zoo_families import sizes, source_of
from torch.onnx._internal.exporter._registration import ONNXRegistry

from assay.errors import UnreadableModel
from assay.formats._torch import trace
from assay.formats.torchscript import Torchscript
from assay.graphs import layer_graph
from assay.graphs.operators import OperatorGraph, Shape
from assay.vocabularies.onnx.graph import convert

_BY_NAME = {variant.name: variant for variant in VARIANTS}
ARCHIVE = "TorchScript archive"  # no ONNX at all: assay follows the archive's program itself
WAYS = {  # beside the zoo's own, which is torch.export with nothing optimized
    "TorchScript exporter": _BY_NAME["legacy-folded"],
    "TorchScript exporter, opset 11": _BY_NAME["legacy-opset11"],
    "torch.export, optimized": _BY_NAME["dynamo-optimized"],
}
SOURCES = ("torchvision", "timm", "transformers", "diffusers")
LOADED = {  # what all networks of a lazy package share
    "transformers": "transformers.modeling_layers",
    "diffusers": "diffusers.models.modeling_utils",
}
SHAPE: Shape = (1, 3, 256, 256)  # of the image, where a network takes any
TORCHVISION_SIZE = 224  # of the image, for torchvision's networks that take only one


def prepare(names: list[str]) -> None:
    """Load what these networks need, so that a forked process has it already."""
    warnings.filterwarnings("ignore")
    for logger in ("torch", "onnxscript", "onnx_ir", *SOURCES):  # what matters is raised too
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    build("alexnet")
    for source in sorted({source_of(name) for name in names}):
        importlib.import_module(LOADED.get(source, source))
    # Each export would list the exporter's own operators again, for a fifth of the time.
    listed = functools.cache(ONNXRegistry.from_torchlib)
    ONNXRegistry.from_torchlib = staticmethod(listed)  # type: ignore[assignment,method-assign]
    trace(torch.nn.Conv2d(3, 1, 1, device="meta"), {})


def entry(name: str) -> dict[str, Any]:
    """The network's graphs and how they were made, ready for JSON.

    Raises:
        UnreadableModel: it takes neither size of image, or the exporter cannot follow it.
    """
    started = time.monotonic()
    package = source_of(name)
    designed = sizes().get(name)
    layers, shapes = traced_design(designed) if designed else _traced(name)
    return {
        "source": f"{package} {version(package)}",
        "torch": version("torch").partition("+")[0],
        "inputs": shapes,
        "graph": layer_graph(layers).to_json(),
        "raw": layer_graph(layers, ()).to_json(),
        "seconds": round(time.monotonic() - started, 1),
    }


def _traced(name: str) -> tuple[OperatorGraph, tuple[Shape, ...]]:
    """Its operators, at the first of three attempts that the network and the exporter take."""
    own = own_shape(name)
    for shape, fused in dict.fromkeys([(SHAPE, True), (own, True)]):
        with contextlib.suppress(UnreadableModel):  # the last attempt's error is the one to tell
            return _layers(build(name, fused), shape), (shape,)
    return _layers(build(name, fused=False), own), (own,)


def _layers(model: torch.nn.Module, shape: Shape) -> OperatorGraph:
    layers = trace(model, {"": shape}).layers
    assert layers is not None  # it is for an nn.Module
    return layers


def exported(name: str, shape: Shape, way: str) -> OperatorGraph:
    """A network's operators by another way to write it, from random weights on the CPU.

    ``way`` is one of WAYS, or ARCHIVE.  Exporters that cannot follow torch's own attention get
    the network without it.

    Raises:
        UnreadableModel: assay cannot read what was written.
    """
    write = _archived if way == ARCHIVE else functools.partial(_by_exporter, variant=WAYS[way])
    with contextlib.suppress(Exception):  # an exporter may raise anything: the second try tells
        return write(_random(name, fused=True), shape)
    return write(_random(name, fused=False), shape)


def _random(name: str, fused: bool) -> torch.nn.Module:
    torch.manual_seed(SEED)
    model = build(name, fused, device="cpu").eval()
    randomize(model)
    return model


def _by_exporter(model: torch.nn.Module, shape: Shape, variant: Variant) -> OperatorGraph:
    layers = convert(export(model, variant, shape[-1]), {}).layers
    assert layers is not None  # it is for a program
    return layers


def _archived(model: torch.nn.Module, shape: Shape) -> OperatorGraph:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "traced.torchscript"
        torch.jit.trace(model, torch.zeros(shape), check_trace=False).save(str(file))
        read = Torchscript().read(file, {"": shape})
    if read.layers is None:
        raise UnreadableModel(str(read.metadata.get("graph", "it has no graph")))
    return read.layers


def build(name: str, fused: bool = True, device: str = "meta") -> torch.nn.Module:
    """A network of torchvision or timm; on the device "meta", its weights never exist.

    ``fused`` lets timm's networks use torch's attention, which is exported for four axes only.
    """
    if source_of(name) == "torchvision":
        return build_torchvision(name, device=device)
    import timm

    timm.layers.set_fused_attn(fused)
    create = functools.partial(timm.create_model, name.removeprefix("timm/"), pretrained=False)
    try:
        with torch.device(device):
            model: torch.nn.Module = create()
    except (NotImplementedError, RuntimeError):  # it computes with tensors while it is made
        model = create().to(device)
    return model


def own_shape(name: str) -> Shape:
    """Of the image that the network was designed for."""
    if not name.startswith("timm/"):
        return (1, 3, TORCHVISION_SIZE, TORCHVISION_SIZE)
    import timm

    configuration = timm.get_pretrained_cfg(name.removeprefix("timm/"))
    return (1, *(configuration.input_size if configuration else (3, 224, 224)))
