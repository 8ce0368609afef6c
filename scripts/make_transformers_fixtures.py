"""Writes what PyTorch's exporter makes of transformers' own models.

pip install torch==2.13.0 onnxscript==0.7.2 transformers==5.23.0
python scripts/make_transformers_fixtures.py

For each model, ``<name>.json`` has its configuration and the shapes of its tensors,
``<name>.onnx.xz`` its operators.  The models are small, and nothing of their weights is kept.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from onnx import ModelProto
from torch import nn

from assay.formats._torch import to_onnx

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures" / "transformers"
SEQUENCE, IMAGE = 128, 64
LLAMA = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 256, "tie_word_embeddings": False,
}  # fmt: skip
GROUPED = {**LLAMA, "num_key_value_heads": 2}
BIASED = {"attention_bias": True, "mlp_bias": True}
HALF = {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}
DISTILBERT = {
    "vocab_size": 320, "dim": 64, "hidden_dim": 96, "n_layers": 2, "n_heads": 4,
    "tie_word_embeddings": False,
}  # fmt: skip
GPT2 = {
    "vocab_size": 320, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256,
    "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
VIT = {**LLAMA, "image_size": IMAGE, "patch_size": 16}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", GROUPED),
    "llama-biased": ("LlamaForCausalLM", LLAMA | BIASED),
    "llama-body": ("LlamaModel", GROUPED),
    "mistral": ("MistralForCausalLM", {**GROUPED, "head_dim": 32}),
    "qwen2": ("Qwen2ForCausalLM", GROUPED),
    "qwen3": ("Qwen3ForCausalLM", {**GROUPED, "head_dim": 16}),
    "phi3": ("Phi3ForCausalLM", GROUPED | HALF | {"pad_token_id": 0}),
    "starcoder2": ("Starcoder2ForCausalLM", GROUPED),
    "stablelm": ("StableLmForCausalLM", GROUPED),
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "gpt-neox": ("GPTNeoXForCausalLM", LLAMA),
    "gpt-neox-in-turn": ("GPTNeoXForCausalLM", {**LLAMA, "use_parallel_residual": False}),
    "bert": ("BertModel", LLAMA),
    "bert-words": ("BertForMaskedLM", LLAMA),
    "bert-class": ("BertForSequenceClassification", LLAMA),
    "bert-tokens": ("BertForTokenClassification", LLAMA),
    "bert-answers": ("BertForQuestionAnswering", LLAMA),
    "roberta-words": ("RobertaForMaskedLM", LLAMA),
    "roberta-class": ("RobertaForSequenceClassification", LLAMA),
    "electra": ("ElectraModel", {**LLAMA, "embedding_size": 32}),
    "distilbert-words": ("DistilBertForMaskedLM", DISTILBERT),
    "distilbert-class": ("DistilBertForSequenceClassification", DISTILBERT),
    "vit": ("ViTForImageClassification", VIT),
    "vit-body": ("ViTModel", VIT),
}


class Positional(nn.Module):
    """A model whose inputs have an order, and whose outputs are its tensors."""

    def __init__(self, model: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given: dict[str, Any] = dict(zip(self.names, values, strict=True))
        if hasattr(self.model.config, "use_cache") and self.names[0] == "input_ids":
            self.model.config.use_cache = False
        outputs = self.model(**given).to_tuple()
        return tuple(output for output in outputs if isinstance(output, torch.Tensor))


def inputs_of(kind: str) -> list[str]:
    """All that may be given to such a model, but masks."""
    if kind == "vit":
        return ["pixel_values"]
    if kind in ("bert", "roberta", "electra"):
        return ["input_ids", "token_type_ids", "position_ids"]
    return ["input_ids", "position_ids"] if kind in ("gpt2", "distilbert") else ["input_ids"]


def fixture(name: str, options: dict[str, Any]) -> tuple[dict[str, Any], ModelProto]:
    """What is known of one model."""
    made: Callable[..., Any] = getattr(transformers, name)
    config = made.config_class(**options)
    torch.manual_seed(0)
    model = made(config).eval()
    names = inputs_of(config.model_type)
    examples = [
        torch.zeros((1, 3, IMAGE, IMAGE))
        if name == "pixel_values"
        else torch.zeros((1, SEQUENCE), dtype=torch.int64)
        for name in names
    ]
    with torch.no_grad():
        proto = to_onnx(Positional(model, names).eval(), tuple(examples))
    said = json.loads(config.to_json_string(use_diff=False))
    known = {
        "made_by": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "config": {**said, "architectures": [name]},
        "shapes": {key: list(tensor.shape) for key, tensor in model.state_dict().items()},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    return known, stripped(proto)


def stripped(proto: ModelProto) -> ModelProto:
    """Without what the exporter notes of its own work."""
    del proto.graph.value_info[:]
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    return proto


def main() -> None:
    """All models."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (model, options) in MODELS.items():
        known, proto = fixture(model, options)
        (FOLDER / f"{name}.json").write_text(json.dumps(known, separators=(",", ":")) + "\n")
        packed = lzma.compress(proto.SerializeToString(deterministic=True))
        (FOLDER / f"{name}.onnx.xz").write_bytes(packed)
        print(f"{name}: {len(packed):,} bytes", flush=True)


if __name__ == "__main__":
    main()
