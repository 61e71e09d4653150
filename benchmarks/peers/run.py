"""`python -m benchmarks peers`: one case, four tools, their answers and what they took."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.documents import write_section
from benchmarks.peers.contest import OURS, POLARS, Result, contest
from benchmarks.peers.questions import differences, untrue
from benchmarks.peers.tables import Comparison, as_markdown
from benchmarks.scale.measuring import Failed, measured
from benchmarks.scale.run import place, size_of
from benchmarks.scale.stages import Bench, generate
from benchmarks.synthetic.case import happened
from benchmarks.synthetic.truth import TRUTH
from investigate.case import read_manifest

WITHIN = 3_600.0  # seconds for one tool
REQUIREMENTS = "benchmarks/peers/requirements.txt"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--events", type=size_of, default=100_000, help="how many (1e5)")
    parser.add_argument("--every", type=int, default=1_000, help="days from fault to fault (1000)")
    parser.add_argument("--rounds", type=_rounds, default=3, help="the best of so many (3)")
    parser.add_argument("--within", type=float, default=WITHIN, help="seconds a tool (3600)")
    parser.add_argument("--cases", default="", help="a folder that keeps the case, or has it")
    parser.add_argument("--json", default="", help="a file for the figures")
    parser.add_argument("--write", default="", help="a document whose section is written anew")


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds such as 3")
    return int(text)


def run(chosen: argparse.Namespace) -> int:
    """Compare the tools and print the tables; 1 if one failed, or answers are not equal."""
    if not POLARS.installed:
        _say(f"polars is not installed: python -m pip install --require-hashes -r {REQUIREMENTS}")
    try:
        with _case(chosen) as (case, tables):
            comparison = _compared(case, tables, chosen)
    except Failed as error:
        _say(str(error))
        return 1
    text = as_markdown(comparison, datetime.now(UTC).date())
    print(text)
    if chosen.json:
        Path(chosen.json).write_text(_document(comparison), encoding="utf-8")
    if chosen.write:
        write_section(Path(chosen.write), "peers", text)
    failed = any(one.failure and one.contender is not POLARS for one in comparison.results)
    return int(failed or bool(comparison.differences))


@contextmanager
def _case(chosen: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """The case, made if it is not there, and a folder for its tables written out."""
    with place(chosen.cases) as cases, tempfile.TemporaryDirectory() as scratch:
        case = cases / f"synthetic-{chosen.events}-{chosen.every}"
        bench = Bench(case, Path(scratch), chosen.within)
        if not case.exists():
            _say(f"{chosen.events:,} events: generate")
            generate(bench, chosen.events, chosen.every)
        tables = Path(scratch) / "tables"
        _say(f"{chosen.events:,} events: write the tables out")
        # In a process of its own: what is measured begins with the memory of this one.
        words = [sys.executable, "-m", "benchmarks.peers.spelling", str(case), str(tables)]
        measured(words, bench.printed("spelling"), within=chosen.within)
        yield case, tables


def _compared(case: Path, tables: Path, chosen: argparse.Namespace) -> Comparison:
    manifest = read_manifest(case)
    results = contest(case, tables, chosen.rounds, chosen.within)
    return Comparison(
        events=happened(case),
        rounds=chosen.rounds,
        case_bytes=sum(file.bytes for files in manifest.files.values() for file in files),
        table_bytes=sum(file.stat().st_size for file in tables.rglob("*.parquet")),
        results=results,
        differences=_told(results, case),
    )


def _told(results: Sequence[Result], case: Path) -> list[str]:
    """Where the answers of a tool are not those of the product, or not true."""
    truth = json.loads((case / TRUTH).read_text(encoding="utf-8"))
    told = [
        f"{one.contender.name}: not the truth for {code}"
        for one in results
        if one.answers
        for code in untrue(one.answers, truth)
    ]
    ours = next((one.answers for one in results if one.contender is OURS), None)
    for one in results:
        if ours and one.answers and one.contender is not OURS:
            lines = differences(ours, one.answers)
            told += [f"{OURS.name} and {one.contender.name}: {line}" for line in lines]
    return told


def _document(comparison: Comparison) -> str:
    document = {
        "events": comparison.events,
        "tools": [one.as_json() for one in comparison.results],
        "differences": list(comparison.differences),
    }
    return json.dumps(document, indent=1) + "\n"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
