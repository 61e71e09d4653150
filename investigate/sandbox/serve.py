"""A sandbox as an AWS endpoint over HTTP, with a record of every request it was sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import botocore.session
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from investigate.sandbox.world import Sandbox

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]
Request = tuple[str, str]  # service, operation
SIGNING_NAMES = {"monitoring": "cloudwatch"}
FORM = "investigate.form"  # where a request's form fields are kept in its WSGI environment


class _Quiet(MotoRequestHandler):
    """Answers without a line on standard error for every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@dataclass
class Served:
    """Where a sandbox answers, and the requests that came, in the order of their arrival."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def serve(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> Iterator[Served]:
    """The state of an emulated sandbox behind a URL, as long as the block lasts."""
    sandbox.flush()
    served = Served("")
    application = _recording(DomainDispatcherApplication(create_backend_app), served.requests)
    server = make_server(host, port, application, threaded=True, request_handler=_Quiet)
    served.url = f"http://{host}:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        _stop(server, thread)


def _stop(server: BaseWSGIServer, thread: Thread) -> None:
    server.shutdown()
    thread.join()
    server.server_close()


def _recording(application: Application, requests: list[Request]) -> Application:
    def record(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
            # The query protocol (STS) names its operation in the body, which must stay readable.
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = BytesIO(body)
            environ[FORM] = dict(parse_qsl(body.decode()))
        requests.append(operation_of(environ))
        return application(environ, start_response)

    return record


def operation_of(environ: Mapping[str, Any]) -> Request:
    """Return the service and operation of a request, or its method and path if it fits none."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    signed = scope[1] if scope else "s3"  # only S3 takes unsigned requests
    service = SIGNING_NAMES.get(signed, signed)
    target = environ.get("HTTP_X_AMZ_TARGET") or environ.get(FORM, {}).get("Action")
    if target:
        return service, target.rsplit(".", 1)[-1]
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
