"""The demo cases: staged in an emulator, captured like any pipeline, written with their truth."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from investigate.aws import connect
from investigate.capture import CaptureOptions, capture
from investigate.case import Case
from investigate.errors import UsageError
from investigate.pipeline import REFERENCE, Design
from investigate.sandbox.faults import faults, stories_of_faults
from investigate.sandbox.stories import CAPTURED, WINDOW, Plot, perform
from investigate.sandbox.template_gaps import record_template_gaps
from investigate.sandbox.traffic import FEEDS, Feed, healthy_traffic
from investigate.sandbox.truth import TRUTH, GroundTruth
from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from investigate.settings import Settings

DEPLOYED = datetime(2025, 12, 1, tzinfo=UTC)  # before the earliest event of any story
LARGEST_BATCH, LARGEST_BATCH_OF_AN_HOUR = 10, 8  # that a story counts on
SAMPLE_MESSAGES = 100  # more than ever wait, so that no message goes unseen


@dataclass(frozen=True, slots=True)
class Demo:
    """One demo case: its name, what it is about, and the faults in it."""

    name: str
    about: str
    faults: tuple[str, ...] = ()
    remarks: str = ""
    well_configured: bool = False


DEMOS: Mapping[str, Demo] = {
    demo.name: demo
    for demo in (
        Demo(
            "healthy",
            "Three ordinary days of ten entities. Some clients repeated a request and some days "
            "were replayed twice, which is harmless; nothing else happened. Its queue, mapping "
            "and alarms are as AWS advises; those of all others are as the template has them.",
            well_configured=True,
        ),
        Demo(
            "midnight-duplicates",
            "Clients and an upstream system repeated events. Within a day that is harmless; after "
            "midnight the repetition leaves the index pointing at objects that were never written. "
            "Around midnight, replays also miss events whose time has a fraction of a second.",
            (
                "duplicate-next-day", "duplicate-after-processing", "upstream-replay",
                "timeout-after-row", "window-edge", "retries-exponential", "reaccepted",
            ),
        ),
        Demo(
            "lost-events",
            "Events were accepted and are gone: ingest died half-way, objects were deleted, "
            "a replay stopped at its limit, a queue was purged, and then the consumer was stopped.",
            (
                "crash-dedupe-retried", "crash-dedupe-lost", "crash-raw-row-lost",
                "crash-raw-row-healed", "raw-deleted-unprocessed", "raw-deleted-processed",
                "raw-corrupt", "limit-truncation", "replay-timeout", "queue-purged",
                "consumer-stopped",
            ),
        ),
        Demo(
            "wrong-aggregates",
            "All events are there, and still the counts per day are wrong, each in its own way.",
            (
                "batch-split", "same-second-overwrite", "doubled-batch", "late-after-aggregate",
                "aggregate-rewritten", "aggregate-deleted", "limit-truncation", "double-charge",
                "processor-error", "window-edge",
            ),
        ),
        Demo(
            "everything",
            "Every fault the sandbox knows, at once, on top of healthy traffic.",
            tuple(fault.name for fault in faults),
            "No fault had to be left out. Faults do not disturb each other, because each has a "
            "source and an entity of its own; what stops or blinds the consumer or the replay "
            "happens last, on the morning of the 13th.",
        ),
    )
}  # fmt: skip


def demo_named(name: str) -> Demo:
    """Return the demo case of that name; raise `UsageError` naming all."""
    if name not in DEMOS:
        raise UsageError.unknown("demo case", name, DEMOS)
    return DEMOS[name]


def regenerate(folder: str | Path, names: Iterable[str] | None = None) -> list[Path]:
    """Build demo cases anew and return their folders; one version always gives the same bytes."""
    built = []
    for name in DEMOS if names is None else names:
        demo, target = demo_named(name), Path(folder) / name
        _refuse_to_replace_others(target)
        with tempfile.TemporaryDirectory() as workshop:
            draft = Path(workshop) / name
            truth = stage_and_capture(draft, demo.faults, well_configured=demo.well_configured)
            truth.write(draft)
            (draft / "README.md").write_text(readme(demo, truth), encoding="utf-8")
            put_in_place(draft, target)
        built.append(target)
    return built


def put_in_place(draft: Path, target: Path) -> None:
    """Put a demo case in the place of an older one. A kill at any moment leaves there the old one,
    the new one, or nothing: half a case would be refused for ever as somebody else's."""
    # Not `.NAME.partial`, which an unfinished capture of a case of that name is called.
    new, old = (target.with_name(f".{target.name}.{what}") for what in ("new-demo", "old-demo"))
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(draft, new)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _refuse_to_replace_others(target: Path) -> None:
    if target.exists() and not (target / TRUTH).is_file():
        raise UsageError(
            f"{target} exists and is no demo case; evidence is never overwritten",
            hint="choose another folder for the demo cases",
        )


