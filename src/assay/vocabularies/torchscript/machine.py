"""A TorchScript program followed without running it: only types are known of its tensors.

Conditions and loops that depend on numbers of the archive are decided; calls are entered.  Where
a condition depends on data, both branches are followed (``branches``).  Nothing outside
of the archive is called: ``torch`` and ``ops`` are names of operators.  What it takes is bounded.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.source import Class, Source, Unfollowable, dotted
from assay.vocabularies.torchscript.values import (
    Bound,
    Frame,
    Journal,
    Object,
    Reference,
    Traced,
    Value,
)

MOST_CALLS = 60  # one in the other
_NUMBERS = {"inf": float("inf"), "nan": float("nan"), "infj": float("inf")}
_ROOTS = {"torch", "ops", "__torch__"}
_FORMS = {"range", "int", "float", "bool", "str", "getattr", "annotate", "unchecked_cast", "print"}
_FORMS |= {"uninitialized", "isinstance", "fork", "hasattr", "List", "Tensor", "Optional", "Dict"}
_MOST_NUMBER = 2**63


class Machine:
    """Follows functions; operators go to ``graph``."""

    def __init__(self, source: Source, graph: TorchGraph, constants: Sequence[Value]) -> None:
        self.source, self.graph = source, graph
        self.budget = graph.budget
        self.journal = Journal(self.budget)
        self.depth = 0
        self.branches = 0  # that are entered though they may not be taken
        self.outputs = 1  # that the result of the call is taken apart into
        self.constants = constants

    # calls

    def call(
        self, function: ast.FunctionDef, given: Sequence[Value], named: Mapping[str, Value]
    ) -> Value:
        """The result of a function of the program."""
        self.depth += 1
        if self.depth > MOST_CALLS:
            raise Unfollowable(f"its calls are nested more than {MOST_CALLS} deep")
        parameters = [*function.args.posonlyargs, *function.args.args]
        if len(given) > len(parameters):
            raise Unfollowable(f"{function.name[:80]} is called with too many arguments")
        names = [parameter.arg for parameter in parameters]
        frame = Frame(dict(zip(names, given, strict=False)))
        frame.variables |= {name: value for name, value in named.items() if name in names}
        defaults = function.args.defaults
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            if name not in frame.variables:
                frame.variables[name] = self.value(default, frame)
        self.run(function.body, frame)
        self.depth -= 1
        return frame.result

    def method(
        self, target: Object, name: str, given: Sequence[Value], named: Mapping[str, Value]
    ) -> Value:
        """The result of an object's method."""
        found = self.source.find(target.kind)
        function = found.methods.get(name) if isinstance(found, Class) else None
        if function is None:
            raise Unfollowable(f"{target.kind[:80]} has no method {name[:80]!r}")
        return self.call(function, [target, *given], named)

    # statements

    def run(self, statements: Sequence[ast.stmt], frame: Frame) -> None:
        """Statements, until one returns."""
        for statement in statements:
            if frame.done:
                return
            self.budget.spend()
            follow = _STATEMENTS.get(type(statement))
            if follow is None:
                raise Unfollowable(f"it has a statement {type(statement).__name__}")
            follow(self, statement, frame)

    def _assign(self, node: ast.Assign, frame: Frame) -> None:
        target = node.targets[0]
        self.outputs = len(target.elts) if isinstance(target, ast.Tuple) else 1
        value = self.value(node.value, frame)
        self.outputs = 1
        self.bind(target, value, frame)

    def _annotated(self, node: ast.AnnAssign, frame: Frame) -> None:
        if node.value is not None:
            self.bind(node.target, self.value(node.value, frame), frame)

    def bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Gives a value to a variable, to an attribute, or to several variables."""
        if isinstance(target, ast.Name):
            frame.variables[target.id] = value
        elif isinstance(target, ast.Attribute):
            holder = self.value(target.value, frame)
            if not isinstance(holder, Object):
                raise Unfollowable("an attribute is set of what is no object")
            self.journal.touch(holder.attributes)
            holder.attributes[target.attr] = value
        elif isinstance(target, ast.Tuple):
            parts = self.parts(value, len(target.elts))
            for inner, part in zip(target.elts, parts, strict=True):
                self.bind(inner, part, frame)
        else:
            raise Unfollowable("it assigns to what is no variable")

    def parts(self, value: Value, count: int) -> list[Value]:
        """What a value is taken apart into."""
        if isinstance(value, Object):
            value = list(value.attributes.values())
        if isinstance(value, Traced):  # the sizes of a tensor of unknown rank
            place = self.graph.constant
            parts = [self.graph.add("Gather", [value, place(n)]) for n in range(count)]
            return [Traced(part.name, number=True) for part in parts]
        if not isinstance(value, list | tuple) or len(value) != count:
            raise Unfollowable(f"a value is no tuple of {count}")
        return list(value)

    def _return(self, node: ast.Return, frame: Frame) -> None:
        frame.result = None if node.value is None else self.value(node.value, frame)
        frame.done = True

    def _expression(self, node: ast.Expr, frame: Frame) -> None:
        self.value(node.value, frame)

    def _if(self, node: ast.If, frame: Frame) -> None:
        from assay.vocabularies.torchscript.branches import both

        condition = self.value(node.test, frame)
        decided = self.decide(condition)
        if decided is None:
            both(self, condition, node, frame)
        else:
            self.run(node.body if decided else node.orelse, frame)

    def _for(self, node: ast.For, frame: Frame) -> None:
        from assay.vocabularies.torchscript.branches import each_turn

        each_turn(self, node, self.value(node.iter, frame), frame)

    def _while(self, node: ast.While, frame: Frame) -> None:
        from assay.vocabularies.torchscript.branches import while_true

        while_true(self, node, frame)

    def decide(self, value: Value) -> bool | None:
        """Whether a condition holds; None where that depends on data."""
        value = self.graph.number(value)
        return None if isinstance(value, Traced) else bool(value)

    # expressions

    def value(self, node: ast.expr, frame: Frame) -> Value:
        """The value of an expression."""
        self.budget.spend()
        follow = _EXPRESSIONS.get(type(node))
        if follow is None:
            raise Unfollowable(f"it has an expression {type(node).__name__}")
        return follow(self, node, frame)

    def _constant(self, node: ast.Constant, frame: Frame) -> Value:
        if isinstance(node.value, int) and abs(node.value) >= _MOST_NUMBER:
            raise Unfollowable("it has a number of too many digits")
        return node.value

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        if node.id in frame.variables:
            return frame.variables[node.id]
        if node.id in _ROOTS or node.id in _FORMS:
            return Reference(node.id)
        if node.id in _NUMBERS:
            return _NUMBERS[node.id]
        raise Unfollowable(f"it uses {node.id[:80]!r}, which nothing has set")

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        name = dotted(node)
        root, _, rest = name.partition(".")
        if root == "CONSTANTS":
            place = rest.removeprefix("c")
            if not place.isdecimal() or len(place) > 9 or int(place) >= len(self.constants):
                raise Unfollowable(f"it has no constant {rest[:80]!r}")
            return self.constants[int(place)]
        if root in _ROOTS and root not in frame.variables:
            return self._referred(name)
        return self.attribute(self.value(node.value, frame), node.attr)

    def _referred(self, name: str) -> Value:
        """What a dotted name stands for: a member of an enumeration is its value."""
        owner, _, member = name.rpartition(".")
        found = self.source.find(owner)
        if isinstance(found, Class) and "Enum" in found.bases and member in found.constants:
            return self.value(found.constants[member], Frame())
        return Reference(name)

    def attribute(self, holder: Value, name: str) -> Value:
        """An object's attribute, a constant of its class, or its method."""
        if not isinstance(holder, Object):
            raise Unfollowable(f"{name[:80]!r} is asked of what is no object")
        found = self.source.find(holder.kind)
        if isinstance(found, Class) and "__setstate__" in found.methods and holder.state:
            state, holder.state = holder.state, None
            self.call(found.methods["__setstate__"], [holder, state], {})
        if name in holder.attributes:
            return holder.attributes[name]
        if isinstance(found, Class):
            if name in found.constants:
                return self.value(found.constants[name], Frame())
            if name in found.methods:
                return Bound(holder, name)
        raise Unfollowable(f"{holder.kind[:80]} has no attribute {name[:80]!r}")

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        from assay.vocabularies.torchscript.calls import call_form, call_operator, construct

        outputs, self.outputs = self.outputs, 1
        function = self.value(node.func, frame)
        if isinstance(function, Reference) and function.name in _FORMS:
            return call_form(self, function.name, node, frame)
        given = [self.value(argument, frame) for argument in node.args]
        named = {part.arg or "": self.value(part.value, frame) for part in node.keywords}
        if isinstance(function, Bound):
            return self.method(function.target, function.method, given, named)
        if isinstance(function, Object):
            return self.method(function, "forward", given, named)
        if not isinstance(function, Reference):
            raise Unfollowable("it calls what is no function")
        if not function.name.startswith("__torch__."):
            return call_operator(self, function.name, given, named, outputs)
        found = self.source.find(function.name)
        if isinstance(found, ast.FunctionDef):
            return self.call(found, given, named)
        return construct(self, function.name, found, given, named)

    def _list(self, node: ast.List | ast.Tuple, frame: Frame) -> Value:
        values = [self.value(element, frame) for element in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)

    def _dict(self, node: ast.Dict, frame: Frame) -> Value:
        keys = [self.value(key, frame) for key in node.keys if key is not None]
        values = [self.value(value, frame) for value in node.values]
        if not all(isinstance(key, str | int | float) for key in keys):
            raise Unfollowable("a dictionary's key is no text and no number")
        return dict(zip(keys, values, strict=False))

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        from assay.vocabularies.torchscript.calls import item

        return item(self, self.value(node.value, frame), self.value(node.slice, frame))

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        value = self.value(node.operand, frame)
        if isinstance(node.op, ast.USub) and type(value) in (int, float):
            return -value
        raise Unfollowable("it has an operation that is no call")

    def _choice(self, node: ast.IfExp, frame: Frame) -> Value:
        decided = self.decide(self.value(node.test, frame))
        return self.value(node.body if decided is not False else node.orelse, frame)


_STATEMENTS: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Assign: Machine._assign,
    ast.AnnAssign: Machine._annotated,
    ast.Return: Machine._return,
    ast.Expr: Machine._expression,
    ast.If: Machine._if,
    ast.For: Machine._for,
    ast.While: Machine._while,
    ast.Pass: lambda machine, node, frame: None,
}
_EXPRESSIONS: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: Machine._constant,
    ast.Name: Machine._name,
    ast.Attribute: Machine._attribute,
    ast.Call: Machine._call,
    ast.List: Machine._list,
    ast.Tuple: Machine._list,
    ast.Dict: Machine._dict,
    ast.Subscript: Machine._subscript,
    ast.UnaryOp: Machine._unary,
    ast.IfExp: Machine._choice,
}
