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
_FUNCTIONS = re.compile(
    r"Symbol|Integer|Float|Rational|Add|Mul|Pow|Max|Min|Mod|floor|ceiling|And|Or|Not"
    r"|FloorDiv|CeilDiv|CleanDiv|PythonMod|ModularIndexing|IntTrueDiv|FloatTrueDiv|ToFloat"
    r"|CeilToInt|FloorToInt|TruncToInt|TruncToFloat|Eq|Ne|Ge|Gt|Le|Lt|Equality|Unequality"
    r"|GreaterThan|LessThan|StrictGreaterThan|StrictLessThan"
)
_NAMED = ("Symbol", "Float")  # take a text, and nothing else but what is assumed of it
_CONSTANTS = ("true", "false")
_STRUCTURE = (
    ast.Expression | ast.BinOp | ast.UnaryOp | ast.Compare
    | ast.operator | ast.unaryop | ast.cmpop | ast.expr_context
)  # fmt: skip


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
    texts = {id(node.args[0]) for node in nodes if isinstance(node, ast.Call) and _takes_text(node)}
    powers = [node for node in nodes if _is_power(node)]
    if len(powers) > MOST_POWERS or not all(_exponent(power) < 10 for power in powers):
        raise wrong
    if not all(_is_plain(node) or id(node) in texts for node in nodes):
        raise wrong
    return ast.unparse(tree)


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        is_known = isinstance(node.func, ast.Name) and _FUNCTIONS.fullmatch(node.func.id)
        return bool(is_known) and (_takes_text(node) or not (node.keywords or _is_named(node)))
    if isinstance(node, ast.keyword):  # what is assumed of a symbol: positive=True …
        value = node.value.value if isinstance(node.value, ast.Constant) else None
        return node.arg is not None and isinstance(value, int) and value < 1000
    if isinstance(node, ast.Name):
        name = node.id
        return bool(_SYMBOL.fullmatch(name) or _FUNCTIONS.fullmatch(name)) or name in _CONSTANTS
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and abs(node.value) < LARGEST
    return isinstance(node, _STRUCTURE)


def _is_named(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in _NAMED


def _takes_text(call: ast.Call) -> bool:
    """Whether it is a symbol or a number that is written as text."""
    if not _is_named(call) or len(call.args) != 1 or not isinstance(call.args[0], ast.Constant):
        return False
    text = call.args[0].value
    return isinstance(text, str) and bool(_SYMBOL.fullmatch(text) or _NUMBER.fullmatch(text))


def _is_power(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Pow | ast.LShift)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Pow"


def _exponent(power: ast.AST) -> float:
    """The exponent, infinite where it is not a written number."""
    exponent = power.right if isinstance(power, ast.BinOp) else None
    if isinstance(power, ast.Call) and len(power.args) == 2:
        exponent = power.args[1]
    if isinstance(exponent, ast.Call) and len(exponent.args) == 1:  # Integer(2)
        exponent = exponent.args[0]
    if isinstance(exponent, ast.UnaryOp):
        exponent = exponent.operand
    if isinstance(exponent, ast.Constant) and isinstance(exponent.value, int | float):
        return abs(exponent.value)
    return float("inf")
