"""Options that say how two models are asked the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import click

from assay.cli import _options as options
from assay.cli._writing import writable
from assay.errors import BadOption

ALARM = 0.01


@dataclass(frozen=True)
class Asked:
    """What the options say; ``method`` None: nothing is asked."""

    method: str | None = None
    inputs: str | None = None
    trained_on: str | None = None
    references: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()
    queries: int | None = None
    budget: int | None = None
    timeout: float | None = None  # seconds
    alarm: float = ALARM
    seed: int = 0
    plot: str | None = None
    commitment: str | None = None
    beacon: str | None = None

    @classmethod
    def of(cls, context: click.Context, seed: int = 0) -> Asked:
        """What was given on the command line of a verb that has these options, or some of them."""
        return replace(cls(seed=seed), **options.kept_of(context, cls))

    def check(self, suspect: str, sources: Sequence[str]) -> None:
        """Raises BadOption where options do not fit one another."""
        urls = [path for path in (suspect, *sources) if path.startswith(("http://", "https://"))]
        if self.method is None:
            if urls:
                raise BadOption(f"{urls[0]}: a URL can only be asked: say how by --method")
            if replace(self, alarm=ALARM, seed=0) != Asked():
                raise BadOption("inputs, references and queries are for a --method: name one")
            return
        if len(sources) > 1:
            raise BadOption(
                "--method compares two models: give one source, and several references as a"
                " folder or with an option each"
            )
        if sources[0] in urls:
            raise BadOption(f"{sources[0]}: the source is the owner's: give its file")
        if self.inputs is None:
            raise BadOption(f"--method {self.method} needs --inputs; where there are none: noise")
        if self.budget is not None and not urls:
            raise BadOption("--budget counts what a URL is asked, and the suspect is a file")
        if self.timeout is not None and not urls:
            raise BadOption("--timeout is how long a URL is waited for, and the suspect is a file")
        if (self.commitment is None) != (self.beacon is None):
            raise BadOption("--commitment and --beacon draw the seed together: give both")
        if self.commitment is not None and self.seed:
            raise BadOption("--seed follows from --commitment and --beacon: leave it out")
        if self.plot is not None:
            writable("--plot", self.plot)

    def words(self) -> list[str]:
        """The options as they were given."""
        if self.method is None:
            return []
        found = list[str]()
        for field in fields(self):
            value = getattr(self, field.name)
            for each in value if isinstance(value, tuple) else (value,):
                if each is not None:
                    found += [f"--{field.name.replace('_', '-')}", str(each)]
        return found


def _keep_method(context: click.Context, option: click.Parameter, name: str | None) -> None:
    known = name == "all" or options.method_of("fingerprints")(context, option, name)
    options.keep(context, option, name if known else None)


def _keep_beacon(context: click.Context, option: click.Parameter, text: str | None) -> None:
    """A number or hexadecimal digits, as text: spelled in one way."""
    plain = text and text.lower().removeprefix("0x").lstrip("0").rjust(1, "0")
    if plain is not None and not re.fullmatch("[0-9a-f]{1,1024}", plain):
        raise click.BadParameter(f"{text!r} is neither a number nor hexadecimal")
    options.keep(context, option, plain)


_FIXED = 6  # of these, the first ones
_OPTIONS = (
    click.option(
        "--method",
        callback=_keep_method,
        expose_value=False,
        metavar="NAME",
        help="Ask both models the same by this fingerprint, or by all: 'assay methods' lists them.",
    ),
    options.kept(
        "--inputs",
        type=options.FILE,
        metavar="X",
        help="What queries are made of: a folder of pictures, an .npz with inputs and labels, a"
        " data set's name, or noise. The owner's model was not trained on them.",
    ),
    options.kept(
        "--trained-on",
        type=options.FILE,
        metavar="X",
        help="The same of what it was trained on: for dataset-inference.",
    ),
    options.kept(
        "--references",
        type=options.FILE,
        multiple=True,
        metavar="FILE",
        help="A model of the same task that was made apart, or a folder of such. May be repeated.",
    ),
    options.kept(
        "--twins",
        type=options.FILE,
        multiple=True,
        metavar="FILE",
        help="A model trained as the source was, with another seed, or a folder of such. May be"
        " repeated.",
    ),
    options.kept(
        "--queries",
        type=click.IntRange(min=1),
        metavar="N",
        help="Ask so many inputs at most.",
    ),
    options.kept(
        "--budget",
        type=click.IntRange(min=1),
        metavar="N",
        help="Inputs that a URL may be sent in all, repeated requests included.",
    ),
    options.kept(
        "--timeout",
        type=click.FloatRange(0, 3600, min_open=True),
        metavar="SECONDS",
        help="How long a URL may take for one request, until its last byte; by default 30.",
    ),
    options.kept(
        "--alarm",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=ALARM,
        metavar="P",
        help="False alarm of answers up to which a model is to be reviewed; by default 0.01.",
    ),
    options.seed,
    options.kept(
        "--commitment",
        type=options.FILE,
        metavar="FILE",
        help="What 'assay commit' wrote and was logged: the seed follows from it and --beacon."
        " Refused where method, model, inputs, references or twins are others.",
    ),
    click.option(
        "--beacon",
        callback=_keep_beacon,
        expose_value=False,
        metavar="NUMBER",
        help="What a public beacon gave after the commitment was logged; decimal or hexadecimal.",
    ),
    options.kept(
        "--plot",
        type=options.FILE,
        metavar="FILE",
        help="Draw, as SVG, what both answered, and the suspect among the references.",
    ),
)


def options_of(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a verb the options, of which ``Asked.of`` tells; it takes ``seed`` itself."""
    for option in reversed(_OPTIONS):
        verb = option(verb)
    return verb


def committed(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a verb those of the options that a commitment fixes."""
    for option in reversed(_OPTIONS[:_FIXED]):
        verb = option(verb)
    return verb
