"""Captures of a served pipeline while one service of AWS fails in one way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks.reliability.commands import Command, Running, Said, said
from benchmarks.reliability.judge import differences, half_written_case, no_case
from benchmarks.reliability.trial import Trial, Verdict, bug, first, sentence_of, unclear
from investigate.aws import action_of
from investigate.capture.draft import draft_folder_of
from investigate.case import MANIFEST, Case, open_case
from investigate.commands.sandbox import configuration
from investigate.model import isoformat
from investigate.sandbox.demo import staged
from investigate.sandbox.serve import Served, serve
from investigate.sandbox.stories import CAPTURED, WINDOW
from investigate.sandbox.traffic import LIGHT
from investigate.sandbox.weather import CALM, Weather

SERVICES = {
    "S3": "s3", "DynamoDB": "dynamodb", "SQS": "sqs", "Logs": "logs", "Lambda": "lambda",
}  # fmt: skip
ALL = "all"
# What is captured to meet a service: that the other tables stay whole is tested elsewhere
# (tests/capture/test_campaigns.py).
TABLES = {
    "s3": "raw",
    "dynamodb": "events,dedupe,aggregates",
    "sqs": "queue_state,mappings",
    "logs": "invocations,log_lines,metric_points",
    "lambda": "functions,mappings,deployments",
    ALL: "",
}
# A few events a day are enough: the time of a trial is that of its requests.
FEEDS = tuple(replace(feed, per_day=4) for feed in LIGHT)
FAULTS = ("raw-corrupt", "crash-dedupe-lost", "processor-error", "limit-truncation")
HASTY = 2.0  # seconds for an answer where one does not come
CHANCES = 5  # draws, until at least one request to a service of few requests is hit
WHOLE = "every row is there"


@dataclass(frozen=True, slots=True)
class ServiceFailure:
    """One way in which a service fails: what befalls its requests, and whether it passes."""

    failure: str
    injected: str
    weather: Weather
    passes: bool
    hasty: bool = False


SERVICE_FAILURES = (
    ServiceFailure("throttled", "3 of 10 requests", Weather(throttled=0.3, seed=15), passes=True),
    ServiceFailure("throttled", "every request", Weather(throttled=1), passes=False),
    ServiceFailure(
        "timed out", "2 of 10 requests get no answer", Weather(hung=0.2, seed=3), True, True
    ),
    ServiceFailure("timed out", "no request gets an answer", Weather(hung=1), False, True),
    ServiceFailure(
        "cut off halfway", "3 of 10 answers: the connection ends, or the end is lacking",
        Weather(broken=0.15, truncated=0.15, seed=13), passes=True,
    ),
    ServiceFailure("cut off halfway", "every answer", Weather(truncated=1), passes=False),
    ServiceFailure(
        "wrong shape", "2 of 10 answers are a web page", Weather(misshapen=0.2, seed=5), True
    ),
    ServiceFailure("wrong shape", "every answer is a web page", Weather(misshapen=1), passes=False),
    ServiceFailure(
        "wrong shape", "every answer is well-formed and of another question",
        Weather(unrelated=1), passes=False,
    ),
    ServiceFailure(
        "empty", "2 of 10 answers have no content", Weather(emptied=0.2, seed=5), passes=True
    ),
    ServiceFailure("empty", "no answer has content", Weather(emptied=1), passes=False),
    ServiceFailure(
        "enormous", "1 of 10 answers has 8 MB more than its content", Weather(swollen=0.1, seed=5),
        passes=True,
    ),
    ServiceFailure("slow", "every answer is late", Weather(slow=1, seconds=0.05), passes=True),
)  # fmt: skip
FAST = {("DynamoDB", "wrong shape"), ("DynamoDB", "empty"), ("Logs", "cut off halfway")}
MOMENTS = (0.0, 0.5, 1.0)  # shares of the requests to a service, at which a capture is killed


@dataclass
class Pipeline:
    """A served pipeline in which something has happened, and the capture that nothing disturbed."""

    served: Served
    config: Path
    quiet: Path
    tables: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    parts: dict[str, Pipeline] = field(default_factory=dict)

    def part(self, service: str) -> Pipeline:
        """Return the same pipeline with a quiet capture of the tables of one service, or of all."""
        if service not in self.parts:
            case = self.config.parent / service / "case"
            self.parts[service] = quiet(replace(self, quiet=case, tables=TABLES[service]))
        return self.parts[service]

    def arguments(self, folder: Path, *more: str) -> tuple[str, ...]:
        """Return the command line that captures it into a folder."""
        more = (*more, *(("--only", self.tables) if self.tables else ()))
        return (
            "capture", str(folder), "--config", str(self.config),
            "--endpoint-url", self.served.url, "--now", isoformat(CAPTURED), *more,
        )  # fmt: skip

    def capture(self, folder: Path, *more: str, hasty: bool = False) -> Said:
        """Capture it in the weather that there is."""
        return said(*self.arguments(folder, *more), answer_seconds=HASTY if hasty else None)

    @property
    def case(self) -> Case:
        """The case that nothing disturbed."""
        return open_case(self.quiet)


@contextmanager
def pipeline(place: Path) -> Iterator[Pipeline]:
    """A pipeline behind a URL, of which nothing was captured yet."""
    with staged(FAULTS, FEEDS) as (sandbox, _), serve(sandbox) as served:
        config = place / "pipeline.toml"
        config.write_text(configuration(sandbox.names, WINDOW), encoding="utf-8")
        yield Pipeline(served, config, place / "case")


def quiet(known: Pipeline) -> Pipeline:
    """Return a pipeline after its undisturbed capture; raise `RuntimeError` if there is none."""
    known.served.become(CALM)
    known.quiet.parent.mkdir()
    told = known.capture(known.quiet)
    if told.code:
        raise RuntimeError(f"an undisturbed capture fails: {told.err}")
    known.requests = known.served.requests
    return known


def trials(whole: Pipeline, boundary: str) -> Iterator[Trial]:
    """Yield every trial of a service of AWS."""
    service = SERVICES[boundary]
    for failure in SERVICE_FAILURES:
        run = partial(_weathered, whole, service, failure)
        fast = (boundary, failure.failure) in FAST
        yield Trial(boundary, failure.failure, "capture", failure.injected, run, fast=fast)
    yield Trial(boundary, "denied", "capture", "every action", partial(_denied, whole, service))
    for share in MOMENTS:
        run = partial(_killed, whole, service, share)
        yield Trial(
            boundary, "killed", "capture", "SIGKILL at one of its requests", run, f"{share:.0%}"
        )


def _weathered(whole: Pipeline, service: str, failure: ServiceFailure, place: Path) -> Verdict:
    known = whole.part(service)
    for chance in range(CHANCES):
        weather = replace(
            failure.weather, only=frozenset({service}), seed=failure.weather.seed + chance
        )
        known.served.become(weather)
        folder = place / str(chance) / "case"
        folder.parent.mkdir()
        told = known.capture(folder, hasty=failure.hasty)
        if any(asked.fate for asked in known.served.record):
            return judged(known, service, folder, told, passes=failure.passes)
    raise RuntimeError(f"nothing befell a request to {service}")


def _denied(whole: Pipeline, service: str, place: Path) -> Verdict:
    known = whole.part(service)
    actions = {action_of(*asked) for asked in known.requests if asked[0] == service}
    known.served.become(Weather(denied=frozenset(actions)))
    folder = place / "case"
    return judged(known, service, folder, known.capture(folder), passes=False)


def _killed(whole: Pipeline, service: str, share: float, place: Path) -> Verdict:
    known = whole.part(service)
    many = sum(asked == service for asked, _ in known.requests)
    folder, nth = place / "case", 1 + int(share * (many - 1))
    known.served.become(CALM)
    running = Running(Command(known.arguments(folder)))
    guard, seen = threading.Lock(), 0

    def kill(number: int) -> None:
        nonlocal seen
        with guard:
            seen += known.served.record[number - 1].service == service
            if seen >= nth:
                running.signal(signal.SIGKILL)

    known.served.hook = kill
    told = running.said()
    known.served.hook = None
    if told.code != -signal.SIGKILL:
        raise RuntimeError(f"it was not killed: {told}")
    return judged(known, service, folder, told, passes=False)


def judged(known: Pipeline, service: str, folder: Path, told: Said, *, passes: bool) -> Verdict:
    """Return the verdict on a capture: its case, or what it left, and what it said."""
    known.served.become(CALM)
    if (folder / MANIFEST).exists():
        return _judged_case(known, service, folder, told, passes=passes)
    half = no_case(folder)
    killed = told.code == -signal.SIGKILL
    wrong = first(
        bug(told),
        f"exit code {told.code} and no case" if told.code not in (2, -signal.SIGKILL) else "",
        "what passes ended it" if passes else "",
    )
    sentence = "" if killed else sentence_of(told)
    resumable = draft_folder_of(folder).exists()
    again = known.capture(folder, *(["--resume"] if resumable else []))
    lost = again.err if again.code else ", ".join(differences(folder, known.quiet))
    ends = "killed" if killed else "exit 2, no case"
    ends += "; `--resume` gives every row" if resumable else "; the same again gives every row"
    return Verdict(
        ends, lost=lost, half_written=half, wrong=wrong, sentence=sentence,
        unclear="" if killed else unclear(sentence, f"{service}:"),
    )  # fmt: skip


def _judged_case(
    known: Pipeline, service: str, folder: Path, told: Said, *, passes: bool
) -> Verdict:
    half, case = half_written_case(folder), open_case(folder)
    lacking = [
        name
        for name, was in known.case.coverage.items()
        if case.coverage[name].status != was.status
    ]
    differ = differences(folder, known.quiet)
    lost = [
        f"{table} is called captured, and is not what a quiet capture holds"
        for table, files in known.case.files.items()
        if table not in lacking and case.files.get(table) != files
    ]
    wrong = first(
        bug(told),
        f"exit code {told.code} and a case" if told.code else "",
        f"what passes left its traces: {', '.join(differ)}" if passes and differ else "",
    )
    if not lacking:
        return Verdict(f"exit 0, {WHOLE}", "; ".join(lost), half_written=half, wrong=wrong)
    return Verdict(
        f"exit {told.code}, a case without all of {_few(lacking)}",
        "; ".join(lost), half_written=half, wrong=wrong, **_message(case, lacking, told, service),
    )  # fmt: skip


def _few(tables: Sequence[str]) -> str:
    return f"{len(tables)} tables, which say so" if len(tables) > 2 else " and ".join(tables)


def _message(case: Case, lacking: Sequence[str], told: Said, service: str) -> dict[str, str]:
    """Return what was said of the tables that lack something, and what is unclear in it."""
    reasons = [f"{case.coverage[name].status}: {case.coverage[name].reason}" for name in lacking]
    silent = [name for name, reason in zip(lacking, reasons, strict=True) if service not in reason]
    shown = reasons[0].split(";")[0] if reasons else ""
    hints = [line for line in told.err.splitlines() if line.startswith("not everything")]
    sentence = " → ".join([shown, *hints])
    lacks = f"no reason of {', '.join(silent)}" if silent else unclear(sentence, f"{service}:")
    return {"sentence": sentence, "unclear": lacks}
