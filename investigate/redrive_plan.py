"""The plan for dead letters: a decision for each, as a document, and as a table people can edit."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, TypeVar, get_origin, get_type_hints

from investigate.analysis.dead_letters import DECISIONS, RETRY, letter_decisions, urgent_first
from investigate.case import digest
from investigate.errors import UsageError, quoted
from investigate.evidence import Evidence
from investigate.model import isoformat
from investigate.plan_integrity import with_digest

SCHEMA = "investigate.redrive-plan/1"
# What a person may change stands last.
COLUMNS = (
    "message_id", "queue_arn", "channel", "event_id", "until", "fingerprint", "reason", "decision",
    "note",
)  # fmt: skip
_FORMULA = "=+-@\t\r"  # a spreadsheet would run what begins so
_SHIELD = "'"


@dataclass(frozen=True, slots=True)
class PlannedLetter:
    """One dead letter and what is to become of it; `None` is what the case does not tell. `note`
    is empty, or says who decided otherwise than the rules, and why."""

    message_id: str
    queue_arn: str | None
    channel: str
    destination: str | None
    event_id: str | None
    function: str | None
    fingerprint: str
    lasting: str
    times: int
    attempts: int | None
    processed: bool | None
    deployed_since: bool | None
    consumers: int | None
    fifo: bool
    pointer: bool
    until: str | None
    expired: bool
    body_sha: str | None
    decision: str
    reason: str
    note: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells letters apart: the message and the queue it lies in."""
        return self.message_id, self.queue_arn or ""


@dataclass(frozen=True, slots=True)
class RedrivePlan:
    """What is to become of every dead letter of a case, the most urgent first. `manifest` is the
    digest of the case's manifest: a plan is of one capture only."""

    case: str
    captured_at: str
    manifest: str
    letters: tuple[PlannedLetter, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many letters have which decision; every decision is there."""
        found = Counter(letter.decision for letter in self.letters)
        return {decision: found[decision] for decision in DECISIONS}


_Plan = TypeVar("_Plan", PlannedLetter, RedrivePlan)


def plan_of(evidence: Evidence) -> RedrivePlan:
    """Return the plan by the rules alone; raise `NotEvaluable` where letters were not received."""
    rows = evidence.in_scope(letter_decisions(evidence))
    letters = tuple(_letter(row) for row in evidence.engine.rows(urgent_first(rows)))
    case = evidence.case
    return RedrivePlan(
        case.name, isoformat(case.captured_at), digest(case.folder / "case.json"), letters
    )


def _letter(row: Mapping[str, Any]) -> PlannedLetter:
    same = PlannedLetter.__dataclass_fields__.keys() & row.keys()
    until: datetime | None = row["until_utc"]
    return PlannedLetter(
        **{name: row[name] for name in same},
        until=None if until is None else f"{until.isoformat(timespec='seconds')}Z",
        expired=row["left_s"] is not None and row["left_s"] <= 0,
    )


def document(plan: RedrivePlan) -> dict[str, Any]:
    """Return a plan as plain values in a fixed order, with its digest."""
    return with_digest(
        {
            "schema": SCHEMA,
            "case": plan.case,
            "captured_at": plan.captured_at,
            "manifest": plan.manifest,
            "counts": plan.counts,
            "letters": [asdict(letter) for letter in plan.letters],
        }
    )


def of_document(told: Mapping[str, Any]) -> RedrivePlan:
    """Return the plan in a document; raise `UsageError` if it is none."""
    if told.get("schema") != SCHEMA:
        raise UsageError(
            f"this is no redrive plan: its schema is {quoted(told.get('schema'))}, not {SCHEMA!r}",
            hint="make one: investigate redrive-plan CASE --format json",
        )
    try:
        letters = tuple(_of_kinds(PlannedLetter(**letter)) for letter in told["letters"])
        return _of_kinds(RedrivePlan(told["case"], told["captured_at"], told["manifest"], letters))
    except (KeyError, TypeError) as error:
        raise UsageError(
            f"the redrive plan is not whole: {quoted(str(error))}",
            hint="make it anew: investigate redrive-plan CASE --format json",
        ) from error


def _of_kinds(known: _Plan) -> _Plan:
    """Return what was read; raise `TypeError` if a value in it is not of the kind that it says."""
    for name, kind in get_type_hints(type(known)).items():
        value = getattr(known, name)
        if not isinstance(value, get_origin(kind) if get_origin(kind) is tuple else kind):
            raise TypeError(f"{name} is {quoted(value)}")
    return known


def as_csv(plan: RedrivePlan) -> str:
    """Return the decisions as CSV (RFC 4180, header first). What a spreadsheet would take for a
    formula begins with an apostrophe, which is taken off again when it is read."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for letter in plan.letters:
        writer.writerow([_shielded(getattr(letter, name)) for name in COLUMNS])
    return sink.getvalue()


def with_decisions(plan: RedrivePlan, text: str, name: str = "the table") -> RedrivePlan:
    """Return a plan with the decisions and notes of an edited CSV table.

    Raises `UsageError` for a table of another case or shape, an unknown decision, a decision other
    than the rules' without a note, and one that no note can justify: sending again what has
    expired, what is counted already, or what holds no record.
    """
    edited = _edited(text, name)
    known = {letter.key for letter in plan.letters}
    strange = [key for key in edited if key not in known]
    if strange:
        raise UsageError(
            f"{name} decides about {quoted(strange[0][0])}, and the case holds no such dead letter",
            hint="start from this case's own table: investigate redrive-plan CASE --format csv",
        )
    return replace(plan, letters=tuple(_redecided(letter, edited, name) for letter in plan.letters))


def _edited(text: str, name: str) -> dict[tuple[str, str], dict[str, str]]:
    try:
        return _cells(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))), name)
    except csv.Error as error:
        raise UsageError(
            f"{name} cannot be read as CSV: {error}",
            hint="save it again as CSV (comma, UTF-8), or start from --format csv",
        ) from error


