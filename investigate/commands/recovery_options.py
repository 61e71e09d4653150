"""The options of the commands that change a pipeline: `replay`, `redrive`, `process-briefly`."""

from __future__ import annotations

import argparse

from investigate.commands.capture_options import add_aws

PLAN_MINUTES = 60.0  # so long a plan holds, counted from the capture


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Add the options of `replay`."""
    _common(parser)
    _again(parser)


def add_redrive(parser: argparse.ArgumentParser) -> None:
    """Add the options of `redrive`."""
    _common(parser)
    _again(parser)
    parser.add_argument(
        "--move",
        action="store_true",
        help="let SQS move a whole dead-letter queue, of which every letter is planned",
    )


def add_process_briefly(parser: argparse.ArgumentParser) -> None:
    """Add the options of `process-briefly`."""
    _common(parser)
    parser.add_argument(
        "--undo",
        action="store_true",
        help="only disable again what a command enabled that was killed; needs no plan",
    )


def _again(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--again",
        action="store_true",
        help="send also what an earlier command sent, if it has left the replay queue since",
    )


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case", metavar="CASE", help="the folder that holds case.json")
    parser.add_argument("--plan", metavar="FILE", help="the plan, made from this case")
    parser.add_argument(
        "--allow-writes", action="store_true", help="without it nothing is ever changed"
    )
    parser.add_argument("--max-messages", metavar="N", type=_whole, help="no more than these")
    parser.add_argument("--max-seconds", metavar="S", type=_number, help="no longer than this")
    parser.add_argument("--rate", metavar="R", type=_number, help="no more messages a second")
    parser.add_argument("--yes", action="store_true", help="the plan that is shown is confirmed")
    parser.add_argument(
        "--max-plan-age",
        metavar="MINUTES",
        type=_number,
        default=PLAN_MINUTES,
        help="refuse a plan whose case was captured earlier, default: %(default)g",
    )
    parser.add_argument("--config", metavar="FILE", help="the pipeline; must be the case's own")
    add_aws(parser)
    parser.add_argument(
        "--now", metavar="T", default="", help="the time it is, for a pipeline in a sandbox"
    )


def _whole(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number
