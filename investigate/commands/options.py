"""Every command and its options, as one parser that imports nothing heavy."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import NoReturn

from investigate.commands.capture_options import add_aws, add_capture, add_window
from investigate.commands.engine_options import add_engine, add_memory
from investigate.commands.recovery_options import add_process_briefly, add_redrive, add_replay
from investigate.commands.sandbox_options import add_sandbox
from investigate.commands.sql_options import add_sql
from investigate.errors import UsageError
from investigate.model import Severity, Step
from investigate.pipeline import DEFAULT_REPLAY_LIMIT

# Known here too, because nothing heavy is loaded to read a command line; a test compares them.
STEPS_WITH_CHECKS = tuple(step.value for step in Step)


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
        asked = re.sub(r"://.*", "://***", rest[0], flags=re.DOTALL)  # URLs to notify hold secrets
        raise UsageError.unknown(f"{kind} of {options.parser.prog!r}", asked, known)
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


def _case(parser: argparse.ArgumentParser, *, anywhere: bool = False) -> None:
    where = ", here or as s3://BUCKET/FOLDER" if anywhere else ""
    parser.add_argument("case", metavar="CASE", help=f"the folder that holds case.json{where}")


def _verify(parser: argparse.ArgumentParser) -> None:
    _case(parser)
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="also read all that the case only points at, and say what has changed",
    )


def _question(parser: argparse.ArgumentParser) -> None:
    _case(parser, anywhere=True)
    parser.add_argument("--entity", metavar="ID", default="", help="only this entity")
    add_window(parser)
    add_memory(parser)


def _verdict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fail-on",
        metavar="SEVERITY",
        type=Severity.parse,
        default=Severity.DANGEROUS,
        help="exit with 1 if this or worse was found (default: dangerous): "
        + _listed(severity.label for severity in Severity),
    )
    parser.add_argument(
        "--allow-gaps", action="store_true", help="exit with 0 although something could not be told"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _steps(text: str) -> list[Step]:
    return [Step.parse(name.strip()) for name in text.split(",")]


def _format(parser: argparse.ArgumentParser, *choices: str) -> None:
    parser.add_argument(
        "--format", choices=choices, default=choices[0], help="default: %(default)s"
    )


def _check(parser: argparse.ArgumentParser) -> None:
    _question(parser)
    parser.add_argument(
        "--step",
        metavar="STEP",
        type=_steps,
        action="extend",
        help=f"only this step, or several with commas; repeatable: {_listed(STEPS_WITH_CHECKS)}",
    )
    parser.add_argument(
        "--rows", metavar="CODE", default="", help="print the rows that this check objects to"
    )
    parser.add_argument(
        "--limit", metavar="N", type=int, default=50, help="of --rows, default: %(default)s"
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file whose [thresholds] hold")
    add_engine(parser)
    _format(parser, "table", "json")
    _verdict(parser)


def _symptoms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        metavar="[CASE] [TEXT]",
        nargs="*",
        help="a case to answer for, and words of what you see; both may be left out",
    )
    add_memory(parser)


def _report(parser: argparse.ArgumentParser) -> None:
    _question(parser)
    parser.add_argument("--out", metavar="DIR", default="reports", help="default: %(default)s")
    parser.add_argument(
        "--incident",
        metavar="NAME",
        default="",
        help="whose history in DIR the report goes on with (default: the case's name)",
    )
    parser.add_argument(
        "--single-file",
        action="store_true",
        help="write the whole report also as one file to send, DIR/report.html (about 6 MB)",
    )
    _limits(parser)
    _verdict(parser)
    parser.add_argument(
        "--notify",
        metavar="URL",
        action="append",
        default=[],
        help="tell this apprise URL what is new; repeatable (default: those in INVESTIGATE_NOTIFY)",
    )
    parser.add_argument(
        "--notify-at",
        metavar="SEVERITY",
        type=Severity.parse,
        default=Severity.DANGEROUS,
        help="tell only of this or worse (default: dangerous)",
    )


def _limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--notebook-seconds",
        metavar="N",
        type=_seconds,
        default=900,
        help="stop a notebook that takes longer (default: %(default)s)",
    )
    parser.add_argument(
        "--deadline",
        metavar="N",
        type=_seconds,
        default=3600,
        help="so many seconds after the start, stop the notebooks and write the report with what "
        "there is (default: %(default)s)",
    )


def _seconds(text: str) -> int:
    # No clock of an operating system counts further, and nobody waits for a month.
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= 2_592_000:
        raise argparse.ArgumentTypeError(f"{text!r} are no seconds; 1 to 2592000 are")
    return int(text)


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="the pipeline, in TOML")
    add_aws(parser)
    parser.add_argument(
        "--policy", action="store_true", help="print the IAM policy a capture needs, and no more"
    )
    parser.add_argument(
        "--sampling", action="store_true", help="with what --sample-messages needs in the policy"
    )


def _replay_plan(parser: argparse.ArgumentParser) -> None:
    _case(parser)
    parser.add_argument("--entity", metavar="ID", required=True, help="whose events")
    add_window(parser, required=True)
    parser.add_argument(
        "--limit", metavar="N", type=int, default=DEFAULT_REPLAY_LIMIT, help="default: %(default)s"
    )
    parser.add_argument(
        "--include-duplicates", action="store_true", help="send an id again that was seen before"
    )
    add_memory(parser)
    add_engine(parser)
    _format(parser, "text", "json")


def _redrive_plan(parser: argparse.ArgumentParser) -> None:
    _question(parser)
    parser.add_argument(
        "--decisions", metavar="FILE", help="an edited table of --format csv, read back"
    )
    add_engine(parser)
    _format(parser, "text", "json", "csv")


def _process_plan(parser: argparse.ArgumentParser) -> None:
    _question(parser)
    add_engine(parser)
    _format(parser, "text", "json")


def _ledger(parser: argparse.ArgumentParser) -> None:
    _question(parser)
    parser.add_argument(
        "--divergent", action="store_true", help="only events whose story breaks somewhere"
    )
    add_engine(parser)
    _format(parser, "table", "csv")


def _trace(parser: argparse.ArgumentParser) -> None:
    _case(parser)
    parser.add_argument(
        "event", metavar="EVENT_ID", help="the id of an event, or how it begins (6 characters)"
    )
    add_memory(parser)
    add_engine(parser)
    _format(parser, "text", "json")


def _sql(parser: argparse.ArgumentParser) -> None:
    _question(parser)
    parser.add_argument(
        "--step", metavar="STEP", type=_steps, action="extend", help="only the checks of this step"
    )
    add_sql(parser)


def _regenerate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "notebooks", metavar="NOTEBOOK", nargs="*", help="as 04_sqs, or a path; default: all"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 and say what differs"
    )


def _checks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("codes", metavar="CODE", nargs="*", help="all there is to know of these")
    _format(parser, "table", "json")


COMMANDS: Mapping[str, Command] = {
    "capture": Command("read a pipeline and write a case; nothing of it changes", add_capture),
    "doctor": Command("say what is installed, who is asking, and which permissions lack", _doctor),
    "check": Command("run the checks on a case and print the findings", _check),
    "ledger": Command("list every event, station by station, and where stories break", _ledger),
    "trace": Command("follow one event, hop by hop, to where its story breaks", _trace),
    "sql": Command("print the checks as SQL to paste into Athena, Trino or DuckDB", _sql),
    "symptoms": Command("start from what you see; with a case, what it answers", _symptoms),
    "report": Command("execute the notebooks on a case and write the report", _report),
    "regenerate": Command("write the outputs of the committed notebooks anew", _regenerate),
    "checks": Command("list every check: code, step, severity, question", _checks),
    "verify": Command("recompute every digest in a case's manifest", _verify),
    "replay-plan": Command("say what a replay would send, and what not and why", _replay_plan),
    "redrive-plan": Command("say what to do with each dead letter, and until when", _redrive_plan),
    "process-plan": Command(
        "say what waits for the processor, and what is against it", _process_plan
    ),
    "replay": Command("send the events of a plan again; changes a pipeline", add_replay),
    "redrive": Command("send the dead letters of a plan back; changes a pipeline", add_redrive),
    "process-briefly": Command(
        "enable the processor for so long, and disable it again; changes a pipeline",
        add_process_briefly,
    ),
    "sandbox": Command("play the reference pipeline, with faults by name", add_sandbox),
}
