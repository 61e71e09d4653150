"""Which operation of which service a request over HTTP asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import botocore.session

FORM = "investigate.form"  # where a request's form fields are kept in its WSGI environment
_SIGNING_NAMES = {"monitoring": "cloudwatch"}
_STREAMS = "dynamodbstreams"  # signed as DynamoDB


def operation_of(environ: Mapping[str, Any]) -> tuple[str, str]:
    """Return the service and operation of a request, or its method and path if it fits none."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    signed = scope[1] if scope else "s3"  # only S3 takes unsigned requests
    service = _SIGNING_NAMES.get(signed, signed)
    target = environ.get("HTTP_X_AMZ_TARGET") or environ.get(FORM, {}).get("Action")
    if target:
        version, _, operation = target.rpartition(".")
        return _STREAMS if version.startswith("DynamoDBStreams") else service, operation
    named = re.search(r"/operation/(\w+)$", environ["PATH_INFO"])
    return service, named[1] if named else _rest_operation(service, environ)


def _rest_operation(service: str, environ: Mapping[str, Any]) -> str:
    """Return the operation that asks for the most of what the request has."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    fitting = [
        (len(route.query) + len(route.names) + len(route.headers), route.operation)
        for route in _routes(service)
        if route.method == method
        and route.path.fullmatch(path)
        and route.query.items() <= query.items()
        and route.names <= query.keys()
        and route.headers <= environ.keys()
    ]
    return max(fitting)[1] if fitting else f"{method} {path}"


@dataclass(frozen=True)
class _Route:
    """What a request must have to be one operation."""

    operation: str
    method: str
    path: re.Pattern[str]
    query: dict[str, str]
    names: frozenset[str]
    headers: frozenset[str]


@cache
def _routes(service: str) -> list[_Route]:
    """Return the route of every operation of a service with a REST protocol."""
    model = botocore.session.get_session().get_service_model(service)
    return [_route(model.operation_model(name)) for name in model.operation_names]


def _route(operation: Any) -> _Route:
    path, _, query = operation.http["requestUri"].partition("?")
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.sub(r"\\\{\w+\\\+\\\}", ".+", re.escape(path)))
    wanted = dict(parse_qsl(query, keep_blank_values=True))
    needed = _needed(operation)
    return _Route(
        operation.name,
        operation.http["method"],
        re.compile(pattern + "/?"),
        wanted,
        frozenset(name for where, name in needed if where == "querystring"),
        frozenset(
            "HTTP_" + name.upper().replace("-", "_") for where, name in needed if where == "header"
        ),
    )


def _needed(operation: Any) -> list[tuple[str, str]]:
    """Return where (query string, header) an operation needs which member, by its name there."""
    shape = operation.input_shape
    members = [shape.members[name] for name in shape.required_members] if shape else []
    told = [member.serialization for member in members]
    return [(one["location"], one["name"]) for one in told if "location" in one]
