"""How much memory a model of 70 billion parameters takes to be read and hashed.

    python benchmarks/large/run.py            # writes results.json beside this file
    python benchmarks/large/run.py --small    # nothing written

A snapshot folder of Llama 3's largest shapes: 80 blocks in 30 safetensors shards of bfloat16 and an
index, 141 GB.  The files are sparse: they have their size, and take no room.  A fresh process reads
the folder, lists its weights, makes the layer graph from the configuration and hashes that; the
weights' own bytes, of which there are none, are not hashed.  Resident memory is the kernel's figure
of that process, and of the largest one below it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BLOCKS, WIDTH, INNER, WORDS, HEADS, GROUPS = 80, 8192, 28672, 128_256, 64, 8
SHARDS = 30
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": BLOCKS,
    "num_attention_heads": HEADS, "num_key_value_heads": GROUPS, "hidden_size": WIDTH,
    "intermediate_size": INNER, "vocab_size": WORDS, "hidden_act": "silu",
    "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
TARGET_MIB = 300
PARAMETERS = 70_553_706_496
MEASURED = """
import json, resource, sys, time
from pathlib import Path
start = time.perf_counter()
from assay.examine import examine
from assay.formats import read
record = examine(sys.argv[1], digest=False)
weights = read(Path(sys.argv[1])).weights
usage = [resource.getrusage(who).ru_maxrss / 1024
         for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({
    "seconds": round(time.perf_counter() - start, 2),
    "resident_mib": round(max(usage), 1),
    "tensors": len(weights),
    "parameters_of_weights": sum(weight.size for weight in weights.values()),
    "parameters_of_graph": record.parameters,
    "layers": len(record.graph.layers),
    "code": str(record.code),
}))
"""


def shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of the model."""
    keys = WIDTH // HEADS * GROUPS
    block = {
        "self_attn.q_proj": (WIDTH, WIDTH), "self_attn.k_proj": (keys, WIDTH),
        "self_attn.v_proj": (keys, WIDTH), "self_attn.o_proj": (WIDTH, WIDTH),
        "mlp.gate_proj": (INNER, WIDTH), "mlp.up_proj": (INNER, WIDTH),
        "mlp.down_proj": (WIDTH, INNER), "input_layernorm": (WIDTH,),
        "post_attention_layernorm": (WIDTH,),
    }  # fmt: skip
    return {
        "model.embed_tokens.weight": (WORDS, WIDTH),
        **{
            f"model.layers.{number}.{name}.weight": shape
            for number in range(BLOCKS)
            for name, shape in block.items()
        },
        "model.norm.weight": (WIDTH,),
        "lm_head.weight": (WORDS, WIDTH),
    }


def write_snapshot(folder: Path) -> int:
    """Writes the snapshot; the bytes that its files have."""
    tensors = iter(shapes().items())
    share = -(-len(shapes()) // SHARDS)
    places: dict[str, str] = {}
    for number in range(1, SHARDS + 1):
        name = f"model-{number:05}-of-{SHARDS:05}.safetensors"
        header, end = {}, 0
        for tensor, shape in islice(tensors, share):
            start, end = end, end + 2 * prod(shape)
            header[tensor] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
            places[tensor] = name
        text = json.dumps(header).encode()
        with (folder / name).open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(file.tell() + end)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return sum(file.stat().st_size for file in folder.iterdir())


def main() -> None:
    """Measures, prints, writes, and fails where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="nothing is written")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = write_snapshot(Path(folder))
        command = [sys.executable, "-c", MEASURED, folder]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, Any] = json.loads(out)
    result = {
        "command": "python benchmarks/large/run.py",
        "file_bytes": size,
        "hardware": f"{os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "measured": measured,
        "target_mib": TARGET_MIB,
    }
    print(json.dumps(result, indent=1))
    if not arguments.small:
        (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    if measured["resident_mib"] > TARGET_MIB:
        raise SystemExit("missed: resident_mib")
    if {measured["parameters_of_weights"], measured["parameters_of_graph"]} != {PARAMETERS}:
        raise SystemExit("missed: parameters")


if __name__ == "__main__":
    main()
