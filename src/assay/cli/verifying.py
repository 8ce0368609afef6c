"""The verb that looks for a mark in models."""

from __future__ import annotations

from math import log10
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli._keys import make_watermark, read_key
from assay.cli._terminal import attempts, say
from assay.report import json_line, printable
from assay.values import Evidence

if TYPE_CHECKING:
    from assay.watermarks import Weights
    from assay.watermarks._key import Key

EXAMPLES = """\b
Examples:
  assay verify suspect.onnx --key mine.key
  assay verify suspect.safetensors --key mine.key --original marked.safetensors
"""


@click.command(epilog=EXAMPLES)
@click.argument("suspects", metavar="SUSPECT...", nargs=-1, required=True, type=options.FILE)
@click.option(
    "--key",
    "key_path",
    type=options.FILE,
    required=True,
    metavar="FILE",
    help="The key of the mark; a passphrase is asked for, or read from ASSAY_PASSPHRASE.",
)
@click.option(
    "--original",
    type=options.FILE,
    metavar="FILE",
    help="The marked model as its owner has it: with it, channels that were permuted, rescaled,"
    " added or removed are put back first.",
)
@click.option(
    "--controls",
    type=click.IntRange(1, 100_000),
    default=200,
    metavar="N",
    help="Wrong keys that are tried on each suspect; by default 200.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=1e-6,
    metavar="P",
    help="The false alarm up to which a mark counts as found; by default 1e-6.",
)
@options.input_shape
@options.as_json
@click.pass_context
def verify(
    context: click.Context,
    suspects: tuple[str, ...],
    key_path: str,
    original: str | None,
    controls: int,
    tolerance: float,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Look for the mark of a key in each SUSPECT.

    Exit status: 0, each has the mark; 1, one has not; 2, an error.  The false alarm is that of one
    key that was fixed before the suspect was seen.  A mark shows what is marked with whose key,
    and not who was first: for that, keys are logged.  Needs the extra watermarks.
    """
    from assay.formats import read

    key = read_key(Path(key_path))
    make_watermark(key.method, ())
    own = None if original is None else read(Path(original), input_shape).weights
    missed = failed = False
    for path, evidence, wrong in attempts(
        suspects, lambda each: look(each, key, own, controls, input_shape), "Verifying"
    ):
        failed |= bool(wrong)
        if evidence is None:
            continue
        is_found = (evidence.log10_false_alarm or 0.0) <= log10(tolerance)
        missed |= not is_found
        if as_json:
            say(json_line({"suspect": path, "found": is_found, "evidence": evidence.to_json()}))
        else:
            say(verdict(path, evidence, is_found, original is not None))
    context.exit(2 if failed else int(missed))


def look(
    path: str, key: Key, original: Weights | None, controls: int, shapes: options.Shapes
) -> Evidence:
    """Evidence of a key's mark in a file."""
    from assay.formats import naming, read
    from assay.watermarks import verify as evidence_of

    model = read(Path(path), shapes)
    with naming(path):
        return evidence_of(model.weights, key, original=original, controls=controls)


def verdict(path: str, evidence: Evidence, is_found: bool, is_aligned: bool) -> str:
    """What was found in one suspect, for people."""
    detail, alarm = evidence.detail, evidence.log10_false_alarm or 0.0
    wrong = detail["controls"]
    share = f"{evidence.score:.1%} of the mark"
    counts = [f"{right} of {of} {what}" for what in ("blocks", "ones", "bits", "symbols")
        if (pair := detail.get(what)) for right, of in [pair]]  # fmt: skip
    payload = detail["payload"] or "none: no word that this key gave can be read"
    if detail["valid"] and payload != detail["expected"]:
        payload += f", not {detail['expected']}"
    rows = [
        ("mark", f"{'found' if is_found else 'not found'}, false alarm {chance(alarm)}"),
        ("payload", payload),
        ("there is", ", ".join([share, *counts])),
        ("wrong keys", f"{wrong['as_high']} of {len(wrong['scores'])} find as much; the best"
            f" {wrong['scores'][0]:.1%}; null: {wrong['null']}"),
        ("read", detail["read"]),
    ]  # fmt: skip
    if None in detail.get("hosts", ()):
        rows.append(("but", "it has no layer of the shape of the one that is marked"))
    if "limit" in detail:
        rows.append(("but", detail["limit"]))
    elif not is_found and not is_aligned:
        rows.append(("try", "--original MARKED: channels that were moved are put back first"))
    return "\n".join([printable(path), *(f"  {key:11} {printable(value)}" for key, value in rows)])


def chance(log10_alarm: float) -> str:
    """A false alarm, for people."""
    return f"{10**log10_alarm:.2g}" if log10_alarm > -4 else f"1e{log10_alarm:.0f}"


VERBS = (verify,)
