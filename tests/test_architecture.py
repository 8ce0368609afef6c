"""The rules of docs/architecture.md, read from the source; each is shown to turn red below."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import pytest

import assay

SRC = Path(assay.__file__).parent
ROOT = SRC.parents[1]
OWNERS = {"watermarks", "licenses"}
ROLES = {"formats", "hashers", "indexes", "comparisons", "derivations", "fingerprints"} | OWNERS
LEVELS = (
    {"errors"},
    {"values", "methods", "durable"},
    {"graphs", "alignment", "crossbars", "keys"},
    {"weights", "transparency"},
    {"containers", "running", "sketches", "diagnosis"},
    {"vocabularies", "training"},
    ROLES,
    {"examine"},
    {"registry", "report", "trainers", "zoo", "comparing"},
    {"web"},
    {"cli"},
    {"__main__"},
)
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}
FRAMEWORKS = {"torch", "torchvision", "torch_pruning", "onnxscript", "scipy", "onnxruntime",
    "ai_edge_litert", "tensorflow", "keras", "jax", "flax", "cryptography",
    "rfc3161_client"}  # fmt: skip
EXECUTES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
VAGUE = {"utils", "util", "core", "common", "manager", "helpers", "helper", "handler", "base"}
MODULE_LINES, FUNCTION_LINES = 300, 60

Rule = Callable[[Path], list[str]]


@lru_cache(maxsize=1)  # for one rule after the other
def sources(root: Path) -> list[tuple[Path, ast.Module]]:
    """Each Python file under ``root``, and its syntax tree."""
    return [(p.relative_to(root), ast.parse(p.read_text())) for p in sorted(root.rglob("*.py"))]


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """Dotted names that a tree imports: ``from a import b`` gives ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def part_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def belongs_to_extra(tree: ast.Module) -> bool:
    """Whether a module says at its top level ``EXTRA = "torch"``: the mark of an extra's module."""
    return any(
        isinstance(node, ast.Assign)
        and [target.id for target in node.targets if isinstance(target, ast.Name)] == ["EXTRA"]
        for node in tree.body
    )


def imports_only_go_down(root: Path) -> list[str]:
    """A part imports parts of lower levels; roles, being of one level, do not know each other."""
    wrong = []
    for path, tree in sources(root):
        part = part_of(path)
        if part == "__init__":  # the facade: above all, and imported by none
            continue
        if part not in LEVEL:
            wrong.append(f"{path}: part {part} has no level")
            continue
        for name, _ in imports(tree):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            inside = package == "assay" and other not in {part, "__version__"}
            if inside and LEVEL.get(other, len(LEVELS)) >= LEVEL[part]:
                wrong.append(f"{path}: imports {name}")
    return wrong


def core_imports_no_framework(root: Path) -> list[str]:
    """A deep-learning framework is imported only where a module is marked as an extra's."""
    return [
        f"{path}: imports {name}"
        for path, tree in sources(root)
        for name, node in imports(tree)
        if name.split(".")[0] in FRAMEWORKS
        and not belongs_to_extra(tree)
        and node not in guarded(tree)
    ]


def guarded(tree: ast.Module) -> set[ast.stmt]:
    """Statements under ``if TYPE_CHECKING:``, which do not run."""
    blocks = (n for n in ast.walk(tree) if isinstance(n, ast.If))
    return {
        node
        for block in blocks
        if isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for child in block.body
        for node in ast.walk(child)
        if isinstance(node, ast.stmt)
    }


def role_imports_no_framework(root: Path) -> list[str]:
    """A role's ``__init__`` is light, marked or not: listing methods needs no extra."""
    return [
        f"{path}: imports {name}"
        for path, tree in sources(root)
        if path.name == "__init__.py"
        for name, node in imports(tree)
        if name.split(".")[0] in FRAMEWORKS and node not in guarded(tree)
    ]


def formats_are_light(root: Path) -> list[str]:
    """Each format is asked whether a file is its own; only the one that reads loads operators."""
    return [
        f"{path}: loads {name} for a file of any format"
        for path, tree in sources(root)
        if path.parts[0] == "formats" and not path.stem.startswith("_")
        for name, node in imports(tree)
        if node in tree.body
        and name.startswith("assay.vocabularies.")
        and not name.startswith("assay.vocabularies.inputs.")
    ]


def nothing_read_is_executed(root: Path) -> list[str]:
    """No pickle, no marshal, no eval: not even in a module of an extra."""
    wrong = []
    for path, tree in sources(root):
        wrong += [
            f"{path}: imports {name}" for name, _ in imports(tree) if EXECUTES & {*name.split(".")}
        ]
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            function = ast.unparse(call.func)
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if (
                function in {"eval", "exec", "compile", "__import__"}
                or (function == "torch.load" and options.get("weights_only") != "True")
                or options.get("allow_pickle", "False") != "False"
            ):
                wrong.append(f"{path}:{call.lineno}: calls {function}")
    return wrong


def folders_are_at_most_two_deep(root: Path) -> list[str]:
    """A part is a folder; what a framework or a container is made of may be a folder in it."""
    return [f"{path}: too deep" for path, _ in sources(root) if len(path.parts) > 3]


def names_say_something(root: Path) -> list[str]:
    return [
        f"{path}: says nothing"
        for path, _ in sources(root)
        if VAGUE & {part.removesuffix(".py").strip("_") for part in path.parts}
    ]


