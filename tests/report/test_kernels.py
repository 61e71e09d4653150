"""Kernels that are forked: as separate, as mortal and as clean as those that are started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import nbformat
import pytest

from investigate.report import kernels
from investigate.report.ending import RunState
from investigate.report.execute import execute, execute_all
from investigate.report.kernel_server import Channel
from investigate.report.kernels import CAN_FORK, LOST, warm_kernels
from investigate.report.watch import KILL, LIMITS, STOPPED, KernelWatch, RunLimits, Switch
from tests.report.samples import notebook

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="kernels are started one by one here")

WHAT_IT_SEES = (
    "import os, sys, threading",
    "sorted(os.environ.items())",
    "os.getcwd(), [path for path in sys.path if path], __name__",  # without the folder itself
    "[os.path.relpath(get_ipython().profile_dir.location), get_ipython().history_length]",
)


@pytest.fixture(scope="module")
def server():
    """The process that forks the kernels of this module's tests."""
    with warm_kernels():
        (opened,) = kernels._open_servers
        yield opened


def run(folder: Path, *code: str, switch: Switch | None = None, **limits: float):
    place = folder / "place"
    place.mkdir(parents=True)
    source = folder / "01_raw_data.ipynb"
    nbformat.write(notebook(*code), source)
    return execute(source, {"case": "sample"}, place, limits=RunLimits(**limits), switch=switch)


def launched(server, folder: Path, name: str = "kernel"):
    """A kernel that runs no notebook."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(folder.parent / name)]
    profile = str(folder.parent / ".ipython")
    return server.launch(command, str(folder), {**os.environ, "IPYTHONDIR": profile})


def children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")


def becomes_true(question, seconds: float = 20) -> bool:
    for _ in range(int(seconds * 20)):
        if question():
            return True
        time.sleep(0.05)
    return False


def texts(executed) -> list[str]:
    assert executed.failure is None
    outputs = [out for cell in executed.notebook.cells for out in cell.get("outputs", ())]
    return [out["data"]["text/plain"] for out in outputs if "text/plain" in out.get("data", {})]


def has_ended(pid: int, seconds: float = 20) -> bool:
    """Whether a process is gone, or goes within so many seconds; what waits to be reaped is not."""
    return becomes_true(lambda: not Path(f"/proc/{pid}").exists(), seconds)


def test_a_kernel_is_a_child_of_the_server_and_the_libraries_are_there(server, tmp_path):
    parent, loaded = texts(run(tmp_path, "import os, sys; os.getppid()", "'duckdb' in sys.modules"))
    assert int(parent) == server.pid
    assert loaded == "True"


def test_the_server_has_one_thread_when_it_forks(server, tmp_path):
    run(tmp_path)
    assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1


def test_a_forked_kernel_sees_what_a_started_one_sees(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ONLY_SINCE", "the server was started")
    forked = texts(run(tmp_path, *WHAT_IT_SEES))
    (tmp_path / "place").rename(tmp_path / "forked")
    monkeypatch.setattr(kernels, "_open_servers", [])
    started = texts(run(tmp_path, *WHAT_IT_SEES))
    changing = "('JPY_PARENT_PID', "
    assert "ONLY_SINCE" in forked[0]
    assert forked[1:] == started[1:]
    assert [line for line in forked[0].split("\n") if changing not in line] == [
        line for line in started[0].split("\n") if changing not in line
    ]


def test_nothing_stays_from_one_kernel_to_the_next(server, tmp_path):
    first = texts(
        run(tmp_path / "one", "import investigate; investigate.left = 1", "left = 2; left")
    )
    assert first == ["2"]
    looks = ("import investigate; hasattr(investigate, 'left')", "'left' in globals()")
    told = texts(run(tmp_path / "two", *looks))
    assert told == ["False", "False"]


def test_a_forked_kernel_that_dies_is_noticed_and_the_next_one_lives(server, tmp_path):
    died = run(tmp_path / "one", "'kept'", "import os; os.kill(os.getpid(), 9)")
    assert died.failure == "the kernel died, for instance for lack of memory"
    assert texts(run(tmp_path / "two", "'alive'")) == ["'alive'"]


def test_a_forked_kernel_that_takes_too_long_is_interrupted(server, tmp_path):
    executed = run(tmp_path, "import time; time.sleep(60)", cell=2)
    assert executed.failure == "cell 3 took longer than 2 s and was stopped"


def test_a_kernel_is_gone_after_its_notebook_and_not_left_to_be_reaped(server, tmp_path):
    (pid,) = texts(run(tmp_path, "import os; os.getpid()"))
    assert has_ended(int(pid))


def test_several_notebooks_at_once_each_get_a_kernel_of_their_own(server, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    sources = [tmp_path / f"{number:02}_x.ipynb" for number in range(6)]
    for source in sources:
        nbformat.write(notebook(f"'{source.stem}'", "import os; os.getpid()"), source)
    told = [texts(done) for done in execute_all(sources, {"case": "sample"}, place)]
    assert [name for name, _ in told] == [f"'{source.stem}'" for source in sources]
    assert len({pid for _, pid in told}) == len(sources)


def test_a_kernel_that_cannot_start_leaves_the_others_alive(server, tmp_path):
    other = launched(server, tmp_path, "other")
    lost = launched(server, tmp_path / "nowhere")
    assert becomes_true(lambda: lost.poll() is not None)
    assert lost.poll() == 1
    assert not becomes_true(lambda: other.poll() is not None, seconds=1)
    other.kill()


def test_where_the_server_cannot_fork_a_kernel_is_started(server, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_ask", lambda _: None)
    (parent,) = texts(run(tmp_path / "one", "import os; os.getppid()"))
    assert int(parent) == os.getpid()
    monkeypatch.undo()
    (parent,) = texts(run(tmp_path / "two", "import os; os.getppid()"))
    assert int(parent) == server.pid


# A server with kernels that only sleep, to which the system refuses something once.
REFUSED = """
import os, socket, sys, time
from investigate.report import kernel_server
name, calls = sys.argv[2], []
real = getattr(os, name)
def refused_once(*arguments):
    calls.append(arguments)
    if len(calls) == 2:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return real(*arguments)
