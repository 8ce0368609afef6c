"""Small Llamas, trained on the manual that comes with Python, as Hugging Face folders.

Names of tensors and the forward pass are those of transformers' LlamaForCausalLM.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

State = dict[str, Tensor]
WORD = re.compile(r"\w+|[^\w\s]+")
SPECIAL = ("<unk>", "<s>", "</s>")
VOCABULARY = 1024
CONTEXT, BATCH, HEAD = 48, 12, 32  # tokens; sequences; values of a head
EPS, THETA = 1e-5, 10000.0


@dataclass(frozen=True)
class Shape:
    """A Llama's sizes."""

    hidden: int = 128
    layers: int = 6
    inner: int = 192

    def config(self, layers: int, dtype: str) -> dict[str, object]:
        """The folder's config.json."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": self.hidden // HEAD,
            "num_key_value_heads": self.hidden // HEAD // 2,
            "intermediate_size": self.inner,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": CONTEXT,
            "hidden_act": "silu",
            "rms_norm_eps": EPS,
            "rope_theta": THETA,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "tie_word_embeddings": False,
            "torch_dtype": dtype,
        }


class Attention(nn.Module):
    """Causal attention with rotary positions; two heads share keys and values."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        half = shape.hidden // 2
        self.q_proj = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.k_proj = nn.Linear(shape.hidden, half, bias=False)
        self.v_proj = nn.Linear(shape.hidden, half, bias=False)
        self.o_proj = nn.Linear(shape.hidden, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        q, k, v = (
            layer(x).view(b, t, -1, HEAD).transpose(1, 2)  # (b, heads, t, values)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(
            turned(q), turned(k), v, is_causal=True, enable_gqa=True
        )
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(b, t, -1))
        return out


def turned(x: Tensor) -> Tensor:
    """Each pair of values turned by an angle that grows with the position."""
    rates = THETA ** (-torch.arange(0, HEAD, 2) / HEAD)
    angles = torch.outer(torch.arange(x.shape[2]), rates).repeat(1, 2)  # (t, values)
    left, right = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat((-right, left), dim=-1) * angles.sin()


class Gated(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    """Attention and the gated layers, each behind a norm and beside the residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=EPS)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=EPS)
        self.mlp = Gated(shape)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x))
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Llama(nn.Module):
    """Next-token logits."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.model = nn.ModuleDict(
            {
                "embed_tokens": nn.Embedding(VOCABULARY, shape.hidden),
                "layers": nn.ModuleList(Block(shape) for _ in range(shape.layers)),
                "norm": nn.RMSNorm(shape.hidden, eps=EPS),
            }
        )
        self.lm_head = nn.Linear(shape.hidden, VOCABULARY, bias=False)
        for weight in self.parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.model["embed_tokens"](tokens)  # (b, t, hidden)
        for block in self.model["layers"]:
            x = block(x)
        out: Tensor = self.lm_head(self.model["norm"](x))
        return out


def manual() -> list[str]:
    """The words of Python's manual."""
    return WORD.findall("\n".join(topics.values()))


def code() -> list[str]:
    """The words of a few modules of Python's library."""
    library = Path(re.__file__).parent.parent
    names = ("argparse", "typing", "inspect", "datetime", "pathlib", "ast", "enum", "subprocess")
    files = [file for name in names for file in library.glob(f"{name}.py")]
    return WORD.findall("\n".join(file.read_text(encoding="utf-8") for file in files))


def vocabulary() -> dict[str, int]:
    """The most frequent words of both."""
    counts = Counter(manual()) + Counter(code())
    frequent = [word for word, _ in counts.most_common(VOCABULARY - len(SPECIAL))]
    return {word: number for number, word in enumerate((*SPECIAL, *frequent))}


def tokens(words: list[str]) -> Tensor:
    """Their numbers."""
    known = vocabulary()
    return torch.tensor([known.get(word, 0) for word in words])


def trained(network: Llama, text: Tensor, steps: int, rate: float, seed: int) -> Llama:
    """Adam with a cosine schedule on windows of a text drawn by the seed."""
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        starts = torch.randint(len(text) - CONTEXT - 1, (BATCH,), generator=draw)
        windows = torch.stack([text[s : s + CONTEXT + 1] for s in starts])
        optimizer.zero_grad()
        loss(network, windows).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network


def loss(network: Llama, windows: Tensor) -> Tensor:
    """Mean cross-entropy of the next tokens, in nats."""
    logits = network(windows[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


def write(state: State, shape: Shape, folder: Path) -> None:
    """A folder as transformers reads it: weights, configuration and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    layers = 1 + max(int(n.split(".")[2]) for n in state if n.startswith("model.layers."))
    dtype = str(state["lm_head.weight"].dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps(shape.config(layers, dtype), indent=1))
    write_tokenizer(folder)
    state = {name: value.detach().contiguous() for name, value in state.items()}
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def write_tokenizer(folder: Path) -> None:
    """Words by their numbers, for transformers."""
    model = {"type": "WordLevel", "vocab": vocabulary(), "unk_token": SPECIAL[0]}
    split = {"type": "Split", "pattern": {"Regex": WORD.pattern}, "behavior": "Removed"}
    special = [
        {"id": i, "content": word, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for i, word in enumerate(SPECIAL)
    ]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": split | {"invert": True},
        "post_processor": None,
        "decoder": None,
        "model": model,
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    unk, bos, eos = SPECIAL
    about = {"tokenizer_class": "PreTrainedTokenizerFast"}
    about |= {"unk_token": unk, "bos_token": bos, "eos_token": eos}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
