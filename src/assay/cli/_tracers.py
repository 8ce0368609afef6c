"""``--trace``: the watermark by which copies of a licensed model are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from assay.cli import _options as options
from assay.cli._settings import settings
from assay.errors import BadOption, UnfitModel

if TYPE_CHECKING:
    from assay.weights.sites import Marks

# As many large as small, and near one another: what a mark of 128 bits that is to outlive pruning
# has otherwise would cost low levels more.
GENTLE = {
    "constant-weight": (
        "code.ones=12", "code.redundancy=2", "code.quiet=0.4", "survive=0.6", "margin=1",
    ),
}  # fmt: skip
trace = options.kept(
    "--trace",
    metavar="NAME",
    help="The watermark that says in each copy whose it is, as constant-weight; by default copies"
    " are all alike.",
)
trace_set = options.kept(
    "--trace-set",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of that watermark, as 'assay methods' lists them; may be repeated.",
)


@dataclass(frozen=True)
class _Given:
    trace: str | None = None
    trace_set: tuple[str, ...] = ()


def tracer(context: click.Context) -> Marks | None:
    """The watermark that is asked for.

    Raises BadOption where there is none like that, UnfitModel where its marks tell no copies.
    """
    found = _Given(**options.kept_of(context, _Given))
    if found.trace is None:
        if found.trace_set:
            raise BadOption(f"--trace-set {found.trace_set[0]}: is for --trace")
        return None
    from assay.watermarks import WATERMARKS
    from assay.weights.sites import Marks, refused

    if found.trace not in list(WATERMARKS):
        raise BadOption(f"--trace {found.trace}: is none of {', '.join(WATERMARKS)}")
    method = WATERMARKS[found.trace]
    given = (*GENTLE.get(found.trace, ()), *found.trace_set)
    made = method(**settings(method, found.trace, given))
    if not isinstance(made, Marks):
        raise UnfitModel(f"--trace {refused(made)}")
    return made
