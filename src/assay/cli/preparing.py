"""The verb that fixes how a suspect will be asked, before he is looked at."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from assay.cli import _options as options
from assay.cli._asked import Asked, committed
from assay.cli._terminal import say
from assay.cli._writing import writable
from assay.durable import write_through
from assay.errors import BadOption
from assay.report import json_line

NONCE = 32  # bytes
EXAMPLES = """\b
Examples:
  assay commit mine.onnx --method modeldiff --inputs held-out.npz --references strangers \\
    --output claim.json
  assay compare SUSPECT mine.onnx --method modeldiff --inputs held-out.npz \\
    --references strangers --commitment claim.json --beacon 9f86d081884c7d65
"""


@click.command(epilog=EXAMPLES)
@click.argument("model", type=options.FILE)
@committed
@click.option("--output", required=True, type=options.FILE, metavar="FILE", help="Where it goes.")
@options.input_shape
@options.as_json
@click.pass_context
def commit(
    context: click.Context, model: str, output: str, input_shape: options.Shapes, as_json: bool
) -> None:
    """Commit to how MODEL's suspects will be asked, and print the digest to be logged.

    Whoever tries seeds, inputs or references until a stranger looks alike will find some.  So let
    others date the digest before you look at a suspect: 'assay log commit --fingerprint' logs it.
    'assay compare --commitment' then draws the queries from FILE and from a public beacon's next
    number.  Keep FILE secret until you claim: it holds what the digest does not tell.
    """
    from assay.cli import _behaving as behaving

    asked = Asked.of(context)
    if asked.method is None or asked.inputs is None:
        raise BadOption("a commitment is to a --method and its --inputs: give both")
    writable("--output", output)
    if Path(output).exists():
        raise BadOption(f"--output {output}: is there already, and may have been logged")
    made = behaving.made_commitment(asked, model, input_shape, secrets.token_hex(NONCE))
    write_through(Path(output), f"{made}\n")
    about = {"path": output, "digest": made.digest, "method": made.method}
    say(json_line(about) if as_json else f"{made.digest}  {output}")


VERBS = (commit,)