setattr(os, name, refused_once)
kernel_server.run_kernel = lambda **_: time.sleep(60)
channel = kernel_server.Channel(socket.socket(fileno=int(sys.argv[1])))
kernel_server.Server(channel).serve()
"""


@pytest.mark.parametrize("refused", ["fork", "setpgid", "pidfd_open"])
def test_a_fork_that_is_refused_costs_no_other_kernel_and_leaves_none(refused):
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    command = [sys.executable, "-c", REFUSED, str(theirs.fileno()), refused]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        channel = Channel(ours)
        assert channel.receive() == [{"ready": True}]
        told = []
        for _ in range(3):
            channel.send({"argv": [], "cwd": "/", "env": {}})
            told += [message["pid"] for message in channel.receive()]
        assert told[1] is None
        assert children(process.pid).split() == [str(told[0]), str(told[2])]
        channel.end()
    assert process.returncode == 0


@pytest.fixture
def alone(monkeypatch):
    """No server is open yet, whatever other tests left open."""
    monkeypatch.setattr(kernels, "_open_servers", [])


def test_kernels_are_started_one_by_one_once_the_server_is_lost(alone, tmp_path):
    with warm_kernels():
        os.kill(kernels._open_servers[0].pid, signal.SIGKILL)
        (parent,) = texts(run(tmp_path, "import os; os.getppid()"))
    assert int(parent) == os.getpid()


def test_a_kernel_whose_server_is_killed_is_told_as_dead(alone, tmp_path):
    with warm_kernels():
        pid = kernels._open_servers[0].pid
        executed = run(tmp_path, f"import os, time; os.kill({pid}, 9)", "time.sleep(60)")
    assert executed.failure == "the kernel died, for instance for lack of memory"


@pytest.fixture
def hanging(alone):
    """A server that does not get ready."""
    with warm_kernels():
        os.kill(kernels._open_servers[0].pid, signal.SIGSTOP)
        yield kernels._open_servers[0]


def test_a_server_that_does_not_get_ready_holds_up_no_end(alone, monkeypatch):
    monkeypatch.setattr(kernels, "GRACE_SECONDS", 60)
    began = time.monotonic()
    with warm_kernels():
        os.kill(kernels._open_servers[0].pid, signal.SIGSTOP)
    assert time.monotonic() - began < 20


def test_a_notebook_is_stopped_on_time_while_the_server_gets_ready(hanging, tmp_path):
    began = time.monotonic()
    executed = run(tmp_path, notebook=1)
    assert executed.ending.state is RunState.TIMED_OUT
    assert executed.failure == (
        "the notebook took longer than 1 s and was stopped before its first cell"
    )
    assert time.monotonic() - began < 20


def test_a_run_is_stopped_from_outside_while_the_server_gets_ready(hanging, tmp_path):
    began, switch = time.monotonic(), Switch()
    timer = Timer(1, switch.off)
    timer.start()
    assert run(tmp_path, switch=switch).ending == STOPPED
    timer.join()
    assert time.monotonic() - began < 20


def test_a_kernel_that_is_forked_after_its_notebook_was_stopped_is_killed(alone, tmp_path):
    with warm_kernels():
        server = kernels._open_servers[0]
        launched(server, tmp_path).kill()
        os.kill(server.pid, signal.SIGSTOP)
        assert run(tmp_path / "one", notebook=1).ending.state is RunState.TIMED_OUT
        os.kill(server.pid, signal.SIGCONT)
        assert becomes_true(lambda: not server._guard.locked())
        assert becomes_true(lambda: not children(server.pid))


class Starting:
    """A kernel whose process is there before its start has ended, as Jupyter's are."""

    has_kernel = False
    got = None

    async def start(self):
        self.has_kernel = True
        await asyncio.sleep(0.1)

    async def signal_kernel(self, number):
        self.got = number