def modules_are_short(root: Path) -> list[str]:
    return [
        f"{path}: {lines} lines"
        for path, _ in sources(root)
        if (lines := len((root / path).read_text().splitlines())) > MODULE_LINES
    ]


def functions_are_short(root: Path) -> list[str]:
    return [
        f"{path}: {node.name} has {lines} lines"
        for path, tree in sources(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]


def options_are_few_and_named(root: Path) -> list[str]:
    """No ``**kwargs``, and a method has at most six options: the fields of its data class."""
    wrong = []
    for path, tree in sources(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.args.kwarg:
                wrong.append(f"{path}: {node.name} takes **{node.args.kwarg.arg}")
            is_method = part_of(path) in ROLES and not path.stem.startswith("_")
            if isinstance(node, ast.ClassDef) and is_method and not node.name.startswith("_"):
                fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
                if len(fields) > 6:
                    wrong.append(f"{path}: {node.name} has {len(fields)} options")
    return wrong


RULES: tuple[Rule, ...] = (
    imports_only_go_down,
    core_imports_no_framework,
    role_imports_no_framework,
    formats_are_light,
    nothing_read_is_executed,
    folders_are_at_most_two_deep,
    names_say_something,
    modules_are_short,
    functions_are_short,
    options_are_few_and_named,
)

VIOLATIONS: list[tuple[Rule, str, str]] = [
    (imports_only_go_down, "values.py", "from assay.registry import Registry"),
    (imports_only_go_down, "graphs/rules.py", "def f():\n    import assay.hashers"),
    (imports_only_go_down, "methods.py", "from assay import values"),
    (imports_only_go_down, "hashers/near.py", "from assay.indexes import Index"),
    (imports_only_go_down, "registry/store.py", "from assay import hash"),
    (imports_only_go_down, "extras/thing.py", ""),
    (core_imports_no_framework, "graphs/costs.py", "def f():\n    import torch.fx"),
    (role_imports_no_framework, "formats/__init__.py", 'EXTRA = "torch"\nfrom torch import nn'),
    (formats_are_light, "formats/keras.py", "from assay.vocabularies.keras.graph import Graph"),
    (nothing_read_is_executed, "formats/checkpoint.py", 'EXTRA = "torch"\nimport pickle'),
    (nothing_read_is_executed, "formats/checkpoint.py", "from six.moves import cPickle"),
    (nothing_read_is_executed, "formats/checkpoint.py", "x = torch.load('a.pt')"),
    (nothing_read_is_executed, "formats/checkpoint.py", "np.load('a.npy', allow_pickle=True)"),
    (nothing_read_is_executed, "formats/checkpoint.py", "eval('1')"),
    (folders_are_at_most_two_deep, "graphs/passes/batch_norm/fold.py", ""),
    (names_say_something, "graphs/_utils.py", ""),
    (names_say_something, "core/values.py", ""),
    (modules_are_short, "report.py", "x = 1\n" * 301),
    (functions_are_short, "report.py", "def f():\n" + "    x = 1\n" * 60),
    (options_are_few_and_named, "report.py", "def f(**options): ..."),
    (options_are_few_and_named, "hashers/a.py", "class A:\n" + "    x: int = 1\n" * 7),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_library_keeps(rule: Rule) -> None:
    assert rule(SRC) == []


@pytest.mark.parametrize("rule", [modules_are_short, functions_are_short, names_say_something])
@pytest.mark.parametrize("folder", ["scripts", "benchmarks", "papers", "tests"])
def test_what_stands_beside_the_library_keeps(rule: Rule, folder: str) -> None:
    assert rule(ROOT / folder) == []


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    VIOLATIONS,
    ids=lambda value: value[:40] if isinstance(value, str) else value.__name__,
)
def test_a_violation_turns_the_rule_red(rule: Rule, path: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert [message.startswith(path) for message in rule(tmp_path)] == [True]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_has_a_violation_that_shows_it(rule: Rule) -> None:
    assert rule in {shown for shown, _, _ in VIOLATIONS}


def test_what_is_allowed_stays_green(tmp_path: Path) -> None:
    (tmp_path / "formats").mkdir()
    allowed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from torch import nn\n"
    (tmp_path / "formats" / "__init__.py").write_text(allowed)
    (tmp_path / "formats" / "torch_export.py").write_text(
        'EXTRA = "torch"\nimport torch\nfrom assay.graphs import costs\n'
        'torch.load("a", weights_only=True)\n'
    )
    (tmp_path / "cli.py").write_text("from assay import __version__\nimport assay.registry\n")
    assert [message for rule in RULES for message in rule(tmp_path)] == []


def modules(extra: bool) -> list[str]:
    found = ((path, belongs_to_extra(tree)) for path, tree in sources(SRC))
    names = (path.with_suffix("").as_posix().replace("/", ".") for path, ex in found if ex == extra)
    return [f"assay.{name}".removesuffix(".__init__") for name in names]


def test_the_core_imports_with_every_framework_out_of_reach() -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(FRAMEWORKS)}))\n"
        f"from importlib import import_module\n"
        f"for name in {modules(extra=False)}: import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(SRC.parent)}, check=True)


@pytest.mark.torch
def test_the_modules_of_extras_import() -> None:
    assert [import_module(name).__name__ for name in modules(extra=True)] == modules(extra=True)
