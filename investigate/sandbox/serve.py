"""A sandbox as an AWS endpoint over HTTP, in any weather, with a record of every request."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from threading import Event, Lock, Thread
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from investigate.sandbox.operations import FORM, operation_of
from investigate.sandbox.refusals import Headers, Refusal, written
from investigate.sandbox.weather import CALM, Forecast, RequestFate, Weather
from investigate.sandbox.world import Sandbox

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Environ = dict[str, Any]
Answer = tuple[int, Headers, bytes]
Hook = Callable[[int], None]
# What a proxy or the page of a network to log in to answers, whatever was asked.
_PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Log in</body></html>"
_UNRELATED = {"json": b'{"status": "ok"}', "xml": b"<Status><Code>ok</Code></Status>"}
_BLANK = b" " * (8 * 1024 * 1024)  # behind a swollen answer


class _Quiet(MotoRequestHandler):
    """Answers without a line on standard error for every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@dataclass(slots=True)
class ServedRequest:
    """One request: its number, what it asked for, what became of it, and the status it got.

    `fate` is None for one that was answered as it should be; `status` until it was answered.
    """

    number: int
    service: str
    operation: str
    fate: str | None = None
    status: int | None = None


@dataclass
class Served:
    """Where a sandbox answers, and the requests that came, in the order of their arrival.

    `hook` is called with the number of each request, from 1, before it is answered. `work` is what
    the pipeline does of its own accord whenever somebody looks at a queue.
    """

    url: str
    forecast: Forecast
    hook: Hook | None = None
    work: Callable[[], object] | None = None
    record: list[ServedRequest] = field(default_factory=list)
    ended: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _working: Lock = field(default_factory=Lock)

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Service and operation of every request."""
        return [(asked.service, asked.operation) for asked in self.record]

    def become(self, weather: Weather) -> None:
        """Change the weather; the record begins anew, and every request is in its first attempt."""
        with self._lock:
            self.forecast = Forecast(weather)
            self.record = []

    def note(self, service: str, operation: str) -> ServedRequest:
        """Put a request on record, and tell the hook."""
        with self._lock:
            asked = ServedRequest(len(self.record) + 1, service, operation)
            self.record.append(asked)
        if self.hook:
            self.hook(asked.number)
        if self.work and operation == "GetQueueAttributes":
            with self._working:
                self.work()
        return asked


@contextmanager
def serve(
    sandbox: Sandbox,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    weather: Weather = CALM,
    processing: bool = False,
) -> Iterator[Served]:
    """The state of an emulated sandbox behind a URL, as long as the block lasts; `processing` lets
    the processor work on one batch at each look at a queue, while its mapping is enabled."""
    sandbox.flush()
    served = Served("", Forecast(weather))
    if processing:
        served.work = _working(sandbox)
    application = _Endpoint(DomainDispatcherApplication(create_backend_app), served)
    server = make_server(host, port, application, threaded=True, request_handler=_Quiet)
    served.url = f"http://{host}:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.ended.set()
        _stop(server, thread)


def _working(sandbox: Sandbox) -> Callable[[], object]:
    """Return what lets time pass as it does on the wall, and one batch be processed."""
    start, began = sandbox.clock.now(), time.monotonic()

    def work() -> None:
        sandbox.clock.move_to(start + timedelta(seconds=time.monotonic() - began))
        sandbox.consume(batches=1)

    return work


def _stop(server: BaseWSGIServer, thread: Thread) -> None:
    server.shutdown()
    thread.join()
    server.server_close()


class _Endpoint:
    """The emulator with the weather in front of it."""

    def __init__(self, emulator: Application, served: Served) -> None:
        self._emulator = emulator
        self._served = served

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _kept_body(environ)
        service, operation = operation_of(environ)
        forecast = self._served.forecast
        asked = self._served.note(service, operation)
        fate = forecast.fate(service, operation, environ, body)
        asked.fate = fate.fate
        if fate.fate == "hung":
            self._served.ended.wait()
        if fate.fate in ("dropped", "hung"):
            _cut_off(environ)
        status, headers, content = self._answer(environ, asked, forecast, fate)
        asked.status = status
        headers, content = _altered(fate.fate, headers, content)
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return _half(environ, content) if fate.fate == "broken" else [content]

    def _answer(
        self, environ: Environ, asked: ServedRequest, forecast: Forecast, fate: RequestFate
    ) -> Answer:
        if fate.refusal:
            return written(fate.refusal, asked.service, environ)
        if fate.fate == "slow":
            time.sleep(forecast.weather.seconds)
        answer = _asked(self._emulator, environ)
        hidden: Refusal | None = None
        if answer[0] == HTTPStatus.NOT_FOUND:
            hidden = forecast.hides_missing_keys(asked.service, asked.operation)
        return written(hidden, asked.service, environ) if hidden else answer


def _kept_body(environ: Environ) -> bytes:
    """Return the body of a request, which stays readable; with its form fields, if it has any."""
    if environ.get("wsgi.input_terminated"):
        return b""  # sent in chunks, of a length that nobody knows
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        # The query protocol (STS) names its operation in the body.
        environ[FORM] = dict(parse_qsl(body.decode()))
    return body


def _asked(application: Application, environ: Environ) -> Answer:
    """Return the whole answer of an application."""
    began: list[tuple[str, Headers]] = []
    parts = application(environ, lambda status, headers, *_: began.append((status, headers)))
    content = b"".join(parts)
    status, headers = began[-1]
    return int(status.split(" ")[0]), headers, content


def _altered(fate: str | None, headers: Headers, content: bytes) -> tuple[Headers, bytes]:
    """Return an answer that looks whole: without its second half, without any, that of somebody
    else, or with far more than anybody needs; as it is, if its fate is another."""
    others = [(name, value) for name, value in headers if name.lower() != "content-length"]
    if fate == "truncated":
        content = content[: len(content) // 2]
    elif fate == "emptied":
        content = b""
    elif fate == "misshapen":
        content = _PAGE
        others = [(name, value) for name, value in others if name.lower() != "content-type"]
        others.append(("Content-Type", "text/html"))
    elif fate == "unrelated":
        content = _UNRELATED["xml" if content.lstrip().startswith(b"<") else "json"]
    elif fate == "swollen":
        content += _BLANK
    else:
        return headers, content
    return [*others, ("Content-Length", str(len(content)))], content


def _half(environ: Environ, content: bytes) -> Iterator[bytes]:
    yield content[: len(content) // 2]
    _cut_off(environ)


def _cut_off(environ: Environ) -> NoReturn:
    """End the connection without a word."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError
