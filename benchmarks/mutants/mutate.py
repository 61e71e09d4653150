"""What can be wrong with a condition: every single change of a module, as another syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_EDGE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt,
}  # fmt: skip
_OTHER_NAME = {
    "isnull": "notnull", "notnull": "isnull", "anti_join": "semi_join", "semi_join": "anti_join",
    "any": "all", "all": "any",
}  # fmt: skip


_PASSED_THROUGH = ("settled", "in_scope")  # calls that leave rows out


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: its number in its module, the function and the line, what was done, the source
    with the change, and the codes of the checks that it makes wrong, as far as the module tells."""

    number: int
    function: str
    line: int
    change: str
    source: str
    codes: tuple[str, ...]


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of a module's source: comparisons turned and moved by their edge, parts
    of conditions dropped and negated, filters dropped, joins turned, unknown taken for true."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    for function in _functions(tree):
        changes = [
            *_of_decorator(function),
            *((said, node, other) for node in _judging(function) for said, other in _changes(node)),
        ]
        for said, node, other in changes:
            text = ast.unparse(_replaced(tree, node, other))
            codes = _codes_of(tree, function.name)
            found.append(Mutant(len(found), function.name, node.lineno, said, text, codes))
    return found


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """The functions of a module and the methods of its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (inner for inner in node.body if isinstance(inner, ast.FunctionDef))


def _codes_of(tree: ast.Module, name: str) -> tuple[str, ...]:
    """The codes of the checks of a module that are, or name, this function."""
    codes = []
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        if name == function.name or name in names:
            codes += [
                str(call.args[0].value)
                for call in function.decorator_list
                if isinstance(call, ast.Call) and call.args
                and isinstance(call.args[0], ast.Constant)
            ]  # fmt: skip
    return tuple(codes)


def _judging(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """The expressions of a function's body; the texts and tables its decorator names, and the types
    of its variables, judge nothing."""
    types = {
        id(inner)
        for statement in function.body
        for node in ast.walk(statement)
        if isinstance(node, ast.AnnAssign)
        for inner in ast.walk(node.annotation)
    }
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.expr) and id(node) not in types:
                yield node


def _changes(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    for kind, changes in _CHANGES.items():
        if isinstance(node, kind):
            yield from changes(node)


def _of_compare(node: ast.Compare) -> Iterator[tuple[str, ast.expr]]:
    for which, table in (("invert", _OPPOSITE), ("edge", _EDGE)):
        if len(node.ops) == 1 and type(node.ops[0]) in table:
            other = _with(node, ops=[table[type(node.ops[0])]()])
            yield f"{which} {ast.unparse(node)}", other


def _of_both(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node.op, ast.BitAnd | ast.BitOr):
        yield f"only the left of {ast.unparse(node)}", node.left
        yield f"only the right of {ast.unparse(node)}", node.right


def _of_several(node: ast.BoolOp) -> Iterator[tuple[str, ast.expr]]:
    for place, value in enumerate(node.values):
        rest = [other for n, other in enumerate(node.values) if n != place]
        yield f"without {ast.unparse(value)}", _with(node, values=rest)


def _of_negation(node: ast.UnaryOp) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node.op, ast.Invert | ast.Not):
        yield f"no {ast.unparse(node)}", node.operand


def _of_decorator(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    """A check that is content with a part of the tables of which it needs every row."""
    for call in (one for one in function.decorator_list if isinstance(one, ast.Call)):
        names = {keyword.arg: keyword.value for keyword in call.keywords}
        if "whole" in names:
            tables = ast.unparse(names.pop("whole"))
            needs = ast.unparse(names["needs"]) if "needs" in names else "()"
            names["needs"] = ast.parse(f"(*{tables}, *{needs})", mode="eval").body
            keywords = [ast.keyword(name, value) for name, value in names.items()]
            yield f"whole={tables} is only needed", call, _with(call, keywords=keywords)


def _of_call(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(node.func, ast.Attribute):
        return
    method, told = node.func, ", ".join(map(ast.unparse, node.args))
    if method.attr in _OTHER_NAME:
        other = _with(method, attr=_OTHER_NAME[method.attr])
        yield f"{_OTHER_NAME[method.attr]} for {method.attr}({told})", _with(node, func=other)
    elif method.attr in _PASSED_THROUGH:
        yield f"drop {method.attr} of {told}", node.args[0]
    elif method.attr == "filter" and len(node.args) == 1:
        yield f"drop filter({told})", method.value
    elif method.attr == "filter":
        for place, value in enumerate(node.args):
            rest = [other for n, other in enumerate(node.args) if n != place]
            yield f"drop {ast.unparse(value)}", _with(node, args=rest)
    elif method.attr == "fill_null" and _is_flag(node.args[0]):
        value = ast.literal_eval(node.args[0])
        yield f"fill_null({not value}) for {value}", _with(node, args=[ast.Constant(not value)])


def _is_flag(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


_CHANGES: Mapping[type[ast.expr], Callable[[Any], Iterator[tuple[str, ast.expr]]]] = {
    ast.Compare: _of_compare, ast.BinOp: _of_both, ast.BoolOp: _of_several,
    ast.UnaryOp: _of_negation, ast.Call: _of_call,
}  # fmt: skip


def _with(node: Any, **changes: object) -> Any:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def _replaced(tree: ast.Module, wanted: ast.expr, other: ast.expr) -> ast.Module:
    """Return a copy of the tree with another expression in the place of one."""
    return copy.deepcopy(tree, {id(wanted): other})
