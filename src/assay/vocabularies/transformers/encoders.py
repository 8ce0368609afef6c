"""Networks that read a text or an image whole: BERT and its kin, ViT [transformers].

Their heads differ by task; which one a model has shows in its tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, OperatorGraph, Tensor
from assay.vocabularies.transformers.layers import Network


@dataclass(frozen=True)
class _Names:
    """What a family calls the tensors of a block."""

    block: str
    queries_keys_values: tuple[str, str, str]
    attended: str
    norms: tuple[str, str]
    up: str
    down: str


_BERT = _Names(
    "encoder.layer",
    ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention.output.dense",
    ("attention.output.LayerNorm", "output.LayerNorm"),
    "intermediate.dense",
    "output.dense",
)
_DISTILBERT = _Names(
    "transformer.layer",
    ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    "attention.out_lin",
    ("sa_layer_norm", "output_layer_norm"),
    "ffn.lin1",
    "ffn.lin2",
)
_VIT = _Names(
    "encoder.layer",
    ("attention.attention.query", "attention.attention.key", "attention.attention.value"),
    "attention.output.dense",
    ("layernorm_before", "layernorm_after"),
    "intermediate.dense",
    "output.dense",
)
_VIT_5 = _Names(  # since transformers 5
    "layers",
    ("attention.q_proj", "attention.k_proj", "attention.v_proj"),
    "attention.o_proj",
    ("layernorm_before", "layernorm_after"),
    "mlp.fc1",
    "mlp.fc2",
)


def _attended(net: Network, x: str, name: str, names: _Names) -> str:
    heads = net.number("num_attention_heads", "n_heads")
    parts = [name + part for part in names.queries_keys_values]
    split = [net.heads(net.linear(x, part), net.width(part), heads) for part in parts]
    return net.linear(net.attention(split, net.width(parts[0])), name + names.attended)


def _fed_forward(net: Network, x: str, name: str, names: _Names) -> str:
    inner = net.activation(net.linear(x, name + names.up), "hidden_act", "activation")
    return net.linear(inner, name + names.down)


def bert(net: Network) -> OperatorGraph:
    """BERT, RoBERTa and others built so, with a head for its task."""
    kind = str(net.config.get("model_type"))
    return _bert(net, net.prefix("embeddings.word_embeddings.weight", f"{kind}.", "bert."), _BERT)


def distilbert(net: Network) -> OperatorGraph:
    """DistilBERT: half the blocks, and no kinds of words."""
    return _bert(net, net.prefix("embeddings.word_embeddings.weight", "distilbert."), _DISTILBERT)


def _bert(net: Network, top: str, names: _Names) -> OperatorGraph:
    x = net.embedding(net.ids("input_ids"), top + "embeddings.word_embeddings")
    kinds = top + "embeddings.token_type_embeddings"
    if net.has(kinds + ".weight"):
        x = net.add("Add", [x, net.embedding(net.ids("token_type_ids"), kinds)])
    places = net.embedding(net.ids("position_ids"), top + "embeddings.position_embeddings")
    x = net.norm(net.add("Add", [x, places]), top + "embeddings.LayerNorm")
    if net.has(top + "embeddings_project.weight"):
        x = net.linear(x, top + "embeddings_project")
    for number in net.layers():
        name = f"{top}{names.block}.{number}."
        x = net.norm(net.add("Add", [_attended(net, x, name, names), x]), name + names.norms[0])
        inner = _fed_forward(net, x, name, names)
        x = net.norm(net.add("Add", [inner, x]), name + names.norms[1])
    return net.graph(*_answers(net, x, top))


_FIRST_PLACE = (  # how heads that read the first place call their layers, and what lies between
    ("{top}pooler.dense", "Tanh", ("classifier", "cls.seq_relationship")),
    ("classifier.dense", "Tanh", ("classifier.out_proj",)),
    ("pre_classifier", "Relu", ("classifier",)),
)
_WORDS = (  # how heads that guess words call their layers: inner, norm, outer, its bias
    ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
     "cls.predictions.decoder", "cls.predictions.bias"),
    ("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"),
    ("vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector.bias"),
)  # fmt: skip


def _answers(net: Network, x: str, top: str) -> Sequence[str]:
    """What the heads give, or what the network itself does where it has none."""
    found = []
    for inner, norm, outer, bias in _WORDS:
        if net.has(inner + ".weight"):
            y = net.linear(x, inner)
            roberta = inner.startswith("lm_head")  # whose head does not ask the configuration
            y = net.add("Gelu", [y]) if roberta else net.activation(y, "hidden_act", "activation")
            found.append(_guessed_words(net, net.norm(y, norm), top, outer, bias))
    for dense, activation, outers in _FIRST_PLACE:
        name = dense.format(top=top)
        if net.has(name + ".weight"):
            y = net.add(activation, [net.linear(net.first_place(x), name)])
            ends = [outer for outer in outers if net.has(outer + ".weight")]
            found += [net.linear(y, outer) for outer in ends] or [y]
    pooled = net.has(f"{top}pooler.dense.weight") or net.has("pre_classifier.weight")
    if net.has("classifier.weight") and not pooled:
        found.append(net.linear(x, "classifier"))
    if net.has("qa_outputs.weight"):
        y = net.linear(x, "qa_outputs")
        found += [net.part(y, place, place + 1) for place in range(net.width("qa_outputs"))]
    return found or [x]


def _guessed_words(net: Network, x: str, top: str, outer: str, bias: str) -> str:
    """A score for each word, by a matrix of its own or by the table of words."""
    own = net.has(outer + ".weight") and net.config.get("tie_word_embeddings", True) is False
    table = (outer if own else top + "embeddings.word_embeddings") + ".weight"
    x = net.add("com.microsoft::FusedMatMul", [x, net.weight(table, 2)], "", {"transB": 1})
    return net.biased(x, outer + ".bias" if net.has(outer + ".bias") else bias)


def vit(net: Network) -> OperatorGraph:
    """ViT, DeiT: an image cut into patches, each a word."""
    top = net.prefix("embeddings.cls_token", "vit.", "deit.")
    x = _patches(net, top + "embeddings.")
    names = _VIT if net.has(f"{top}encoder.layer.0.layernorm_before.weight") else _VIT_5
    for number in net.layers():
        name = f"{top}{names.block}.{number}."
        inner = _attended(net, net.norm(x, name + names.norms[0]), name, names)
        x = net.add("Add", [inner, x])
        inner = net.norm(x, name + names.norms[1])
        x = net.add("Add", [_fed_forward(net, inner, name, names), x])
    x = net.norm(x, top + "layernorm")
    pooler = top + "pooler.dense"
    if net.has("classifier.weight"):
        return net.graph(net.linear(net.first_place(x), "classifier"))
    if net.has(pooler + ".weight"):
        return net.graph(net.add("Tanh", [net.linear(net.first_place(x), pooler)]))
    return net.graph(x)


def _patches(net: Network, name: str) -> str:
    """The image as a row of patches behind a place for the answer, with their places added."""
    layer = name + "patch_embeddings.projection"
    width, channels, height, breadth = net.shape(layer + ".weight", 4)
    image = (net.number("image_size", default=224),) * 2
    net.builder.input("pixel_values", Tensor(FLOAT, (net.batch, channels, *image)))
    x = net.add(
        "Conv",
        ["pixel_values", net.weight(layer + ".weight", 4), net.weight(layer + ".bias", 1)], "",
        {"kernel_shape": (height, breadth), "strides": (height, breadth)},
    )  # fmt: skip
    patches = (image[0] // height) * (image[1] // breadth)
    x = net.builder.transpose(net.reshape(x, (net.batch, width, patches)), (0, 2, 1))
    tokens = [name + token for token in ("cls_token", "distillation_token")]
    tokens = [net.weight(token, 3) for token in tokens if net.has(token)]
    net.places = patches + len(tokens)
    table = name + "position_embeddings"
    if net.shape(table, 3) != (1, net.places, width):
        raise UnreadableModel("its table of places does not fit its image_size")
    x = net.add("Concat", [*tokens, x], "", {"axis": 1})
    return net.add("Add", [x, net.weight(table, 3)])
