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
from typing import Any

import torch
from _zoo_designed import traced as traced_design
from _zoo_exports import VARIANTS, export, randomize
from _zoo_exports import build as build_torchvision
from _zoo_families import sizes, source_of
from torch.onnx._internal.exporter._registration import ONNXRegistry

from assay.errors import UnreadableModel
from assay.formats._torch import trace
from assay.graphs import layer_graph
from assay.graphs.operators import OperatorGraph, Shape
from assay.vocabularies.onnx.graph import convert

TORCHSCRIPT = next(v for v in VARIANTS if v.name == "legacy-folded")
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


def by_torchscript(name: str, shape: Shape) -> OperatorGraph:
    """A network's operators by PyTorch's older exporter, from random weights on the CPU."""
    model = build(name, device="cpu").eval()
    randomize(model)
    layers = convert(export(model, TORCHSCRIPT, shape[-1]), {}).layers
    assert layers is not None  # it is for a program
    return layers


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
