"""Verbs that keep models in a registry."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _apps as apps
from assay.cli import _options as options
from assay.cli._terminal import attempts, remark, say, width
from assay.cli._writing import writable
from assay.durable import write_through
from assay.errors import AssayError, DamagedRegistry, UnwritableModel
from assay.report import facts, json_line, printable, table
from assay.values import Json, LayerGraph, Record

if TYPE_CHECKING:
    from assay.registry import Added

HEADINGS = ("NAME", "OWNER", "FORMAT", "LAYERS", "PARAMETERS", "ADDED", "SHA256")


@click.command()
@click.argument("paths", metavar="FILE_OR_DIR...", nargs=-1, required=True, type=options.FILE)
@click.option("--owner", metavar="NAME", help="Who claims the models.")
@click.option("--name", metavar="NAME", help="What to call the model; for one file only.")
@click.option(
    "--base",
    is_flag=True,
    help="Mark as public bases: what their children share by them is not to be reviewed.",
)
@options.hasher
@options.input_shape
@options.registry
@options.as_json
@click.pass_context
def add(
    context: click.Context,
    paths: tuple[str, ...],
    owner: str | None,
    name: str | None,
    base: bool,
    hasher_name: str | None,
    bits: int | None,
    weights: str | None,
    input_shape: options.Shapes,
    location: str | None,
    as_json: bool,
) -> None:
    """Register files, and all models in folders and in apps.

    A folder is searched with the folders in it; links in it are not followed.  A line is printed
    once its model is durably registered.  The same bytes twice are one model; a second owner is a
    second claim on it.  A registry keeps the hasher of its first model, unless it is rehashed.
    """
    files, left_out, closed = collect(paths)
    if name is not None and (len(paths) > 1 or len(files) > 1 or Path(paths[0]).is_dir()):
        raise click.UsageError("--name is for one model: give it with one file")
    chosen = None
    if (hasher_name, bits, weights) != (None, None, None):
        chosen = options.make_hasher(hasher_name, bits, weights)
    counts: Counter[str] = Counter()
    with options.open_registry(location, create=True) as registry:
        if chosen is not None:
            registry.use(chosen)

        def register(path: str) -> Added:
            if path in closed:
                raise closed[path]
            return registry.add(path, owner=owner, name=name, input_shape=input_shape, base=base)

        for path, added, wrong in attempts(files, register, "Adding"):
            status = added.status if added else "failed"
            counts[status] += 1
            if as_json:
                say(json_line(added_json(path, added, wrong)))
            elif added:
                say(f"{status:6}  {printable(added.name)}  ({printable(path)})")
    for reason, number in sorted(left_out.items()):
        remark(f"left out, {reason}: {number}")
    if not as_json:
        listed = ("added", "exists", "failed")
        say(", ".join(f"{counts[status]} {status}" for status in listed))
    context.exit(2 if counts["failed"] else 0)


def added_json(path: str, added: Added | None, wrong: str) -> Json:
    """The line of one file; the same keys whether it succeeded or not."""
    sha256, name, status = (added.sha256, added.name, added.status) if added else (None,) * 3
    return {
        "path": path,
        "sha256": sha256,
        "name": name,
        "status": status or "failed",
        "error": wrong or None,
    }


def collect(paths: Sequence[str]) -> tuple[list[str], Counter[str], dict[str, OSError]]:
    """The models meant by files and folders, in order; what was left out; folders that are closed.

    Of a folder that is one model only what is no part of it is searched.  A closed folder stands in
    the list, too, for it has failed.  Links inside a folder are not followed: they may lead in
    circles, or out of what was meant.
    """
    from assay.formats import folder_format, is_model
    from assay.formats._apps import is_app

    files: list[str] = []
    left_out: Counter[str] = Counter()
    closed: dict[str, OSError] = {}
    for path in paths:
        if not Path(path).is_dir() or is_model(Path(path)):
            files.append(path)
        folders = [path] if Path(path).is_dir() else []
        while folders:
            folder = folders.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
                model = folder_format(Path(folder))
            except OSError as error:
                files += [] if folder in files else [folder]
                closed[folder] = error
                continue
            if model is not None:
                entries = [entry for entry in entries if not model().holds(entry.name)]
            inner = []
            for entry in entries:
                if entry.is_symlink():
                    left_out["symbolic link"] += 1
                elif not (entry.is_dir() or entry.is_file()):
                    left_out["not a regular file"] += 1
                elif is_model(Path(entry.path)) or is_app(Path(entry.path)):
                    files.append(entry.path)
                    inner += [entry.path] if entry.is_dir() else []
                elif entry.is_dir():
                    inner.append(entry.path)
                else:
                    left_out["no known model format"] += 1
            folders += reversed(inner)
    return apps.opened(files), left_out, closed


@click.command("list")
@options.filters
@options.registry
@options.as_json
def list_(
    owner: str | None,
    format_name: str | None,
    name: str | None,
    location: str | None,
    as_json: bool,
) -> None:
    """List the registered models."""
    where = options.where(owner, format_name, name)
    rows = []
    with options.open_registry(location) as registry:
        for record in registry.list(where):
            if as_json:
                say(json_line(listed(record)))
            else:
                rows.append(cells(record))
    if not as_json:
        say("\n".join(table(HEADINGS, rows, width())))
        remark(f"models: {len(rows)}")


def listed(record: Record) -> Json:
    """A model's line: all but its graph, which ``show`` gives."""
    known = {"name": record.name, "owner": record.owner, "added": record.added}
    return {**known, **record.summary(), "base": record.base}


