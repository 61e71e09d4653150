"""Notebooks executed headlessly: what they made, and whether they truly came to their end."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import write_ipynb
from traitlets.config import Config
from zmq import ZMQError

from investigate.investigation import RESULT_MIME
from investigate.memory import EngineMemory, MemoryLimit
from investigate.report.ending import DONE, Ending, RunState
from investigate.report.kernels import OwnKernel
from investigate.report.notebooks import longest_first
from investigate.report.watch import LIMITS, KernelWatch, RunLimits, Switch
from investigate.scratch import Scratch

IOPUB_SECONDS = 60  # for what a cell has shown, after it has ended
TOO_LATE = Ending(RunState.NOT_STARTED, "the deadline of the whole run was reached before its turn")
ENGINE = "investigate"
SOCKET_PATH_LIMIT = 90  # Unix sockets take about 100 bytes; the kernel adds a suffix of its own


@dataclass(frozen=True, slots=True)
class Executed:
    """A notebook after its run, and how it truly ended."""

    name: str
    folder: Path
    notebook: NotebookNode
    ending: Ending

    @property
    def state(self) -> RunState:
        """How it ended, in one word."""
        return self.ending.state

    @property
    def failure(self) -> str | None:
        """Why it did not come to its end, or None."""
        return self.ending.reason or None


def execute_all(
    sources: Sequence[Path],
    parameters: Mapping[str, str],
    folder: Path,
    *,
    limits: RunLimits = LIMITS,
    seconds: float = inf,
    told: Callable[[Executed], None] = lambda executed: None,
) -> list[Executed]:
    """Return every notebook after its run in `folder`, in the order given; one that fails does
    not stop the others. `told` is called as each comes to an end, in the same order.

    After `seconds` those that run are stopped and the others do not begin; all are returned, and
    say so. Whoever interrupts this call leaves no kernel behind. The memory in `limits` is for the
    kernels that run at the same time and this process together: each gets an equal share of it.
    """
    until = monotonic() + seconds
    switch = Switch()

    def run(source: Path) -> Executed:
        return execute(source, parameters, folder, limits=limits, until=until, switch=switch)

    # What went wrong is told by `failure`; papermill's own lines would only repeat it.
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    done = []
    with _shared(limits.memory) as memory, ThreadPoolExecutor(at_once()) as pool:
        limits = replace(limits, memory=memory)
        try:
            running = {source: pool.submit(run, source) for source in longest_first(sources)}
            for source in sources:
                executed = running[source].result()
                told(executed)
                done.append(executed)
        finally:
            # Whoever stops the command waits for no notebook.
            switch.off()
            pool.shutdown(cancel_futures=True)
    return done


def at_once() -> int:
    """Return how many notebooks run at the same time."""
    return max(2, min(4, os.cpu_count() or 1))


def share_of(memory: MemoryLimit) -> MemoryLimit:
    """Return what of some memory is for one kernel, and as much for the process that runs them;
    raise `UsageError` if that is too little."""
    return memory.shared_by(at_once() + 1)


@contextmanager
def _shared(memory: EngineMemory) -> Iterator[EngineMemory]:
    """Give what one kernel may take. A kernel that is killed removes nothing, so this does."""
    scratch = Scratch.opened("investigate-spill-", memory.spill)
    try:
        yield EngineMemory(share_of(memory.limit), scratch.folder)
    finally:
        scratch.remove()


def execute(
    source: Path,
    parameters: Mapping[str, str],
    folder: Path,
    *,
    limits: RunLimits = LIMITS,
    until: float = inf,
    switch: Switch | None = None,
) -> Executed:
    """Return one notebook after its run in `folder`, with its true end told.

    It does not begin after `until`, a reading of `time.monotonic`, and is stopped then.
    """
    copy, output = folder / f"{source.stem}.source.ipynb", folder / source.name
    # The committed notebooks hold outputs; none of them may pass for one of this run.
    nbformat.write(_unrun(source), copy)
    run = _Run(copy, output, dict(parameters), limits, until, switch or Switch())
    ending = run.attempt()
    if ending.state is RunState.NO_KERNEL:
        # Only this is tried again: a cell that failed once would fail, or hide something, twice.
        ending = run.attempt()
    notebook = nbformat.read(output, as_version=4) if output.exists() else _unrun(copy)
    if ending.state is RunState.DONE:
        ending = _seen_in(notebook)
    return Executed(source.stem, folder, notebook, ending)


@dataclass(frozen=True, slots=True)
class _Run:
    """All that one attempt to run a notebook needs."""

    source: Path
    output: Path
    parameters: dict[str, str]
    limits: RunLimits
    until: float
    switch: Switch

    def attempt(self) -> Ending:
        """Run the notebook once and return how that ended, as far as exceptions tell."""
        if monotonic() >= self.until:
            return TOO_LATE
        watch = KernelWatch(self.limits, self.until)
        ending = self._raised(watch)
        return watch.ending or ending

    def _raised(self, watch: KernelWatch) -> Ending:
        try:
            with _own_sockets() as config, _watching_loop(watch), self.switch.on(watch):
                self._execute(watch, config)
        except PapermillExecutionError as error:
            return _of_cell(error)
        except DeadKernelError:
            return Ending(RunState.KERNEL_DIED, "the kernel died, for instance for lack of memory")
        except CellTimeoutError:
            return Ending(
                RunState.TIMED_OUT, f"the output of a cell did not arrive within {IOPUB_SECONDS} s"
            )
        except (RuntimeError, ZMQError) as error:
            if watch.began:
                return Ending(RunState.KERNEL_DIED, f"the kernel was lost: {error}")
            return Ending(RunState.NO_KERNEL, f"the kernel did not start: {error}")
        return DONE

    def _execute(self, watch: KernelWatch, config: Config) -> None:
        papermill.execute_notebook(
            str(self.source),
            str(self.output),
            parameters=self.parameters,
            kernel_name="python3",
            engine_name=ENGINE,
            progress_bar=False,
            start_timeout=self.limits.start,
            # The watch keeps the time: nbclient would wait for ever for a cell that it cannot
            # interrupt, and knows no limit of a notebook.
            on_cell_execute=watch.cell_begins,
            on_cell_executed=watch.cell_ends,
            iopub_timeout=IOPUB_SECONDS,
            stdout_file=(printed := _Counted(watch)),
            stderr_file=printed,
            record_timing=False,
            kernel_manager_class=_watched(watch, self.limits.memory.environment()),
            shutdown_kernel="immediate",  # it holds nothing worth a slow goodbye
            # Not cwd=: papermill would change the folder of this whole process.
            resources={"metadata": {"path": str(self.source.parent)}},
            config=config,
        )


class _SavedOnce(NBClientEngine):  # type: ignore[misc]  # papermill ships no types
    """Papermill's own engine, but the notebook is written when it has ended, in whatever way, and
    not twice for every cell: that would take half of the time."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str | None = None, **options: Any
    ) -> NotebookNode:
        try:
            done: NotebookNode = super().execute_notebook(nb, kernel_name, None, **options)
        finally:
            write_ipynb(nb, output_path)
        return done


