"""Model files made to break a reader.  ``ATTACKS`` holds them by name: each writes one file.

An attack must come out as an error of one line that names its cause, or as an honest result, within
the limits of time and memory that ``worker`` sets and measures.
"""

from hostile import amounts, archives, arithmetic, external, files, graphs, nesting, passes, tensors
from hostile.building import ATTACKS

__all__ = [
    "ATTACKS",
    "amounts",
    "archives",
    "arithmetic",
    "external",
    "files",
    "graphs",
    "nesting",
    "passes",
    "tensors",
]
