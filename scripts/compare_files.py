"""Are files of several formats one network?  Every pair of a group, weight by weight and layer
by layer.

Usage: python scripts/compare_files.py [--json FILE] ANSWERS FOLDER     pairs that a key calls equal
       python scripts/compare_files.py [--json FILE] --group FILE…      all pairs of these files

ANSWERS has one JSON object a line: ``query``, a file's place in FOLDER, and ``related``, other
files' grades; grades of 4 and 5 are one model converted, copied, or stored in fewer bits.  Weights
of one number are left out.  Two weights are equal if their canonical values are; where a layout
is not known, in some order of the axes.  ``rounding``: equal but for the last digit.  ``half``:
equal as float16.  Graphs are equal if the merged graphs are, names and order aside.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.formats import Model, read
from assay.graphs import layer_graph
from assay.graphs.neighborhoods import fingerprint
from assay.values import Layer, LayerGraph

Array = NDArray[np.float32]
Named = tuple[str, bool, Array]  # name, whether the layout is known, values
SAME = 4  # the grade from which two files are one model
ROUNDING = 1e-6  # of a weight's largest number: two converters multiply in different orders
LEAST = 2  # numbers of a weight that is compared
_MOST_SHOWN = 4
_PARTS: Mapping[str, Callable[[Layer], Any]] = {
    "operator": lambda layer: (),
    "sizes": lambda layer: tuple(sorted(dim for dim in layer.shape or () if dim != 1)),
    "order of axes": lambda layer: layer.shape,
    "parameters": lambda layer: layer.parameters,
    "attributes": lambda layer: layer.attributes,
}
_WAYS = ("equal", "rounding", "half", "another layout")


def weights(model: Model) -> dict[tuple[int, ...], list[Named]]:
    """By their sizes, whatever the order of the axes."""
    found: dict[tuple[int, ...], list[Named]] = defaultdict(list)
    for name, weight in model.weights.items():
        if weight.size >= LEAST:
            values = np.squeeze(weight.read())
            found[tuple(sorted(values.shape))].append((name, weight.canonical, values))
    return found


def alike(first: Named, second: Named) -> str:
    """How two weights are equal, or nothing."""
    (_, is_known, a), (_, other_known, b) = first, second
    if a.shape == b.shape and np.array_equal(a, b, equal_nan=True):
        return "equal"
    if a.shape == b.shape and np.abs(a - b).max() <= ROUNDING * np.abs(a).max():
        return "rounding"
    with np.errstate(over="ignore"):
        small, other = a.astype(np.float16), b.astype(np.float16)
    if a.shape == b.shape and np.array_equal(small, other, equal_nan=True):
        return "half"
    if is_known and other_known:
        return ""
    turned = (other.transpose(axes) for axes in permutations(range(b.ndim)))
    is_found = any(t.shape == a.shape and np.array_equal(small, t, equal_nan=True) for t in turned)
    return "another layout" if is_found else ""


def matched(a: Model, b: Model) -> dict[str, Any]:
    """How many weights are equal, and in which way; the sizes of those that are not."""
    ways: Counter[str] = Counter()
    mine, theirs = weights(a), weights(b)
    for sizes, found in mine.items():
        waiting = theirs.get(sizes, [])
        for each in list(found):
            pairs = ((alike(each, other), other) for other in waiting)
            way, twin = next(((way, other) for way, other in pairs if way), ("", None))
            if twin is not None:
                ways[way] += 1
                waiting[:] = [other for other in waiting if other is not twin]
                found[:] = [other for other in found if other is not each]
    left = [_sizes(found) for found in (mine, theirs)]
    return {**{way: ways[way] for way in _WAYS}, "only_first": left[0], "only_second": left[1]}


def _sizes(found: Mapping[tuple[int, ...], list[Named]]) -> dict[str, int]:
    return {"×".join(map(str, sizes)): len(each) for sizes, each in sorted(found.items()) if each}


def graphs(a: LayerGraph | None, b: LayerGraph | None) -> dict[str, Any]:
    """Whether the merged graphs are equal; if not, the layers that only one has."""
    if a is None or b is None:
        return {"graphs": "none"}
    if fingerprint(a) == fingerprint(b):
        return {"graphs": "equal", "layers": len(a.layers)}
    mine, theirs = (Counter(layer.op for layer in graph.layers) for graph in (a, b))
    return {
        "graphs": "differ",
        "layers": [len(a.layers), len(b.layers)],
        "only_first_layers": dict((mine - theirs).most_common()),
        "only_second_layers": dict((theirs - mine).most_common()),
        "apart": {part: apart(a, b, key) for part, key in _PARTS.items()},
    }


def apart(a: LayerGraph, b: LayerGraph, key: Callable[[Layer], Any]) -> int:
    """How many layers of the first have no twin in the second."""
    mine, theirs = (Counter((layer.op, key(layer)) for layer in graph.layers) for graph in (a, b))
    return (mine - theirs).total()


@cache
def opened(path: Path) -> tuple[Model, LayerGraph | None]:
    """A file's content, kept, for it is of several pairs."""
    model = read(path)
    return model, None if model.layers is None else layer_graph(model.layers)


def compared(first: Path, second: Path) -> dict[str, Any]:
    """What is said of one pair."""
    (a, first_graph), (b, second_graph) = opened(first), opened(second)
    return {
        "formats": [a.format, b.format],
        "weights": matched(a, b),
        **graphs(first_graph, second_graph),
    }


def pairs_of(answers: Path) -> Iterator[tuple[str, str, str]]:
    """The pairs that a key calls one model, and in which way."""
    seen = set()
    for line in answers.read_text().splitlines():
        key = json.loads(line)
        for other, (grade, kind) in key["related"].items():
            pair = tuple(sorted((key["query"], other)))
            if grade >= SAME and pair not in seen:
                seen.add(pair)
                yield pair[0], pair[1], kind


def said(result: Mapping[str, Any]) -> str:
    """One line."""
    found = result["weights"]
    line = ", ".join(f"{found[way]} {way}" for way in _WAYS if found[way]) or "no weight equal"
    for side in ("only_first", "only_second"):
        if found[side]:
            few = list(found[side].items())[:_MOST_SHOWN]
            listed = ", ".join(f"{count} of {sizes or 'one'}" for sizes, count in few)
            line += f"; {side.replace('_', ' ')}: {sum(found[side].values())} ({listed})"
    line += f"; graphs {result['graphs']}"
    if result["graphs"] == "differ":
        counts = ", ".join(f"{n} in {part}" for part, n in result["apart"].items() if n)
        line += f": {counts or 'edges only'}"
    return line


def asked(options: argparse.Namespace) -> Iterable[tuple[Path, Path, str, str, str]]:
    """Two files, their names, and how they are related."""
    if options.group:
        for one, other in combinations(map(Path, options.places), 2):
            yield one, other, one.name, other.name, "said to be one"
    else:
        answers, folder = map(Path, options.places)
        for a, b, kind in pairs_of(answers):
            yield folder / a, folder / b, a, b, kind


def main() -> None:
    """One line for each pair."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("places", nargs="+")
    parser.add_argument("--group", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for a, b, first, second, kind in asked(options):
        try:
            result = compared(a, b)
        except AssayError as error:
            print("REFUSED", error)
            continue
        print(f"{first} | {second} | {kind} | {said(result)}", flush=True)
        results.append({"first": first, "second": second, "kind": kind, **result})
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
