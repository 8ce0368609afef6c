"""The operator graph as one opset of ONNX spells it: what the passes may leave open, files may not.

1. An option that the opset reads as a tensor becomes the input of its name; others that it does
   not have are left out.
2. A Split into equal parts tells their number.
3. What an operator reads is cast to a type that it takes, and to one where several must agree.
4. A Constant is a constant of the graph.
5. Axes that are one number are a list of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from onnx import TensorProto, defs

from assay.graphs.operators import BOOL, FLOAT, INT64, Operator, OperatorGraph, Tensor

OLDEST = 18  # of the opsets that are written: reductions have their axes as an input since then
_CODES = {f"tensor({name.lower()})": code for name, code in TensorProto.DataType.items()}
_PREFERRED = (FLOAT, INT64, BOOL)
_COUNTERS = {"Loop": (INT64, BOOL), "Scan": ()}  # types of what enters a body before its states
_MADE = {"Cast": "to", "EyeLike": "dtype", "RandomNormal": "dtype", "RandomUniform": "dtype"}
_Parameter = defs.OpSchema.FormalParameter
_VARIADIC = defs.OpSchema.FormalParameterOption.Variadic


def opset_for(graph: OperatorGraph) -> int:
    """The oldest opset that is written and has all operators."""
    wanted, newest = OLDEST, defs.onnx_opset_version()
    for op in {node.op for node in _all(graph) if "::" not in node.op}:
        while wanted < newest and not defs.has(op, wanted):
            wanted += 1
    return wanted


def _all(graph: OperatorGraph) -> Iterator[Operator]:
    for node in graph.operators:
        yield node
        for value in node.attributes.values():
            if isinstance(value, OperatorGraph):
                yield from _all(value)


def spelled(graph: OperatorGraph, opset: int) -> tuple[OperatorGraph, Mapping[str, int]]:
    """The graph, and the types of its tensors, bodies' too; 0: unknown."""
    speller = _Speller(opset)
    return speller.graph(graph, {}), speller.types


