"""`python -m benchmarks scale`: sizes, stages, and the table of what each took."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.documents import write_section
from benchmarks.machine import described
from benchmarks.scale.measuring import Failed, Measured
from benchmarks.scale.stages import STAGES, Bench, generate, judge
from benchmarks.scale.tables import PACKAGES, as_markdown
from benchmarks.synthetic.case import happened
from investigate.case import read_manifest

WITHIN = 3_600.0  # seconds for one stage


@dataclass
class Size:
    """What was measured of one size: as many events as were asked for, or as the case has."""

    events: int
    generated: Measured | None = None
    stages: dict[str, Measured] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    differences: list[str] | None = None  # from the truth; None: not looked up
    bytes: dict[str, int] = field(default_factory=dict)  # of each table
    rows: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "events": self.events,
            "generated": self.generated and self.generated.as_json(),
            "stages": {name: one.as_json() for name, one in self.stages.items()},
            "failures": self.failures,
            "differences": self.differences,
            "bytes": self.bytes,
            "rows": self.rows,
        }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument(
        "--events", type=_sizes, default=[100_000, 1_000_000], help="sizes (1e5,1e6)"
    )
    parser.add_argument(
        "--stages", type=_stages, default=list(STAGES), help=f"of {','.join(STAGES)} (all)"
    )
    parser.add_argument("--memory", default="", help="of an engine, such as 2GB (no limit)")
    parser.add_argument("--every", type=int, default=1_000, help="days from fault to fault (1000)")
    parser.add_argument("--within", type=float, default=WITHIN, help="seconds a stage (3600)")
    parser.add_argument("--cases", default="", help="a folder that keeps the cases, or has them")
    parser.add_argument(
        "--json", default="", help="a file for the figures, such as docs/scale.json for `paper`"
    )
    parser.add_argument("--write", default="", help="a document whose section is written anew")


def _sizes(text: str) -> list[int]:
    return [size_of(part) for part in text.split(",")]


def size_of(text: str) -> int:
    """Return a number of events as it was typed, such as 1e6; refuse what is none."""
    try:
        size = int(float(text))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of events such as 1e6") from error
    if not 1_000 <= size <= 100_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not from 1e3 to 1e8")
    return size


def _stages(text: str) -> list[str]:
    chosen = text.split(",")
    if strange := [name for name in chosen if name not in STAGES]:
        raise argparse.ArgumentTypeError(f"{strange[0]!r} is none of {', '.join(STAGES)}")
    return [name for name in STAGES if name in chosen]


def run(chosen: argparse.Namespace) -> int:
    """Measure every size and print the tables; 1 if a stage failed or a finding is not true."""
    sizes = [_measured(events, chosen) for events in sorted(set(chosen.events))]
    on, machine = datetime.now(UTC).date(), described(PACKAGES)
    text = as_markdown(sizes, on, machine, chosen.memory)
    print(text)
    if chosen.json:
        document = {
            "on": on.isoformat(),
            "machine": machine,
            "memory": chosen.memory,
            "sizes": [size.as_json() for size in sizes],
        }
        Path(chosen.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if chosen.write:
        # What a limit makes of it stands beside what there is without one.
        name = f"scale in {chosen.memory}" if chosen.memory else "scale"
        write_section(Path(chosen.write), name, text)
    return int(any(size.failures or size.differences for size in sizes))


def _measured(events: int, chosen: argparse.Namespace) -> Size:
    size = Size(events)
    with place(chosen.cases) as cases, tempfile.TemporaryDirectory() as scratch:
        name = f"synthetic-{events}-{chosen.every}"
        bench = Bench(cases / name, Path(scratch), chosen.within, chosen.memory)
        if not _has_case(size, bench, chosen.every):
            return size
        size.events = happened(bench.case)
        known = read_manifest(bench.case)
        size.rows = dict(known.rows)
        size.bytes = {
            table: sum(file.bytes for file in files) for table, files in known.files.items()
        }
        for stage in chosen.stages:
            _say(f"{size.events:,} events: {stage}")
            _take(size, stage, bench)
    return size


def _has_case(size: Size, bench: Bench, every: int) -> bool:
    """Return whether the case is there, after making it if it was not."""
    if bench.case.exists():
        return True
    _say(f"{size.events:,} events: generate")
    try:
        size.generated = generate(bench, size.events, every)
    except Failed as error:
        _fail(size, "generate", error)
    return size.generated is not None


def _fail(size: Size, stage: str, error: Failed) -> None:
    size.failures[stage] = str(error)
    _say(f"  FAILED: {error}")


def _take(size: Size, stage: str, bench: Bench) -> None:
    try:
        size.stages[stage] = STAGES[stage](bench)
        if stage == "check":
            size.differences = judge(bench)
            for line in size.differences:
                _say(f"  NOT THE TRUTH: {line}")
    except Failed as error:
        _fail(size, stage, error)
    finally:
        shutil.rmtree(bench.scratch / bench.case.name, ignore_errors=True)
        shutil.rmtree(bench.scratch / "report", ignore_errors=True)


@contextmanager
def place(kept: str) -> Iterator[Path]:
    """Give the folder that keeps cases, made if need be; without one, a folder that will go."""
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
