"""Model files made to break a reader.  ``ATTACKS`` holds them by name: each writes one file.

An attack must come out as an error of one line that names its cause, or as an honest result, within
the limits of time and memory that ``worker`` sets and measures.  Every module in this folder adds
its own, by ``building.attack``.
"""

from importlib import import_module
from pkgutil import iter_modules

from hostile.building import ATTACKS

for module in iter_modules(__path__):
    if module.name != "worker":
        import_module(f"hostile.{module.name}")

__all__ = ["ATTACKS"]
