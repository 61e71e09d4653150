"""Texts that were written for the reference pipeline, in the words of another one."""

from __future__ import annotations

import re

from investigate.model import Step
from investigate.pipeline import REFERENCE, Design

_A_DAY = re.compile(r"\b([Aa]) day\b")
_DAY = re.compile(r"\bday\b")
_AN_HOUR = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}")
_DAYS = re.compile(r"\bdays\b")


def worded(text: str, design: Design, step: Step | None = None) -> str:
    """Return a text with the status words of a design, and, of the step of the aggregates, with
    hours for days where an aggregate is one of an hour."""
    if design == REFERENCE:
        return text
    for theirs, own in zip(REFERENCE.statuses, design.statuses, strict=True):
        text = own.join(re.split(rf"\b{theirs}\b", text))
    return of_periods(text, design.aggregate.period) if step is Step.AGGREGATES else text


def of_periods(text: str, period: str) -> str:
    """Return a text about days, about the periods of aggregates."""
    if period == "day":
        return text
    return _DAYS.sub(f"{period}s", _DAY.sub(period, _A_DAY.sub(rf"\1n {period}", text)))


def period_named(day: str) -> str:
    """Return whether a period's text is that of a `day` or of an `hour`."""
    return "hour" if _AN_HOUR.fullmatch(day) else "day"


def reading_note(design: Design) -> str:
    """Return how texts that are the same for every pipeline are to be read; empty for the reference
    pipeline, for which they were written."""
    if design == REFERENCE:
        return ""
    ours, theirs = REFERENCE.aggregate, design.aggregate
    value = f"the sum of {theirs.summed}" if theirs.summed else "the number of its events"
    told = [
        f"The pipeline has the design {design.name}",
        f"an aggregate ({theirs.metric_name}) is {value} of one {theirs.period}",
    ]
    if ours.period != theirs.period:
        told.append(f"where a text or a column says {ours.period}, read {theirs.period}")
    if REFERENCE.statuses != design.statuses:
        accepted, duplicate = design.statuses
        told.append(f"its statuses are {accepted} and {duplicate}, not ACCEPTED and DUPLICATE")
    return "; ".join(told) + "."
