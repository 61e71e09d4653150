"""`python -m benchmarks NAME`: run one benchmark and print its figures."""

from __future__ import annotations

import argparse
import sys

from benchmarks import (
    concurrent,
    coverage_table,
    explain,
    history,
    profile,
    reliability,
    report,
    start,
    storage,
    trace,
    undo,
)
from benchmarks.capture import run as capture
from benchmarks.diagnosis import run as diagnosis
from benchmarks.fuzz import run as fuzz
from benchmarks.mutants import run as mutants
from benchmarks.paper import run as paper
from benchmarks.peers import run as peers
from benchmarks.scale import run as scale


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark that was asked for; 1 if its sides disagree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    benchmarks = parser.add_subparsers(dest="name", required=True)
    explaining = benchmarks.add_parser("explain", help=explain.__doc__)
    explaining.add_argument("--events", type=int, default=100_000, help="how many (100000)")
    explaining.add_argument("--repeats", type=int, default=3, help="the best of so many (3)")
    explaining.set_defaults(run=lambda chosen: explain.run(chosen.events, chosen.repeats))
    tracing = benchmarks.add_parser("trace", help=trace.__doc__)
    tracing.add_argument("--events", type=int, default=1_000_000, help="how many (1000000)")
    tracing.add_argument("--repeats", type=int, default=3, help="the best of so many (3)")
    tracing.set_defaults(run=lambda chosen: trace.run(chosen.events, chosen.repeats))
    capturing = benchmarks.add_parser("capture", help="capture beside other readers")
    capture.add_options(capturing)
    capturing.set_defaults(run=capture.run)
    proving = benchmarks.add_parser("diagnosis", help="random incidents, scored against the truth")
    diagnosis.add_options(proving)
    proving.set_defaults(run=diagnosis.run)
    mutating = benchmarks.add_parser("mutants", help="wrong checks, and whether a test notices")
    mutants.add_options(mutating)
    mutating.set_defaults(run=mutants.run)
    fuzzing = benchmarks.add_parser("fuzz", help="parsers on inputs nobody meant for them")
    fuzz.add_options(fuzzing)
    fuzzing.set_defaults(run=fuzz.run)
    undoing = benchmarks.add_parser("undo", help=undo.__doc__)
    undoing.add_argument("--trials", type=int, default=50, help="how many kills (50)")
    undoing.set_defaults(run=lambda chosen: undo.run(chosen.trials))
    failing = benchmarks.add_parser("reliability", help=reliability.__doc__)
    reliability.add_options(failing)
    failing.set_defaults(run=reliability.run)
    adding = benchmarks.add_parser("history", help=history.__doc__)
    adding.add_argument("--runs", type=int, default=5_000, help="how many (5000)")
    adding.set_defaults(run=lambda chosen: history.run(chosen.runs))
    together = benchmarks.add_parser("concurrent", help=concurrent.__doc__)
    together.add_argument("--reports", type=int, default=40, help="how many at once (40)")
    together.set_defaults(run=lambda chosen: concurrent.run(chosen.reports))
    reporting = benchmarks.add_parser("report", help=report.__doc__)
    reporting.add_argument("--case", default=str(report.DEFAULT_CASE), help="the demo case")
    reporting.set_defaults(run=lambda chosen: report.run(chosen.case))
    starting = benchmarks.add_parser("start", help=start.__doc__)
    start.add_options(starting)
    starting.set_defaults(run=start.run)
    storing = benchmarks.add_parser("storage", help=storage.__doc__)
    storage.add_options(storing)
    storing.set_defaults(run=storage.run)
    growing = benchmarks.add_parser("scale", help="growth with the number of events")
    scale.add_options(growing)
    growing.set_defaults(run=scale.run)
    reckoning = benchmarks.add_parser("paper", help="what 10^8 and 10^9 events would take")
    paper.add_options(reckoning)
    reckoning.set_defaults(run=paper.run)
    comparing = benchmarks.add_parser("peers", help="beside pandas, polars and SQL by hand")
    peers.add_options(comparing)
    comparing.set_defaults(run=peers.run)
    profiling = benchmarks.add_parser("profile", help=profile.__doc__)
    profiling.add_argument("case", help="the folder of a case")
    profiling.add_argument("--most", type=int, default=20, help="how many lines of each (20)")
    profiling.add_argument("--check", action="append", default=[], help="only this check")
    profiling.set_defaults(run=lambda chosen: profile.run(chosen.case, chosen.most, chosen.check))
    covering = benchmarks.add_parser("coverage", help=coverage_table.__doc__)
    coverage_table.add_options(covering)
    covering.set_defaults(run=coverage_table.run)
    chosen = parser.parse_args(arguments)
    return int(chosen.run(chosen))


if __name__ == "__main__":
    sys.exit(main())
