"""Networks that continue a text: Llama and what is built like it, GPT-2, GPT-NeoX [transformers].

Llama's block: RMSNorm, attention whose queries and keys are turned by their places, with fewer
keys than queries, and a gated feed-forward layer.  What differs by family shows in its tensors:
biases, queries and keys normalized, several matrices stored as one.
"""

from __future__ import annotations

from collections.abc import Callable

from assay.graphs.operators import FLOAT, OperatorGraph, Tensor
from assay.vocabularies.transformers.layers import Network

Norm = Callable[[str, str], str]


def llama(net: Network) -> OperatorGraph:
    """Llama, Mistral, Qwen2, Qwen3, Phi-3."""
    return _llama(net, net.rms_norm)


def starcoder2(net: Network) -> OperatorGraph:
    """StarCoder 2, StableLM: Llama with another normalization."""
    return _llama(net, net.norm)


def _llama(net: Network, norm: Norm) -> OperatorGraph:
    top = net.prefix("embed_tokens.weight", "model.")
    x = net.embedding(net.ids("input_ids"), top + "embed_tokens")
    rotation = Rotation(net)
    for number in net.layers():
        name = f"{top}layers.{number}."
        inner = _grouped_attention(
            net, norm(x, name + "input_layernorm"), name + "self_attn.", rotation
        )
        x = net.add("Add", [x, inner])
        inner = norm(x, name + "post_attention_layernorm")
        x = net.add("Add", [x, _feed_forward(net, inner, name + "mlp.")])
    return net.graph(_words(net, norm(x, top + "norm"), top + "embed_tokens"))


def _grouped_attention(net: Network, x: str, name: str, rotation: Rotation) -> str:
    heads = net.number("num_attention_heads")
    groups = net.number("num_key_value_heads", default=heads)
    if net.has(name + "qkv_proj.weight"):
        whole = net.width(name + "qkv_proj")
        size = whole // (heads + 2 * groups)
        joined = net.linear(x, name + "qkv_proj")
        edges = (0, heads * size, (heads + groups) * size, whole)
        parts = [net.part(joined, *edges[i : i + 2]) for i in range(3)]
        widths = [heads * size, groups * size, groups * size]
    else:
        names = [name + part for part in ("q_proj", "k_proj", "v_proj")]
        parts = [net.linear(x, part) for part in names]
        widths = [net.width(part) for part in names]
    size = widths[0] // heads
    queries, keys, values = (
        net.heads(part, width, count, name + norm)
        for part, width, count, norm in zip(
            parts, widths, (heads, groups, groups), ("q_norm", "k_norm", ""), strict=True
        )
    )
    turned = (rotation.turned(part, size) for part in (queries, keys))
    return net.linear(net.attention((*turned, values), widths[0]), name + "o_proj")