def _cells(reader: csv.DictReader[str], name: str) -> dict[tuple[str, str], dict[str, str]]:
    needed = ("message_id", "queue_arn", "decision", "note")
    lacking = [column for column in needed if column not in (reader.fieldnames or ())]
    if lacking:
        raise UsageError(
            f"{name} has no column {', '.join(lacking)}",
            hint=f"keep the header of --format csv: {','.join(COLUMNS)}",
        )
    edited: dict[tuple[str, str], dict[str, str]] = {}
    for row in reader:
        cells = {column: _unshielded(row[column] or "") for column in needed}
        key = cells["message_id"], cells["queue_arn"]
        if key in edited:
            raise UsageError(
                f"{name} decides twice about {quoted(key[0])}",
                hint="leave one line for each dead letter",
            )
        edited[key] = cells
    return edited


def _redecided(
    letter: PlannedLetter, edited: Mapping[tuple[str, str], Mapping[str, str]], name: str
) -> PlannedLetter:
    row = edited.get(letter.key)
    if row is None:
        return letter
    decision, note = row["decision"].strip(), row["note"].strip()
    where = f"{name}, {letter.message_id}: "
    if decision not in DECISIONS:
        raise UsageError(f"{where}{UsageError.unknown('decision', decision, DECISIONS)}")
    if decision == letter.decision:
        return replace(letter, note=note)
    if decision == RETRY and (why := _never_again(letter)):
        raise UsageError(f"{where}retry is refused: {why}", hint="choose archive or escalate")
    if not note:
        raise UsageError(
            f"{where}{decision!r} is not what the rules say ({letter.decision}: {letter.reason}), "
            "and the note does not say why",
            hint="write who decided and why into the column note",
        )
    return replace(letter, decision=decision, note=note)


def _never_again(letter: PlannedLetter) -> str:
    """Why no note can justify sending a letter again; empty if one can."""
    if letter.expired:
        return "it has expired"
    if letter.processed:
        return "a version counts its event already, so it would be counted twice"
    return "it holds pointers and no record" if letter.pointer else ""


def _shielded(value: object) -> str:
    text = "" if value is None else str(value)
    return f"{_SHIELD}{text}" if text[:1] and text[0] in _FORMULA + _SHIELD else text


def _unshielded(text: str) -> str:
    return text[1:] if text[:1] == _SHIELD and text[1:2] and text[1] in _FORMULA + _SHIELD else text


def summary_of(letters: Sequence[PlannedLetter]) -> list[tuple[str, str, int]]:
    """Return (fingerprint, decision, letters), the most letters first."""
    counts = Counter((letter.fingerprint, letter.decision) for letter in letters)
    ordered = sorted(counts.items(), key=lambda known: (-known[1], known[0]))
    return [(fingerprint, decision, many) for (fingerprint, decision), many in ordered]