papermill_engines.register(ENGINE, _SavedOnce)


def _watched(watch: KernelWatch, environment: Mapping[str, str]) -> type[OwnKernel]:
    """Return the class of a kernel that reports to the watch: nbclient makes it, and hides it."""

    class Watched(OwnKernel):
        own_environment = environment

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await watch.start(self, super().start_kernel(**options))

    return Watched


class _Counted:
    """What papermill takes for a file to print to: counts, and keeps nothing."""

    def __init__(self, watch: KernelWatch) -> None:
        self._watch = watch
        self._total = 0

    def write(self, text: str) -> None:
        self._total += len(text)
        self._watch.printed(self._total)

    def flush(self) -> None:
        """Nothing waits to be written."""


def _of_cell(error: PapermillExecutionError) -> Ending:
    state = RunState.ENDED_EARLY if error.ename == "SystemExit" else RunState.CELL_FAILED
    return Ending(state, f"cell {error.exec_count} failed: {error.ename}: {error.evalue}")


def _seen_in(notebook: NotebookNode) -> Ending:
    """Return how a notebook ended that raised nothing: papermill calls SystemExit and more a
    success, so the end marker, which only the last cell can show, must be there."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if any(RESULT_MIME in output.get("data", {}) for output in _outputs(cells[-1:])):
        return DONE
    left = any(output.get("ename") == "SystemExit" for output in _outputs(cells))
    state = RunState.ENDED_EARLY if left else RunState.NO_RESULT
    last = max((cell.execution_count or 0 for cell in cells), default=0)
    told = f"it ended without a result, after cell {last}"
    mend = "" if left else ": its last cell must be incident.result(…); put your own above it"
    return Ending(state, told + mend)


def _outputs(cells: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    for cell in cells:
        yield from cell.outputs


def _unrun(source: Path) -> NotebookNode:
    """Return a notebook that did not run, without the outputs of some other run it came with."""
    notebook: NotebookNode = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


@contextmanager
def _own_sockets() -> Iterator[Config]:
    """Give a kernel sockets of its own: free TCP ports may be taken before it binds them."""
    folder = tempfile.mkdtemp(prefix="inv-")
    address = str(Path(folder) / "s")
    own = {"transport": "ipc", "ip": address} if len(address) <= SOCKET_PATH_LIMIT else {}
    try:
        yield Config({"KernelManager": own})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _watching_loop(watch: KernelWatch) -> Iterator[None]:
    """Give Jupyter an event loop in this thread, which runs the clocks of the watch as well, and
    close it, which Jupyter does not."""
    loop = ensure_event_loop()
    try:
        with watch.timed(loop):
            yield
    finally:
        loop.close()
        asyncio.set_event_loop(None)