def cells(record: Record) -> tuple[str, ...]:
    """A model's row under HEADINGS."""
    layers = "-" if record.graph is None else f"{len(record.graph.layers):,}"
    return (
        record.name,
        record.owner or "-",
        record.format,
        layers,
        f"{record.parameters:,}",
        (record.added or "-")[:10],
        (record.sha256 or "-")[:12],
    )


@click.command()
@click.argument("model", metavar="NAME_OR_SHA256_OR_FILE")
@click.option(
    "--onnx",
    "onnx_path",
    type=options.FILE,
    metavar="FILE",
    help="Write its layers as an ONNX file without weights, too, for Netron and other viewers.",
)
@options.registry
@options.as_json
def show(model: str, onnx_path: str | None, location: str | None, as_json: bool) -> None:
    """Show all that is known of one registered model, or of a file.

    What is registered under that name, path or hash comes before a file of that name.
    """
    if onnx_path is not None:
        writable("--onnx", onnx_path)
    record, owners = sought(model, location)
    if onnx_path is not None:
        write_layers(record, onnx_path)
    if as_json:
        say(json_line({**record.to_json(), "owners": owners}))
        return
    known = [
        ("name", record.name),
        ("path", record.path),
        ("sha256", record.sha256 or "-"),
        *([("owners", ", ".join(owners) or "-")] if record.added else []),
        ("added", record.added or "no: a file that is not registered"),
        *([("public base", "what comes from it is explained")] if record.base else []),
        ("what", facts(record)),
        ("code", str(record.code or "-")),
        *graph_facts(record.graph),
        *((key, str(value)) for key, value in record.metadata.items()),
    ]
    size = max(len(key) for key, _ in known)
    say("\n".join(f"{printable(key):{size}}  {printable(value)}" for key, value in known))


def sought(model: str, location: str | None) -> tuple[Record, list[str]]:
    """A registered model and its owners, or what is known of a file.  Raises AssayError."""
    from assay.containers.archives import place
    from assay.examine import examine

    try:
        with options.open_registry(location) as registry:
            record = registry.show(model)
            return record, registry.owners(record.sha256 or "")
    except DamagedRegistry:
        raise
    except AssayError:
        if not Path(model).exists() and place(Path(model)) is None:
            raise
    return examine(model), []


def write_layers(record: Record, path: str) -> None:
    """Write a model's layers as ONNX.  Raises UnwritableModel where it has none."""
    from assay.report import layer_model

    if record.graph is None:
        raise UnwritableModel(f"{record.name}: its file holds no graph")
    write_through(Path(path), layer_model(record.graph, record.name).SerializeToString())


def graph_facts(graph: LayerGraph | None) -> list[tuple[str, str]]:
    """What a graph costs, and how often each operator is in it."""
    if graph is None:
        return []
    counts = Counter(layer.op for layer in graph.layers).most_common()
    operators = ", ".join(f"{op} {count}" for op, count in counts)
    return [("graph", f"rules {graph.rules}, {graph.macs:,} MACs"), ("operators", operators)]


@click.command()
@click.argument("model", metavar="NAME_OR_SHA256")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.registry
@options.as_json
def remove(model: str, yes: bool, location: str | None, as_json: bool) -> None:
    """Remove one model, with every claim on it.

    Asks first on a terminal.  Its file is not touched.
    """
    with options.open_registry(location) as registry:
        record = registry.show(model)
        called = f"{printable(record.name)} ({printable(record.path)})"
        if not yes and sys.stdin.isatty() and not click.confirm(f"Remove {called}?", err=True):
            raise AssayError(f"{model}: not removed")
        registry.remove(record.sha256 or model)
    say(json_line(listed(record)) if as_json else f"removed  {called}")


VERBS = (add, list_, show, remove)
