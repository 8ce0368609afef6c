"""Options that several verbs of licenses have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from assay.cli import _options as options
from assay.errors import MissingExtra

owner_key = click.option(
    "--owner-key",
    "owner_file",
    type=options.FILE,
    metavar="FILE",
    required=True,
    help="The owner's key, as 'assay key new' makes it.",
)
license_file = click.option(
    "--license",
    "license_file",
    type=options.FILE,
    required=True,
    metavar="FILE",
    help="The license, as 'assay license key' wrote it.",
)
pinned_owner = click.option(
    "--owner",
    metavar="PUBLIC",
    help="The owner's public key, which you know from himself: another's signature is refused.",
)
output = click.option(
    "-o",
    "--output",
    "output_file",
    type=options.FILE,
    metavar="FILE",
    required=True,
    help="The file to write.",
)
expires = click.option(
    "--expires", metavar="DATE", help="The last day of use, as 2027-01-31; by default none is."
)
examples = click.option(
    "--data",
    required=True,
    metavar="NAME_OR_PATH",
    help="Examples: a data set's name or folder, or an .npz file of inputs and labels.",
)
judge = click.option(
    "--judge",
    metavar="NAME_OR_PATH",
    help="Examples to measure accuracies on; by default those that a data set keeps for tests.",
)
graph = click.option(
    "--graph",
    metavar="NAME_OR_FILE",
    help="For a file without a graph: the zoo's network that it is, or an .onnx file whose weights"
    " have the same names.",
)


@contextmanager
def torch_needed() -> Iterator[None]:
    """Raises MissingExtra where what is imported within needs the extra torch."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(f"this needs PyTorch ({error}): pip install 'assay[torch]'") from error
