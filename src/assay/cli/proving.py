"""Verbs of a registry's log that make proofs, and check them without the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli._proof_files import (
    file_sha256,
    model_sha256,
    naming,
    read_head,
    read_opening,
    read_text,
    roots,
)
from assay.cli._terminal import attempts, say
from assay.cli._writing import writable
from assay.cli.committing import authority, kept_head, log
from assay.durable import write_through
from assay.errors import BadOption, Unproved
from assay.keys import cryptography_for
from assay.report import json_line, printable
from assay.values import Json

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from assay.transparency import SignedHead, Verifier
    from assay.transparency.proofs import Proof, Proved

LIMITS = "The log shows who registered first, not who made the model first."


@log.command()
@click.argument("index", metavar="[ENTRY]", type=int, required=False)
@click.option(
    "--output", type=options.FILE, metavar="FILE", required=True, help="Where the proof goes."
)
@click.option(
    "--opening", "opening_file", type=options.FILE, metavar="FILE",
    help="Open the entry, with what 'assay log commit' wrote: from then on it is no secret.",
)  # fmt: skip
@click.option(
    "--head",
    "head_file",
    type=options.FILE,
    metavar="FILE",
    help="The head that the verifier kept: the proof leads to it.",
)
@options.registry
@options.as_json
def prove(
    index: int | None,
    output: str,
    opening_file: str | None,
    head_file: str | None,
    location: str | None,
    as_json: bool,
) -> None:
    """Write a proof that an ENTRY is in the log.

    ENTRY is the opening's where none is given.  Anybody may prove a sealed entry; only who has its
    opening can open it.
    """
    writable("--output", output)
    opening = None if opening_file is None else read_opening(opening_file)
    since = None if head_file is None else read_head(head_file)
    with options.open_registry(location) as registry:
        if index is None and opening is not None:
            found = registry.log.find(opening.commitment)
            if found is None:
                raise BadOption(f"--opening {opening_file}: is of no entry of this log")
            index = found.index
        if index is None:
            raise click.UsageError("give an ENTRY, or --opening and what opens it")
        proof = registry.log.prove(index, since=since, opening=opening)
    write_through(Path(output), proof.text)
    about: Json = {"index": index, "size": proof.head.size, "opened": opening is not None}
    if as_json:
        say(json_line({**about, "stamps": len(proof.stamps), "path": output}))
    else:
        say(f"entry {index} of {proof.head.size}  ({printable(output)})")


@dataclass(frozen=True)
class Expected:
    """What a verifier trusts, and what an opened entry must be of."""

    head: SignedHead | None
    key: Verifier | None
    authorities: Sequence[Certificate] | None
    model: str | None  # SHA-256
    scheme_key: str | None  # SHA-256

    def check(self, proof: Proof) -> Proved:
        """Raises Unproved, UnreadableProof, MissingExtra."""
        proved = proof.check(trusted=self.head, key=self.key, authorities=self.authorities)
        for name, wanted in (("model", self.model), ("key", self.scheme_key)):
            if wanted is None:
                continue
            if proved.statement is None:
                raise Unproved("the entry is not opened: it may be of anything")
            if getattr(proved.statement, name) != wanted:
                raise Unproved(f"the entry is of another {name}")
        return proved


@log.command()
@click.argument("files", metavar="PROOF...", nargs=-1, required=True, type=options.FILE)
@kept_head
@click.option("--log-key", metavar="KEY", help="The log's key, as 'assay log head --json' has it.")
@authority
@click.option("--model", type=options.FILE, metavar="MODEL", help="The original, or its SHA-256.")
@click.option("--scheme-key", type=options.FILE, metavar="FILE", help="The key of the mark.")
@options.as_json
@click.pass_context
def verify(
    context: click.Context,
    files: tuple[str, ...],
    head_file: str | None,
    log_key: str | None,
    authority_file: str | None,
    model: str | None,
    scheme_key: str | None,
    as_json: bool,
) -> None:
    """Check each PROOF; no registry is needed.

    Trust a head that you kept from before the suspect was seen, or at least the log's key.  Of
    several proofs it says who registered first, where you trust a head.  Exit status: 0, all hold;
    1, one does not, or its entry came after that head; 2, an error.
    """
    with cryptography_for("proofs"):
        from assay.transparency import Verifier
        from assay.transparency.proofs import Proof, first
    if head_file is None and log_key is None:
        raise click.UsageError("--head, --log-key: say what you trust, for one of them")
    expected = Expected(
        None if head_file is None else read_head(head_file),
        None if log_key is None else Verifier.parse(log_key),
        None if authority_file is None else roots(authority_file),
        None if model is None else model_sha256(model),
        file_sha256(scheme_key),
    )

    def check(file: str) -> tuple[Proof, Proved | None, str]:
        with naming(file):
            proof = Proof.parse(read_text(file))
        try:
            return proof, expected.check(proof), ""
        except Unproved as error:
            return proof, None, str(error)

    results = [(file, found) for file, found, _ in attempts(files, check)]
    trusted = expected.head is not None
    for file, found in results:
        if found is not None:
            text = as_text(file, *found, trusted=trusted)
            say(json_line(as_row(file, *found)) if as_json else text)
    proved = [each for _, found in results if found is not None and (each := found[1])]
    in_time = [each for each in proved if each.before]
    earliest = first(in_time) if len(proved) > 1 else None
    if proved and not as_json:
        say(f"\nRegistered first: entry {earliest.index}." if earliest else "")
        say(LIMITS)
    held = len(proved) == len(files) and all(each.before or not trusted for each in proved)
    context.exit(2 if None in [found for _, found in results] else 0 if held else 1)


def as_row(file: str, proof: Proof, proved: Proved | None, wrong: str) -> Json:
    """A proof's line; the same keys whether it holds or not."""
    statement = proved and proved.statement
    return {
        "path": file,
        "proved": proved is not None,
        "error": wrong or None,
        "index": proof.index if proved else None,
        "log": str(proof.log) if proved else None,
        "size": proved.size if proved else None,
        "before_head": proved.before if proved else None,
        "tries": proved.tries if proved else None,
        "logged": proved.entry.logged if proved else None,
        "commitment": proved.entry.commitment if proved else None,
        "statement": asdict(statement) if statement else None,
        "stamps": [asdict(each) for each in proved.stamps] if proved else [],
        "stamps_not_checked": len(proof.stamps) - len(proved.stamps) if proved else None,
    }