def _feed_forward(net: Network, x: str, name: str) -> str:
    if net.has(name + "c_fc.weight"):
        return net.linear(_active(net, net.linear(x, name + "c_fc")), name + "c_proj")
    if net.has(name + "gate_up_proj.weight"):
        joined, whole = net.linear(x, name + "gate_up_proj"), net.width(name + "gate_up_proj")
        gate, up = net.part(joined, 0, whole // 2), net.part(joined, whole // 2, whole)
        return net.linear(net.add("Mul", [up, _active(net, gate)]), name + "down_proj")
    gate = _active(net, net.linear(x, name + "gate_proj"))
    product = net.add("Mul", [gate, net.linear(x, name + "up_proj")])
    return net.linear(product, name + "down_proj")


def _active(net: Network, x: str) -> str:
    return net.activation(x, "hidden_activation", "hidden_act", "activation_function")


def _words(net: Network, x: str, table: str) -> str:
    """A score for each word, by a matrix of its own or by the table of words."""
    own = next((name for name in ("lm_head", "embed_out") if net.has(name + ".weight")), "")
    tied = net.config.get("tie_word_embeddings", not own or net.config["model_type"] == "gpt2")
    if own and tied is not True:
        return net.linear(x, own)
    named = net.config.get("architectures")
    name = str(named[0]) if isinstance(named, list) and named else ""
    return net.linear(x, table) if name.endswith(("ForCausalLM", "LMHeadModel")) else x


class Rotation:
    """Queries and keys turned by angles that grow with their places [Su et al., 2021].

    Sine and cosine of each place are inputs: they are computed, and no parameters.
    """

    def __init__(self, net: Network) -> None:
        self.net = net
        self.tables: dict[int, list[str]] = {}

    def turned(self, x: str, size: int) -> str:
        """Of a head's ``size`` values, the first are turned, all of them by default."""
        net, count = self.net, _turned_values(self.net, size)
        if count == size:
            return self._turned(x, size)
        turned = self._turned(net.part(x, 0, count), count)
        return net.add("Concat", [turned, net.part(x, count, size)], "", {"axis": -1})

    def _turned(self, x: str, size: int) -> str:
        net, half = self.net, size // 2
        cosine, sine = self._tables(size)
        opposite = net.add("Neg", [net.part(x, half, size)])
        across = net.add("Concat", [opposite, net.part(x, 0, half)], "", {"axis": -1})
        return net.add("Add", [net.add("Mul", [x, cosine]), net.add("Mul", [across, sine])])

    def _tables(self, size: int) -> list[str]:
        if size not in self.tables:
            names = [f"rotation.{size}.{part}" for part in ("cosine", "sine")]
            for name in names:
                shape = (self.net.batch, 1, self.net.places, size)
                self.net.builder.input(name, Tensor(FLOAT, shape))
            self.tables[size] = names
        return self.tables[size]


def _turned_values(net: Network, size: int) -> int:
    newer = net.config.get("rope_parameters")
    parameters = {**net.config, **(newer if isinstance(newer, dict) else {})}
    share = parameters.get("partial_rotary_factor", parameters.get("rotary_pct"))
    usual = 0.25 if net.config.get("model_type") == "gpt_neox" else 1.0
    known = isinstance(share, float | int) and 0 < share <= 1
    return int(size * (float(share) if known and share is not None else usual))


def gpt2(net: Network) -> OperatorGraph:
    """GPT-2: places have a table of their own; one matrix makes queries, keys and values."""
    top = net.prefix("wte.weight", "transformer.")
    words = net.embedding(net.ids("input_ids"), top + "wte")
    x = net.add("Add", [words, net.embedding(net.ids("position_ids"), top + "wpe")])
    heads = net.number("n_head", "num_attention_heads")
    for number in net.layers():
        name = f"{top}h.{number}."
        joined = net.turned_linear(net.norm(x, name + "ln_1"), name + "attn.c_attn")
        width = net.shape(name + "attn.c_attn.weight", 2)[1] // 3
        parts = [net.part(joined, place * width, (place + 1) * width) for place in range(3)]
        seen = net.attention((net.heads(part, width, heads) for part in parts), width)
        x = net.add("Add", [net.turned_linear(seen, name + "attn.c_proj"), x])
        inner = net.turned_linear(net.norm(x, name + "ln_2"), name + "mlp.c_fc")
        inner = net.activation(inner, "activation_function")
        x = net.add("Add", [x, net.turned_linear(inner, name + "mlp.c_proj")])
    return net.graph(_words(net, net.norm(x, top + "ln_f"), top + "wte"))


def gpt_neox(net: Network) -> OperatorGraph:
    """GPT-NeoX, Pythia: attention and feed-forward layer side by side; heads interleaved."""
    top = net.prefix("embed_in.weight", "gpt_neox.")
    x = net.embedding(net.ids("input_ids"), top + "embed_in")
    rotation, heads = Rotation(net), net.number("num_attention_heads")
    side_by_side = net.config.get("use_parallel_residual", True) is not False
    for number in net.layers():
        name = f"{top}layers.{number}."
        joined = name + "attention.query_key_value"
        width = net.width(joined) // 3
        inner = net.heads(
            net.linear(net.norm(x, name + "input_layernorm"), joined), 3 * width, heads
        )
        size = width // heads
        parts = [net.part(inner, place * size, (place + 1) * size) for place in range(3)]
        parts[:2] = [rotation.turned(part, size) for part in parts[:2]]
        seen = net.linear(net.attention(parts, width), name + "attention.dense")
        before = x if side_by_side else net.add("Add", [seen, x])
        inner = net.linear(
            net.norm(before, name + "post_attention_layernorm"), name + "mlp.dense_h_to_4h"
        )
        inner = net.linear(net.activation(inner, "hidden_act"), name + "mlp.dense_4h_to_h")
        inner = net.add("Add", [inner, seen]) if side_by_side else inner
        x = net.add("Add", [inner, before])
    return net.graph(_words(net, net.norm(x, top + "final_layer_norm"), top + "embed_in"))
