"""PyTorch ``.pt2`` archives, rebuilt so that loading one executes nothing [torch.export.save].

The rebuilt archive has a program of known parts (``_torch_program``) and tensors of one element
seen through strides of zero: the shape stays, the memory does not.  No member is copied under its
own name, and no pickle at all.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.containers.strided import Strided
from assay.containers.torch_payloads import DTYPES, PROGRAM, Archive, Json, Payload
from assay.errors import UnreadableModel
from assay.formats._torch_program import CPU, safe_path, safe_program, safe_tensor
from assay.weights.numbers import BITS

_SMALL = 8192  # bytes of a tensor that keeps its values: they may be shapes
_LONGEST = 2**20  # bytes of the storage that such a tensor may be in
# Weights and constants: the archive's folder, and the prefix by which the loader knows tensors.
_PREFIX = {"weights": "weight_", "constants": "tensor_"}
_CODES = {dtype: code for code, dtype in DTYPES.items()}
_STRIDED = 7  # the layout's number
_FIXED = {
    "archive_format": "pt2",
    "archive_version": "0",
    "byteorder": "little",
    ".data/version": "6\n",
    "data/sample_inputs/model.pt": "",  # a pickle, which the loader does without
}


def rebuilt(path: Path) -> tuple[io.BytesIO, int]:
    """The archive that is safe to load, and how many operators its program has.

    Raises UnreadableModel where it is no such archive, or needs what is not allowed.
    """
    result = io.BytesIO()
    with of_export(), zipfile.ZipFile(result, "w") as safe:
        archive = Archive(path)
        program = safe_program(archive.program())
        _add(safe, PROGRAM, json.dumps(program))
        parameters = set(_parameters(program))
        for kind, prefix in _PREFIX.items():
            entries = {}
            for place, (name, payload) in enumerate(archive.payloads(kind).items()):
                file = f"{prefix}{place}"
                meta, content = _shrunk(payload)
                _add(safe, f"data/{kind}/{file}", content)
                entries[safe_path(name)] = {
                    "path_name": file,
                    "is_param": name in parameters,
                    "use_pickle": False,
                    "tensor_meta": meta,
                }
            _add(safe, f"data/{kind}/model_{kind}_config.json", json.dumps({"config": entries}))
        for name, text in _FIXED.items():
            _add(safe, name, text)
    result.seek(0)
    return result, len(program["graph_module"]["graph"]["nodes"])


@contextmanager
def of_export() -> Iterator[None]:
    """What its JSON lacks or has of another kind is raised as UnreadableModel."""
    try:
        yield
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise UnreadableModel(f"its program is not what torch.export writes: {error!r}") from error


def _parameters(program: Json) -> Iterator[str]:
    """The names of those tensors that the program calls its parameters."""
    for spec in program["graph_module"]["signature"]["input_specs"]:
        if "parameter" in spec:
            yield spec["parameter"]["parameter_name"]


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    archive.writestr(f"model/{name}", content)


def _shrunk(payload: Payload) -> tuple[Json, bytes]:
    """A tensor's type and content: its own where that is short, else one element repeated."""
    tensor = payload.tensor
    meta = safe_tensor(_meta(payload))
    item = BITS.get(DTYPES.get(meta["dtype"], "complex128"), 32) // 8
    size = math.prod(int(d["as_int"]) for d in meta["sizes"]) * item
    if 0 < size <= _SMALL and isinstance(tensor, Strided) and tensor.storage.size <= _LONGEST:
        return meta, tensor.storage.read(0, tensor.storage.size)
    meta["strides"] = [{"as_int": 0} for _ in meta["sizes"]]
    meta["storage_offset"] = {"as_int": 0}
    return meta, bytes(item)


def _meta(payload: Payload) -> Json:
    """The type as the archive describes it, or would."""
    if payload.meta is not None:
        return payload.meta
    tensor = payload.tensor
    strides, offset = tensor.shape, 0
    if isinstance(tensor, Strided):
        strides, offset = tensor.strides, tensor.offset
    return {
        "dtype": _CODES[tensor.dtype],
        "sizes": [{"as_int": size} for size in tensor.shape],
        "requires_grad": False,
        "device": CPU,
        "strides": [{"as_int": step} for step in strides],
        "storage_offset": {"as_int": offset},
        "layout": _STRIDED,
    }
