"""`investigate capture`: read a pipeline, write a case; or say beforehand what that would take."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from investigate.aws import Connection, RequestLimits, connect
from investigate.capture import CaptureOptions, capture
from investigate.capture.draft import draft_folder_of, refuse_finished
from investigate.capture.estimate import check_limits, estimate
from investigate.capture.preparation import prepare
from investigate.case import Case
from investigate.commands.console import Console
from investigate.commands.costs import cost_text
from investigate.commands.progress import Progress
from investigate.errors import UsageError
from investigate.model import Window, counted, isoformat, parse_time
from investigate.settings import Settings, load_settings
from investigate.terminal_text import labelled, printable, table

# For so long a request that AWS throttles, or that does not get through, is tried again after the
# SDK has given up: a busy table or a lost network is back by then, or it is another incident.
PATIENCE_SECONDS = 300.0
_SAMPLING = (
    "reading; messages are received for the sample: each is hidden for a moment, "
    "and nothing else of the pipeline changes"
)


def run(options: argparse.Namespace, console: Console) -> int:
    """Capture the pipeline of a configuration file and print what the case holds."""
    folder = _folder_of(options)
    settings = load_settings(options.config)
    wanted = _options(options, settings)
    limits = RequestLimits(options.max_requests, options.max_read_units)
    connection = connect(
        region=options.region or settings.names.region,
        profile=options.profile,
        endpoint_url=options.endpoint_url,
        sampling=bool(options.sample_messages),
        patience=PATIENCE_SECONDS,
        limits=limits,
    )
    if options.estimate:
        _estimate(connection, settings, wanted, limits, console)
        return 0
    if limits != RequestLimits() and not (options.resume or options.in_place):
        names = prepare(connection, settings.names, wanted).names
        check_limits(estimate(connection, names, wanted), limits)
    console.say(_SAMPLING if wanted.sample_messages else "reading; nothing of the pipeline changes")
    with _interruptible(connection, folder, console), Progress() as progress:
        connection.on_wait = progress.waits
        case = capture(
            folder, settings, connection, wanted, resume=options.resume, progress=progress
        )
    console.out(_told(case))
    _say_what_was_not_met(case, wanted, console)
    _say_what_lacks(case, options.config, connection, console)
    return 0


def _folder_of(options: argparse.Namespace) -> Path:
    """Return the folder of the case; raise `UsageError` for one that is there, and for options that
    exclude each other."""
    folder = Path(options.case)
    if not options.estimate:
        refuse_finished(folder)
    elif options.in_place:
        raise UsageError(
            "--estimate reckons what a copy takes, and --in-place makes none",
            hint="leave out --in-place: each reading of a case in place takes what its copy takes",
        )
    return folder


def _say_what_was_not_met(case: Case, wanted: CaptureOptions, console: Console) -> None:
    """Say which names that were given may be misspelt."""
    if wanted.entities and not case.rows.get("events"):
        named = ", ".join(wanted.entities)
        console.say(f"no row of the index is of {named}: is it spelt right? The case is empty")
    for name, met in case.masked.items():
        if not met:
            console.say(f"--mask {name}: there was no field of that name; is it spelt right?")


def _say_what_lacks(case: Case, config: str, connection: Connection, console: Console) -> None:
    """Say what to do about tables that could not be read, or not as a whole."""
    told = [f"{known.status} {known.reason}".lower() for known in case.coverage.values()]
    if any("denied" in one for one in told):
        console.say(
            "not everything was allowed: investigate doctor --config "
            f"{printable(str(config))} says which permissions lack"
        )
    if connection.given_up or any(one.startswith("failed") for one in told):
        console.say(
            "not everything was answered: capture the case again when AWS answers, under another "
            "name; until then the checks say what they cannot tell"
        )


@contextmanager
def _interruptible(connection: Connection, folder: Path, console: Console) -> Iterator[None]:
    """Let Ctrl-C end the requests of every thread, which would be waited for otherwise."""

    def stop(*_: object) -> NoReturn:
        connection.meter.stop()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except KeyboardInterrupt:
        if draft_folder_of(folder).exists():
            console.say("what was read is kept: the same command with --resume goes on")
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _options(options: argparse.Namespace, settings: Settings) -> CaptureOptions:
    return CaptureOptions(
        window=_window(options, settings),
        captured_at=parse_time(options.now, "now") if options.now else datetime.now(UTC),
        sample_messages=options.sample_messages,
        force_sampling=options.force_sampling,
        payloads=not options.no_payloads,
        only=_tables(options.only),
        entities=tuple(options.entity),
        mask=tuple(options.mask),
        mask_account=options.mask_account,
        in_place=options.in_place,
    )


def _tables(named: str | None) -> tuple[str, ...]:
    """Return the tables of a list with commas; none is named: all. An empty list is a mistake."""
    if named is None:
        return ()
    tables = tuple(name.strip() for name in named.split(",") if name.strip())
    if not tables:
        raise UsageError("--only names no table", hint="leave it out to capture all tables")
    return tables


def _estimate(
    connection: Connection,
    settings: Settings,
    wanted: CaptureOptions,
    limits: RequestLimits,
    console: Console,
) -> None:
    console.say("looking at metadata and listings; nothing is captured")
    names = prepare(connection, settings.names, wanted).names
    costs = estimate(connection, names, wanted)
    console.out(cost_text(costs))
    check_limits(costs, limits)


def _window(options: argparse.Namespace, settings: Settings) -> Window:
    known = settings.window
    start = options.start or (isoformat(known.start) if known else "")
    end = options.end or (isoformat(known.end) if known else "")
    if not (start and end):
        raise UsageError(
            "no window of event time is given",
            hint="--start 2026-03-10T00:00:00Z --end 2026-03-13T00:00:00Z, or a [window] in "
            + str(options.config),
        )
    return Window.parse(start, end)


def _rows(case: Case, table: str) -> str:
    if table in case.lake:
        return f"({case.lake[table].rows:,})"  # there, and not in the case
    return f"{case.rows[table]:,}" if table in case.rows else ""


def _told(case: Case) -> str:
    rows = [
        (
            name,
            known.status,
            _rows(case, name),
            known.reason or "",
        )
        for name, known in case.coverage.items()
    ]
    requests = sum(case.consumed["requests"].values())
    took = f"{counted(requests, 'request')}, {case.consumed['read_units']:,} read units"
    return "\n".join(
        [
            table([("TABLE", "CAPTURED", "ROWS", "WHY NOT, OR NOT ALL"), *rows]),
            "",
            labelled("took", took, indent=0),
            # What people copy stands on one line, however long.
            f"{'case':<10} {printable(str(case.folder))}",
            f"{'next':<10} investigate check {printable(str(case.folder))}",
        ]
    )
