"""Size expressions of a PyTorch program, held to plain arithmetic.

The loader evaluates them as Python.  Here they are parsed, never evaluated: numbers, symbols of
sizes, and functions of the list below.
"""

from __future__ import annotations

import ast
import re

from assay.errors import UnreadableModel

LONGEST, MOST_POWERS, LARGEST = 2000, 3, 2**63
_SYMBOL = re.compile(r"[a-z]{1,4}\d{1,9}")
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,40})?")
_FUNCTIONS = frozenset(
    ["Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Mod", "floor"]
    + ["ceiling", "FloorDiv", "CeilDiv", "CleanDiv", "PythonMod", "ModularIndexing", "IntTrueDiv"]
    + ["FloatTrueDiv", "ToFloat", "CeilToInt", "FloorToInt", "TruncToInt", "TruncToFloat"]
    + ["Eq", "Ne", "Ge", "Gt", "Le", "Lt", "Equality", "Unequality", "GreaterThan", "LessThan"]
    + ["StrictGreaterThan", "StrictLessThan", "And", "Or", "Not"]
)
_NAMES = frozenset({"true", "false"})
_OPERATORS = (ast.operator, ast.unaryop, ast.cmpop, ast.expr_context)
_STRUCTURE = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare)


def safe_expression(text: object) -> str:
    """The expression, written anew.  Raises UnreadableModel where it is more than arithmetic."""
    wrong = UnreadableModel(f"a size is {str(text)[:80]!r}, which is no plain expression")
    if not isinstance(text, str) or len(text) > LONGEST:
        raise wrong
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise wrong from error
    nodes = list(ast.walk(tree))
    powers = [node for node in nodes if _is_power(node)]
    if not all(map(_is_plain, nodes)) or len(powers) > MOST_POWERS:
        raise wrong
    if not all(_exponent(power) < 10 for power in powers):
        raise wrong
    return ast.unparse(tree)


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
    if isinstance(node, ast.keyword):  # what is assumed of a symbol: positive=True …
        return node.arg is not None and isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Name):
        return bool(_SYMBOL.fullmatch(node.id)) or node.id in _FUNCTIONS | _NAMES
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, str):
            return bool(_SYMBOL.fullmatch(value) or _NUMBER.fullmatch(value))
        return isinstance(value, int | float) and abs(value) < LARGEST
    return isinstance(node, _OPERATORS + _STRUCTURE)


def _is_power(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Pow | ast.LShift)
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "Pow"


def _exponent(node: ast.AST) -> float:
    """The exponent of a power, infinite where it is not a written number."""
    exponent = node.right if isinstance(node, ast.BinOp) else (*_arguments(node), node)[1]
    number = _arguments(exponent)[0] if _arguments(exponent) else exponent
    if isinstance(number, ast.UnaryOp):
        number = number.operand
    if isinstance(number, ast.Constant) and isinstance(number.value, int | float):
        return abs(number.value)
    return float("inf")


def _arguments(node: ast.AST) -> list[ast.expr]:
    return node.args if isinstance(node, ast.Call) else []
