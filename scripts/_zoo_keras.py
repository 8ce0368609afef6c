"""Networks of keras.applications that are also in the zoo, as assay reads them from Keras' files.

The half of ``make_zoo_exports.py`` that needs Keras; any of its backends will do.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import keras
from _zoo_families import SAME_IN_KERAS

from assay.errors import UnreadableModel
from assay.formats.keras import Keras
from assay.graphs.operators import OperatorGraph, Shape

FLATTENED = {"vgg16", "vgg19"}  # their first dense layer is made for images of 224 × 224


def exported(name: str, shape: Shape) -> OperatorGraph:
    """The operators of Keras' own network of that design, for images of the zoo's size.

    Raises:
        UnreadableModel: assay cannot read the file.
    """
    size = 224 if name in FLATTENED else shape[-1]
    model = getattr(keras.applications, SAME_IN_KERAS[name])(
        weights=None, input_shape=(size, size, 3)
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        model.save(file)
        read = Keras().read(file, {})
    if read.layers is None:
        raise UnreadableModel("its file tells no layers")
    return read.layers
