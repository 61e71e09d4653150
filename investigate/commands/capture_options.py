"""The options of `investigate capture`, and those that other commands share with it."""

from __future__ import annotations

import argparse

# Known here too, because nothing heavy is loaded to read a command line; a test compares them.
TABLES = (
    "raw",
    "events",
    "dedupe",
    "messages",
    "dead_letters",
    "aggregates",
    "invocations",
    "log_lines",
    "metric_points",
    "queue_state",
    "functions",
    "mappings",
    "alarms",
    "spans",
    "deliveries",
    "deployments",
    "rescued",
)


def add_window(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add the options that name a window of event time."""
    first = "first event time asked about, as 2026-03-10T00:00:00Z"
    parser.add_argument("--start", metavar="T", required=required, default="", help=first)
    last = "first event time not asked about any more"
    parser.add_argument("--end", metavar="T", required=required, default="", help=last)


def add_capture(parser: argparse.ArgumentParser) -> None:
    """Add every option of a capture."""
    parser.add_argument("case", metavar="CASE", help="the folder to write; it must not exist yet")
    parser.add_argument("--config", metavar="FILE", required=True, help="the pipeline, in TOML")
    add_window(parser)
    parser.add_argument(
        "--entity",
        metavar="ID",
        action="append",
        default=[],
        help="only this entity, by queries instead of scans; repeatable",
    )
    parser.add_argument("--only", metavar="TABLE,…", help=f"these tables only: {', '.join(TABLES)}")
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="copy neither the raw objects nor what an export holds: the case points at them",
    )
    add_aws(parser)
    _cost(parser)
    _sample(parser)
    _privacy(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with a capture that was stopped or killed"
    )
    parser.add_argument(
        "--now",
        metavar="T",
        default="",
        help="the time of the capture, or of going on with it, for a pipeline in a sandbox",
    )


def add_aws(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how AWS is reached."""
    parser.add_argument("--endpoint-url", metavar="URL", help="instead of AWS's own endpoints")
    parser.add_argument("--region", metavar="R", help="default: the configuration's")
    parser.add_argument("--profile", metavar="P", help="of the AWS credentials")


def _cost(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="print what it would take: requests, read units, price; capture nothing",
    )
    parser.add_argument(
        "--max-requests", metavar="N", type=_limit, help="do not begin what would take more"
    )
    parser.add_argument(
        "--max-read-units", metavar="N", type=_limit, help="the same, of DynamoDB's read units"
    )


def _sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample-messages",
        metavar="N",
        type=int,
        default=0,
        help="also receive up to N messages of each queue, which hides them for a moment and "
        "raises their receive count",
    )
    parser.add_argument(
        "--force-sampling",
        action="store_true",
        help="also where that can move messages to a dead-letter queue, or hold others up",
    )


def _privacy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-payloads", action="store_true", help="keep hashes, not contents")
    parser.add_argument(
        "--mask",
        metavar="FIELD",
        action="append",
        default=[],
        help="keep no value of a field of this name; repeatable",
    )
    parser.add_argument("--mask-account", action="store_true", help="keep no account id")


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)
