"""What ``assay compare`` says of strangers, twins and siblings once their channels are aligned.

    python benchmarks/independence/aligned.py FAMILIES [--count 40]   # writes aligned.json

FAMILIES holds the trained networks of scripts/make_families.py.  Of each network, so many pairs of
each kind are drawn: of different seeds, of one seed and different tasks, and children of one base,
without the base and with it.  None of the first may be related, none of the others derived.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from siblings import TRAINED_ANEW, families

from assay.comparisons.aligned_weights import AlignedWeights, explains
from assay.formats import read
from assay.values import Evidence, Relation
from assay.weights import Weight

HERE = Path(__file__).parent
METHOD = AlignedWeights()
KINDS = ("strangers", "twins", "siblings", "siblings, base given", "child and base")
Pair = tuple[str, str, str, str]  # kind; suspect, source; base or ""


def pairs(folder: Path, count: int) -> Iterator[Pair]:
    """Names of models, in a random order that is always the same."""
    random = Random(0)
    started = [path.stem for path in sorted(folder.glob("*.json")) if path.stem.count(".") == 2]
    of_network: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for name in started:
        network, task, seed = name.split(".")
        of_network[network].append((name, task, seed))
    for models in of_network.values():
        every = [*combinations(models, 2)]
        random.shuffle(every)
        strangers = [(a, b) for (a, _, s), (b, _, t) in every if s != t]
        twins = [(a, b) for (a, _, s), (b, _, t) in every if s == t]
        yield from (("strangers", *pair, "") for pair in strangers[:count])
        yield from (("twins", *pair, "") for pair in twins[:count])
    for base, members in families(folder).items():
        children = [name for name in members if name != base and not name.endswith(TRAINED_ANEW)]
        every = [
            (a, b)
            for a, b in combinations(children, 2)
            if not f"{a}.".startswith(f"{b}.") and not f"{b}.".startswith(f"{a}.")
        ]
        random.shuffle(every)
        for pair in every[: count // 2]:
            yield "siblings", *pair, ""
            yield "siblings, base given", *pair, base
        yield from (("child and base", child, base, "") for child in children)


def weights(folder: Path, name: str) -> Mapping[str, Weight]:
    """Those of a model, whatever its format."""
    return read(folder / json.loads((folder / f"{name}.json").read_text())["file"]).weights


def said(folder: Path, suspect: str, source: str, base: str) -> tuple[Relation, Evidence]:
    """What is said of two models."""
    ours, theirs = (weights(folder, name) for name in (suspect, source))
    evidence = METHOD.compare_weights(ours, theirs)
    assert evidence is not None
    relation = METHOD.relation(evidence)
    if base and relation > Relation.COMMON_ANCESTOR:
        of_base = METHOD.compare_weights(theirs, weights(folder, base))
        if of_base is not None and explains(of_base, evidence):
            relation = Relation.COMMON_ANCESTOR
    return relation, evidence


def main() -> int:
    """Compare, count, write; 1 where somebody was accused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("families", type=Path)
    parser.add_argument("--count", type=int, default=40)
    chosen = parser.parse_args()
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    least = dict.fromkeys(KINDS, 0.0)
    of_child: dict[str, Counter[str]] = defaultdict(Counter)
    accused = []
    for kind, suspect, source, base in pairs(chosen.families, chosen.count):
        relation, evidence = said(chosen.families, suspect, source, base)
        counts[kind][str(relation)] += 1
        least[kind] = min(least[kind], evidence.log10_false_alarm or 0.0)
        if kind == "child and base":
            of_child[suspect.removeprefix(f"{source}.")][str(relation)] += 1
        limit = Relation.SAME_ARCHITECTURE if kind == "strangers" else Relation.COMMON_ANCESTOR
        if kind not in ("child and base", "siblings") and relation > limit:
            accused.append(f"{kind}: {suspect}, {source}: {relation}")
            print(accused[-1], flush=True)
    results: dict[str, Any] = {
        "command": f"python benchmarks/independence/aligned.py FAMILIES --count {chosen.count}",
        "said": {kind: dict(count) for kind, count in counts.items()},
        "least_log10_false_alarm": least,
        "of_child": {kind: dict(count) for kind, count in sorted(of_child.items())},
        "accused": accused,
    }
    (HERE / "aligned.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results["said"]), least)
    return bool(accused)


if __name__ == "__main__":
    sys.exit(main())
