"""What a case must not hold: fields the user named, the account id, and secrets of AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from investigate.aws.secrets import HIDDEN, SIGNS, may_hold_secrets, redact
from investigate.capture.source import Row
from investigate.capture.values import MASKED, by_itself
from investigate.errors import UsageError

_RECIPE = "the ids and hashes of events are made of it"
_ROWS = "rows and objects are found by it"
_LINES = "log lines are compared by it"
_COLUMN = "of log lines, invocations and dead letters it is a column of its own"
# Fields that a case is useless without, and why.
INDISPENSABLE: Mapping[str, str] = {
    "event_id": "the tables are joined by it",
    "entity_id": "the tables are joined by it",
    "source": _RECIPE, "event_type": _RECIPE, "event_time": _RECIPE, "payload_sha": _RECIPE,
    "idempotency_key": _RECIPE,
    "ingest_time": "arrivals are ordered by it",
    "first_seen_ingest_time": "arrivals are ordered by it",
    "ingest_lag_ms": "arrivals are compared by it",
    "ttl_epoch": "it says which rows have expired",
    "status": "it says which events were accepted",
    "s3_bucket": _ROWS, "s3_key": _ROWS,
    "PK": _ROWS, "SK": _ROWS, "GSI1PK": _ROWS, "GSI1SK": _ROWS,
    "pk": _ROWS, "sk": _ROWS, "gsi1pk": _ROWS, "gsi1sk": _ROWS,
    "day": "aggregates are compared by it", "version": "aggregates are compared by it",
    "metric_name": "aggregates are compared by it", "value": "aggregates are compared by it",
    "inputs_hash": "aggregates are recomputed to it",
    "input_count": "aggregates are compared by it",
    "sample_event_ids": "aggregates are explained by it",
    "computed_at": "aggregates are ordered by it",
    "request_id": "log lines and invocations are joined by it",
    "start": _LINES, "end": _LINES, "scanned": _LINES, "sent": _LINES, "records": _LINES,
    "msg": "it says what a log line is",
    "message": _COLUMN, "level": _COLUMN, "log_level": _COLUMN, "timestamp": _COLUMN,
    "requestId": _COLUMN, "errorType": _COLUMN, "errorMessage": _COLUMN, "functionError": _COLUMN,
    "FunctionName": "metrics are found by it", "Function": "metrics are found by it",
    "QueueName": "metrics are found by it",
    "payload": "it is more than a field: --no-payloads leaves all payloads out",
}  # fmt: skip

_STRING = re.compile(r'"(?P<inside>[^"\\]*(?:\\.[^"\\]*)*)"(?P<colon>\s*:\s*)?', re.S)
_ESCAPED = re.compile(r'["\\/\x00-\x1f]')  # what JSON has short escapes for
# A text, one sign of nesting, or a number or word.
_VALUE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]|[^\s,:"\[\]{}]+', re.S)


class Mask:
    """Hides in rows what a case must not hold. `seen` are the named fields that were met so far.

    Raises `UsageError` for fields that the checks cannot do without.
    """

    def __init__(self, fields: Iterable[str] = (), account: str | None = None) -> None:
        self.fields = frozenset(fields)
        self.account = account
        self.seen: set[str] = set()
        _refuse(self.fields)
        self._signs = (*sorted(self.fields), _escape_in(self.fields))
        self._number = by_itself(account) if account else None

    def row(self, table: str, row: Row) -> Row:
        """Return a row as it may be kept: the same object if there is nothing to hide in it."""
        if not self._may_hide("\n".join(_texts(row.values()))):
            return row
        return {name: self._value(value) for name, value in row.items()}

    @cached_property
    def signs(self) -> str:
        """A pattern that is found in every text in which there may be something to hide."""
        named = self._signs if self.fields else ()
        account = (self.account,) if self.account else ()
        any_case = "|".join(map(re.escape, SIGNS))
        return "|".join([f"(?i:{any_case})", *map(re.escape, (*named, *account))])

    def text(self, text: str) -> str:
        """Return a text as it may be kept or shown."""
        if self.fields and _may_be_json(text):
            text = self._without_fields(text)
        if self._number and self.account and self.account in text:
            text = self._number.sub(MASKED, self._in_quotes(text))
        return redact(text)

    def _may_hide(self, texts: str) -> bool:
        """Whether texts may hold something to hide; no only if they surely do not."""
        if self._may_name(texts) or (self.account and self.account in texts):
            return True
        return may_hold_secrets(texts)

    def _may_name(self, text: str) -> bool:
        return bool(self.fields) and any(sign in text for sign in self._signs)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        return [self._value(part) for part in value] if isinstance(value, list) else value

    def _without_fields(self, text: str) -> str:
        """Return JSON with the values of the named fields hidden, and everything else as it was."""
        if not self._may_name(text) or not _is_json(text):
            return text
        pieces, copied = [], 0
        for start, end, shown in self._replacements(text):
            pieces += [text[copied:start], shown]
            copied = end
        return "".join([*pieces, text[copied:]])

    def _replacements(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield what is to be replaced in JSON: from where, up to where, and by what."""
        at = 0
        while token := _STRING.search(text, at):
            at = token.end()
            said = _said(token)
            if token["colon"] is None:
                yield from self._nested(token, said)
            elif said in self.fields:
                self.seen.add(said)
                start, at = at, _end_of(text, at)
                yield start, at, f'"{HIDDEN}"'

    def _nested(self, token: re.Match[str], said: str) -> Iterator[tuple[int, int, str]]:
        """Yield the replacement of a text that is JSON itself, as in an envelope of SQS or SNS."""
        inner = self._without_fields(said) if _may_be_json(said) else said
        if inner != said:
            yield *token.span(), json.dumps(inner, ensure_ascii=token[0].isascii())

    def _in_quotes(self, text: str) -> str:
        """Return JSON in which the account id is a text where it was a number."""
        if not _may_be_json(text) or not _is_json(text):
            return text
        number = rf"(?<![\w.+-]){self.account}(?![\w.+-])"
        return re.sub(
            rf"{_STRING.pattern}|{number}",
            lambda found: found[0] if found[0].startswith('"') else f'"{found[0]}"',
            text,
            flags=re.S,
        )


