"""The models that are asked about: trained ones, and what was made of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import torch
from llama import Llama, Shape, State, code, loss, manual, tokens, trained, write
from safetensors.torch import load_file, save_file
from torch import Tensor

BASE, SMALL = Shape(), Shape(hidden=64, layers=4)
STEPS, TUNING = 300, 80
RATE, TUNING_RATE = 3e-3, 1e-3
GROUP = 32  # weights that share a scale in 4 bits
PRUNED = 0.7


@dataclass(frozen=True)
class Pair:
    """Two models, and what is true of them."""

    case: str
    truth: str  # derived, common start, independent
    suspect: Path
    source: Path


def trained_ones(seeds: int, work: Path) -> Iterator[str]:
    """Trains what is missing; says what each is worth on text that it did not see."""
    first, second = tokens(manual()).chunk(2)
    python = tokens(code())
    make: dict[str, Callable[[int], tuple[Llama, Shape, Tensor]]] = {
        "base": lambda seed: (fresh(BASE, first, seed, seed), BASE, second),
        "fine-tune": lambda seed: (tuned(work / str(seed), python, 300 + seed), BASE, python),
        "twin": lambda seed: (fresh(BASE, second, seed, 100 + seed), BASE, first),
        "small": lambda seed: (fresh(SMALL, first, 200 + seed, seed), SMALL, second),
        "sibling": lambda seed: (tuned(work / str(seed), second, 400 + seed), BASE, second),
    }
    for name, seed in product(make, range(seeds)):
        folder = work / str(seed) / name
        if not (folder / "made.json").exists():
            network, shape, judge = make[name](seed)
            write(network.state_dict(), shape, folder)
            about = {"loss": round(judged(network, judge), 3)}  # nats a word, on text not seen
            (folder / "made.json").write_text(json.dumps(about))
        yield f"{name} {seed}: {(folder / 'made.json').read_text()}"


def fresh(shape: Shape, text: Tensor, seed: int, order: int) -> Llama:
    """Trained from a start that the seed draws."""
    torch.manual_seed(seed)
    return trained(Llama(shape), text, STEPS, RATE, order)


def tuned(folder: Path, text: Tensor, order: int) -> Llama:
    """The base, trained on."""
    network = Llama(BASE)
    network.load_state_dict(load_file(folder / "base" / "model.safetensors"))
    return trained(network, text, TUNING, TUNING_RATE, order)


@torch.no_grad()
def judged(network: Llama, text: Tensor) -> float:
    """Loss on 64 windows, in nats a word."""
    starts = torch.linspace(0, len(text) - 50, 64).long()
    return float(loss(network, torch.stack([text[s : s + 49] for s in starts])))


def pruned(state: State, seed: int) -> State:
    """The smallest values of each matrix set to zero."""

    def zeroed(weight: Tensor) -> Tensor:
        least = weight.abs().flatten().kthvalue(int(PRUNED * weight.numel())).values
        return torch.where(weight.abs() > least, weight, 0.0)

    return {name: zeroed(w) if w.ndim == 2 else w for name, w in state.items()}


def without_a_layer(state: State, seed: int) -> State:
    """One of the inner layers is left out; the seed says which."""
    gone = 1 + seed % (BASE.layers - 2)
    kept = {}
    for name, weight in state.items():
        parts = name.split(".")
        if parts[1] == "layers":
            number = int(parts[2])
            if number == gone:
                continue
            parts[2] = str(number - (number > gone))
        kept[".".join(parts)] = weight
    return kept


def permuted(state: State, seed: int) -> State:
    """The residual stream in another order: the network computes what it did."""
    order = torch.randperm(BASE.hidden, generator=torch.Generator().manual_seed(500 + seed))

    def turned(name: str, weight: Tensor) -> Tensor:
        if "o_proj" in name or "down_proj" in name or weight.ndim == 1:
            return weight[order]  # what is written to the stream, and its norms
        return weight[:, order]  # what reads it, and the tokens' rows

    return {name: turned(name, weight) for name, weight in state.items()}


def in_four_bits(state: State, seed: int) -> State:
    """16 values for each group of inputs, as float16; tokens' rows and head in float16."""

    def rounded(weight: Tensor) -> Tensor:
        groups = weight.reshape(-1, GROUP)
        low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
        step = (high - low) / 15
        return (((groups - low) / step).round() * step + low).reshape(weight.shape)

    return {name: (rounded(w) if "proj" in name else w).half() for name, w in state.items()}


