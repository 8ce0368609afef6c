"""Verbs of a registry's log: commitments, heads, time stamps, and whether all is whole."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from assay.cli import _options as options
from assay.cli import _secrets as secrets
from assay.cli._proof_files import file_sha256, keep, model_sha256, naming, read_head, roots
from assay.cli._terminal import say, width
from assay.cli._writing import writable
from assay.durable import write_through
from assay.keys import cryptography_for
from assay.report import json_line, table
from assay.values import Json

HEADINGS = ("ENTRY", "LOGGED", "STAMPS", "COMMITMENT")

head_option = partial(
    click.option,
    "--head",
    "head_file",
    type=options.FILE,
    metavar="FILE",
    help="A head of the log that you kept: what 'assay log head' once wrote.",
)
kept_head = head_option()
authority = click.option(
    "--authority",
    "authority_file",
    type=options.FILE,
    metavar="FILE",
    help="Certificates, in PEM, of the time-stamp authorities that you trust: their roots.",
)


@click.group("log")
def log() -> None:
    """Commit to a model before others see it, and prove it later.

    First 'assay key new' and 'log commit'; have others keep what 'log head' prints.  Later 'log
    prove', and who kept the head checks it with 'log verify'.  The log shows who registered first;
    who made a model first, no log can show.  Needs the extra crypto.
    """


@log.command()
@click.argument("model", metavar="MODEL", type=options.FILE)
@click.option(
    "--owner-key", type=options.FILE, metavar="FILE", required=True,
    help="The owner's key, as 'assay key new' makes it.",
)  # fmt: skip
@secrets.passphrase_file
@click.option(
    "--opening", "opening_file", type=options.FILE, metavar="FILE", required=True,
    help="Where the opening goes: keep it secret until you claim the model, and do not lose it.",
)  # fmt: skip
@click.option("--scheme", default="", metavar="TEXT", help="The mark's method, with its options.")
@click.option("--scheme-key", type=options.FILE, metavar="FILE", help="The key of the mark.")
@click.option("--template", type=options.FILE, metavar="FILE", help="A structural mark's template.")
@click.option("--fingerprint", metavar="DIGEST", help="Digest of a commitment to a fingerprint.")
@options.registry
@options.as_json
def commit(
    model: str,
    owner_key: str,
    passphrase_file: str | None,
    opening_file: str,
    scheme: str,
    scheme_key: str | None,
    template: str | None,
    fingerprint: str | None,
    location: str | None,
    as_json: bool,
) -> None:
    """Commit to MODEL, the original, and to what marks it.

    MODEL is a file or its SHA-256.  The log keeps a hash that tells nothing of it, of the key or of
    you.  What was committed to already stays where it is.  The file of a watermark's key holds
    what the mark says: mark first, then commit.
    """
    with cryptography_for("commitments"):
        from assay.transparency.claims import commit as commit_to
    writable("--opening", opening_file)
    owner = secrets.signing_key(owner_key, passphrase_file)
    opening = commit_to(
        owner, model_sha256(model), scheme=scheme, key=file_sha256(scheme_key),
        template=file_sha256(template), fingerprint=fingerprint,
    )  # fmt: skip
    keep(opening, Path(opening_file))  # first: an entry whose opening is lost serves nobody
    with options.open_registry(location, create=True) as registry:
        logged = registry.log.append(opening.commitment)
    if as_json:
        about: Json = {"index": logged.index, "commitment": opening.commitment}
        about |= {"logged": logged.entry.logged, "status": logged.status, "opening": opening_file}
        say(json_line(about))
    else:
        say(f"{logged.status}  entry {logged.index}  {opening.commitment}")


@log.command()
@click.argument("index", metavar="[ENTRY]", type=int, required=False)
@options.registry
@options.as_json
def show(index: int | None, location: str | None, as_json: bool) -> None:
    """Show an entry, or all of them."""
    with options.open_registry(location) as registry:
        found = registry.log.entries() if index is None else [registry.log.entry(index)]
        rows: list[Json] = [
            {
                "index": each.index,
                "logged": each.entry.logged,
                "stamps": len(registry.log.stamps(each.index)),
                "commitment": each.entry.commitment,
            }
            for each in found
        ]
    if as_json:
        for row in rows:
            say(json_line(row))
    else:
        shown = [tuple(str(value) for value in row.values()) for row in rows]
        say("\n".join(table(HEADINGS, shown, width())))


@log.command()
@click.option("--output", type=options.FILE, metavar="FILE", help="Write it to FILE, too.")
@options.registry
@options.as_json
def head(output: str | None, location: str | None, as_json: bool) -> None:
    """Print the log's signed head, to be kept.

    It has the log's size and the root of all that is in it.  By a head that was kept, nothing
    before it can be changed, left out or put in unseen: keep it, and have others keep it.  It is a
    signed note (C2SP tlog-checkpoint).
    """
    if output is not None:
        writable("--output", output)
    with options.open_registry(location) as registry:
        found = registry.log.head()
        verifier = registry.log.verifier
    if output is not None:
        write_through(Path(output), str(found))
    if as_json:
        about: Json = {"log": str(verifier), "size": found.size, "root": found.root.hex()}
        say(json_line(about | {"head": str(found)}))
    else:
        say(str(found).removesuffix("\n"))


@log.command()
@click.argument("index", metavar="ENTRY", type=int)
@click.option(
    "--output", type=options.FILE, metavar="FILE", required=True, help="Where the request goes."
)
@options.registry
def request(index: int, output: str, location: str | None) -> None:
    """Write a request for a time stamp of an ENTRY.

    Send it to an authority as application/timestamp-query (RFC 3161); 'assay log stamp' takes the
    answer.
    """
    with cryptography_for("time stamps"):
        from assay.transparency import stamps
    writable("--output", output)
    with options.open_registry(location) as registry:
        entry = registry.log.entry(index).entry
    write_through(Path(output), stamps.request(entry.leaf))


@log.command()
@click.argument("index", metavar="ENTRY", type=int)
@click.argument("response", metavar="RESPONSE", type=options.FILE)
@authority
@options.registry
@options.as_json
def stamp(
    index: int, response: str, authority_file: str | None, location: str | None, as_json: bool
) -> None:
    """Keep an authority's time stamp of an ENTRY.

    RESPONSE is its answer to what 'assay log request' wrote.  It is checked first, by --authority.
    Proofs that are made from then on have it with them.
    """
    with cryptography_for("time stamps"):
        from assay.transparency import stamps
    if authority_file is None:
        raise click.UsageError("--authority: say whose time stamps you trust")
    trusted = roots(authority_file)
    content = Path(response).read_bytes()
    with options.open_registry(location) as registry:
        with naming(response):
            found = stamps.check(content, registry.log.entry(index).entry.leaf, trusted)
        registry.log.stamp(index, content)
    about: Json = {"index": index, "moment": found.moment, "authority": found.authority}
    say(json_line(about) if as_json else f"entry {index}  {found.moment}  {found.authority}")


@log.command()
@kept_head
@options.registry
@options.as_json
@click.pass_context
def audit(
    context: click.Context, head_file: str | None, location: str | None, as_json: bool
) -> None:
    """Say whether the log is still what was signed.

    All hashes are made anew, and what was changed or taken out is named.  That entries at the end
    are gone, or that the whole log was made anew with its key, only a head shows that you kept.
    Exit status: 0, whole; 1, not; 2, an error.
    """
    kept = None if head_file is None else read_head(head_file)
    with options.open_registry(location) as registry:
        wrong, count = list(registry.log.audit(kept)), len(registry.log)
    if as_json:
        say(json_line({"entries": count, "whole": not wrong, "wrong": wrong}))
    else:
        say("\n".join(wrong) if wrong else f"{count} entries, all as they were signed")
    context.exit(1 if wrong else 0)
