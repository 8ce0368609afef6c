"""One operation of a Core ML program with its arguments at hand, for the rules that translate it.

What a rule reads as a number must stand in the file; what is computed stays a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.errors import UnreadableModel
from assay.vocabularies.coreml.blobs import whole_numbers
from assay.vocabularies.coreml.program import Operation, Program


class Op:
    """An operation, to be told in ONNX's words."""

    def __init__(self, program: Program, operation: Operation) -> None:
        self.program = program
        self.operation = operation
        self.build = program.build
        self.kind = operation.kind

    def names(self, key: str) -> list[str]:
        """What the argument is bound to; nothing where it is not given."""
        return list(self.operation.arguments.get(key, ()))

    def one(self, *keys: str) -> str:
        """The only value of the first of these arguments that is given."""
        names = next((self.names(key) for key in keys if self.names(key)), [])
        if len(names) != 1:
            raise UnreadableModel(f"{self.kind[:80]} has no argument {keys[0]!r}")
        return names[0]

    def rank(self, name: str) -> int:
        """The number of a tensor's axes; 0 where unknown."""
        return self.build.rank(name)

    def numbers(self, key: str) -> list[int]:
        """A constant as integers; empty where it is none, or not given."""
        array = self._array(key)
        return [] if array is None else whole_numbers(array)

    def integer(self, key: str, default: int) -> int:
        return (self.numbers(key) or [default])[0]

    def real(self, key: str, default: float) -> float:
        array = self._array(key)
        return default if array is None or not array.size else float(array.reshape(-1)[0])

    def _array(self, key: str) -> Any:
        names = self.names(key)
        return self.program.array(names[0]) if names else None

    def text(self, key: str, default: str) -> str:
        names = self.names(key)
        value = self.program.values.get(names[0]) if names else None
        return default if value is None or value.text is None else value.text

    def constant(self, values: Any) -> str:
        """A constant that the file does not have."""
        return self.build.constant(values)

    def number(self, value: float) -> str:
        """A constant of one number."""
        return self.build.constant(np.float32(value))

    def unnamed(self, shape: Sequence[int]) -> str:
        """A constant that the file leaves out, for an operator that must have one."""
        name = self.build.fresh(self.kind)
        self.build.untyped(name, shape)
        return name

    def emit(
        self, op: str, inputs: Sequence[str], attributes: Mapping[str, Any] | None = None
    ) -> None:
        """An operator that writes what the operation writes."""
        self.build.add(op, inputs, self.operation.outputs, attributes)