def stage_and_capture(
    folder: Path,
    fault_names: Sequence[str] = (),
    feeds: Sequence[Feed] = FEEDS,
    *,
    well_configured: bool = False,
    design: Design = REFERENCE,
) -> GroundTruth:
    """Let the faults happen on top of traffic, write the case to `folder` and return the truth."""
    with staged(fault_names, feeds, well_configured=well_configured, design=design) as staging:
        sandbox, truth = staging
        take(sandbox, folder)
    return truth


def refuse_small_batches(design: Design) -> None:
    """Raise `UsageError` for a pipeline whose batches do not hold what the stories hand over at
    once."""
    least = LARGEST_BATCH if design.aggregate.period == "day" else LARGEST_BATCH_OF_AN_HOUR
    if design.batch_size < least:
        raise UsageError(
            f"the sandbox cannot stage the pipeline {design.name}: its batches hold "
            f"{design.batch_size} messages, and the stories need {least}",
            hint="give the design a larger batch_size to stage it",
        )


@contextmanager
def staged(
    fault_names: Sequence[str] = (),
    feeds: Sequence[Feed] = FEEDS,
    *,
    log_format: str = "JSON",
    well_configured: bool = False,
    design: Design = REFERENCE,
) -> Iterator[tuple[Sandbox, GroundTruth]]:
    """A pipeline in an emulator in which everything has happened, and the truth about it."""
    truth = GroundTruth()
    refuse_small_batches(design)
    options = SandboxOptions(
        start=DEPLOYED, log_format=log_format, well_configured=well_configured, design=design,
        name="demo" if design == REFERENCE else design.name,
    )  # fmt: skip
    with emulator(options) as sandbox:
        record_template_gaps(sandbox, truth)
        plot = Plot(sandbox, truth, Random(sandbox.options.seed), "healthy")  # noqa: S311
        stories = [*healthy_traffic(plot, feeds), *stories_of_faults(plot, fault_names)]
        # The metrics of the last minute are not out yet when the capture asks for them.
        perform(sandbox, stories, until=CAPTURED - timedelta(minutes=2))
        sandbox.clock.move_to(CAPTURED)
        yield sandbox, truth


def take(sandbox: Sandbox, folder: Path) -> Case:
    """Capture a sandbox, messages included, with the same code that captures a pipeline on AWS."""
    settings = Settings(sandbox.names, WINDOW)
    # A redrive policy forbids a sample, which could move a message. Nothing waits where one is.
    options = CaptureOptions(
        WINDOW, CAPTURED, sample_messages=SAMPLE_MESSAGES,
        force_sampling=sandbox.options.well_configured,
    )  # fmt: skip
    connection = connect(region=sandbox.options.region, sampling=True, objects="botocore")
    return capture(folder, settings, connection, options)


def readme(demo: Demo, truth: GroundTruth) -> str:
    """Return the page beside a demo case: what happened, and what must be found."""
    happened = [f"| `{name}` | {faults[name].summary} |" for name in sorted(demo.faults)]
    found = [f"| `{code}` | {len(keys)} |" for code, keys in sorted(truth.findings.items())]
    verdicts = [
        f"| {entity} | {day} | {verdict} |"
        for (entity, day), verdict in sorted(truth.days.items())
        if verdict != "complete"
    ]
    retries = [f"| {group} | {pattern} |" for (group, _), pattern in sorted(truth.retries.items())]
    sections = [
        f"# {demo.name}\n\n{demo.about}",
        _table("What happened", ("fault", "what"), happened),
        _table("What the notebooks must find", ("code", "keys"), found),
        _table("Days whose aggregates are not complete", ("entity", "day", "verdict"), verdicts),
        _table("How clients repeated their attempts", ("source", "pattern"), retries),
        _table("What cannot be told", ("code",), [f"| `{code}` |" for code in truth.not_evaluated]),
        demo.remarks,
        "All keys stand in `truth.json`, which the faults wrote while they happened; no check was "
        "asked. `investigate sandbox demo` builds this folder anew, byte for byte.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _table(title: str, columns: Sequence[str], rows: Sequence[str]) -> str:
    if not rows:
        return ""
    head = f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}"
    return f"## {title}\n\n{head}\n" + "\n".join(rows)
