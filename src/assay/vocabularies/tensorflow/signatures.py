"""Where a TensorFlow graph begins and ends: a signature of a SavedModel, or all there is to read.

Of several signatures the serving default is read, else the first by name that has outputs.  A graph
without signatures begins at its placeholders and ends at what depends on them and nothing reads.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from assay.containers.messages import Message
from assay.graphs.operators import OperatorGraph, without_dead
from assay.vocabularies.inputs import InputShapes, concrete, match
from assay.vocabularies.tensorflow.bodies import Body, origin
from assay.vocabularies.tensorflow.graph import PLACEHOLDERS, Expansion, Frame
from assay.vocabularies.tensorflow.tensors import code_of, dimensions
from assay.vocabularies.tensorflow.variables import HANDLES

DEFAULT = "serving_default"
_OWN = "__saved_model"  # signatures with which TensorFlow notes what initializes and trains
# What nothing reads, and yet is no result.
_NO_RESULTS = PLACEHOLDERS | HANDLES | {
    *("Const", "NoOp", "Assert", "Print", "PrintV2", "Assign", "AssignVariableOp", "SaveV2"),
    *("RestoreV2", "MergeV2Checkpoints", "VarIsInitializedOp", "ScalarSummary", "MergeSummary"),
    *("HistogramSummary", "ImageSummary", "Enter", "Exit", "NextIteration", "LoopCond", "Switch"),
}  # fmt: skip


def signature_of(meta: Message) -> tuple[str, Message] | None:
    """The signature that is read, by name."""
    named = {entry.text(1): entry.message(2) for entry in meta.messages(5)}
    names = [DEFAULT, *sorted(name for name in named if not name.startswith(_OWN))]
    return next(((n, named[n]) for n in names if n in named and named[n].has(2)), None)


def served(expansion: Expansion, signature: Message, given: InputShapes) -> OperatorGraph:
    """The graph between a signature's inputs and outputs, whose names it gives."""
    inputs = {entry.text(1): entry.message(2) for entry in signature.messages(1)}
    wanted = match(given, inputs)
    body, known = expansion.library.main, dict[str, str]()
    for name, info in sorted(inputs.items()):
        code, dims = code_of(info.integer(2)), dimensions(info.message(3))
        expansion.build.input(name, concrete(name, code, dims, wanted.get(name)))
        known[body.tensor(info.text(1))] = name
    outputs = {entry.text(1): entry.message(2) for entry in signature.messages(2)}
    ends = [body.tensor(outputs[name].text(1)) for name in sorted(outputs)]
    frame = Frame(body, known)
    return graph(expansion, ends, frame)


def whole(expansion: Expansion, given: InputShapes) -> OperatorGraph:
    """The graph between all placeholders and all results."""
    frame = expansion.start(given)
    return graph(expansion, _ends(frame.body, frame.known), frame)


def graph(expansion: Expansion, ends: Sequence[str], frame: Frame) -> OperatorGraph:
    """What computes the ends; of operators that are read as one, the parts are left out."""
    return without_dead(expansion.build.graph([expansion.value(end, frame) for end in ends]))


def _ends(body: Body, inputs: Collection[str]) -> list[str]:
    """What no other node reads, and depends on an input."""
    nodes = [body.node(name) for name in body.messages]
    readers: dict[str, list[str]] = {}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(origin(name), []).append(node.name)
    reached, waiting = set(inputs), list(inputs)
    while waiting:
        more = [name for name in readers.get(waiting.pop(), ()) if name not in reached]
        reached.update(more)
        waiting += more
    ends = [n.name for n in nodes if n.name not in readers and n.op not in _NO_RESULTS]
    return [name for name in ends if name in reached] or ends