def test_a_notebook_that_is_stopped_just_before_its_start_ends_leaves_no_kernel():
    kernel, watch = Starting(), KernelWatch(LIMITS)

    async def stopped_meanwhile():
        asyncio.get_running_loop().call_later(0.02, watch.stop, STOPPED)
        await watch.start(kernel, kernel.start())
        await asyncio.sleep(0)

    asyncio.run(stopped_meanwhile())
    assert kernel.got == KILL


def test_a_server_that_is_too_slow_is_given_up_for_good_and_its_kernels_end(alone, tmp_path):
    with warm_kernels():
        server = kernels._open_servers[0]
        first = launched(server, tmp_path, "first")
        os.kill(server.pid, signal.SIGSTOP)
        server._channel._connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            launched(server, tmp_path)
        with pytest.raises(ConnectionError, match="the process that forks kernels is gone"):
            launched(server, tmp_path)
        assert server._process.wait(20) == LOST
        assert first.poll() == LOST
        assert has_ended(first.pid)


def test_a_launch_that_waits_holds_up_neither_the_other_kernels_nor_the_end(
    alone, tmp_path, monkeypatch
):
    monkeypatch.setattr(kernels, "GRACE_SECONDS", 0.2)
    with ThreadPoolExecutor(1) as thread:
        with warm_kernels():
            server = kernels._open_servers[0]
            first = launched(server, tmp_path, "first")
            os.kill(server.pid, signal.SIGSTOP)
            began = time.monotonic()
            waiting = thread.submit(launched, server, tmp_path)
            assert becomes_true(server._guard.locked)
            assert first.poll() is None
        assert time.monotonic() - began < 20
        assert isinstance(waiting.exception(), ConnectionError)
    assert has_ended(first.pid)


def test_where_the_system_cannot_fork_no_server_is_started(alone, monkeypatch):
    monkeypatch.setattr(kernels, "CAN_FORK", False)
    with warm_kernels():
        assert kernels._open_servers == []


def test_one_inside_another_uses_the_same_server(alone):
    with warm_kernels():
        before = list(kernels._open_servers)
        with warm_kernels():
            assert kernels._open_servers == before
        assert kernels._open_servers == before
    assert kernels._open_servers == []


STAYS = """
import os, sys, time
from pathlib import Path
from investigate.report import kernels
with kernels.warm_kernels():
    server = kernels._open_servers[0]
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", sys.argv[1]]
    kernel = server.launch(command, os.getcwd(), dict(os.environ))
    print(server.pid, kernel.pid, flush=True)
    time.sleep(120)
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_is_left_when_the_command_is_ended_by(signum, tmp_path):
    command = [sys.executable, "-c", STAYS, str(tmp_path / "connection.json")]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **quiet) as ours:
        assert ours.stdout
        pids = [int(pid) for pid in ours.stdout.readline().split()]
        assert len(pids) == 2
        ours.send_signal(signum)
    assert all(has_ended(pid) for pid in pids)
