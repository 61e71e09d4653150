"""Every failure of every boundary, and what the commands do about it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.reliability.campaign import AT_ONCE, campaign
from benchmarks.reliability.disks import can_mount
from benchmarks.reliability.document import faults_of, write, written
from benchmarks.reliability.trial import BOUNDARIES, FAILURES


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this campaign."""
    parser.add_argument(
        "--boundary", action="append", choices=BOUNDARIES, help="only this one; repeatable"
    )
    parser.add_argument(
        "--failure", action="append", choices=FAILURES, help="only this one; repeatable"
    )
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help=f"stages ({AT_ONCE})")
    parser.add_argument(
        "--write", metavar="FILE", type=Path,
        help="put the table of each boundary into a document; not with --failure",
    )  # fmt: skip


def run(chosen: argparse.Namespace) -> int:
    """Make the trials and print the table; 1 if anything was lost, half-written, untrue or not
    clear, 2 if this machine cannot make them."""
    if chosen.write and chosen.failure:
        print("--write needs every failure of a boundary: leave out --failure", file=sys.stderr)
        return 2
    if not can_mount():
        print("a process must be able to mount a disk of its own: Linux, as root or with user "
              "namespaces", file=sys.stderr)  # fmt: skip
        return 2
    boundaries = chosen.boundary or list(BOUNDARIES)
    results = campaign(boundaries, chosen.failure or FAILURES, at_once=chosen.at_once)
    print("\n\n".join(written(results).values()))
    if chosen.write:
        write(chosen.write, results)
    faults = faults_of(results)
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    return 1 if faults else 0
