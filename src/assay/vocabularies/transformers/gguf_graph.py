"""GGUF's metadata and names of tensors → operators, for what is built like Llama [gguf.md].

Names and numbers are those of Hugging Face's transformers under others; so is the graph.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assay.errors import UnreadableModel
from assay.graphs.operators import OperatorGraph, Shape
from assay.vocabularies.inputs import InputShapes
from assay.vocabularies.transformers.graph import translate as translate_transformers

_ARCHITECTURES = {  # → the activation of its feed-forward layers
    "llama": "silu", "qwen2": "silu", "qwen3": "silu", "phi3": "silu", "stablelm": "silu",
    "starcoder2": "gelu",
}  # fmt: skip
_WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_qkv": "self_attn.qkv_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_SPECIAL = {  # where a family means something else by a name
    "phi3": {"ffn_up": "mlp.gate_up_proj"},
    "starcoder2": {"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
}
_NAME = re.compile(r"(blk\.(?P<block>\d+)\.)?(?P<layer>\w+)\.(?P<part>weight|bias)")


def translate(
    metadata: Mapping[str, Any], shapes: Mapping[str, Shape], input_shapes: InputShapes
) -> OperatorGraph:
    """The operators of the model whose tensors have these shapes; they keep their names.

    Raises UnreadableModel where the architecture is not known, or the tensors are not its own.
    """
    kind = metadata.get("general.architecture")
    if kind not in _ARCHITECTURES:
        raise UnreadableModel(f"the architecture {kind!r:.60} is not known")
    names = {usual: name for name in shapes if (usual := _usual_name(kind, name))}
    renamed = {usual: shapes[name] for usual, name in names.items()}
    return translate_transformers(_config(kind, metadata), renamed, input_shapes, names)


def _usual_name(kind: str, name: str) -> str:
    """What transformers calls the tensor; "" where it has none such."""
    match = _NAME.fullmatch(name)
    if match is None:
        return ""
    block, layer, part = match["block"], match["layer"], match["part"]
    if block is None:
        return f"{_WHOLE[layer]}.{part}" if layer in _WHOLE else ""
    usual = (_BLOCK | _SPECIAL.get(kind, {})).get(layer)
    return f"model.layers.{block}.{usual}.{part}" if usual else ""


def _config(kind: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    def said(key: str) -> Any:
        return metadata.get(f"{kind}.{key}")

    heads, width, turned = (
        said(key) for key in ("attention.head_count", "embedding_length", "rope.dimension_count")
    )
    size = said("attention.key_length")
    if size is None and type(width) is type(heads) is int and heads > 0:
        size = width // heads
    known = type(turned) is type(size) is int and 0 < turned <= size
    return {
        "model_type": kind,
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": said("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": said("attention.head_count_kv"),
        "hidden_act": _ARCHITECTURES[kind],
        "partial_rotary_factor": turned / size if known else 1.0,
    }
