"""Names of what ``graphs.layer_labels`` finds: ways to label layers, and sizes of a graph.

A kind has a name, such as ``weighted base growth level wl1 first 24``::

    [weighted] FACT… [wl1 … wl9 | back1 … back9 | pairs] [within FACT] [first N] [counted | octaves]

``weighted``: of layers with parameters alone, each joined to the next such ones behind it.
``wl``: refined so many times by what a layer reads and by its readers, but for the third time on by
what it reads; ``back``: always by what it reads.  ``pairs``: of each two layers that are one or two
edges apart, always of all layers, and with nothing behind it but how often.  ``within``: a fact
that is added after that.  ``first N``: of layers before which lie at most N layers with parameters,
themselves included.  ``counted``: each label once, with the logarithm of how often it is there, in
half octaves; ``octaves``: in whole ones.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSION = 1  # of what labels are made of: a bit of another version's is another bit
FACTS = (
    "core", "base", "whole", "bent", "level",  # the operator, and how small images are there
    "channels", "channels4", "channels2", "parameters", "parameters2", "parameters1",
    "growth", "share", "weight", "stem", "square",  # ratios
)  # fmt: skip
SIZES = (
    "parameters", "largest", "weighted layers", "most channels",
    "median channels", "median parameters",
    "width at level 0", "width at level 1", "width at level 2", "width at level 3",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to label layers; see the head of this file."""

    facts: tuple[str, ...]
    weighted: bool = False
    near: str = ""  # "wl2", "back1", "pairs"
    within: str = ""
    first: int = 0  # 0: all
    counted: int = 0  # steps to an octave; 0: not

    @classmethod
    def of(cls, name: str) -> Kind:
        """Raises ValueError where it is no kind's name."""
        words = name.split()
        weighted = words[:1] == ["weighted"]
        facts, near, within, first, counted = [], "", "", 0, 0
        rest = iter(words[weighted:])
        for word in rest:
            if word == "first":
                first = int(next(rest, ""))
            elif word == "within":
                within = next(rest, "nothing")
            elif word in ("counted", "octaves"):
                counted = 2 if word == "counted" else 1
            elif word == "pairs" or (word[:-1] in ("wl", "back") and word[-1:] in "123456789"):
                near = word
            else:
                facts.append(word)
        told = {*facts, within} - {""}
        of_one = weighted or within or first  # what a pair of layers has not
        if not facts or not told <= {*FACTS} or first < 0 or (near == "pairs" and of_one):
            raise ValueError(f"{name!r} is no kind of labels")
        return cls(tuple(facts), weighted, near, within, first, counted)