def as_text(file: str, proof: Proof, proved: Proved | None, wrong: str, *, trusted: bool) -> str:
    """A proof's lines; ``trusted``: whether a head was."""
    if proved is None:
        return f"{printable(file)}: not proved: {wrong}"
    rows = [("entry", f"{proved.index} of {proved.size} in {proved.log.origin}")]
    rows.append(("logged", f"{proved.entry.logged}, by the registry's clock"))
    rows += [("stamped", f"{each.moment} by {each.authority}") for each in proved.stamps]
    if len(proof.stamps) > len(proved.stamps):
        rows.append(("stamps", f"{len(proof.stamps)} not checked: give --authority"))
    if proved.statement is None:
        rows.append(("sealed", "what it is of, it does not show"))
    else:
        names = ("owner", "model", "scheme", "key", "template", "fingerprint")
        opened = ((name, getattr(proved.statement, name)) for name in names)
        rows += [(name, value) for name, value in opened if value]
    if proved.tries is not None:
        rows.append(("tries", f"{proved.tries}: a claim's p-value is multiplied by so many"))
    elif trusted:
        rows.append(("too late", "it was not yet in the log when the head was kept"))
    else:
        rows.append(("tries", "not known: give a --head that you kept"))
    shown = [f"  {name:11}  {printable(value)}" for name, value in rows]
    return "\n".join([f"{printable(file)}: proved", *shown])


VERBS = (log,)
