"""What the verbs say and where: answers on stdout, errors and progress on stderr."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import click

from assay.errors import AssayError, DamagedRegistry, SchemeMismatch
from assay.report import printable

T = TypeVar("T")

INTERRUPTED, BROKEN_PIPE = 130, 141  # 128 + SIGINT, 128 + SIGPIPE
CLEAR = "\r\033[K"


class Verbs(click.Group):
    """A group whose every failure is one line on stderr and status 2."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a character that the locale lacks is no error
                stream.reconfigure(errors="backslashreplace")
        with _explained():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        with _explained():
            return super().invoke(ctx)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader has seen enough; Python would complain again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(BROKEN_PIPE) from None
    except (KeyboardInterrupt, click.Abort):
        complete()
        raise SystemExit(INTERRUPTED) from None
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx else "assay"
        complain(f"{error.format_message()} (see '{verb} --help')")
        raise SystemExit(2) from None
    except click.ClickException as error:
        complain(error.format_message())
        raise SystemExit(2) from None
    except (AssayError, OSError) as error:
        complain(message(error))
        raise SystemExit(2) from None


def message(error: Exception, path: str | None = None) -> str:
    """What went wrong, on one line that begins with the culprit."""
    if isinstance(error, OSError):
        culprit = path or error.filename or "assay"
        return f"{culprit}: {error.strerror or error}"
    if isinstance(error, AssayError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{path}: does not fit into memory"
    return f"{path}: a flaw in assay ({type(error).__name__}: {error}): report it with the file"


def say(line: str) -> None:
    """An answer: one line or more on stdout, at once."""
    _clear()
    click.echo(line)


def complain(line: str) -> None:
    """An error: one line on stderr."""
    _clear()
    click.echo(f"assay: {printable(line)}", err=True)


def remark(line: str) -> None:
    """What is neither the answer nor an error, such as what was left out: a line on stderr."""
    _clear()
    click.echo(printable(line), err=True)


def complete() -> None:
    """End a line that a progress bar has begun."""
    if _draws():
        click.echo(err=True)


def width() -> int | None:
    """Columns of the terminal; None where stdout is none, and nothing need be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def color() -> bool:
    """Whether to paint: on a terminal that can, unless NO_COLOR is set [no-color.org]."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


@contextmanager
def progress(items: Iterable[T], length: int, label: str | None) -> Iterator[Iterable[T]]:
    """``items``, with a bar where it has a label, there are several and stderr is a terminal."""
    if label and length > 1 and _draws():
        with click.progressbar(items, length=length, label=label, file=sys.stderr) as bar:
            yield bar
    else:
        yield items


class Stages:
    """A bar for each stage of long work, where stderr is a terminal; a context manager."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def show(self, stage: str, done: int, total: int, note: str = "") -> None:
        """So many of ``total`` steps of ``stage`` are done; another stage begins another bar."""
        if not _draws():
            return
        if stage != self._stage:
            self._end()
            self._bar = click.progressbar(
                length=total, label=stage, file=sys.stderr, item_show_func=lambda item: item
            )
            self._bar.__enter__()
            self._stage = stage
        self._bar.update(done - self._bar.pos, note)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()
        self._bar, self._stage = None, ""


def attempts(
    paths: Sequence[str], action: Callable[[str], T], label: str | None = None
) -> Iterator[tuple[str, T | None, str]]:
    """Path, result and "" of each file; or path, None and the error's message, once complained of.

    Raises DamagedRegistry and SchemeMismatch: no further file would fare better.
    """
    with progress(paths, len(paths), label) as shown:
        for path in shown:
            result, wrong = None, ""
            try:
                result = action(path)
            except (DamagedRegistry, SchemeMismatch):
                raise
            except Exception as error:  # a flaw of ours, too, costs one file and not the batch
                wrong = message(error, path)
                complain(wrong)
            yield path, result, wrong


def _draws() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _clear() -> None:
    """Make room where a progress bar may stand; the next step draws it again."""
    if _draws():
        click.echo(CLEAR, nl=False, err=True)
