"""Options that several verbs of licenses have."""

from __future__ import annotations

import click

from assay.cli import _options as options

owner_key = click.option(
    "--owner-key",
    "owner_file",
    type=options.FILE,
    metavar="FILE",
    required=True,
    help="The owner's key, as 'assay key new' makes it.",
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
