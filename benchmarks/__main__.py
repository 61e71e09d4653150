"""`python -m benchmarks NAME`: run one benchmark and print its figures."""

from __future__ import annotations

import argparse
import sys

from benchmarks import explain


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark that was asked for; 1 if its two sides disagree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    benchmarks = parser.add_subparsers(dest="name", required=True)
    explaining = benchmarks.add_parser("explain", help=explain.__doc__)
    explaining.add_argument("--events", type=int, default=100_000, help="how many (100000)")
    explaining.add_argument("--repeats", type=int, default=3, help="the best of so many (3)")
    chosen = parser.parse_args(arguments)
    return explain.run(chosen.events, chosen.repeats)


if __name__ == "__main__":
    sys.exit(main())
