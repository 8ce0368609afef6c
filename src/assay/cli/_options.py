"""Options that several verbs share, and how their values are read."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assay.errors import AssayError, BadOption

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from assay.hashers import Hasher
    from assay.registry import Registry, Where

Verb = TypeVar("Verb", bound=Callable[..., Any])
Shapes = dict[str, tuple[int, ...]]


Callback = Callable[[click.Context, click.Parameter, Any], Any]


def method_of(role: str) -> Callback:
    """A check that a value names a method of ``role``, which is looked up when one is given."""

    def check(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
        if name is not None:
            known: Mapping[str, type] = getattr(import_module(f"assay.{role}"), role.upper())
            if name not in list(known):  # asked of the mapping, it would import the method
                raise click.BadParameter(f"{name!r} is not one of {', '.join(known)}")
        return name

    return check


def shapes(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Shapes:
    """``NAME=1x3x224x224`` as a shape by name; "" where there is none: the only input."""
    found = {}
    for text in given:
        name, _, digits = text.rpartition("=")
        sizes = digits.split("x")
        if not all(re.fullmatch("[1-9][0-9]{0,9}", size) for size in sizes):
            raise click.BadParameter(f"{text!r} is not like 1x3x224x224 or NAME=1x3x224x224")
        found[name] = tuple(map(int, sizes))
    return found


def keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Note what was given, for ``kept_of``: a verb has not an argument for each option."""
    context.meta[f"{__name__}.{option.name}"] = value


def kept_of(context: click.Context, fields_of: type[DataclassInstance]) -> dict[str, Any]:
    """What was given of the kept options that a data class has fields for, by name."""
    known = {each.name: context.meta.get(f"{__name__}.{each.name}") for each in fields(fields_of)}
    return {name: value for name, value in known.items() if value is not None}


kept = partial(click.option, callback=keep, expose_value=False)
FILE = click.Path(readable=False)  # whether it can be read is seen file by file, in a batch
registry = click.option(
    "--registry",
    "location",
    metavar="PATH_OR_URL",
    envvar="ASSAY_REGISTRY",
    help="The registry; by default ASSAY_REGISTRY, else a per-user folder.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    metavar="N",
    help="Of all that is random; by default 0.",
)
given = click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the method, as 'assay methods' lists them; may be repeated.",
)
limit = click.option(
    "--limit", type=click.IntRange(min=2), metavar="N", help="Use N of the examples, at random."
)
html = click.option(
    "--html",
    "html_path",
    type=FILE,
    metavar="FILE",
    help="Write what is found as a page, too; it opens offline.",
)
sarif = click.option(
    "--sarif",
    "sarif_path",
    type=FILE,
    metavar="FILE",
    help="Write what is found as SARIF 2.1.0, too, for code hosts and other tools.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
input_shape = click.option(
    "--input-shape",
    "input_shape",
    callback=shapes,
    multiple=True,
    metavar="[NAME=]1x3x224x224",
    help="Shape of an input that the file leaves open; may be repeated.",
)


def hasher(verb: Verb) -> Verb:
    """Options that say how models are hashed."""
    verb = click.option(
        "--weights",
        type=FILE,
        metavar="FILE",
        help="A network that 'assay train' made, or the scheme of one that comes with assay; it"
        " names its hasher.",
    )(verb)
    verb = click.option(
        "--bits", type=int, metavar="N", help="Length of the code; by default the hasher's."
    )(verb)
    return click.option(
        "--hasher",
        "hasher_name",
        callback=method_of("hashers"),
        metavar="NAME",
        help="Hasher to use; 'assay methods' lists them.",
    )(verb)


def filters(verb: Verb) -> Verb:
    """Options that say which registered models are meant."""
    verb = click.option("--name", metavar="GLOB", help="Only models called so, as in *resnet*.")(
        verb
    )
    verb = click.option(
        "--format",
        "format_name",
        callback=method_of("formats"),
        metavar="NAME",
        help="Only models of this file format.",
    )(verb)
    return click.option("--owner", metavar="NAME", help="Only models that this owner claims.")(verb)


def where(
    owner: str | None,
    format_name: str | None,
    name: str | None,
    exclude_owner: str | None = None,
) -> Where | None:
    """The filter that the options mean; None where none is given."""
    from assay.registry import Where

    if owner is format_name is name is exclude_owner is None:
        return None
    return Where(owner=owner, format=format_name, name=name, exclude_owner=exclude_owner)


def make_hasher(name: str | None, length: int | None, weights: str | None) -> Hasher:
    """The hasher that the options mean.  Raises BadOption where it has no such length or file."""
    from dataclasses import fields, is_dataclass

    from assay.examine import DEFAULT_HASHER
    from assay.hashers import HASHERS

    if weights is not None:
        name = _method_in(weights, name)
    name = name or DEFAULT_HASHER
    method: Callable[..., Hasher] = HASHERS[name]
    assert is_dataclass(method)
    if length is not None and "bits" not in (field.name for field in fields(method)):
        raise BadOption(f"--bits {length}: the length of {name}'s codes is fixed")
    given = {"bits": length, "weights": weights}
    return method(**{option: value for option, value in given.items() if value is not None})


def _method_in(weights: str, name: str | None) -> str:
    """The hasher that a network's file names, which must be ``name`` where one is given."""
    from assay.hashers import HASHERS
    from assay.hashers._learned import LearnedHasher, network_file
    from assay.hashers._network_file import HashNetwork

    found = HashNetwork.load(network_file(weights)).method
    learned = [known for known in HASHERS if issubclass(HASHERS[known], LearnedHasher)]
    if found not in learned:
        raise BadOption(
            f"--weights {weights}: is a network for {found!r}, which is none of"
            f" {', '.join(learned)}: upgrade assay"
        )
    if name not in (None, found):
        raise BadOption(f"--weights {weights}: is a network for {found}, not {name}")
    return found


def open_registry(location: str | None, create: bool = False) -> Registry:
    """The registry that the option means.  Raises AssayError where it is not there."""
    from assay.registry import Registry

    return Registry.open(location or default_location(), create=create)


def has_registry(location: str | None) -> bool:
    """Whether there is one where the option means."""
    from assay.registry import FILE

    return (Path(location or default_location()) / FILE).exists()


def default_location() -> str:
    """The per-user folder: where the platform keeps data of applications.

    Spelled out, for a dependency would be more than these lines.
    """
    try:
        home = Path.home()
    except RuntimeError as error:
        raise AssayError("no home folder: say with --registry where the registry is") from error
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:  # a relative path is invalid there [XDG Base Directory Specification]
        given = Path(os.environ.get("XDG_DATA_HOME", ""))
        folder = given if given.is_absolute() else home / ".local" / "share"
    return str(folder / "assay")
