"""A configuration of Hugging Face's transformers and the shapes of its tensors → operators.

Families of networks are described here one by one: nothing that a folder holds is run, and neither
PyTorch nor transformers is needed.  Operators are what PyTorch's exporter makes of the same model;
what may be given to the model are inputs: numbers of words, their places, their kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assay.errors import UnreadableModel
from assay.graphs.operators import OperatorGraph, Shape
from assay.vocabularies.inputs import SEQUENCE, InputShapes, match
from assay.vocabularies.transformers.decoders import gpt2, gpt_neox, llama, starcoder2
from assay.vocabularies.transformers.encoders import bert, distilbert, vit
from assay.vocabularies.transformers.layers import Network
from assay.weights.shapes import shape_of, spelled

Family = Callable[[Network], OperatorGraph]

TEXTS: dict[str, Family] = {  # by the configuration's model_type
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "phi3"), llama),
    **dict.fromkeys(("starcoder2", "stablelm"), starcoder2),
    "gpt2": gpt2,
    "gpt_neox": gpt_neox,
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), bert),
    "distilbert": distilbert,
}
IMAGES: dict[str, Family] = {"vit": vit, "deit": vit}


def translate(
    config: Mapping[str, Any],
    shapes: Mapping[str, Shape],
    input_shapes: InputShapes,
    names: Mapping[str, str] | None = None,
) -> OperatorGraph:
    """The operators of the model whose tensors have these shapes.

    ``names`` are the graph's for tensors that have others here.  Raises UnreadableModel where the
    family is not known, or the tensors are not what it has.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in TEXTS | IMAGES:
        raise UnreadableModel(f"the architecture of the type {kind!r:.60} is not known")
    net = Network(config, shapes, names or {})
    if kind in IMAGES:
        image = (1, 3, *[net.number("image_size", default=224)] * 2)
        given = match(input_shapes, ("pixel_values",)).get("pixel_values", image)
        if given[1:] != image[1:]:
            raise UnreadableModel(f"its images are {spelled(image)}, not {spelled(given)}")
        net.batch = given[0]
        return IMAGES[kind](net)
    given = match(input_shapes, ("input_ids",)).get("input_ids", (1, SEQUENCE))
    if len(given) != 2 or min(given) < 1:
        raise UnreadableModel(f"its input_ids are batch and sequence, not {spelled(given)}")
    net.batch, net.places = shape_of("input_ids", given)
    return TEXTS[kind](net)
