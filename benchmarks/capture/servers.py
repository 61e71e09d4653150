"""The servers that are read from: fast ones, so that it is not the server that is measured."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.capture.processes import HOST, free_port, serving
from benchmarks.capture.toolbox import NEEDED, Toolbox

KEY = "test"  # access key and secret of everything here

_IDENTITY = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/benchmark</Arn><UserId>benchmark
</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


@contextmanager
def objects(tools: Toolbox | None) -> Iterator[str]:
    """Yield the URL of an S3 server with nothing in it: fauxqs, or moto without tools."""
    port = free_port()
    if tools is None:
        with _moto(port) as url:
            yield url
        return
    loopback, script = NEEDED / "loopback.cjs", tools.script("fauxqs/dist/cli.js")
    settings = {"FAUXQS_PORT": str(port), "FAUXQS_HOST": HOST, "FAUXQS_LOGGER": "false"}
    with serving([tools.node, "--require", loopback, script], port, settings) as url:
        yield url


@contextmanager
def rows(tools: Toolbox | None) -> Iterator[str]:
    """Yield the URL of a DynamoDB server with nothing in it: dynalite, or moto without tools."""
    port = free_port()
    if tools is None:
        with _moto(port) as url:
            yield url
        return
    script = tools.script("dynalite/cli.js")
    at = ("--host", HOST, "--port", str(port), "--createTableMs", "0")
    with serving([tools.node, script, *at], port, {}) as url:
        yield url


@contextmanager
def folder(tools: Toolbox, served: Path) -> Iterator[str]:
    """Yield the URL of rclone as an S3 server: the folders in `served` are its buckets."""
    port = free_port()
    command = (tools.program("rclone"), "serve", "s3", "--addr", f"{HOST}:{port}")
    options = ("--auth-key", f"{KEY},{KEY}", "--vfs-cache-mode", "off", served)
    settings = {"RCLONE_CONFIG": str(served.parent / "rclone.conf")}
    with serving([*command, *options], port, settings) as url:
        yield url


@contextmanager
def _moto(port: int) -> Iterator[str]:
    command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
    with serving(command, port, {}) as url:
        yield url


@contextmanager
def identity() -> Iterator[str]:
    """Yield the URL of an STS that knows one caller; the other servers have none."""
    server = ThreadingHTTPServer((HOST, 0), _Identity)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Identity(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Answer every request with the one caller."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(_IDENTITY)))
        self.end_headers()
        self.wfile.write(_IDENTITY)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of a request."""
