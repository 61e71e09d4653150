"""Notebooks executed headlessly: what they made, and whether they truly came to their end."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config
from zmq import ZMQError

from investigate.investigation import RESULT_MIME
from investigate.report.kernels import OwnKernel

CELL_SECONDS = 120
START_SECONDS = 90
SOCKET_PATH_LIMIT = 90  # Unix sockets take about 100 bytes; the kernel adds a suffix of its own


@dataclass(frozen=True, slots=True)
class Executed:
    """A notebook after its run; `failure` says why it did not come to its end, or is None."""

    name: str
    folder: Path
    notebook: NotebookNode
    failure: str | None


def execute_all(
    sources: Sequence[Path],
    parameters: Mapping[str, str],
    folder: Path,
    *,
    cell_seconds: int = CELL_SECONDS,
    told: Callable[[Executed], None] = lambda executed: None,
) -> list[Executed]:
    """Return every notebook after its run in `folder`, in the order given; one that fails does
    not stop the others. `told` is called as each comes to an end, in the same order."""

    def run(source: Path) -> Executed:
        return execute(source, parameters, folder, cell_seconds=cell_seconds)

    # What went wrong is told by `failure`; papermill's own lines would only repeat it.
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    workers = max(2, min(4, os.cpu_count() or 1))
    done = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for executed in pool.map(run, sources):
                told(executed)
                done.append(executed)
        finally:
            # Whoever stops the command does not wait for notebooks that have not begun.
            pool.shutdown(wait=False, cancel_futures=True)
    return done


def execute(
    source: Path, parameters: Mapping[str, str], folder: Path, *, cell_seconds: int = CELL_SECONDS
) -> Executed:
    """Return one notebook after its run in `folder`, with its true end told."""
    copy, output = folder / f"{source.stem}.source.ipynb", folder / source.name
    shutil.copyfile(source, copy)
    problem = _attempt(copy, output, parameters, cell_seconds)
    if problem.startswith("the kernel did not start"):
        problem = _attempt(copy, output, parameters, cell_seconds)
    notebook = nbformat.read(output if output.exists() else copy, as_version=4)
    return Executed(source.stem, folder, notebook, problem or _unfinished(notebook))


def _attempt(source: Path, output: Path, parameters: Mapping[str, str], seconds: int) -> str:
    try:
        with _own_sockets() as config, _own_loop():
            _run(source, output, parameters, seconds, config)
    except PapermillExecutionError as error:
        return _of_cell(error, seconds)
    except DeadKernelError:
        return "the kernel died, for instance for lack of memory"
    except CellTimeoutError:
        return f"a cell took longer than {seconds} s and could not be interrupted"
    except (RuntimeError, ZMQError) as error:
        return f"the kernel did not start: {error}"
    return ""


def _run(
    source: Path, output: Path, parameters: Mapping[str, str], seconds: int, config: Config
) -> None:
    papermill.execute_notebook(
        str(source),
        str(output),
        parameters=dict(parameters),
        kernel_name="python3",
        progress_bar=False,
        start_timeout=START_SECONDS,
        execution_timeout=seconds,
        interrupt_on_timeout=True,
        iopub_timeout=60,
        record_timing=False,
        kernel_manager_class=OwnKernel,
        shutdown_kernel="immediate",  # it holds nothing worth a slow goodbye
        # Not cwd=: papermill would change the folder of this whole process.
        resources={"metadata": {"path": str(source.parent)}},
        config=config,
    )


def _of_cell(error: PapermillExecutionError, seconds: int) -> str:
    if error.ename == "KeyboardInterrupt":
        return f"cell {error.exec_count} took longer than {seconds} s and was stopped"
    return f"cell {error.exec_count} failed: {error.ename}: {error.evalue}"


def _unfinished(notebook: NotebookNode) -> str | None:
    """Say that the end marker is missing: papermill calls SystemExit and more a success."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = cells[-1].outputs if cells else []
    if any(RESULT_MIME in output.get("data", {}) for output in outputs):
        return None
    ran = [cell.execution_count for cell in cells if cell.execution_count]
    return f"it ended without a result, after cell {max(ran, default=0)}"


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
def _own_loop() -> Iterator[None]:
    """Give Jupyter an event loop in this thread, and close it, which Jupyter does not."""
    loop = ensure_event_loop()
    try:
        yield
    finally:
        loop.close()
        asyncio.set_event_loop(None)