CHANGES: dict[str, Callable[[State, int], State]] = {
    "copy": lambda state, seed: state,
    "70 % pruned": pruned,
    "layer dropped": without_a_layer,
    "residual stream permuted": permuted,
    "int4": in_four_bits,
}


def changed(seeds: int, work: Path) -> None:
    """Writes what is missing of what needs no training."""
    for seed in range(seeds):
        state = load_file(work / str(seed) / "base" / "model.safetensors")
        for name, change in CHANGES.items():
            folder = work / str(seed) / name
            if not (folder / "model.safetensors").exists():
                write(change(state, seed), BASE, folder)


AS_GGUF = """
import sys
from pathlib import Path
from modeldna.io.source import open_source
from modeldna.io.weights import open_weight_index
from modeldna.testing import write_gguf_llama
source, folder = sys.argv[1:]
weights = open_weight_index(open_source(source))
state = {name: weights.read_tensor(name) for name in weights.names}
write_gguf_llama(Path(folder), state, n_heads=4, n_kv_heads=2, vocab=1024, quant="Q4_0")
"""


def in_gguf(seeds: int, python: Path, work: Path) -> None:
    """4 bits as llama.cpp stores them (Q4_0), by the writer that modeldna tests itself with."""
    for seed in range(seeds):
        base, folder = work / str(seed) / "base", work / str(seed) / "int4, GGUF"
        if not folder.exists():
            subprocess.run([str(python), "-c", AS_GGUF, str(base), str(folder)], check=True)
            for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
                shutil.copy(base / name, folder)


def renamed(resnets: list[Path], work: Path) -> list[Path]:
    """ResNets as folders, each beside a copy with other names; gives the folders."""
    config = {
        "architectures": ["ResNetForImageClassification"],
        "model_type": "resnet",
        "num_channels": 1,
        "embedding_size": 16,
        "hidden_sizes": [16, 32, 64],
        "depths": [1, 1, 1],
        "layer_type": "basic",
        "torch_dtype": "float32",
    }
    folders = []
    for file in resnets:
        state = load_file(file)
        other = {f"t{i}.{n.rpartition('.')[2]}": w for i, (n, w) in enumerate(state.items())}
        for name, tensors in (("resnet", state), ("resnet renamed", other)):
            folder = work / file.stem / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(json.dumps(config))
            save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        folders.append(work / file.stem)
    return folders


def pairs(seeds: int, resnets: list[Path], work: Path) -> Iterator[Pair]:
    """All that is asked."""
    own = [work / str(seed) for seed in range(seeds)]
    for folder in own:
        for case in (*CHANGES, "fine-tune", "int4, GGUF"):
            yield Pair(case, "derived", folder / case, folder / "base")
        yield Pair("siblings", "common start", folder / "sibling", folder / "fine-tune")
        yield Pair("twins of one seed", "common start", folder / "twin", folder / "base")
        case = "independent, other sizes"
        yield Pair(case, "independent", folder / "small", folder / "base")
    for one, other in combinations(own, 2):
        case = "independent, same configuration"
        yield Pair(case, "independent", one / "base", other / "base")
        case = "independent, same configuration, other text"
        yield Pair(case, "independent", one / "twin", other / "base")
    for folder in resnets:
        yield Pair("ResNet copy, renamed", "derived", folder / "resnet renamed", folder / "resnet")
    for one, other in combinations(resnets, 2):
        yield Pair("independent ResNets", "independent", one / "resnet", other / "resnet")
