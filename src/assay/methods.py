"""A role's folder is its registry: every public module in it is one method.

``hashers/weisfeiler_lehman.py`` holds one class that keeps the contract of ``hashers``; it is
called ``weisfeiler-lehman`` on the command line, in tables and on the web page.  To add a method,
add its file.  A module whose name starts with an underscore is shared code, not a method.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Generic, TypeVar

from assay.errors import UnknownMethod

Contract = TypeVar("Contract")


def name_of(method: type) -> str:
    """The name of a method's class: that of its module, in the spelling of users."""
    return method.__module__.rpartition(".")[2].replace("_", "-")


class Methods(Mapping[str, type[Contract]], Generic[Contract]):
    """The methods of one role by name; a module is imported when its method is asked for."""

    def __init__(self, contract: type[Contract]) -> None:
        self.contract = contract
        self.package = contract.__module__
        folder = Path(import_module(self.package).__file__ or "").parent
        self._names = sorted(path.stem.replace("_", "-") for path in folder.glob("[!_]*.py"))

    def __getitem__(self, name: str) -> type[Contract]:
        """The class of method ``name``.  Raises UnknownMethod where the folder has no such file."""
        if name not in self._names:
            role = self.package.removeprefix("assay.")
            raise UnknownMethod(f"no method {name!r} in {role}: choose from {self._names}")
        module = import_module(f"{self.package}.{name.replace('-', '_')}")
        (method,) = (
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, self.contract)
            and value.__module__ == module.__name__
        )
        return method

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
