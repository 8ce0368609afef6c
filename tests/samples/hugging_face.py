"""A sound snapshot of Hugging Face: a Llama of one block, and a maker of others."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samples.safetensors import written

Arrays = dict[str, NDArray[np.float32]]
WIDTH, INNER, WORDS, HEADS, GROUPS = 8, 6, 5, 2, 1
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 1,
    "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}
_SHAPES = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.k_proj": (WIDTH // HEADS * GROUPS, WIDTH),
    "self_attn.v_proj": (WIDTH // HEADS * GROUPS, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (INNER, WIDTH),
    "mlp.up_proj": (INNER, WIDTH),
    "mlp.down_proj": (WIDTH, INNER),
    "input_layernorm": (WIDTH,),
    "post_attention_layernorm": (WIDTH,),
}
_TURNED = ["Slice", "Neg", "Slice", "Concat", "Mul", "Mul", "Add"]


def llama(blocks: int = 1, tied: bool = False) -> Arrays:
    """The tensors of a Llama, which count up from one."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (WORDS, WIDTH)}
    for block in range(blocks):
        shapes |= {f"model.layers.{block}.{n}.weight": shape for n, shape in _SHAPES.items()}
    shapes["model.norm.weight"] = (WIDTH,)
    if not tied:
        shapes["lm_head.weight"] = (WORDS, WIDTH)
    counter, arrays = 1, Arrays()
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        arrays[name] = np.arange(counter, counter + size, dtype=np.float32).reshape(shape)
        counter += size
    return arrays


def snapshot(folder: Path, arrays: Arrays, config: Mapping[str, Any]) -> Path:
    """A folder of one configuration and one file of weights."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    written(folder / "model.safetensors", arrays)
    return folder


WEIGHTS = {name: array.tolist() for name, array in llama().items()}
OPS = [
    "Gather", "RMSNormalization", "Gemm", "Gemm", "Gemm", *_TURNED, *_TURNED, "Attention", "Gemm",
    "Add", "RMSNormalization", "Gemm", "Swish", "Gemm", "Mul", "Gemm", "Add", "RMSNormalization",
    "Gemm",
]  # fmt: skip


def small(folder: Path) -> Path:
    """One block."""
    return snapshot(folder / "llama", llama(), CONFIG)
