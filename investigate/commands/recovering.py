"""What `replay`, `redrive` and `process-briefly` have in common: their guards, in one order."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from investigate.aws import connect
from investigate.case import RECORD, Case, open_case
from investigate.commands.console import Console
from investigate.errors import AccessError, UsageError
from investigate.model import counted, parse_time
from investigate.plans import DIGEST
from investigate.recovery.live import Live, Watch
from investigate.recovery.pace import Limits, Pace, signals_noted
from investigate.recovery.plan_file import Asked, plan_for
from investigate.recovery.record import DONE, Record, opened, read
from investigate.recovery.rules import refused
from investigate.recovery.sending import Run
from investigate.recovery.undo import undo_open
from investigate.report.text import labelled
from investigate.settings import PipelineNames, load_settings

POLL_SECONDS = 1.0  # between two looks at a running pipeline
STOPPED, UNSURE = 1, 3  # exit codes: trouble ended it; nobody knows what became of something


@dataclass
class Recovery:
    """One command at work on one case, with everything the guards have let through."""

    options: argparse.Namespace
    console: Console
    case: Case
    live: Live
    record: Record
    pace: Pace

    def plan(self, schema: str) -> Mapping[str, Any]:
        """Return the plan of this case that the command line names."""
        asked = Asked(
            self.case,
            Path(self.options.plan),
            self.pace.clock(),
            timedelta(minutes=self.options.max_plan_age),
        )
        return plan_for(asked, schema)

    def confirmed_run(
        self, plan: Mapping[str, Any], shown: str, days: Sequence[Mapping[str, str]]
    ) -> Run:
        """Show what is about to happen, have it confirmed, put a snapshot on record, and return
        the run; raise `RecoveryRefused` (not-confirmed)."""
        self.console.say(shown)
        self._confirm()
        run = self.run_of(plan)
        run.record.write(
            DONE, "snapshot", self.pace.stamp(), plan=run.plan, command=self.options.module,
            before=self.live.snapshot(days),
        )  # fmt: skip
        self.pace.begin()
        return run

    def run_of(self, plan: Mapping[str, Any]) -> Run:
        """Return a run of a plan, watched from now on."""
        watch = Watch(self.live, self.pace.clock())
        return Run(self.record, self.pace, watch, str(plan[DIGEST]))

    def _confirm(self) -> None:
        if self.options.yes:
            return
        command = self.options.module.replace("_", "-")
        if not sys.stdin.isatty():
            raise refused("not-confirmed", command=command)
        self.console.say(f"Do this to {self.live.names.replay_queue_url}? Type yes:")
        if sys.stdin.readline().strip() != "yes":
            raise refused("not-confirmed", command=command)

    def carry_out(self, run: Run, work: Callable[[], None]) -> None:
        """Do the work of a run; what AWS refuses meanwhile ends it, and stands in its summary."""
        try:
            work()
        except AccessError as error:
            run.stop(error.message, failed=True)

    def finish(self, run: Run, days: Sequence[Mapping[str, str]], noun: str) -> int:
        """Put the end on record with what is there now, say it, and return the exit code."""
        summary = run.summary
        try:
            after = self.live.snapshot(days)
        except AccessError as error:
            self.console.say(f"how the pipeline is now cannot be seen: {error}")
            after = {}
        run.record.write(
            DONE, "run", self.pace.stamp(), plan=run.plan, command=self.options.module,
            summary=summary.as_json(), after=after,
        )  # fmt: skip
        self.console.out("\n".join(_told(run, after, noun, self.case.folder)))
        if summary.failed:
            return STOPPED
        return UNSURE if summary.unknown or summary.absent else 0


def _told(run: Run, after: Mapping[str, Any], noun: str, folder: Path) -> list[str]:
    summary = run.summary
    lines = [labelled("done", counted(summary.done, noun))]
    if summary.before:
        lines.append(labelled("before", f"{counted(summary.before, noun)} by an earlier run"))
    if summary.stopped:
        lines.append(labelled("ended", summary.stopped))
    for item in summary.unknown:
        lines.append(labelled("unknown", f"{item}: look before sending it again; nothing repeats"))
    for item in summary.absent:
        lines.append(labelled("absent", f"{item}: not in its queue any more"))
    if after:
        waiting = ", ".join(
            f"{queue['visible'] + queue['not_visible'] + queue['delayed']} in {queue['name']}"
            for queue in after["queues"]
        )
        lines.append(labelled("waiting", f"{waiting}; the mapping is {after['mapping']['State']}"))
    lines.append(f"{'record':<10} {folder / RECORD}")
    return lines


@contextmanager
def recovery(options: argparse.Namespace, console: Console, maker: str) -> Iterator[Recovery]:
    """A command whose guards are passed: writes allowed, limits given, alone on this case; and
    what a killed command left enabled is disabled first, whatever becomes of this one.

    Raises `RecoveryRefused` (writes-not-allowed, no-plan, no-limits, already-running,
    other-pipeline).
    """
    command = options.module.replace("_", "-")
    undo = getattr(options, "undo", False)
    case = open_case(options.case)
    if not options.allow_writes:
        _say_open(case, console)
        raise refused("writes-not-allowed", command=command)
    live = _live(options, case)
    pace = Pace(_limits(options), _clock(options.now), POLL_SECONDS)
    with opened(case.folder) as record, signals_noted(pace.stop):
        for uuid in undo_open(record, live, pace):
            console.say(f"the mapping {uuid} was left enabled by a killed command: disabled again")
        if not undo:
            if not options.plan:
                raise refused("no-plan", command=command, maker=maker, case=case.folder)
            _refuse_unlimited(options, command)
        yield Recovery(options, console, case, live, record, pace)


def _say_open(case: Case, console: Console) -> None:
    """Say what a killed command left enabled, which this one may not disable."""
    record = Record(case.folder / RECORD, None, read(case.folder))  # type: ignore[arg-type]
    for uuid in record.open_mappings():
        console.say(
            f"THE MAPPING {uuid} MAY STILL BE ENABLED by a killed command; disable it: "
            f"investigate process-briefly {case.folder} --undo --allow-writes"
        )


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(options.max_messages or 0, options.max_seconds or 0.0, options.rate)


def _refuse_unlimited(options: argparse.Namespace, command: str) -> None:
    needed = {"--max-messages": options.max_messages, "--max-seconds": options.max_seconds}
    if command != "process-briefly":  # a mapping takes messages at its own speed
        needed["--rate"] = options.rate
    lacking = [name for name, value in needed.items() if not value]
    if lacking:
        raise refused("no-limits", command=command, lacking=" and ".join(lacking))


def _clock(now: str) -> Callable[[], datetime]:
    """Return what tells the time: the wall, or from a given time on, the time since then."""
    if not now:
        return lambda: datetime.now(UTC)
    start, began = parse_time(now, "now"), time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)


def _live(options: argparse.Namespace, case: Case) -> Live:
    known = {one.name for one in fields(PipelineNames)}
    told = {name: value for name, value in case.pipeline.items() if name in known}
    told["dead_letter_queue_urls"] = tuple(told.get("dead_letter_queue_urls") or ())
    names = PipelineNames(**told)
    if options.config:
        _refuse_other(load_settings(options.config).names, names, options.config)
    if not names.replay_queue_url or "processor" not in names.functions:
        raise UsageError(
            f"the case {case.folder} names no replay queue or no processor",
            hint="capture it with a configuration that names both",
        )
    connection = connect(
        region=options.region or names.region,
        profile=options.profile,
        endpoint_url=options.endpoint_url,
    )
    return Live(connection, names)


def _refuse_other(configured: PipelineNames, captured: PipelineNames, config: str) -> None:
    pairs = {
        "stack": (configured.stack, captured.stack),
        "region": (configured.region, captured.region),
        "replay queue": (_last(configured.replay_queue_url), _last(captured.replay_queue_url)),
        "aggregates table": (configured.aggregates_table, captured.aggregates_table),
        "processor": (configured.functions.get("processor"), captured.functions.get("processor")),
    }
    for what, (theirs, ours) in pairs.items():
        if theirs and ours and theirs != ours:
            raise refused("other-pipeline", config=config, what=what, theirs=theirs, ours=ours)


def _last(url: str | None) -> str | None:
    return url.rpartition("/")[2] if url else None
