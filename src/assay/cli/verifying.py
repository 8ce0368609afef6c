"""The verb that looks for a mark in models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._claims import ALONE, TOLERANCE, Claim, claim
from assay.cli._keys import make_watermark, read_key
from assay.cli._terminal import attempts, say
from assay.cli.committing import kept_head
from assay.errors import BadOption
from assay.report import json_line, printable
from assay.values import Evidence

if TYPE_CHECKING:
    from assay.watermarks import Reads, Subject, Weights
    from assay.watermarks._key import Key

CONTROLS = 200  # wrong keys
EXAMPLES = """\b
Examples:
  assay verify suspect.onnx --key mine.key
  assay verify suspect.safetensors --key mine.key --original marked.safetensors
  assay verify suspect.onnx --key mine.key --proof proof.json --head head.txt
"""


@click.command(epilog=EXAMPLES)
@click.argument("suspects", metavar="SUSPECT...", nargs=-1, required=True, type=options.FILE)
@click.option(
    "--key",
    "key_path",
    type=options.FILE,
    required=True,
    metavar="FILE",
    help="The key of the mark.",
)
@secrets.passphrase_file
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
    default=CONTROLS,
    metavar="N",
    help=f"Wrong keys that are tried on each suspect; by default {CONTROLS}.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=TOLERANCE,
    metavar="P",
    help="The false alarm up to which a mark counts as found; by default 1e-6.",
)
@click.option(
    "--proof",
    type=options.FILE,
    metavar="FILE",
    help="That the key was logged, as 'assay log prove --opening' writes it: the false alarm is"
    " corrected for all keys of the log.  With --head.",
)
@kept_head
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    metavar="N",
    help="Inputs that each URL may be sent, where a mark lies in behavior.",
)
@options.input_shape
@options.as_json
@click.pass_context
def verify(
    context: click.Context,
    suspects: tuple[str, ...],
    key_path: str,
    passphrase_file: str | None,
    original: str | None,
    controls: int,
    tolerance: float,
    proof: str | None,
    head_file: str | None,
    budget: int | None,
    input_shape: options.Shapes,
    as_json: bool,
) -> None:
    """Look for the mark of a key in each SUSPECT.

    A mark in behavior is asked for: then SUSPECT is a file that is run, or a URL.  Exit status: 0,
    each has the mark; 1, one has not; 2, an error.  The false alarm is that of one key that was
    fixed before the suspect was seen; a --proof shows that, and corrects it for all keys that were
    logged.  A mark shows what is marked with whose key, and not who was first: for that, keys are
    logged.  Needs the extra watermarks.
    """
    from assay.formats import read

    key = read_key(Path(key_path), passphrase_file)
    method = make_watermark(key.method, ())
    claimed = claim(proof, head_file, key_path, len(suspects))
    own = None if original is None else read(Path(original), input_shape).weights
    if budget is not None and method.reads != "behavior":
        raise BadOption(f"--budget: {key.method} reads files, and asks nobody")
    if original is not None and method.reads != "weights":
        raise BadOption(f"--original: {key.method} does not look at weights")
    asked = Asked(key, method.reads, own, controls, budget, input_shape)
    missed = failed = False
    for path, evidence, wrong in attempts(
        suspects, lambda each: look(each, asked, claimed), "Verifying"
    ):
        failed |= bool(wrong)
        if evidence is None:
            continue
        found = evidence.holds_at(tolerance)
        missed |= not found
        if as_json:
            say(json_line({"suspect": path, "found": found, "evidence": evidence.to_json()}))
        else:
            rests = ALONE if claimed is None else claimed.in_words
            can_align = original is None and method.reads == "weights"
            say(verdict(path, evidence, found, rests, can_align))
    context.exit(2 if failed else int(missed))


@dataclass(frozen=True)
class Asked:
    """What each suspect is held to."""

    key: Key
    reads: Reads
    original: Weights | None
    controls: int
    budget: int | None
    shapes: options.Shapes


def look(path: str, asked: Asked, claimed: Claim | None) -> Evidence:
    """Evidence of a key's mark in a file, or in what answers."""
    from assay.formats import naming
    from assay.watermarks import verify as evidence_of

    with naming(path):
        suspect = opened(path, asked)
        found = evidence_of(suspect, asked.key, original=asked.original, controls=asked.controls)
    return found if claimed is None else claimed.corrected(found)


def opened(path: str, asked: Asked) -> Subject:
    """What is read of a suspect.  Raises BadOption where it is a URL, and not asked."""
    from assay.cli import _answering as answering
    from assay.formats import read

    if asked.reads == "behavior":
        budget = asked.budget if answering.is_url(path) else None
        return answering.answering(path, asked.shapes, budget)
    if answering.is_url(path):
        raise BadOption(f"{path}: a URL can only be asked, and {asked.key.method} reads a file")
    return read(Path(path), asked.shapes).weights


def verdict(path: str, evidence: Evidence, is_found: bool, rests: str, can_align: bool) -> str:
    """What was found in one suspect, for people."""
    detail, alarm = evidence.detail, evidence.log10_false_alarm or 0.0
    wrong = detail["controls"]
    share = f"{evidence.score:.1%} of the mark"
    kinds = ("blocks", "ones", "bits", "symbols", "triggers")
    counts = [f"{right} of {of} {what}" for what in kinds
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
        ("rests on", rests),
    ]  # fmt: skip
    if "why" in detail:
        rows.append(("but", detail["why"]))
    if None in detail.get("hosts", ()):
        rows.append(("but", "it has no layer of the shape of the one that is marked"))
    if "limit" in detail:
        rows.append(("but", detail["limit"]))
    if not is_found and can_align:
        rows.append(("try", "--original MARKED: channels that were moved are put back first"))
    return "\n".join([printable(path), *(f"  {key:11} {printable(value)}" for key, value in rows)])


def chance(log10_alarm: float) -> str:
    """A false alarm, for people."""
    return f"{10**log10_alarm:.2g}" if log10_alarm > -4 else f"1e{log10_alarm:.0f}"


VERBS = (verify,)
