"""Tests ask the same questions of hundreds of small cases: a process compiles each only once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.backends.sql import SQLBackend

Compile = Callable[..., str]


@contextmanager
def remembered() -> Iterator[dict[object, str]]:
    """Let ibis write the SQL of equal expressions once. It takes a third of the time of a test.

    An expression is known again by its hash, which ibis has of every node, and by its numbers and
    texts. The expressions themselves are not kept: they hold engines.
    """
    known: dict[object, str] = {}
    compile_anew: Compile = SQLBackend.compile

    def compiled(self: Any, expr: ir.Expr, /, **options: Any) -> str:
        key = None if options else _key(self, expr)
        if key is None:
            return compile_anew(self, expr, **options)
        if key not in known:
            known[key] = compile_anew(self, expr)
        return known[key]

    SQLBackend.compile = compiled
    try:
        yield known
    finally:
        SQLBackend.compile = compile_anew


def _key(backend: Any, expr: ir.Expr) -> object:
    node = expr.op()
    found = node.find((ops.Literal, ops.InMemoryTable))
    if any(isinstance(one, ops.InMemoryTable) for one in found):
        return None  # its rows have a name that no other has
    if len({hash(one) for one in found}) < len(found):
        return None  # -1 and -2 have one hash: which of them stands where is not told by it
    return backend.name, hash(node), tuple(repr((one.value, one.dtype)) for one in found)