def _refuse(fields: Iterable[str]) -> None:
    reasons = [
        f"{name} ({INDISPENSABLE[name]})" for name in sorted(fields) if name in INDISPENSABLE
    ]
    if reasons:
        raise UsageError(
            f"cannot be masked: {', '.join(reasons)}",
            hint="--mask takes fields of your own, for example --mask email; "
            "--no-payloads keeps only the hashes of payloads",
        )
    if "" in set(fields):
        raise UsageError("--mask needs the name of a field", hint="for example --mask email")


def _escape_in(fields: Iterable[str]) -> str:
    """Return how an escape begins that may stand for a part of a name in JSON."""
    return "\\" if any(_ESCAPED.search(name) for name in fields) else "\\u"


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _texts(value)


def _may_be_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _is_json(text: str) -> bool:
    """Whether a text is JSON; also if it is nested more deeply than Python can read, as it may be:
    what stands in it is to be hidden all the same."""
    try:
        json.loads(text, parse_int=str)  # of any length
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _end_of(text: str, at: int) -> int:
    """Return where the value ends that begins in JSON there, without reading what is in it."""
    depth = 0
    for sign in _VALUE.finditer(text, at):
        depth += (sign[0] in "[{") - (sign[0] in "]}")
        if not depth:
            return sign.end()
    return len(text)


def _said(token: re.Match[str]) -> str:
    inside = token["inside"]
    if "\\" not in inside:
        return inside
    try:
        return str(json.loads(f'"{inside}"', strict=False))
    except ValueError:  # no JSON: the whole could not be read
        return inside