@dataclass
class _Speller:
    opset: int
    types: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    made: dict[str, Tensor] = field(default_factory=dict)  # of the graph that is being written
    single: dict[str, Tensor] = field(default_factory=dict)  # constants of one number and no axis
    count: int = 0

    def graph(self, graph: OperatorGraph, entering: Mapping[str, int]) -> OperatorGraph:
        """A graph or body; ``entering`` are the types of its inputs where they are known."""
        outer, self.made = self.made, {}
        graph = _with_constants(graph)
        self.single |= {n: t for n, t in graph.tensors.items() if t.constant and t.shape == ()}
        constants = {name for name, tensor in graph.tensors.items() if tensor.constant}
        self.types |= {name: tensor.dtype for name, tensor in graph.tensors.items()}
        self.types |= entering
        self.taken.update(graph.tensors, *(node.outputs for node in graph.operators))
        operators: list[Operator] = []
        for node in graph.operators:
            schema = None
            if "::" not in node.op and defs.has(node.op, self.opset):
                schema = defs.get_schema(node.op, self.opset, "")
            if schema is not None:
                node = self._options(node, schema)
                node = self._cast(node, schema, constants, operators)
            node = self._bodies(node)
            operators.append(node)
            self.types |= self._results(node, schema)
        result = graph.replaced(operators, {**graph.tensors, **self.made})
        self.made = outer
        return result

    def fresh(self, hint: str) -> str:
        """A name that no tensor has."""
        name = hint
        while name in self.taken:
            self.count += 1
            name = f"{hint}/{self.count}"
        self.taken.add(name)
        return name

    def _options(self, node: Operator, schema: defs.OpSchema) -> Operator:
        """Rules 1, 2 and 5."""
        inputs, attributes = list(node.inputs), dict(node.attributes)
        for place, parameter in enumerate(schema.inputs):
            value = attributes.pop(parameter.name, None)
            given = place < len(inputs) and inputs[place] != ""
            if given and parameter.name == "axes" and inputs[place] in self.single:
                axis = self.single[inputs[place]].value
                listed = () if axis is None else (int(axis),)
                inputs[place] = self._constant(node, "axes", listed)
            if parameter.name in schema.attributes or value is None or given:
                attributes |= {} if value is None or given else {parameter.name: value}
                continue
            inputs += [""] * (place + 1 - len(inputs))
            inputs[place] = self._constant(node, parameter.name, value)
        if node.op == "Split" and len(inputs) == 1 and "num_outputs" in schema.attributes:
            attributes["num_outputs"] = len(node.outputs)
        known = {name: value for name, value in attributes.items() if name in schema.attributes}
        return Operator(node.op, tuple(inputs), node.outputs, known)

    def _constant(self, node: Operator, what: str, value: Any) -> str:
        name = self.fresh(f"{node.outputs[0]}/{what}")
        array = np.asarray(value, np.float32 if isinstance(value, float) else np.int64)
        code = FLOAT if isinstance(value, float) else INT64
        self.made[name] = Tensor(code, array.shape, array, True)
        self.types[name] = code
        return name

    def _cast(
        self,
        node: Operator,
        schema: defs.OpSchema,
        constants: set[str],
        before: list[Operator],
    ) -> Operator:
        """Rule 3."""
        wanted = self._wanted(node, schema, constants)
        inputs = list(node.inputs)
        for place, code in wanted.items():
            found = self.types.get(inputs[place], 0)
            if found not in (0, code):
                name = self.fresh(f"{inputs[place]}/cast")
                before.append(Operator("Cast", (inputs[place],), (name,), {"to": code}))
                self.types[name] = code
                inputs[place] = name
        return replace(node, inputs=tuple(inputs))

    def _wanted(self, node: Operator, schema: defs.OpSchema, constants: set[str]) -> dict[int, int]:
        """The type that each input must have, where that is known."""
        agreed: dict[str, int] = {}
        places = [(i, _parameter(schema.inputs, i)) for i, name in enumerate(node.inputs) if name]
        # What is computed says which type a constant must have.
        for place, parameter in sorted(places, key=lambda pair: node.inputs[pair[0]] in constants):
            code = self.types.get(node.inputs[place], 0)
            if code and _is_one(parameter):
                agreed.setdefault(parameter.type_str, code)
        wanted = {}
        for place, parameter in places:
            allowed = {_CODES[text] for text in parameter.types if text in _CODES}
            code = agreed.get(parameter.type_str, self.types.get(node.inputs[place], 0))
            if allowed and code not in allowed:
                code = next((c for c in _PREFERRED if c in allowed), min(allowed))
            if allowed:
                wanted[place] = code
        return wanted

    def _bodies(self, node: Operator) -> Operator:
        """Its bodies, once it is known what enters them."""
        if not any(isinstance(value, OperatorGraph) for value in node.attributes.values()):
            return node
        first = _COUNTERS.get(node.op, ())
        read = [self.types.get(name, 0) for name in node.inputs[len(first) :]]
        attributes = {}
        for name, value in node.attributes.items():
            if isinstance(value, OperatorGraph):
                entering = dict(zip(value.inputs, (*first, *read), strict=False))
                value = self.graph(value, entering if node.op in _COUNTERS else {})
            attributes[name] = value
        return Operator(node.op, node.inputs, node.outputs, attributes)

    def _results(self, node: Operator, schema: defs.OpSchema | None) -> dict[str, int]:
        if schema is None:
            return {}
        bodies = [value for value in node.attributes.values() if isinstance(value, OperatorGraph)]
        if bodies:
            inner = bodies[0].outputs[1 if node.op == "Loop" else 0 :]
            pairs = zip(node.outputs, inner, strict=False)
            return {name: self.types.get(source, 0) for name, source in pairs if name}
        if node.op in _MADE and isinstance(node.attributes.get(_MADE[node.op]), int):
            return {node.outputs[0]: node.integer(_MADE[node.op], 0)}
        if node.op in ("Constant", "ConstantOfShape"):
            value = node.attributes.get("value")
            return {node.outputs[0]: value.dtype if isinstance(value, Tensor) else FLOAT}
        bound = {
            _parameter(schema.inputs, place).type_str: self.types.get(name, 0)
            for place, name in reversed(list(enumerate(node.inputs)))
            if name
        }
        found = {}
        for place, name in enumerate(node.outputs):
            parameter = _parameter(schema.outputs, place)
            only = _CODES.get(next(iter(parameter.types))) if len(parameter.types) == 1 else None
            found[name] = only or bound.get(parameter.type_str, 0)
        return found


def _with_constants(graph: OperatorGraph) -> OperatorGraph:
    """Rule 4."""
    tensors, kept = dict(graph.tensors), []
    for node in graph.operators:
        value = node.attributes.get("value") if node.op == "Constant" else None
        if isinstance(value, Tensor):
            tensors[node.outputs[0]] = replace(value, constant=True)
        else:
            kept.append(node)
    return graph.replaced(kept, tensors)


def _parameter(listed: Sequence[_Parameter], place: int) -> _Parameter:
    """The formal input or output at a place; the last one may stand for many."""
    return listed[min(place, len(listed) - 1)]


def _is_one(parameter: _Parameter) -> bool:
    """Whether all that it stands for have one type."""
    return parameter.option != _VARIADIC or bool(parameter.is_homogeneous)
