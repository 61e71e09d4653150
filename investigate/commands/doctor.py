"""`investigate doctor`: what is installed, who is asking, and which permissions are there."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from investigate.aws import Connection, connect
from investigate.capture.dead_letter_queues import named_with_all
from investigate.capture.discovery import discover, lacking, refuse_other_account
from investigate.capture.permissions import Need, PolicyScope, document, policy, statements
from investigate.capture.trials import Subject, Trial, needed_but_lacking, try_all
from investigate.commands import environment
from investigate.commands.console import Console
from investigate.errors import AccessError
from investigate.settings import PipelineNames, load_settings
from investigate.terminal_text import labelled, table

_TABLES = ("events", "dedupe", "aggregates")
SKEW_WARNING, SKEW_REFUSED = 60, 300  # seconds
_SKEW_UNKNOWN = "cannot be compared: the answer of AWS has no date"


def run(options: argparse.Namespace, console: Console) -> int:
    """Print what is there and what is lacking; 2 for wrong names, 3 for what is denied."""
    names = load_settings(options.config).names if options.config else None
    if options.policy:
        console.out(json.dumps(_policy(options, names), indent=2))
        return 0
    wrong = _environment(console)
    connection = _connection(options, names)
    account = _identity(connection, console)
    if names is None:
        console.out("\nname a pipeline to try its permissions: investigate doctor --config FILE")
        return 2 if wrong else 0
    names, buckets = _resolved(connection, names, account)
    _show(names, buckets, console)
    subject = Subject(connection, names, datetime.now(UTC), buckets)
    trials = try_all(subject)
    scope = PolicyScope(names, account, connection.region, subject.log_groups, buckets)
    console.out(_permissions(trials, scope))
    return 2 if wrong else _code(trials)


def _policy(options: argparse.Namespace, names: PipelineNames | None) -> dict[str, Any]:
    if names is None:
        return policy(None, sampling=options.sampling)
    connection = _connection(options, names)
    account = connection.account()
    names, buckets = _resolved(connection, names, account)
    groups = Subject(connection, names, datetime.now(UTC)).log_groups
    scope = PolicyScope(names, account, connection.region, groups, buckets)
    return policy(scope, sampling=options.sampling)


def _connection(options: argparse.Namespace, names: PipelineNames | None) -> Connection:
    return connect(
        region=options.region or (names.region if names else None),
        profile=options.profile,
        endpoint_url=options.endpoint_url,
    )


def _environment(console: Console) -> bool:
    """Print what is installed; return whether something is wrong with it."""
    found = list(environment.rows())
    console.out(table([("ENVIRONMENT", "VERSION", "NEEDED"), *found]))
    return any(wrong for _, _, wrong in found)


def _identity(connection: Connection, console: Console) -> str:
    """Print who asks, where and by which clock; return the account."""
    try:
        answer = connection.call("sts", "GetCallerIdentity")
    except AccessError as error:
        console.out(labelled("clock", skew_of(_headers(error.__cause__), datetime.now(UTC))))
        raise
    told = skew_of(_headers(answer), datetime.now(UTC))
    console.out(
        "\n".join(
            [
                "",
                "CREDENTIALS",
                labelled("account", answer["Account"]),
                labelled("identity", answer["Arn"]),
                labelled("region", connection.region),
                labelled("clock", told),
            ]
        )
    )
    return str(answer["Account"])


def _headers(answer: Any) -> dict[str, str]:
    """Return the headers of an answer, or of the error that AWS answered with."""
    told = answer if isinstance(answer, dict) else getattr(answer, "response", {})
    return dict(told.get("ResponseMetadata", {}).get("HTTPHeaders", {}))


def skew_of(headers: dict[str, str], now: datetime) -> str:
    """Return in words how far the clock here is from that of AWS."""
    if "date" not in headers:
        return _SKEW_UNKNOWN
    skew = (now - parsedate_to_datetime(headers["date"])).total_seconds()
    words = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS"
    if abs(skew) >= SKEW_REFUSED:
        return f"{words}: AWS refuses what is signed by it; set the clock of this machine"
    if abs(skew) > SKEW_WARNING:
        return f"{words}: from {SKEW_REFUSED} s on AWS refuses every request; set the clock"
    return "agrees with that of AWS"


def _resolved(
    connection: Connection, names: PipelineNames, account: str
) -> tuple[PipelineNames, tuple[str, ...]]:
    """Return the names, those of the stack filled in, and the buckets that failures go to."""
    refuse_other_account(account, names)
    if names.stack:
        names = discover(connection, names.stack, names)
    return named_with_all(connection, names)


def _show(names: PipelineNames, buckets: tuple[str, ...], console: Console) -> None:
    """Print the names and the buckets that failures go to, and what is lacking."""
    known = [
        ("raw bucket", names.raw_bucket),
        *((f"{one} table", getattr(names, f"{one}_table")) for one in _TABLES),
        ("raw inventory", names.raw_inventory),
        *((f"{one} export", getattr(names, f"{one}_export")) for one in _TABLES),
        ("replay queue", names.replay_queue_url),
        *(("dead-letter queue", url) for url in names.dead_letter_queue_urls),
        *(("bucket of failures", name) for name in buckets),
        *((f"{role} function", name) for role, name in names.functions.items()),
    ]
    rows = [(what, name) for what, name in known if name]
    lines = [table([("PIPELINE", "NAME"), *rows]), *lacking(names)]
    console.out("\n" + "\n".join(lines))


def _permissions(trials: Sequence[Trial], scope: PolicyScope) -> str:
    heading = ("ACTION", "RESOURCE", "STATUS", "FOR")
    rows = [
        (trial.need.action, trial.resource, _status(trial), _purpose(trial.need))
        for trial in trials
    ]
    notes = dict.fromkeys(
        f"{trial.need.action} of {trial.resource}: {trial.note}"
        for trial in trials
        if trial.note and trial.status in ("granted", "denied")
    )
    parts = ["", table([heading, *rows]), "", *notes, *_missing(trials, scope), _verdict(trials)]
    return "\n".join(parts)


def _status(trial: Trial) -> str:
    told = trial.note if trial.status in ("not tried", "unknown") else ""
    return f"{trial.status}: {told}" if told else trial.status


def _purpose(need: Need) -> str:
    only = f"with {need.only_for}" if need.only_for else ""
    return "; ".join(part for part in (", ".join(need.tables), only) if part)


def _missing(trials: Sequence[Trial], scope: PolicyScope) -> list[str]:
    """Say which actions are denied and what to add to the policy."""
    denied = list(dict.fromkeys(trial.need for trial in trials if trial.status == "denied"))
    if not denied:
        return []
    lines = [f"{need.action} is denied: {need.without}" for need in denied]
    add = json.dumps(document(statements(denied, scope)), indent=2)
    return ["", *lines, "", "add this policy to the identity:", add, ""]


def _verdict(trials: Sequence[Trial]) -> str:
    absent = list(dict.fromkeys(one.resource for one in trials if one.status == "not found"))
    if absent:
        return f"not found: {', '.join(absent)}; correct the configuration or the region"
    lack = needed_but_lacking(trials)
    if lack:
        return f"a capture would be incomplete: {', '.join(need.action for need in lack)}"
    return "everything that a capture of this pipeline needs is granted"


def _code(trials: Sequence[Trial]) -> int:
    if any(trial.status == "not found" for trial in trials):
        return 2
    return 3 if needed_but_lacking(trials) else 0
