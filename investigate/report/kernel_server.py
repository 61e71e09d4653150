"""A process that has imported what notebooks need, and forks a kernel whenever it is asked to.

`investigate.report.kernels` starts it, and is at the other end of its socket.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

LAUNCHER = "ipykernel_launcher"  # in a kernel's command its own arguments follow this
LIBRARIES = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "pandas", "investigate.figures",
    "investigate.investigation", "investigate.numbers",
    # These import what they need only when they are first used.
    "ibis.backends.duckdb", "ibis.backends.sql.compilers", "plotly.offline",
    *(f"plotly.graph_objs._{kind}" for kind in ("bar", "heatmap", "layout", "scatter")),
)  # fmt: skip
CHUNK = 65_536

Message = dict[str, Any]


def main() -> None:
    """Import the libraries, then serve the socket whose number is the only argument, to its end."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    with suppress(OSError):  # an old kernel of Linux: who asks starts kernels as it always did
        os.close(os.pidfd_open(os.getpid()))
        _import_what_notebooks_need()
        Server(channel).serve()
    os._exit(0)  # what the libraries would do and say at a usual end is for those that used them


class Channel:
    """Messages over a socket, each a line of JSON."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def fileno(self) -> int:
        """Return the number to wait for messages by."""
        return self._connection.fileno()

    def send(self, message: Message) -> None:
        """Send a message; raise `OSError` if nobody is there to read it."""
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[Message]:
        """Wait for bytes and return the messages that are whole; raise `OSError` at the end."""
        received = self._connection.recv(CHUNK)
        if not received:
            raise ConnectionResetError("the other end is closed")
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        """Tell the other end, and whoever waits at this one, that nothing more will come."""
        with suppress(OSError):  # closed already
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this end; once every process has, the other is told that nothing more will come."""
        self._connection.close()


class Server:
    """Answers each request {"argv", "cwd", "env"} with {"pid"} of the kernel it forked, null if
    the system did not let it, and tells of each kernel's end with {"ended", "status"}.

    When the other end closes, however the command ended, it kills every kernel.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._selector = selectors.DefaultSelector()
        self._kernels: dict[int, int] = {}  # by the descriptor that tells of its end

    def serve(self) -> None:
        """Serve until the other end closes."""
        self._selector.register(self._channel, selectors.EVENT_READ)
        try:
            self._channel.send({"ready": True})
            while True:
                for key, _ in self._selector.select():
                    self._answer(key.fd)
        except OSError:
            self._kill_all()

    def _answer(self, descriptor: int) -> None:
        if descriptor in self._kernels:
            self._reap(descriptor)
            return
        for request in self._channel.receive():
            try:
                pid = self._fork(request)
            except OSError:  # no process, no memory or no descriptor: the other kernels go on
                pid = None
            self._channel.send({"pid": pid})

    def _fork(self, request: Message) -> int:
        server = os.getpid()  # asked before: the fork of a server that died has another parent
        pid = os.fork()
        if pid == 0:
            self._become_kernel({**request, "parent": server})
        try:
            self._watch(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        return pid

    def _watch(self, pid: int) -> None:
        # A group of its own from the very start: a signal to it reaches what the kernel started,
        # and nobody else.
        os.setpgid(pid, pid)
        descriptor = os.pidfd_open(pid)
        self._selector.register(descriptor, selectors.EVENT_READ)
        self._kernels[descriptor] = pid

    def _become_kernel(self, request: Message) -> NoReturn:
        try:
            self._forget()
            run_kernel(**request)
        except OSError as error:
            # Above this is the loop of the server, to which an OSError is the end of its socket.
            with suppress(OSError):
                sys.stderr.write(f"investigate: a kernel was lost: {error}\n")
                sys.stderr.flush()
            os._exit(1)

    def _forget(self) -> None:
        """Close in a fork what belongs to the server: only its own end may close the socket."""
        self._selector.close()
        self._channel.close()
        for descriptor in self._kernels:
            os.close(descriptor)
        self._kernels.clear()

    def _reap(self, descriptor: int) -> None:
        pid = self._kernels.pop(descriptor)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        self._channel.send({"ended": pid, "status": os.waitstatus_to_exitcode(status)})

    def _kill_all(self) -> None:
        for pid in self._kernels.values():
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def run_kernel(argv: list[str], cwd: str, env: Mapping[str, str], parent: int) -> NoReturn:
    """Run an IPython kernel in this process, a fork, and leave the process when it ends."""
    from ipykernel.kernelapp import IPKernelApp

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    # The parent is told here, because the application takes it from the environment when it is
    # imported. Without its parent, the server, a kernel ends by itself.
    application: Any = IPKernelApp.instance(parent_handle=parent)
    application.initialize(argv[argv.index(LAUNCHER) + 1 :])
    application.start()
    sys.exit()


def _import_what_notebooks_need() -> None:
    """Load the libraries, and let them prepare what they prepare on first use. No thread is started
    and no database opened, as neither would live on in a fork."""
    for library in LIBRARIES:
        import_module(library)
    ibis = import_module("ibis")
    known = ibis.table({"a": "int64"}, name="known")
    ibis.to_sql(known.filter(known.a > 1).select("a"), dialect="duckdb")
    # Collecting garbage touches, and thereby copies, every object that the forks share.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # as the command line does, and for the same reason


if __name__ == "__main__":
    main()
