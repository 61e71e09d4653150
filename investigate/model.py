"""The nouns of an investigation: steps, severities, outcomes, windows, findings. No files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, IntEnum

from investigate.errors import UsageError


class Step(Enum):
    """The six steps in the order of the golden path, then the three chapters."""

    RAW = "raw"
    EVENTS = "events"
    REPLAY = "replay"
    SQS = "sqs"
    PROCESSOR = "processor"
    AGGREGATES = "aggregates"
    RETRIES = "retries"
    DEAD_LETTERS = "dead-letters"
    CONFIGURATION = "configuration"

    @property
    def is_chapter(self) -> bool:
        """Whether this is one of the three chapters, which are not steps of the walk."""
        return self in CHAPTERS

    @classmethod
    def parse(cls, name: str) -> Step:
        """Return the step of that name; raise `UsageError` naming the known ones."""
        try:
            return cls(name)
        except ValueError:
            raise UsageError.unknown("step", name, [step.value for step in cls]) from None


CHAPTERS = frozenset({Step.RETRIES, Step.DEAD_LETTERS, Step.CONFIGURATION})
STEPS = tuple(step for step in Step if step not in CHAPTERS)


class Severity(IntEnum):
    """How bad a finding is; ordered, so that `>=` works."""

    EXPECTED = 10
    SUSPECT = 20
    DANGEROUS = 30
    ESCALATE = 40

    @property
    def label(self) -> str:
        """The word used in the findings document."""
        return self.name.lower()

    @classmethod
    def parse(cls, name: str) -> Severity:
        """Return the severity of that name; raise `UsageError` naming the known ones."""
        for severity in cls:
            if severity.label == name:
                return severity
        raise UsageError.unknown("severity", name, [severity.label for severity in cls])


class Outcome(Enum):
    """What came of a check. A check without evidence never passes."""

    PASSED = "passed"
    FOUND = "found"
    NOT_EVALUATED = "not-evaluated"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open interval of time: start ≤ t < end, both aware and in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise UsageError(
                f"the window is empty: {isoformat(self.start)} to {isoformat(self.end)}",
                hint="give a start before the end, for example "
                "--start 2026-03-10T00:00:00Z --end 2026-03-11T00:00:00Z",
            )

    @classmethod
    def parse(cls, start: str, end: str) -> Window:
        """Read two ISO 8601 times with an offset; raise `UsageError` for anything else."""
        return cls(parse_time(start, "start"), parse_time(end, "end"))

    def contains(self, moment: datetime) -> bool:
        """Whether start ≤ moment < end."""
        return self.start <= moment < self.end


def parse_time(text: str, name: str = "time") -> datetime:
    """Return the UTC time of an ISO 8601 text with an offset; raise `UsageError` otherwise."""
    try:
        moment = datetime.fromisoformat(text)
        in_utc = moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, TypeError, OverflowError):  # an offset may lead out of the calendar
        example = "write it with its offset from UTC, for example 2026-03-10T00:00:00Z"
        raise UsageError(f"{name}: {text!r} is not an ISO 8601 time", hint=example) from None
    if in_utc is None:
        asked = moment.isoformat()
        hint = f"write {asked}Z if it is UTC, else its offset, as in {asked}+01:00"
        raise UsageError(f"{name}: {text!r} has no offset from UTC", hint=hint)
    return in_utc


def counted(count: int, noun: str, nouns: str = "") -> str:
    """Return a number with its noun, as "1 day" or "2,300 days"."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def joined(*reasons: str) -> str:
    """Return those of these reasons that say something, each once, as one text."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))


def isoformat(moment: datetime) -> str:
    """Return UTC ISO 8601 with a `Z`, microseconds only where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check. `count` is exact; `keys` are in a fixed order and may be cut."""

    code: str
    step: Step
    outcome: Outcome
    severity: Severity
    question: str
    summary: str
    key: str
    count: int = 0
    keys: tuple[str, ...] = ()
    reason: str | None = None
    advice: str = ""
    avoid: str = ""

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.FOUND) != bool(self.keys):
            raise ValueError(f"{self.code}: a finding cites keys, and only a finding does")
        if self.outcome in (Outcome.NOT_EVALUATED, Outcome.ERROR) and not self.reason:
            raise ValueError(f"{self.code}: {self.outcome.value} needs a reason")


def verdict(findings: Iterable[Finding]) -> str:
    """Return the highest severity found, else `not-evaluated` if a gap remains, else `passed`.

    No finding at all is `not-evaluated`: nobody looked.
    """
    findings = list(findings)
    found = [finding.severity for finding in findings if finding.outcome is Outcome.FOUND]
    if found:
        return max(found).label
    if not findings or any(finding.outcome is not Outcome.PASSED for finding in findings):
        return Outcome.NOT_EVALUATED.value
    return Outcome.PASSED.value
