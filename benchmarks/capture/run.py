"""Run `python -m benchmarks capture` and print its figures."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.capture import figures, seeding, servers
from benchmarks.capture.contenders import SUBJECTS
from benchmarks.capture.contest import Ground, contest
from benchmarks.capture.outcome import Outcome
from benchmarks.capture.processes import Failed
from benchmarks.capture.toolbox import Toolbox, install

PARTS = (*SUBJECTS, "memory")
_FEW, _MANY = 1, 10  # times --objects
_OURS = next(one for one in SUBJECTS["raw"].contenders if one.ours)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("at least 1")
    return number


def add_options(parser: ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--objects", type=_count, default=20_000, help="raw objects (20000)")
    parser.add_argument("--rows", type=_count, default=20_000, help="rows of the table (20000)")
    parser.add_argument("--rounds", type=_count, default=3, help="the median of so many (3)")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--json", type=Path, help="write the figures into this file, too")
    parser.add_argument(
        "--offline",
        action="store_true",
        help="fetch no tools: moto serves, and contenders that need tools are left out; "
        "the ratios then say how fast moto is",
    )


def run(options: Namespace) -> int:
    """Measure, print one table, and return 1 if contenders do not agree on what there is."""
    parts = tuple(options.only.split(","))
    if unknown := set(parts) - set(PARTS):
        print(f"--only: {', '.join(sorted(unknown))} is none of {','.join(PARTS)}", file=sys.stderr)
        return 2
    # A run that is stopped stops its servers, too.
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        outcome = _measured(options, parts)
    except Failed as error:
        print(f"the benchmark could not run: {error}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    for line in figures.lines(outcome):
        print(line)
    if options.json:
        document = json.dumps(figures.document(outcome), indent=1, ensure_ascii=False)
        options.json.write_text(document + "\n", encoding="utf-8")
    return 0 if outcome.agree else 1


def _measured(options: Namespace, parts: Sequence[str]) -> Outcome:
    tools = None if options.offline else install()
    outcome = Outcome()
    if {"raw", "list"} & set(parts):
        with _ground(tools, "S3", options.objects) as ground:
            for subject in ("raw", "list"):
                if subject in parts:
                    outcome.subjects[subject] = contest(ground, subject, "S3", options.rounds)
    if "tables" in parts:
        with _ground(tools, "DYNAMODB", options.rows) as ground:
            outcome.subjects["tables"] = contest(ground, "tables", "DYNAMODB", options.rounds)
    if "memory" in parts:
        outcome.memory = _memory(tools, options.objects)
    return outcome


@contextmanager
def _ground(tools: Toolbox | None, service: str, count: int) -> Iterator[Ground]:
    print(f"{count:,} of {service} are put on a server", file=sys.stderr)
    serve, put = {
        "S3": (servers.objects, seeding.put_objects),
        "DYNAMODB": (servers.rows, seeding.put_rows),
    }[service]
    with servers.identity() as sts, serve(tools) as url:
        put(url, count)
        yield Ground({"STS": sts, service: url}, tools)


def _memory(tools: Toolbox | None, objects: int) -> dict[int, dict[str, Any]]:
    """Return the figures of our capture of some and of ten times the objects."""
    found: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, servers.identity() as sts:
        served = Path(folder) / "served"
        for count in (_FEW * objects, _MANY * objects):
            print(f"  memory, {count:,} objects", file=sys.stderr)
            with ExitStack() as stack:
                if tools is None:
                    url = stack.enter_context(servers.objects(None))
                    seeding.put_objects(url, count)
                else:
                    seeding.put_files(served, count)
                    url = stack.enter_context(servers.folder(tools, served))
                ground = Ground({"STS": sts, "S3": url}, tools)
                found[count] = ground.measure("raw", _OURS, url)
    return found
