"""Do the tests notice?  Changes one thing at a time in a copy of the source and runs the tests.

    python scripts/mutation_sample.py --count 40 --seed 0          # all of src/assay
    python scripts/mutation_sample.py --only graphs formats --count 40

A mutation turns a comparison, an arithmetic or a logical operator round, moves a number by one, or
negates a condition.  It is killed where a test fails.  Prints each survivor with its line, and the
share that was killed; ends with 1 where that is below ``--least``.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "assay"
# Part of the source → the tests that ought to notice; every other part is watched by all of them.
WATCHED_BY = {
    "formats": ["contracts/test_formats.py", "methods", "test_bad_input.py", "test_examine.py"],
    "graphs": ["graphs", "test_zoo_graphs.py", "test_evasions.py"],
    "hashers": ["contracts/test_hashers.py", "methods/test_weisfeiler_lehman.py"],
    "indexes": ["contracts/test_indexes.py", "methods/test_scan.py"],
    "comparisons": [
        "contracts/test_comparisons.py",
        "methods/test_structure.py",
        "methods/test_weights.py",
    ],
    "registry": ["test_registry.py", "test_registry_search.py", "test_registry_snapshot.py"],
    "values": ["test_values.py"],
}
_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def places(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every (position in ``ast.walk``, what would change) of a module."""
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPS:
            yield number, "comparison"
        elif isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in _SWAPS:
            yield number, "operator"
        elif isinstance(node, ast.If | ast.IfExp):
            yield number, "condition"
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield number, "number"


def mutated(tree: ast.Module, number: int) -> tuple[str, int]:
    """The module's text with one thing changed, and the line."""
    tree = deepcopy(tree)
    node = list(ast.walk(tree))[number]
    if isinstance(node, ast.Compare):
        node.ops[0] = _SWAPS[type(node.ops[0])]()  # type: ignore[assignment]
    elif isinstance(node, ast.BinOp | ast.BoolOp):
        node.op = _SWAPS[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Constant):
        assert isinstance(node.value, int)
        node.value += 1
    assert isinstance(node, ast.expr | ast.stmt)
    return ast.unparse(ast.fix_missing_locations(tree)), node.lineno


def survives(path: Path, text: str) -> bool:
    """Whether the tests of ``path``'s part pass with ``text`` in its place."""
    part = path.relative_to(SOURCE).parts[0]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "src")
        shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "assay" / path.relative_to(SOURCE)).write_text(text)
        tests = [ROOT / "tests" / name for name in WATCHED_BY.get(part, ["."])]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["-o", f"pythonpath={copy} {ROOT / 'scripts'} {ROOT / 'tests'}"]
        command += ["-m", "not torch", *(str(test) for test in tests if test.exists())]
        try:
            run = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=600, check=False)
        except subprocess.TimeoutExpired:
            return False  # a loop that no longer ends is noticed
    return run.returncode == 0


def main() -> None:
    """Draws the sample, tries each, prints the survivors and the share killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least", type=float, default=0.0, help="share that must be killed")
    parser.add_argument("--only", nargs="*", default=[], help="parts of src/assay")
    arguments = parser.parse_args()
    trees = {
        path: ast.parse(path.read_text())
        for path in sorted(SOURCE.rglob("*.py"))
        if not arguments.only or path.relative_to(SOURCE).parts[0] in arguments.only
    }
    everywhere = [(path, place) for path, tree in trees.items() for place in places(tree)]
    sample = random.Random(arguments.seed).sample(everywhere, min(arguments.count, len(everywhere)))
    killed = 0
    for done, (path, (number, kind)) in enumerate(sample, 1):
        text, line = mutated(trees[path], number)
        alive = survives(path, text)
        killed += not alive
        if alive:
            source = path.read_text().splitlines()[line - 1].strip()
            print(f"survived: {path.relative_to(SOURCE)}:{line} ({kind}) {source}")
        print(f"{killed}/{done} killed", end="\r", file=sys.stderr, flush=True)
    print(f"{killed} of {len(sample)} killed, seed {arguments.seed}")
    if sample and killed / len(sample) < arguments.least:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
