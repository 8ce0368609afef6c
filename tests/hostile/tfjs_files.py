"""TF.js models whose manifests lie, lead elsewhere, or never end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from samples import tfjs as files
from samples.tfjs import called, entry, function, group, node, placeholder, save

from hostile.building import attack, write


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A sound model with another description."""
    return changed_at(files.small(folder) / "model.json", change)


def changed_at(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def first(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["weightsManifest"][0]
    return found


@attack("outside the model's folder")
def tfjs_shard_above_the_folder(folder: Path) -> Path:
    return changed(folder, lambda c: first(c)["paths"].append("../../../../etc/passwd"))


@attack("outside the model's folder")
def tfjs_shard_at_the_root(folder: Path) -> Path:
    return changed(folder, lambda c: first(c)["paths"].append("/etc/passwd"))


@attack("outside the model's folder")
def tfjs_shard_that_is_a_link(folder: Path) -> Path:
    path = changed(folder, lambda c: first(c)["paths"].append("link.bin"))
    (path.parent / "link.bin").symlink_to("/etc/passwd")
    return path


@attack("is missing")
def tfjs_shard_that_is_a_pipe(folder: Path) -> Path:
    path = changed(folder, lambda c: first(c)["paths"].append("pipe.bin"))
    os.mkfifo(path.parent / "pipe.bin")
    return path


@attack("is missing")
def tfjs_shard_of_another_machine(folder: Path) -> Path:
    return changed(folder, lambda c: first(c).update(paths=["https://example.org/shard.bin"]))


@attack("missing or cut")
def tfjs_shard_that_is_too_short(folder: Path) -> Path:
    path = files.small(folder) / "model.json"
    os.truncate(path.parent / "shard1.bin", 5)
    return path


@attack("more than 10,000 shards")
def tfjs_a_million_shards(folder: Path) -> Path:
    names = [f"{i}.bin" for i in range(10**6)]
    return changed(folder, lambda c: first(c).update(paths=names))


@attack("is listed twice")
def tfjs_shard_that_is_listed_many_times(folder: Path) -> Path:
    return changed(folder, lambda c: first(c).update(paths=["shard0.bin"] * 9_000))


@attack("more than 100,000 texts")
def tfjs_a_gigabyte_of_empty_texts(folder: Path) -> Path:
    texts = {"name": "t", "shape": [2**28], "dtype": "string"}
    path = changed(folder, lambda c: first(c)["weights"].insert(0, texts))
    os.truncate(path.parent / "shard1.bin", 2**30)
    return path


@attack("")
def tfjs_many_tensors_in_many_shards(folder: Path) -> Path:
    path = files.small(folder) / "model.json"
    names = [f"{i}.bin" for i in range(2_000)]
    for name in names:
        (path.parent / name).write_bytes(b"\0")
    tensors = [{"name": str(i), "shape": [0], "dtype": "uint8"} for i in range(20_000)]
    listed = {"paths": names, "weights": tensors}
    return changed_at(path, lambda c: c["weightsManifest"].append(listed))


@attack("absurd shape")
def tfjs_tensor_of_2_to_the_60(folder: Path) -> Path:
    return changed(folder, lambda c: first(c)["weights"][0].update(shape=[2**30, 2**30]))


@attack("more than 100,000 texts")
def tfjs_texts_that_are_too_many(folder: Path) -> Path:
    texts = {"name": "t", "shape": [2**31 - 1], "dtype": "string"}
    return changed(folder, lambda c: first(c)["weights"].insert(0, texts))


@attack("nested too deep")
def tfjs_description_of_brackets(folder: Path) -> Path:
    content = b'{"modelTopology":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    return write(folder, content, "model.json")


@attack("longer than")
def tfjs_description_of_a_gigabyte(folder: Path) -> Path:
    path = write(folder, b'{"modelTopology":', "model.json")
    os.truncate(path, 2**30)
    return path


@attack("more than 100,000 operators")
def tfjs_a_million_operators(folder: Path) -> Path:
    nodes = [{"name": "x", "op": "Relu"}] * 300_000
    return save(folder, {"node": nodes}, []) / "model.json"


@attack("cycle")
def tfjs_operators_in_a_circle(folder: Path) -> Path:
    nodes = [node("a", "Relu", ["b"]), node("b", "Relu", ["a"])]
    signature = {"outputs": {"y": {"name": "a"}}}
    return save(folder, {"node": nodes}, [], signature=signature) / "model.json"


@attack("has no weights")
def tfjs_constant_without_weights(folder: Path) -> Path:
    nodes = [placeholder("x", [1, 2]), node("w", "Const"), node("y", "Mul", ["x", "w"])]
    return save(folder, {"node": nodes}, []) / "model.json"


@attack("")
def tfjs_weights_that_are_no_numbers(folder: Path) -> Path:
    values = np.array([[np.nan, np.inf, -np.inf], [0, 1, 2]], "<f4")
    nothing = np.zeros((0, 3), "<f4")
    weights = [(entry("fc/kernel", values), values), (entry("none", nothing), nothing)]
    return save(folder, files.dense(), [group(weights)]) / "model.json"


@attack("")
def tfjs_scale_that_is_too_large(folder: Path) -> Path:
    values = np.full((2, 3), 255, np.uint8)
    scale = {"dtype": "uint8", "scale": 1e308, "min": -1e308}
    weights = [(entry("fc/kernel", values, scale, "float32"), values)]
    return save(folder, files.dense(), [group(weights)]) / "model.json"


@attack("is not base64")
def tfjs_attribute_that_is_no_text(folder: Path) -> Path:
    nodes = [placeholder("x", [1, 2]), node("y", "Relu", ["x"], it={"s": "\u00e9!"})]
    return save(folder, {"node": nodes}, []) / "model.json"


def web(folder: Path, nodes: Any, functions: Any = ()) -> Path:
    """A graph model without constants that reads ``x``."""
    nodes = [placeholder("x", [1, 2]), *nodes]
    topology = {"node": nodes, "library": {"function": list(functions)}}
    return save(folder, topology, []) / "model.json"


@attack("expand to too many operators")
def tfjs_function_that_calls_itself(folder: Path) -> Path:
    body = [node("again", "PartitionedCall", ["a"], f=called("f"))]
    functions = [function("f", ["a"], body, {"r": "again:output:0"})]
    return web(folder, [node("y", "PartitionedCall", ["x"], f=called("f"))], functions)


@attack("expand to too many operators")
def tfjs_functions_that_double(folder: Path) -> Path:
    functions = [function("f0", ["a"], [node("r", "Relu", ["a"])], {"r": "r:activations:0"})]
    for i in range(1, 30):
        first = node("one", "PartitionedCall", ["a"], f=called(f"f{i - 1}"))
        second = node("two", "PartitionedCall", ["one:output:0"], f=called(f"f{i - 1}"))
        functions.append(function(f"f{i}", ["a"], [first, second], {"r": "two:output:0"}))
    return web(folder, [node("y", "PartitionedCall", ["x"], f=called("f29"))], functions)


@attack("is called, but not there")
def tfjs_function_that_is_not_there(folder: Path) -> Path:
    loop = {"cond": called("c"), "body": called("b")}
    return web(folder, [node("y", "StatelessWhile", ["x"], **loop)])


@attack("returns what it does not read")
def tfjs_loop_that_returns_too_little(folder: Path) -> Path:
    functions = [function("b", ["a"], [], {})]
    loop = {"cond": called("b"), "body": called("b")}
    return web(folder, [node("y", "While", ["x"], **loop)], functions)


@attack("If has no inputs")
def tfjs_branch_of_nothing(folder: Path) -> Path:
    return changed_at(web(folder, []), lambda c: c["modelTopology"]["node"].append(node("y", "If")))


@attack("cycle")
def tfjs_loop_that_is_entered_nowhere(folder: Path) -> Path:
    nodes = [node("m", "Merge", ["x", "r"]), node("r", "Relu", ["m"]), node("y", "Add", ["r", "x"])]
    return web(folder, nodes)


@attack("which nothing writes")
def tfjs_merge_of_itself(folder: Path) -> Path:
    nodes = [
        node("m", "Merge", ["n", "n"]),
        node("n", "NextIteration", ["m"]),
        node("s", "Switch", ["m", "x"]),
        node("e", "Exit", ["s"]),
        node("y", "Add", ["e", "x"]),
    ]
    return web(folder, nodes)


@attack("more than 50,000 operators")
def tfjs_a_chain_of_operators(folder: Path) -> Path:
    nodes = [node("y0", "Relu", ["x"])]
    nodes += [node(f"y{i}", "Relu", [f"y{i - 1}"]) for i in range(1, 99_000)]
    return web(folder, nodes)


@attack("")
def tfjs_operators_that_read_nothing(folder: Path) -> Path:
    nodes = [{"name": f"n{i}", "op": "Odd"} for i in range(20_000)]
    return web(folder, [*nodes, node("y", "Add", [*(f"n{i}" for i in range(20_000)), "x"])])


@attack("")
def tfjs_output_of_a_large_number(folder: Path) -> Path:
    return web(folder, [node("a", "Odd", ["x"]), node("y", "Mul", ["a:99999999", "a"])])


@attack("more than 1,000,000 parts")
def tfjs_manifest_of_a_million_groups(folder: Path) -> Path:
    groups = b'{"weights":[],"paths":[]},' * 10**6
    return write(folder, b"[" + groups + b"0]", "weights_manifest.json")


@attack("longer than")
def tfjs_manifest_of_a_million_weights(folder: Path) -> Path:
    listed = b",".join(b'{"name":"%d","shape":[0],"dtype":"uint8"}' % i for i in range(10**6))
    return write(folder, b'[{"paths":[],"weights":[' + listed + b"]}]", "weights_manifest.json")


@attack("")
def tfjs_manifest_of_many_weights(folder: Path) -> Path:
    listed = b",".join(b'{"name":"%d","shape":[0],"dtype":"uint8"}' % i for i in range(30_000))
    return write(folder, b'[{"paths":[],"weights":[' + listed + b"]}]", "weights_manifest.json")


@attack("list of its weights is damaged")
def tfjs_list_that_is_no_manifest(folder: Path) -> Path:
    return write(folder, b'[{"weights": [1, 2, 3]}]', "weights_manifest.json")


@attack("nested too deep")
def tfjs_manifest_of_brackets(folder: Path) -> Path:
    content = b'[{"weights":' + b"[" * 100_000 + b"]" * 100_000 + b"}]"
    return write(folder, content, "weights_manifest.json")


@attack("more than 100,000 operators")
def tfjs_a_million_operators_of_functions(folder: Path) -> Path:
    nodes = [{"name": "x", "op": "Relu"}] * 20_000
    return web(folder, [], [function(f"f{i}", ["a"], nodes, {"r": "x"}) for i in range(10)])
