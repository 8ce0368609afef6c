"""Which tensor of the checkpoint a variable of the graph holds, as restoring it would say.

A graph assigns what it restores: RestoreV2 lists the checkpoint's names, and the operators that
assign its outputs say whose they are.  They stand in the graph or in a function that it calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assay.containers.tensor_bundle import VALUE
from assay.vocabularies.tensorflow.bodies import Body, GraphNode, Library, origin, place_of

HANDLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
CALLS = frozenset({"StatefulPartitionedCall", "PartitionedCall"})
_ASSIGNS = frozenset({"AssignVariableOp", "Assign"})
_STRING_VALUES = 8  # the field of a tensor that lists texts


def restored(library: Library, restoring: str) -> dict[str, str]:
    """A variable's name in the graph → its name in the checkpoint; ``restoring`` is what restores.

    That is an operator which waits for all that assign, or which calls a function where they are.
    """
    main = library.main
    found = dict(_assigned(main))
    if main.op(restoring) in CALLS:
        node = main.node(restoring)
        function = library.function(node.attributes.function("f"))
        given = dict(zip(function.arguments, node.inputs, strict=False))
        found |= {given[name]: key for name, key in _assigned(function) if name in given}
    return found


def _assigned(body: Body) -> Iterator[tuple[str, str]]:
    """Variables that a body assigns what it restores, each with the name in the checkpoint."""
    listed: dict[str, list[str]] = {}  # by RestoreV2
    for name in body.messages:
        if body.op(name) not in _ASSIGNS:
            continue
        variable, value, *_ = *body.node(name).inputs, "", ""
        value = body.source(value)
        if body.op(value) != "RestoreV2":
            continue
        restore = origin(value)
        if restore not in listed:
            listed[restore] = _names(body, body.node(restore))
        if place_of(value) < len(listed[restore]):
            yield body.source(variable), listed[restore][place_of(value)]


def _names(body: Body, node: GraphNode) -> list[str]:
    """What a node restores; of a tensor's part, the name with the part's place."""
    names, parts = _texts(body, node, 1), _texts(body, node, 2)
    places = [part.rpartition(" ")[2] for part in parts] + [""] * len(names)
    return [f"{n}[{place}]" if place else n for n, place in zip(names, places, strict=False)]


def _texts(body: Body, node: GraphNode, place: int) -> list[str]:
    """The texts of a constant that a node reads; none where it reads another thing."""
    if len(node.inputs) <= place or body.op(node.inputs[place]) != "Const":
        return []
    constant = body.node(origin(node.inputs[place]))
    texts = constant.attributes.tensor("value").texts(_STRING_VALUES)
    return [text.removesuffix(VALUE) for text in texts]


def key_of(node: GraphNode, restored: Mapping[str, str]) -> str:
    """The name in the checkpoint of the variable that a node makes."""
    shared = node.attributes.get("shared_name")
    return restored.get(node.name) or (shared if isinstance(shared, str) else "") or node.name
