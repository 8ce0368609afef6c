"""What a pickle may construct: tensors of PyTorch, arrays of NumPy and joblib, plain containers.

The list of known constructors.  They describe tensors, allocate none and import nothing; whatever
is not listed stays an inert node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assay.containers.pickle_opcodes import Constructor, Entries, Node
from assay.containers.pickled_arrays import CONSTRUCTORS as ARRAYS
from assay.containers.pickled_arrays import encoded, nothing
from assay.containers.sparse_tensors import sparse
from assay.containers.strided import Held, Strided, Unread, sizes_of, strided
from assay.containers.torch_storages import Storage
from assay.errors import UnreadableModel
from assay.weights.numbers import BITS

_PACKED = ("float4_e2m1fn_x2",)  # two numbers in a byte, which PyTorch counts as one
_UNPACKED = {name for name, bits in BITS.items() if bits >= 8} | {"complex32"}


def tensor(storage: Any, dtype: str, shape: Any, strides: Any, offset: Any) -> Held:
    """A view of a storage, of a type of PyTorch's."""
    if not isinstance(storage, Storage):
        raise UnreadableModel("a tensor has no storage")
    if dtype in _UNPACKED:
        return strided(storage, dtype, shape, strides, offset, storage.is_big_endian)
    sizes = sizes_of(shape)
    if dtype in _PACKED and sizes and strides[-1] == 1:
        sizes = (*sizes[:-1], 2 * sizes[-1])
        steps = (*(2 * step for step in strides[:-1]), 1)
        return strided(storage, "float4_e2m1", sizes, steps, 2 * offset)
    return Unread(sizes, dtype, f"has numbers of type {dtype[:40]}, which are not read")


def _rebuilt(parts: tuple[Any, ...]) -> Any:
    storage, offset, shape, strides = parts[:4]
    found = tensor(storage, storage.dtype, shape, strides, offset)
    flags = parts[6].named() if len(parts) > 6 and isinstance(parts[6], Entries) else {}
    if flags.keys() & {"conj", "neg"}:
        return Unread(found.shape, storage.dtype, "is a conjugate or negative view, not read")
    return found


def _rebuilt_typed(parts: tuple[Any, ...]) -> Any:
    storage, offset, shape, strides, _, _, dtype = parts[:7]
    return tensor(storage, dtype.text.rpartition(".")[2], shape, strides, offset)


def _rebuilt_quantized(parts: tuple[Any, ...]) -> Any:
    storage, offset, shape, strides, scheme = parts[:5]
    axis = scheme[3] if len(scheme) > 3 else 0
    codes = strided(storage, storage.dtype, shape, strides, offset, storage.is_big_endian)
    return codes.quantized(scheme[1], scheme[2], axis)


def _rebuilt_sparse(parts: tuple[Any, ...]) -> Any:
    return sparse(*parts[:2])


def _without_values(parts: tuple[Any, ...]) -> Any:
    dtype = parts[0].text.rpartition(".")[2]
    return Unread(sizes_of(parts[1]), dtype, "has no values: it was on PyTorch's device `meta`")


def _rebuilt_subclass(parts: tuple[Any, ...]) -> Any:
    """A tensor that may carry more; of a class that wraps others, those that are its state."""
    function, _, arguments, state = parts[:4]
    known = CONSTRUCTORS.get(function.text)
    if known is not None:
        _check_state(state)
        return known(arguments)
    if function.text == "torch._utils._rebuild_wrapper_subclass":
        name = arguments[0].text
        if name.rpartition(".")[2] in ("DTensor", "ShardedTensor"):
            return _gathered(sizes_of(arguments[2]), arguments[1].text, list(_shards(state)))
        return Node(name, (state,))
    return Node(function.text, (arguments, state))


def _with_state(parts: tuple[Any, ...]) -> Any:
    """A parameter with attributes of its own."""
    _check_state(parts[3])
    return parts[0]


def _check_state(state: Any) -> None:
    """Raises UnreadableModel where an attribute replaces the numbers of its tensor."""
    for attributes in state if isinstance(state, tuple) else (state,):
        if isinstance(attributes, Entries) and "data" in attributes.named():
            raise UnreadableModel("its pickle gives a tensor other numbers")


def _shards(state: Any) -> Iterator[Any]:
    """What of a distributed tensor is in this file."""
    held = state if isinstance(state, tuple) else (state,)
    if held and type(held[0]) is list:
        yield from (shard.state[1].named()["tensor"] for shard in held[0])
    for attributes in held:
        if isinstance(attributes, Entries):
            yield from (value for key, value in attributes if key == "_local_tensor")


def _gathered(shape: tuple[int, ...], dtype: str, shards: list[Any]) -> Any:
    """The only shard, if it is the whole."""
    if len(shards) == 1 and isinstance(shards[0], Strided) and shards[0].shape == shape:
        return shards[0]
    return Unread(shape, dtype.rpartition(".")[2], "is a shard: gather the tensor and save it")


def _first(parts: tuple[Any, ...]) -> Any:
    return parts[0]


def _variable(parts: tuple[Any, ...]) -> Any:
    """A parameter as it was pickled before PyTorch 0.4: its class, called with its tensor."""
    return parts[0] if parts else None


def _collection(parts: tuple[Any, ...]) -> Any:
    """A set, list or tuple of a list."""
    return parts[0] if parts else []


def _dictionary(parts: tuple[Any, ...]) -> Entries:
    """A dictionary, of pairs that old pickles list."""
    pairs = parts[0] if parts and isinstance(parts[0], list) else []
    return Entries((key, value) for key, value in pairs)


CONSTRUCTORS: dict[str, Constructor] = {
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda parts: Entries(),
    "_codecs.encode": encoded,
    **{
        f"{module}.{name}": make
        for module in ("builtins", "__builtin__")
        for name, make in {
            "dict": _dictionary, "list": _collection, "set": _collection,
            "frozenset": _collection, "tuple": _collection, "bytearray": encoded,
            "bytes": lambda parts: encoded(parts) if parts else b"", "complex": nothing,
        }.items()
    },
    "torch.Size": _first,
    "torch.device": nothing,
    "torch.serialization._get_layout": _first,
    "torch._utils._rebuild_tensor": _rebuilt,
    "torch._utils._rebuild_tensor_v2": _rebuilt,
    "torch._utils._rebuild_tensor_v3": _rebuilt_typed,
    "torch._utils._rebuild_qtensor": _rebuilt_quantized,
    "torch._utils._rebuild_sparse_tensor": _rebuilt_sparse,
    "torch._utils._rebuild_meta_tensor_no_storage": _without_values,
    **{
        f"torch._utils._rebuild_{kind}": _first
        for kind in (
            "parameter", "nested_tensor", "xla_tensor",
            "device_tensor_from_numpy", "device_tensor_from_cpu_tensor",
        )
    },
    "torch._utils._rebuild_parameter_with_state": _with_state,
    "torch._tensor._rebuild_from_type": _rebuilt_subclass,
    "torch._tensor._rebuild_from_type_v2": _rebuilt_subclass,
    "torch.autograd.variable.Variable": _variable,
    "torch.nn.parameter.Parameter": _variable,
    "torch.jit._pickle.restore_type_tag": _first,
    **{f"torch.jit._pickle.build_{k}list": _first for k in ("int", "double", "bool", "tensor")},
    **ARRAYS,
}  # fmt: skip
