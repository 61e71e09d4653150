"""Kernels for notebooks: of this very Python, and forked from a warm process where possible."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import default

from investigate.report import kernel_server
from investigate.report.kernel_server import Channel, Message

CAN_FORK = hasattr(os, "fork") and hasattr(os, "pidfd_open")  # Linux
PATIENCE_SECONDS = 60  # to import the libraries takes two, on a machine with nothing else to do
GRACE_SECONDS = 5  # for the server to kill its kernels at the end
# Without these, numpy and Arrow start threads when they are imported, which a fork would not have.
SINGLE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
# The system starts no process: the program is not there or forbidden, or there are too many.
_OF_PROCESSES = (errno.EACCES, errno.ENOENT, errno.ENOEXEC, errno.EAGAIN, errno.ENOMEM)
LOST = -9  # the exit status of a kernel whose server is gone: as if killed


class OwnKernel(AsyncKernelManager):
    """A kernel of this very Python: no kernel spec and no start-up script of the user's is read."""

    own_environment: Mapping[str, str] = MappingProxyType({})  # beside that of this process

    @default("kernel_spec_manager")
    def _only_the_native_kernel(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """Start the kernel with a profile folder of its own; by a fork if a server is there.

        Raises `RuntimeError` if the system starts no process for it.
        """
        profile = str(Path(options["cwd"]) / ".ipython")
        if _open_servers:
            self.provisioner = ForkProvisioner(
                kernel_id="", kernel_spec=self.kernel_spec, parent=self
            )
        environment = {**os.environ, **self.own_environment, "IPYTHONDIR": profile}
        try:
            await super().start_kernel(**options, env=environment)
        except OSError as error:
            if error.errno not in _OF_PROCESSES:
                raise  # of a disk or a socket: what all notebooks of the run need
            raise RuntimeError(f"{error.strerror}: {error.filename or sys.executable}") from error


@contextmanager
def warm_kernels() -> Iterator[None]:
    """While this is open, kernels are forked from a process that has imported their libraries.

    It begins to import at once, beside what the caller does, and ends with this. Where the system
    cannot fork safely, kernels are started one by one; inside another `warm_kernels` that one is
    used.
    """
    if not CAN_FORK or _open_servers:
        yield
        return
    server = KernelServer()
    _open_servers.append(server)
    try:
        yield
    finally:
        _open_servers.remove(server)
        server.close()


class ForkProvisioner(LocalProvisioner):
    """Starts a kernel by asking the server for a fork; where that fails, as a new process."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Start the kernel, and return how to connect to it."""
        try:
            process = await _forked(_open_servers[-1], cmd, str(options["cwd"]), options["env"])
        except OSError:
            return await super().launch_kernel(cmd, **options)
        self.process = process  # type: ignore[assignment]  # it has what a Popen has
        self.pid = self.pgid = process.pid
        self.cwd = options["cwd"]
        return self.connection_info


async def _forked(
    server: KernelServer, cmd: list[str], cwd: str, env: Mapping[str, str]
) -> ForkedKernel:
    """Return a new kernel. A thread waits for it: the clocks of the watch run in the event loop."""
    thread = ThreadPoolExecutor(1)
    asked = thread.submit(server.launch, cmd, cwd, env)
    thread.shutdown(wait=False)
    try:
        return await asyncio.wrap_future(asked)
    except asyncio.CancelledError:
        asked.add_done_callback(_kill_unwanted)
        raise


def _kill_unwanted(asked: Future[ForkedKernel]) -> None:
    if not asked.cancelled() and not asked.exception():
        asked.result().kill()


class KernelServer:
    """The process that forks kernels, as seen from here; it may be used from any thread."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_SECONDS)
        self._channel = Channel(ours)
        self._guard = threading.Lock()
        self._ready = self._gone = False
        self._ended: dict[int, int] = {}
        with theirs:
            number = str(theirs.fileno())
            # -P: nothing in the folder of the command or of the notebooks is taken for a library.
            self._process = subprocess.Popen(  # noqa: S603  # our own module, by our own Python
                [sys.executable, "-P", "-m", kernel_server.__name__, number],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **SINGLE_THREAD},
                start_new_session=True,  # Ctrl-C is for the command, which then closes the socket
            )

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def launch(self, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> ForkedKernel:
        """Return a new kernel; raise `OSError` if the server is gone, does not answer in time or
        cannot fork."""
        with self._guard:
            if self._gone:
                raise ConnectionError("the process that forks kernels is gone")
            try:
                pid = self._ask({"argv": list(argv), "cwd": cwd, "env": dict(env)})
            except OSError:
                self._give_up()
                raise
        if pid is None:
            raise OSError("the process that forks kernels could not fork")
        return ForkedKernel(self, pid)

    def status_of(self, pid: int) -> int | None:
        """Return the exit status of a kernel, negative for a signal, or None while it runs."""
        # A launch that holds the guard may wait long, and itself notes what it is told.
        if self._guard.acquire(blocking=False):
            try:
                self._read_what_is_there()
            finally:
                self._guard.release()
        return self._ended.get(pid, LOST if self._gone else None)

    def close(self) -> None:
        """End the process, and with it every kernel that still runs and every launch that waits."""
        self._channel.end()
        if not self._ready:
            self._process.kill()  # it has no kernels, and may import for long
        with self._guard:
            self._gone = True
            self._channel.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._give_up()
            self._process.wait()

    def _give_up(self) -> None:
        """Kill the server, whose kernels then end by themselves: what it would say later would be
        taken for the answer to something else."""
        self._gone = True
        self._process.kill()
        self._channel.close()

    def _ask(self, request: Message) -> int | None:
        if not self._ready:
            self._await("ready")
            self._ready = True
        self._channel.send(request)
        pid: int | None = self._await("pid")
        return pid

    def _read_what_is_there(self) -> None:
        while not self._gone and select.select([self._channel], [], [], 0)[0]:
            try:
                self._note(self._channel.receive())
            except OSError:
                self._gone = True

    def _await(self, name: str) -> Any:
        while True:
            messages = self._channel.receive()
            self._note(messages)
            for message in messages:
                if name in message:
                    return message[name]

    def _note(self, messages: Sequence[Message]) -> None:
        self._ended.update({told["ended"]: told["status"] for told in messages if "ended" in told})


class ForkedKernel:
    """What `subprocess.Popen` is for a child, for a kernel that is a child of the server."""

    stdin = stdout = stderr = None

    def __init__(self, server: KernelServer, pid: int) -> None:
        self._server = server
        self.pid = pid

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while the kernel runs."""
        return self._server.status_of(self.pid)

    def wait(self) -> int | None:
        """Return the exit status; Jupyter asks only after `poll` has told of the end."""
        return self.poll()

    def send_signal(self, signum: int) -> None:
        """Send a signal, if the kernel still runs."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """Kill the kernel, if it still runs."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the kernel to end, if it still runs."""
        self.send_signal(signal.SIGTERM)


_open_servers: list[KernelServer] = []  # at most one
