"""The command line: one short function a verb.

Verbs that ask are in ``asking``, the one that compares in ``comparing``, the one that commits to a
way of asking in ``preparing``, those that keep models in ``keeping``, those that look after a
registry in ``tending``, the one that trains in ``training``, the one that derives in ``deriving``;
those of watermarks in ``marking`` and ``verifying``, those of keys in ``signing``, those of the log
in ``committing`` and ``proving``, those of licenses in the files that ``licensing`` names.  NumPy,
onnx and the registry are imported inside the verbs, so that ``assay hash`` starts in a blink.
"""

from __future__ import annotations

import click

from assay.cli import (
    asking,
    comparing,
    deriving,
    keeping,
    licensing,
    listing,
    marking,
    preparing,
    proving,
    signing,
    tending,
    training,
    verifying,
)
from assay.cli._terminal import Verbs


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from assay import __version__

        click.echo(f"assay {__version__}")
        context.exit()


@click.group(cls=Verbs, invoke_without_command=True)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version.",
)
@click.pass_context
def main(context: click.Context) -> None:
    """Whose model is it?  Hash, register and search neural networks.

    Exit status: 0, nothing to review or done; 1, a model to review; 2, an error.  A batch goes on
    past a bad file, names it and ends with 2.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _verb in (
    *asking.VERBS,
    *comparing.VERBS,
    *preparing.VERBS,
    *keeping.VERBS,
    *tending.VERBS,
    *training.VERBS,
    *deriving.VERBS,
    *marking.VERBS,
    *verifying.VERBS,
    *signing.VERBS,
    *proving.VERBS,
    *licensing.VERBS,
    *listing.VERBS,
):
    main.add_command(_verb)
