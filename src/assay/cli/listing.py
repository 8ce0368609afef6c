"""The verb that lists what there is to choose from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from assay.cli import _options as shared
from assay.cli._settings import defaults
from assay.cli._terminal import say, width
from assay.errors import MissingExtra
from assay.methods import Methods
from assay.report import json_line, table, wrapped
from assay.values import Json

HEADINGS = ("ROLE", "METHOD", "OPTIONS")


@dataclass(frozen=True)
class Listed:
    """A method of a role."""

    role: str
    name: str
    options: dict[str, Any]  # by name: the default; empty where the extra is missing
    summary: str
    extra: str | None  # what it needs beyond the core
    installed: bool

    def to_json(self) -> Json:
        return {
            "role": self.role,
            "method": self.name,
            "options": {name: _plain(value) for name, value in self.options.items()},
            "summary": self.summary,
            "extra": self.extra,
            "installed": self.installed,
        }

    def cells(self) -> tuple[str, ...]:
        """Its row under HEADINGS."""
        shown = ", ".join(f"{name}={default}" for name, default in flat(self.options)) or "-"
        needed = f"needs: pip install 'assay[{self.extra}]'"
        return self.role, self.name, shown if self.installed else needed


@click.command()
@shared.as_json
def methods(as_json: bool) -> None:
    """List every method of every role, with its options."""
    found = [listed(role, known, name) for role, known in roles() for name in known]
    if as_json:
        for method in found:
            say(json_line(method.to_json()))
    else:
        heading, *rows = table(HEADINGS, [method.cells() for method in found])
        say(heading)
        for method, row in zip(found, rows, strict=True):
            say("\n".join([row, *wrapped(method.summary, width(), "    ")]))


def roles() -> Iterator[tuple[str, Methods[Any]]]:
    """Each role and its methods: a folder whose ``__init__`` makes the mapping of its name."""
    for file in sorted(Path(__file__).parents[1].glob("*/__init__.py")):
        role = file.parent.name
        if f"\n{role.upper()} = Methods(" in file.read_text(encoding="utf-8"):
            yield role, getattr(import_module(f"assay.{role}"), role.upper())


def listed(role: str, known: Methods[Any], name: str) -> Listed:
    """Method ``name`` of ``role``; what its file says of itself is read, not imported."""
    home = Path(import_module(known.package).__file__ or "").parent
    tree = ast.parse((home / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8"))
    about = (ast.get_docstring(tree) or "").replace("``", "`").partition("\n\n")[0]
    summary = " ".join(about.split())
    extra = None
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXTRA":
            extra = str(ast.literal_eval(node.value))
    try:
        method = known[name]
    except (ModuleNotFoundError, MissingExtra):
        if extra is None:
            raise
        return Listed(role, name, {}, summary, extra, installed=False)
    known_options = [field.name for field in fields(method)] if is_dataclass(method) else []
    options = {name: defaults(method).get(name) for name in known_options}
    return Listed(role, name, options, summary, extra, installed=True)


def flat(options: Json, within: str = "") -> Iterator[tuple[str, Any]]:
    """Options and those inside them, as ``--set`` names them."""
    for name, value in options.items():
        if isinstance(inner := _plain(value), dict):
            yield from flat(inner, f"{within}{name}.")
        else:
            yield within + name, value


def _plain(value: Any) -> Any:
    """A default as JSON: what options hold is nested."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


VERBS = (methods,)
