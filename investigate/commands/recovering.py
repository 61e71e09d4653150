"""What `replay`, `redrive` and `process-briefly` have in common: their guards, in one order."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from investigate.aws import connect
from investigate.case import RECORD, Case, open_case
from investigate.commands.console import Console
from investigate.errors import AccessError, RecoveryRefused, UsageError
from investigate.model import counted, parse_time
from investigate.plan_integrity import DIGEST, Shape
from investigate.recovery.live import FailureWatch, Live
from investigate.recovery.pace import Pace, SendLimits
from investigate.recovery.plan_file import PlanRequest, plan_for
from investigate.recovery.processing_briefly import unproved
from investigate.recovery.record import DONE, Record, left_open, opened
from investigate.recovery.region_and_account import region_and_account, region_and_account_of
from investigate.recovery.rules import refused
from investigate.recovery.sending import Run
from investigate.recovery.signals import signals_ending, signals_noted
from investigate.recovery.undo import undo_open
from investigate.settings import FUNCTION_ROLES, PipelineNames, load_settings
from investigate.terminal_text import labelled

POLL_SECONDS = 1.0  # between two looks at a running pipeline
_AGAIN = "run the same again{}: what is on record is not done twice"
_UNSEEN = "what was done is on record; capture the case again to see what came of it"
_NEW = "capture the case again and make a new plan"
_USED = f"look into what ended it; its plan is used: {_NEW}"
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
    _snapshot: Mapping[str, Any] = field(default_factory=dict)

    def plan(self, schema: str, shape: Shape) -> Mapping[str, Any]:
        """Return the plan of this case that the command line names, if it is of this shape."""
        asked = PlanRequest(
            self.case,
            Path(self.options.plan),
            self.pace.clock(),
            timedelta(minutes=self.options.max_plan_age),
        )
        return plan_for(asked, schema, shape)

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
        self._snapshot = run.record.lines[-1]
        self.pace.begin()
        return run

    def run_of(self, plan: Mapping[str, Any]) -> Run:
        """Return a run of a plan, watched from now on."""
        watch = FailureWatch(self.live, self.pace.clock(), self.pace.poll_seconds)
        return Run(self.record, self.pace, watch, str(plan[DIGEST]))

    def _confirm(self) -> None:
        if self.options.yes:
            return
        command = self.options.module.replace("_", "-")
        if not sys.stdin.isatty():
            raise refused("not-confirmed", command=command)
        self.console.say(f"Do this to {self.live.names.replay_queue_url}? Type yes:")
        with signals_ending():
            answer = sys.stdin.readline().strip()
        if answer != "yes" or self.pace.stop.is_set():
            raise refused("not-confirmed", command=command)

    def carry_out(self, run: Run, work: Callable[[], None]) -> None:
        """Do the work of a run; what AWS or a rule refuses meanwhile ends it, and stands in its
        summary: something may have been done, so this is no refusal any more."""
        try:
            work()
        except (AccessError, RecoveryRefused) as error:
            run.stop(error.message, failed=True)
            self.console.say(str(error))

    def finish(
        self, run: Run, days: Sequence[Mapping[str, str]], noun: str, *, proved: bool = False
    ) -> int:
        """Put the end on record with what is there now, say it, and return the exit code; `proved`
        if what was done must show in the aggregates of the days."""
        summary, unseen = run.summary, ""
        try:
            after = self.live.snapshot(days)
        except (AccessError, RecoveryRefused) as error:
            unseen, after = " ".join(str(error).split()), {}
        if proved and after:
            before = self._snapshot.get("before", {})
            summary.unproved = unproved(before, after, summary.done, sampled=bool(days))
        run.record.write(
            DONE, "run", self.pace.stamp(), plan=run.plan, command=self.options.module,
            summary=summary.as_json(), after=after,
        )  # fmt: skip
        lines = _told(run, after, noun, self.options)
        if unseen:
            lines.append(labelled("unknown", f"how the pipeline is now: {unseen}"))
            lines.append(labelled("next", _UNSEEN))
        self.console.out("\n".join([*lines, f"{'record':<10} {self.case.folder / RECORD}"]))
        if summary.failed:
            return STOPPED
        return UNSURE if summary.unknown or summary.absent or summary.unproved or unseen else 0


def _told(run: Run, after: Mapping[str, Any], noun: str, options: argparse.Namespace) -> list[str]:
    summary = run.summary
    lines = [labelled("done", counted(summary.done, noun))]
    if summary.before:
        lines.append(labelled("before", f"{counted(summary.before, noun)} by an earlier run"))
    if summary.stopped:
        lines.append(labelled("ended", summary.stopped))
        lines += _next(options, failed=summary.failed)
    for item in summary.unknown:
        lines.append(labelled("unknown", f"{item}: look before sending it again; nothing repeats"))
    for item in summary.absent:
        lines.append(labelled("absent", f"{item}: not in its queue any more"))
    lines += [labelled("left out", item) for item in summary.held]
    if summary.unproved:
        lines.append(labelled("unknown", summary.unproved))
    if after:
        waiting = ", ".join(
            f"{queue['visible'] + queue['not_visible'] + queue['delayed']} in {queue['name']}"
            for queue in after["queues"]
        )
        lines.append(labelled("waiting", f"{waiting}; the mapping is {after['mapping']['State']}"))
    return lines


def _next(options: argparse.Namespace, *, failed: bool) -> list[str]:
    """Return what to type after a run that did not do all of its plan, as a line or none."""
    if options.module == "process_briefly":
        return [labelled("next", _USED)] if failed else []
    # What a move left behind is no longer what its plan counted.
    moved = getattr(options, "move", False)
    rest = _NEW if moved else _AGAIN.format("" if failed else " for the rest")
    return [labelled("next", f"look into what ended it; then {rest}" if failed else rest)]


@contextmanager
def recovery(options: argparse.Namespace, console: Console, maker: str) -> Iterator[Recovery]:
    """A command whose guards are passed: writes allowed, limits given, alone on this case; and
    what a killed command left enabled is disabled first, whatever becomes of this one.

    Raises `RecoveryRefused` (writes-not-allowed, no-plan, no-limits, already-running, no-locks,
    other-pipeline), and `CaseDamagedError` if the record is damaged.
    """
    command = options.module.replace("_", "-")
    undo = getattr(options, "undo", False)
    case = open_case(options.case)
    if not options.allow_writes:
        _say_open(case, console)
        raise refused("writes-not-allowed", command=command)
    live = _live(options, case)
    pace = Pace(_limits(options), _clock(options.now), POLL_SECONDS)
    with opened(case.folder, _pipeline(live)) as record, signals_noted(pace.stop):
        for said in undo_open(record, live, pace):
            console.say(said)
        record.refuse_damaged()
        if not undo:
            if not options.plan:
                raise refused("no-plan", command=command, maker=maker, case=case.folder)
            _refuse_unlimited(options, command)
        yield Recovery(options, console, case, live, record, pace)


def _say_open(case: Case, console: Console) -> None:
    """Say what a killed command left enabled, which this one may not disable."""
    for uuid in left_open(case.folder, _name_of(_names(case))):
        console.say(
            f"THE MAPPING {uuid} MAY STILL BE ENABLED by a killed command; disable it: "
            f"investigate process-briefly {case.folder} --undo --allow-writes"
        )


def _pipeline(live: Live) -> str:
    return _name_of(live.names)


def _name_of(names: PipelineNames) -> str:
    """Return what tells a pipeline from another of the same names: by the case, so that the record
    is found without asking AWS."""
    url = str(names.replay_queue_url)
    where = region_and_account(names.region, names.account_id).or_else(region_and_account_of(url))
    return "-".join(filter(None, (where.region, where.account, _last(url))))


def _limits(options: argparse.Namespace) -> SendLimits:
    return SendLimits(options.max_messages or 0, options.max_seconds or 0.0, options.rate)


def _refuse_unlimited(options: argparse.Namespace, command: str) -> None:
    needed = {"--max-messages": options.max_messages, "--max-seconds": options.max_seconds}
    if command != "process-briefly":  # a mapping takes messages at its own speed
        needed["--rate"] = options.rate
    lacking = [name for name, value in needed.items() if not value]
    if lacking:
        raise refused("no-limits", command=command, lacking=", ".join(lacking))


def _clock(now: str) -> Callable[[], datetime]:
    """Return what tells the time: the wall, or from a given time on, the time since then."""
    if not now:
        return lambda: datetime.now(UTC)
    start, began = parse_time(now, "now"), time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)


def _names(case: Case) -> PipelineNames:
    known = {one.name for one in fields(PipelineNames)}
    told = {name: value for name, value in case.pipeline.items() if name in known}
    told["dead_letter_queue_urls"] = tuple(told.get("dead_letter_queue_urls") or ())
    return PipelineNames(**{**told, "design": case.design})


def _live(options: argparse.Namespace, case: Case) -> Live:
    names = _names(case)
    if options.now and not options.endpoint_url:
        raise UsageError(
            "--now is for a sandbox: the time of AWS is that of the wall",
            hint="leave --now out, or give the --endpoint-url of the sandbox",
        )
    if options.region:
        _refuse_other(PipelineNames(region=options.region), names, "--region")
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
        "account": (configured.account_id, region_and_account(None, captured.account_id).account),
        "replay queue": _comparable(configured.replay_queue_url, captured.replay_queue_url),
        "raw bucket": (configured.raw_bucket, captured.raw_bucket),
        "events table": (configured.events_table, captured.events_table),
        "dedupe table": (configured.dedupe_table, captured.dedupe_table),
        "aggregates table": (configured.aggregates_table, captured.aggregates_table),
        **{
            f"{role} function": (configured.functions.get(role), captured.functions.get(role))
            for role in FUNCTION_ROLES
        },
    }
    for what, (theirs, ours) in pairs.items():
        if theirs and ours and theirs != ours:
            raise refused("other-pipeline", config=config, what=what, theirs=theirs, ours=ours)


def _comparable(theirs: str | None, ours: str | None) -> tuple[str | None, str | None]:
    """Return of two URLs what can be compared: all of them, since the last part is the same in
    every region and account; without the account that a case masks, the last part alone."""
    if ours and region_and_account_of(ours).account:
        return theirs, ours
    return _last(theirs), _last(ours)


def _last(url: str | None) -> str | None:
    return url.rpartition("/")[2] if url else None
