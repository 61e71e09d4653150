"""Who may invoke a function: services that hand an event over and go on, and those that wait.

Source: "Understanding asynchronous invocation" (AWS Lambda Developer Guide). What is read is the
JSON of the column `invokers` of `functions`.
"""

from __future__ import annotations

import ibis.expr.types as ir

_NAMED = r'"principal" *: *"'
_DOMAIN = r'\.([a-z0-9-]+\.)?amazonaws\.com"'  # some principals name a region
_ASYNCHRONOUS = _NAMED + "(sns|s3|events|scheduler|iot|ses|config|logs|codecommit)" + _DOMAIN
_SYNCHRONOUS = _NAMED + "(apigateway|elasticloadbalancing|cognito-idp|lex|edgelambda)" + _DOMAIN
# How the entry of an invoker ends that names no version or alias.
_OF_THE_FUNCTION = r', "source_arn": (null|"[^"]*")\}'


def asynchronous(invokers: ir.StringValue) -> ir.BooleanValue:
    """Return whether a service that does not wait may invoke the function; null if unknown."""
    return invokers.re_search(_ASYNCHRONOUS)


def asynchronous_directly(invokers: ir.StringValue) -> ir.BooleanValue:
    """Return whether such a service may invoke it without naming a version or alias."""
    return invokers.re_search(_ASYNCHRONOUS + _OF_THE_FUNCTION)


def synchronous(invokers: ir.StringValue) -> ir.BooleanValue:
    """Return whether a service that waits for the answer may invoke it; null if unknown."""
    return invokers.re_search(_SYNCHRONOUS)


def waiting(invokers: ir.StringValue) -> ir.BooleanValue:
    """Return whether anybody else may invoke it, who perhaps waits; null if unknown."""
    return invokers.re_replace(_ASYNCHRONOUS, "").re_search(_NAMED)
