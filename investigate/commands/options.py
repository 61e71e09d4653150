"""Every command and its options, as one parser that imports nothing heavy."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import NoReturn

from investigate.errors import UsageError
from investigate.model import Severity, Step


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are `UsageError`s and which knows no abbreviations."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(message, hint=f"see: {self.prog} --help")


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it does, and what adds its options."""

    help: str
    add: Callable[[argparse.ArgumentParser], None]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; raise `UsageError` naming what exists."""
    _refuse_unknown_command(arguments)
    options, rest = build_parser().parse_known_args(list(arguments))
    if rest:
        known = re.findall(r"--[a-z][a-z-]*", options.parser.format_usage())
        kind = "option" if rest[0].startswith("-") else "argument"
        raise UsageError.unknown(f"{kind} of {options.parser.prog!r}", rest[0], known)
    return options


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser("investigate", description=_ABOUT, allow_abbrev=False)
    parser.add_argument(
        "--version", action="version", version=f"investigate {version('investigate')}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name, help=command.help, description=command.help, allow_abbrev=False
        )
        sub.set_defaults(module=name.replace("-", "_"), parser=sub)
        command.add(sub)
    return parser


_ABOUT = "Find out what went wrong in an event pipeline on AWS, and prove it."


def _refuse_unknown_command(arguments: Sequence[str]) -> None:
    asked = next((text for text in arguments if not text.startswith("-")), None)
    if asked is not None and asked not in COMMANDS:
        raise UsageError.unknown("command", asked, COMMANDS)


def _case(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case", metavar="CASE", help="the folder that holds case.json")


def _window(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    first = "first event time asked about, as 2026-03-10T00:00:00Z"
    parser.add_argument("--start", metavar="T", required=required, default="", help=first)
    last = "first event time not asked about any more"
    parser.add_argument("--end", metavar="T", required=required, default="", help=last)


def _question(parser: argparse.ArgumentParser) -> None:
    _case(parser)
    parser.add_argument("--entity", metavar="ID", default="", help="only this entity")
    _window(parser)


def _verdict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-on",
        metavar="SEVERITY",
        type=Severity.parse,
        default=Severity.DANGEROUS,
        help="exit with 1 if this or worse was found (default: dangerous)",
    )
    parser.add_argument(
        "--allow-gaps", action="store_true", help="exit with 0 although something could not be told"
    )


def _format(parser: argparse.ArgumentParser, *choices: str) -> None:
    parser.add_argument(
        "--format", choices=choices, default=choices[0], help="default: %(default)s"
    )


def _check(parser: argparse.ArgumentParser) -> None:
    _question(parser)
    parser.add_argument(
        "--step",
        metavar="STEP",
        type=Step.parse,
        action="append",
        help="only this step; repeatable",
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file whose [thresholds] hold")
    parser.add_argument("--engine", metavar="NAME", default="duckdb", help="what runs the queries")
    _format(parser, "table", "json")
    _verdict(parser)


def _report(parser: argparse.ArgumentParser) -> None:
    _question(parser)
    parser.add_argument("--out", metavar="DIR", default="reports", help="default: %(default)s")
    _verdict(parser)


def _checks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("codes", metavar="CODE", nargs="*", help="all there is to know of these")
    _format(parser, "table", "json")


COMMANDS: Mapping[str, Command] = {
    "check": Command("run the checks on a case and print the findings", _check),
    "report": Command("execute the notebooks on a case and write the report", _report),
    "checks": Command("list every check: code, step, severity, question", _checks),
    "verify": Command("recompute every digest in a case's manifest", _case),
}
