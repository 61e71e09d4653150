"""The options of `investigate sandbox`: its actions, and the weather that clients live through."""

from __future__ import annotations

import argparse
from typing import Any


def add_sandbox(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    demo = _action(actions, "demo", "make the demo cases again, byte for byte")
    demo.add_argument("names", metavar="NAME", nargs="*", help="default: all of them")
    demo.add_argument("--out", metavar="DIR", default="data/cases", help="default: %(default)s")
    _pipeline(_action(actions, "faults", "list the faults by name"))
    serve = _action(actions, "serve", "serve a pipeline as an AWS endpoint on this machine")
    serve.add_argument(
        "--fault", metavar="NAME", action="append", default=[], help="let this happen; repeatable"
    )
    serve.add_argument("--port", metavar="P", type=_port, default=0, help="default: a free one")
    serve.add_argument(
        "--process",
        action="store_true",
        help="let the processor work while its mapping is enabled, a batch at each look at a queue",
    )
    _pipeline(serve)
    _weather(serve)


def _pipeline(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--pipeline",
        metavar="NAME",
        default="reference",
        help="the design of the pipeline, as meter-readings; default: %(default)s",
    )


def _weather(serve: argparse.ArgumentParser) -> None:
    for name, befalls in _WEATHER.items():
        serve.add_argument(
            f"--{name}",
            metavar="SHARE",
            type=_share,
            default=0.0,
            help=f"share of the requests that {befalls}",
        )
    serve.add_argument(
        "--deny", metavar="ACTION", action="append", default=[],
        help="an IAM action that is not allowed, as s3:ListBucket; repeatable",
    )  # fmt: skip
    serve.add_argument(
        "--expire-after", metavar="N", type=int, help="the credentials expire after N requests"
    )
    serve.add_argument(
        "--weather-seed",
        metavar="N",
        type=int,
        default=7,
        help="of its chance, default: %(default)s",
    )


_WEATHER = {
    "throttle": "are throttled, as 0.3; each service says it in its own words",
    "fail": "get an error of AWS",
    "drop": "lose their connection, before the answer or in the middle of it",
    "truncate": "get an answer that lacks its end",
    "slow": "are answered late",
}


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; 0 to 1 are")
    return share


def _action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = actions.add_parser(
        name, help=summary, description=summary, allow_abbrev=False
    )
    added.set_defaults(action=name, parser=added)
    return added


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; 0 to 65535 are")
    return int(text)
