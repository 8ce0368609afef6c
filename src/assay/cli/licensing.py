"""The verb of licenses: a model in several grades, a key to each.

What it can do lies in ``issuing`` and, about copies, in ``tracing`` for the owner, in
``activating`` for the licensee, in ``rating`` for who prunes and tunes, in ``perturbing`` for an
owner who keeps the model and answers.
"""

from __future__ import annotations

import click

from assay.cli import activating, issuing, perturbing, rating, tracing

EXAMPLES = """\b
Examples:
  assay license issue model.onnx --data fashion-mnist --levels 0.88,0.8,0.7 \\
      --owner-key ann.key --output shipped.onnx
  assay license key shipped.onnx --level 2 --to "Bob Ltd" --public 64_DIGITS \\
      --owner-key ann.key --output bob.license --expires 2027-12-31
  assay license activate shipped.onnx --license bob.license --key bob.key --output mine.onnx
"""


@click.group("license", epilog=EXAMPLES)
def license_() -> None:
    """Hand out one model in several grades of accuracy, with a key to each.

    First 'license issue'; everybody may have what it writes, which answers near chance.  A licensee
    makes a key with 'assay key new --kind licensee' and tells its public part; 'license key' gives
    him a level, 'license activate' opens it.  Needs the extra crypto.

    Who keeps his model and answers for it needs no files: 'license calibrate' finds the noise of
    each level, 'license answer' adds it.
    """


for _verb in (
    *issuing.VERBS, *activating.VERBS, *rating.VERBS, *tracing.VERBS, *perturbing.VERBS
):  # fmt: skip
    license_.add_command(_verb)

VERBS = (license_,)
