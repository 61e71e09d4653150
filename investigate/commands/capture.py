"""`investigate capture`: read a pipeline, write a case."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from investigate.aws import connect
from investigate.capture import CaptureOptions, capture
from investigate.case import Case
from investigate.commands.console import Console
from investigate.errors import UsageError
from investigate.model import Window, isoformat, parse_time
from investigate.report.text import labelled, table
from investigate.settings import Settings, load_settings


def run(options: argparse.Namespace, console: Console) -> int:
    """Capture the pipeline of a configuration file and print what the case holds."""
    folder = Path(options.case)
    if folder.exists():
        raise UsageError(
            f"{folder} exists already; evidence is never overwritten",
            hint="choose another name for the case, or move the old one away",
        )
    settings = load_settings(options.config)
    wanted = CaptureOptions(
        window=_window(options, settings),
        captured_at=parse_time(options.now, "now") if options.now else datetime.now(UTC),
        sample_messages=options.sample_messages,
        payloads=not options.no_payloads,
        only=tuple(name for name in options.only.split(",") if name),
        mask_account=options.mask_account,
    )
    connection = connect(
        region=options.region or settings.names.region,
        profile=options.profile,
        endpoint_url=options.endpoint_url,
        sampling=bool(options.sample_messages),
    )
    console.say("reading; nothing of the pipeline changes")
    console.out(_told(capture(folder, settings, connection, wanted)))
    return 0


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


def _told(case: Case) -> str:
    rows = [
        (
            name,
            known.status,
            f"{case.rows[name]:,}" if name in case.rows else "",
            known.reason or "",
        )
        for name, known in case.coverage.items()
    ]
    return "\n".join(
        [
            table([("TABLE", "CAPTURED", "ROWS", "WHY NOT, OR NOT ALL"), *rows]),
            "",
            labelled("case", case.folder, indent=0),
            labelled("next", f"investigate check {case.folder}", indent=0),
        ]
    )
