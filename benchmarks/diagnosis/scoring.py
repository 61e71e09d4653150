"""What was found against what happened, key by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.diagnosis.knowable import SUFFICES, is_knowable
from benchmarks.diagnosis.levels import Level
from investigate.model import Finding, Outcome
from investigate.sandbox.incidents import Incident
from investigate.sandbox.truth import GroundTruth

INSUFFICIENT = "insufficient"
NONE = "none"
MANAGED = ("lambda-async", "sqs-visibility", "stream-mapping", "eventbridge", "sdk")


@dataclass
class Score:
    """The score of one incident. `missed` and `extra` are (code, key); `false_passes` are codes
    that passed although something had happened; `days` and `retries` are what was said wrongly."""

    level: str
    found: Counter[str] = field(default_factory=Counter)
    unknowable: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[str, str]] = field(default_factory=list)
    extra: list[tuple[str, str]] = field(default_factory=list)
    false_passes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    not_modelled: Counter[str] = field(default_factory=Counter)
    days_right: int = 0
    days_wrong: list[str] = field(default_factory=list)
    retries: Counter[tuple[str, str, bool]] = field(default_factory=Counter)

    @property
    def misses(self) -> list[str]:
        """Everything that is wrong, in words."""
        return [
            *(f"missed {code} {key}" for code, key in self.missed),
            *(f"extra {code} {key}" for code, key in self.extra),
            *(f"passed {code}" for code in self.false_passes),
            *(f"error {code}" for code in self.errors),
            *self.days_wrong,
            *(
                f"retries: {told} instead of {true}"
                for true, told, enough in self.retries
                if not retry_is_right(true, told, enough=enough)
            ),
        ]


def retry_is_right(true: str, told: str, *, enough: bool) -> bool:
    """Return whether a retry pattern was told well: where there is too little to tell it, no answer
    is right as well."""
    return told == true or (told == INSUFFICIENT and not enough)


def score(
    findings: Iterable[Finding],
    document: Mapping[str, Any],
    truth: GroundTruth,
    level: Level,
    incident: Incident,
) -> Score:
    """Return how well an examination tells what happened, with the evidence of a level."""
    result = Score(level.name)
    for finding in findings:
        if finding.code in SUFFICES:
            _score_finding(result, finding, truth.findings.get(finding.code, set()), level)
        elif finding.outcome is Outcome.FOUND:
            result.not_modelled[finding.code] += finding.count
    if "lines" not in level.lacks:
        _score_retries(result, document, truth, level, incident)
    _score_days(result, document, truth, level)
    return result


def _score_finding(result: Score, finding: Finding, happened: set[str], level: Level) -> None:
    code, found = finding.code, set(finding.keys)
    result.found[code] += len(found & happened)
    result.extra += [(code, key) for key in sorted(found - happened)]
    lost = sorted(happened - found)
    if is_knowable(code, level.lacks):
        result.missed += [(code, key) for key in lost]
    else:
        result.unknowable[code] += len(lost)
    if happened and finding.outcome is Outcome.PASSED:
        result.false_passes.append(code)
    if finding.outcome is Outcome.ERROR:
        result.errors.append(f"{code}: {finding.reason}")


# What tells of the attempts in a channel, besides log lines.
OF_CHANNEL = {"client": frozenset[str](), "queue": frozenset({"calls", "queues"})}
# A key that was used again for other data looks like a retry to who cannot see both payloads.
OF_PAYLOADS = frozenset({"raw_list", "raw_bodies", "events"})


def _score_retries(
    result: Score,
    document: Mapping[str, Any],
    truth: GroundTruth,
    level: Level,
    incident: Incident,
) -> None:
    enough = {retrier.name: retrier.enough for retrier in incident.retriers}
    told = {(row["group"], row["channel"]): row["pattern"] for row in document["retries"]}
    for key in sorted(told.keys() | truth.retries.keys()):
        true, said = truth.retries.get(key, NONE), told.get(key, NONE)
        if said == NONE and level.lacks & OF_CHANNEL[key[1]]:
            continue
        if (true, said) == (NONE, INSUFFICIENT) and level.lacks & OF_PAYLOADS:
            continue
        result.retries[true, said, enough.get(key[0], True)] += 1


def _score_days(
    result: Score, document: Mapping[str, Any], truth: GroundTruth, level: Level
) -> None:
    told = {(row["entity_id"], row["day"]): row["verdict"] for row in document["aggregates"]}
    whole = not level.lacks
    for key in sorted(told.keys() | truth.days.keys()):
        true, said = truth.days.get(key), told.get(key)
        if true == said:
            result.days_right += 1
        elif whole:
            result.days_wrong.append(f"day {' '.join(key)}: {said} instead of {true}")
