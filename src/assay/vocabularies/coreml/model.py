"""A Core ML model by its kind: a program, a neural network, a linear model, or several in a row.

[Model.proto] A pipeline hands features on by name.  Its parts are read as one graph: the networks
with their layers, every other part (a scaler, a tree ensemble) as one operator ``coreml::kind``.
Their tensors and weights carry the part's number before their names.
"""

from __future__ import annotations

from dataclasses import replace

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.graphs.operators import Operator, OperatorGraph, Tensor
from assay.vocabularies.coreml.blobs import Blobs
from assay.vocabularies.coreml.linear import linear_weights
from assay.vocabularies.coreml.network import Network
from assay.vocabularies.coreml.pipeline import Chain, Part
from assay.vocabularies.coreml.program import Program
from assay.vocabularies.inputs import InputShapes, match

MOST_PARTS, MOST_DEPTH = 1000, 10  # of a pipeline, and of pipelines inside pipelines
_PROGRAM, _NETWORKS = 502, (500, 403, 303)  # a network, one that classifies, one that regresses
_PIPELINES = (202, 200, 201)
_LINEAR = {300: "glmRegressor", 400: "glmClassifier"}
_OTHERS = {
    301: "supportVectorRegressor",
    302: "treeEnsembleRegressor",
    304: "bayesianProbitRegressor",
    401: "supportVectorClassifier",
    402: "treeEnsembleClassifier",
    404: "kNearestNeighborsClassifier",
    501: "itemSimilarityRecommender",
    555: "customModel",
    556: "linkedModel",
    560: "classConfidenceThresholding",
    600: "oneHotEncoder",
    601: "imputer",
    602: "featureVectorizer",
    603: "dictVectorizer",
    604: "scaler",
    606: "categoricalMapping",
    607: "normalizer",
    609: "arrayFeatureExtractor",
    610: "nonMaximumSuppression",
    900: "identity",
    2000: "textClassifier",
    2001: "wordTagger",
    2002: "visionFeaturePrint",
    2003: "soundAnalysisPreprocessing",
    2004: "gazetteer",
    2005: "wordEmbedding",
    2006: "audioFeaturePrint",
    3000: "serializedModel",
}


def read_model(model: Message, blobs: Blobs, given: InputShapes) -> Part:
    """The model.  Raises UnreadableModel where nothing in it is a network or a linear model."""
    parts = _parts(model)
    if parts is None:
        part = _single(model, blobs, given)
        if part is not None:
            return part
        raise UnreadableModel(f"a Core ML model of the kind {_kind(model)}, which is no network")
    if not 0 < len(parts) <= MOST_PARTS:
        raise UnreadableModel(f"a pipeline of {len(parts):,} models")
    return _chained(model.message(2), parts, blobs, given)


def _kind(model: Message) -> str:
    names = _LINEAR | _OTHERS | {500: "neuralNetwork", 502: "mlProgram"}
    return next((name for number, name in names.items() if model.has(number)), "unknown")


def _parts(model: Message, depth: int = 0) -> list[Message] | None:
    """The models of a pipeline, those of pipelines inside it too; None where it is none."""
    if depth > MOST_DEPTH:
        raise UnreadableModel(f"pipelines that are nested more than {MOST_DEPTH} deep")
    for number in _PIPELINES:
        if model.has(number):
            pipeline = model.message(number)
            inner = pipeline if number == _PIPELINES[0] else pipeline.message(1)
            found = []
            for part in inner.messages(1):
                deeper = _parts(part, depth + 1)
                found += [part] if deeper is None else deeper
            return found
    return None


def _single(model: Message, blobs: Blobs, given: InputShapes) -> Part | None:
    """A model that is no pipeline; None where it is of a kind that is not read."""
    description = model.message(2)
    if model.has(_PROGRAM):
        return _program(model.message(_PROGRAM), description, blobs, given)
    inputs = {value.text(1): value.message(3) for value in description.messages(1)}
    for number in _NETWORKS:
        if model.has(number):
            network = Network(inputs, given)
            outputs = [value.text(1) for value in description.messages(10)]
            graph, features = network.read(model.message(number), outputs)
            return Part(graph, features, network.weights)
    for number, name in _LINEAR.items():
        if model.has(number):
            return Part(None, [], linear_weights(model.message(number)), {"kind": name})
    return None


def _program(program: Message, description: Message, blobs: Blobs, given: InputShapes) -> Part:
    """The graph of the default function, and the weights of all."""
    functions = {entry.text(1): entry.message(2) for entry in program.messages(2)}
    if not functions:
        raise UnreadableModel("the program has no function")
    own = {f.text(1): f for f in description.messages(20)}
    default = description.text(21)
    if default not in functions:
        default = "main" if "main" in functions else next(iter(functions))
    features = own[default].messages(2) if default in own else description.messages(1)
    defaults = {f.text(1): f.message(3, 5).integers(1) for f in features}
    reader = Program(blobs)
    graph = reader.read(functions[default], given, defaults)
    weights = reader.weights(graph)
    if len(functions) == 1:
        return Part(graph, list(graph.outputs), weights)
    places = {value.place for value in reader.values.values()}
    for name in sorted(functions.keys() - {default}):
        other = Program(blobs)
        found = other.weights(other.read(functions[name], {}, {}))
        for key, weight in found.items():
            place = other.values[key].place
            if place is None or place not in places:  # what functions share is stored once
                weights[f"{name}/{key}"] = replace(weight, name=f"{name}/{key}")
        places |= {value.place for value in other.values.values()}
    metadata = {"functions": sorted(functions), "default_function": default}
    return Part(graph, list(graph.outputs), weights, metadata)


def _chained(description: Message, parts: list[Message], blobs: Blobs, given: InputShapes) -> Part:
    """The parts of a pipeline as one."""
    inputs = [value.text(1) for value in description.messages(1)]
    given = match(given, inputs)
    chain = Chain()
    kinds = [_kind(message) for message in parts]
    for message in parts:
        own = [value.text(1) for value in message.message(2).messages(1)]
        wanted = {n: s for n, s in given.items() if n in own and n not in chain.features}
        part = _single(message, blobs, wanted) or Part(None, [])
        chain.add(part if part.graph is not None else _opaque(part, message))
    if not chain.weights:
        raise UnreadableModel(f"a pipeline without a network: {', '.join(kinds[:8])}")
    return chain.whole([value.text(1) for value in description.messages(10)], {"pipeline": kinds})


def _opaque(part: Part, model: Message) -> Part:
    """A model without layers as one operator."""
    description = model.message(2)
    inputs, outputs = (
        tuple(dict.fromkeys(value.text(1) for value in description.messages(number)))
        for number in (1, 10)
    )
    written = tuple(f"{name}/written" for name in outputs)  # it may have its input's name
    node = Operator(f"coreml::{_kind(model)}", inputs, written)
    graph = OperatorGraph((node,), inputs, written, {name: Tensor() for name in inputs})
    return replace(part, graph=graph, features=outputs)
