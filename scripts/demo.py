"""Registers nine real networks, disguises one of them, asks whom it looks like.

usage: demo.py

Ends with 1 where the disguised network's origin does not come first.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

VICTIM, SUSPECT = "resnet50", "totally_mine.onnx"
SEED = 20


def disguise(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """A copy that computes the same: all names new, other listing order, idle operators put in."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    rng = random.Random(seed)
    rename(copy.graph, rng)
    nodes = [node for old in copy.graph.node for node in with_idle_operators(old, rng)]
    del copy.graph.node[:]
    copy.graph.node.extend(shuffled(nodes, rng))
    copy.producer_name, copy.producer_version = "my-own-trainer", "1.0"
    copy.graph.name = "my_own_network"
    onnx.checker.check_model(copy)
    return copy


def rename(graph: onnx.GraphProto, rng: random.Random) -> None:
    """Give every tensor and node a name that says nothing."""
    values = [*graph.input, *graph.output, *graph.value_info, *graph.initializer]
    names = {value.name for value in values}
    names |= {name for node in graph.node for name in (*node.input, *node.output)}
    numbers = rng.sample(range(10 * len(names)), len(names))
    new = {name: f"my_tensor_{number}" for name, number in zip(sorted(names), numbers, strict=True)}
    new[""] = ""  # an operand that is left out
    for value in values:
        value.name = new[value.name]
    for number, node in enumerate(graph.node):
        node.name = f"my_node_{number}"
        node.input[:] = [new[name] for name in node.input]
        node.output[:] = [new[name] for name in node.output]


def with_idle_operators(node: onnx.NodeProto, rng: random.Random) -> Iterator[onnx.NodeProto]:
    """``node``; behind some, an operator that changes nothing when the network is used."""
    yield node
    idle = {"Relu": "Dropout", "Conv": "Identity", "MaxPool": "Identity"}.get(node.op_type)
    if idle and rng.random() < 0.3:
        outward, inward = node.output[0], f"{node.output[0]}_"
        node.output[0] = inward
        yield onnx.helper.make_node(idle, [inward], [outward], name=f"{node.name}_")


def shuffled(nodes: list[onnx.NodeProto], rng: random.Random) -> Iterator[onnx.NodeProto]:
    """The nodes in another order in which each still comes after those that it needs."""
    made_by = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    needs = [{made_by[name] for name in node.input if name in made_by} for node in nodes]
    feeds: list[list[int]] = [[] for _ in nodes]
    for i, needed in enumerate(needs):
        for j in needed:
            feeds[j].append(i)
    ready = [i for i, needed in enumerate(needs) if not needed]
    while ready:
        i = ready.pop(rng.randrange(len(ready)))
        yield nodes[i]
        for j in feeds[i]:
            needs[j].remove(i)
            if not needs[j]:
                ready.append(j)


def assay(folder: Path, *arguments: str, shown: bool = True) -> str:
    """Run the command in ``folder``; what it printed, which is also shown.

    Raises CalledProcessError where it fails.
    """
    if shown:
        print(f"$ assay {shlex.join(arguments)}", flush=True)
    run = subprocess.run(
        [sys.executable, "-m", "assay", *arguments],
        cwd=folder,
        env={**os.environ, "ASSAY_REGISTRY": str(folder / "registry")},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if shown:
        print(run.stdout)
    run.check_returncode()
    return run.stdout


def tell(folder: Path, light: Path) -> dict[str, Any]:
    """Play the story in ``folder`` with the networks in ``light``; the report's JSON."""
    print("1. Alice registers nine well-known networks. They come with the onnx package.\n")
    models = folder / "models"
    models.mkdir()
    for file in sorted(light.glob("*.onnx")):
        shutil.copy(file, models / file.name.removeprefix("light_"))
    assay(folder, "add", "--owner", "alice", "models")
    print(
        f"2. Somebody takes {VICTIM}, gives every tensor and node another name, lists them in\n"
        "   another order, puts in operators that do nothing, and says that another program\n"
        f"   wrote it. The copy computes the same and is called {SUSPECT}.\n"
    )
    onnx.save(disguise(onnx.load(models / f"{VICTIM}.onnx"), SEED), folder / SUSPECT)
    print("3. Whom does it look like?\n")
    assay(folder, "check", "--top", "3", SUSPECT)
    answer: dict[str, Any] = json.loads(assay(folder, "check", "--json", SUSPECT, shown=False))
    return answer


def main() -> int:
    """Tell the story; 0 where it ends as it should."""
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    try:
        with tempfile.TemporaryDirectory(prefix="assay-demo-") as temporary:
            answer = tell(Path(temporary), light)
    except subprocess.CalledProcessError as error:
        print(f"The demo failed: status {error.returncode} of the last command.", file=sys.stderr)
        return 1
    found = [match["name"] for match in answer["matches"]]
    if found[:1] != [VICTIM] or answer["verdict"] != "same-architecture":
        print(f"The demo failed: {VICTIM} should come first, of {found}.", file=sys.stderr)
        return 1
    print(
        f"So {VICTIM} was found in spite of the disguise. The report says no more than it knows:\n"
        "whoever trains a network of this design gets the same structure. It is a reason to look\n"
        "closer, not proof that a model was copied.\n\n"
        "Next: `assay --help`; docs/threat-model.md says what a verdict can and cannot say."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
