"""Where a pipeline lives and which thresholds hold, read once from TOML and handed on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, time
from pathlib import Path
from typing import Any

from investigate import pipeline
from investigate.designs import design_named
from investigate.errors import InvestigationError, SettingsError, UsageError, quoted
from investigate.model import Window
from investigate.pipeline import REFERENCE, Design

FILE = "file:///"
_MOST, _MOST_DAYS = 1_000_000_000, 36_500  # decades; beyond, times cannot be reckoned with


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Every threshold a check uses. Seconds unless the name says otherwise."""

    settle_seconds: int = 300  # evidence younger than this at capture may still be on its way
    late_seconds: int = 21_600
    clock_skew_seconds: int = 0
    overwrite_seconds: int = 60  # ingest writes within its 30 s limit; later is a second write
    gap_factor: float = 6.0  # a silence is this many times the source's 90th percentile gap
    gap_minimum_seconds: int = 900
    gap_minimum_events: int = 20  # with fewer events a source has no rhythm to break
    gap_regularity: float = 4.0  # regular: 90th percentile gap at most this many times the median
    double_send_seconds: float = 1.0  # sooner than a client can have had an answer
    client_retry_seconds: int = 900
    upstream_replay_events: int = 5  # this many duplicates of one source ...
    upstream_replay_seconds: int = 600  # ... refused within this time are a replay upstream
    semantic_duplicate_seconds: int = 10
    dedupe_lifetime_days: int = pipeline.DEDUPE_LIFETIME_DAYS
    raw_lifetime_days: int = pipeline.RAW_LIFETIME_DAYS
    replay_limit: int = pipeline.DEFAULT_REPLAY_LIMIT
    poison_receives: int = 5
    storm_factor: float = 3.0  # attempts per event or request from which retries are a storm, ...
    storm_repeats: int = 20  # ... if there are at least so many repeats
    no_backoff_seconds: int = 30  # gaps that do not grow are short below this median
    synchronised_sequences: int = 20  # with fewer, retries in one second are chance
    expiring_seconds: int = 86_400  # warn when the oldest message has less than this to live
    headroom: float = 0.9  # of a limit: what comes this close to it may pass it the next time
    metric_tolerance: float = 0.01  # of a sum, by which logs and metrics may differ
    change_seconds: int = 3_600  # a change is near a failure that follows within this time

    def __post_init__(self) -> None:
        for known in fields(self):
            value = getattr(self, known.name)
            most = _MOST_DAYS if known.name.endswith("_days") else _MOST
            if not 0 <= value <= most:  # also refuses what is not a number (nan)
                raise SettingsError(
                    f"threshold {known.name} is {quoted(value)}",
                    hint=f"use a number from 0 to {most}",
                )

    @classmethod
    def known(cls) -> dict[str, Any]:
        """The names of all thresholds with their defaults."""
        return {known.name: known.default for known in fields(cls)}

    def changed(self, values: Mapping[str, Any]) -> Thresholds:
        """Return these thresholds with some changed; raise `SettingsError` for names and types."""
        for name, value in values.items():
            if name not in self.known():
                raise SettingsError(str(UsageError.unknown("threshold", name, self.known())))
            wanted = type(self.known()[name])
            right = isinstance(value, (int, float) if wanted is float else int)
            if not right or isinstance(value, bool):
                kind = "a number" if wanted is float else "a whole number"
                raise SettingsError(f"threshold {name} must be {kind}, not {quoted(value)}")
        return replace(self, **values)


@dataclass(frozen=True, slots=True)
class PipelineNames:
    """The resources of one pipeline. What is None is unknown, and is then not captured.

    A resource that is None although there is a `stack` was looked for in it: the stack has none.
    """

    stack: str | None = None
    region: str | None = None
    account_id: str | None = None  # where the credentials must belong to; None: anywhere
    raw_bucket: str | None = None
    raw_prefix: str = REFERENCE.raw_prefix
    events_table: str | None = None
    dedupe_table: str | None = None
    aggregates_table: str | None = None
    replay_queue_url: str | None = None
    dead_letter_queue_urls: tuple[str, ...] = ()
    raw_folder: str | None = None  # a copy of the bucket, to read in place
    raw_copied_at: str | None = None  # when that copy was begun
    raw_inventory: str | None = None  # s3:// URLs of what S3 and DynamoDB wrote there themselves
    events_export: str | None = None
    dedupe_export: str | None = None
    aggregates_export: str | None = None
    functions: Mapping[str, str] = field(default_factory=dict)  # role -> function name
    design: Design = REFERENCE  # its layouts and recipes

    @property
    def in_folders(self) -> frozenset[str]:
        """The tables whose rows are in folders of this machine, for which no AWS is asked."""
        exported = {
            table
            for table in ("events", "dedupe", "aggregates")
            if (getattr(self, f"{table}_export") or "").startswith(FILE)
        }
        listed = self.raw_folder and (self.raw_inventory or FILE).startswith(FILE)
        return frozenset({"raw"} if listed else ()) | exported

    def lacks(self, what: str) -> str:
        """Return why there is no such resource, for example no `aggregates table`."""
        if self.stack and what in LOGICAL_NAMES:
            return f"the stack {self.stack} has no {LOGICAL_NAMES[what]}"
        return f"no {what} is configured"


@dataclass(frozen=True, slots=True)
class Settings:
    """One configuration file: the pipeline, the window and the thresholds."""

    names: PipelineNames
    window: Window | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)


FUNCTION_ROLES = ("ingest", "replay", "processor")
# What the resources of a pipeline are called in its template.
LOGICAL_NAMES = {
    "raw bucket": "RawBucket",
    "events table": "EventsTable",
    "dedupe table": "DedupeTable",
    "aggregates table": "AggregatesTable",
    "replay queue": "ReplayQueue",
    "dead-letter queue": "dead-letter queue",
    **{f"{role} function": f"{role.capitalize()}Function" for role in FUNCTION_ROLES},
}
_PIPELINE_KEYS = {known.name for known in fields(PipelineNames)}
_QUEUE = (
    r"https?://[^/]+/.+",
    "the URL of a queue",
    "as https://sqs.eu-west-1.amazonaws.com/123456789012/name",
)
_TABLE = (r"[^/:]+", "the name of a table", "leave out the ARN around it")
_OBJECT = (
    r"s3://[^/]+/.+|file:///.+",
    "the address of a manifest",
    "as s3://bucket/folder/manifest.json, or file:///folder/manifest.json",
)
# What an entry must look like, that in words, and what to do.
_SHAPES = {
    "account_id": (r"[0-9]{12}", "an account id", 'twelve digits in quotes, as "123456789012"'),
    "raw_bucket": (r"[^/:]+", "the name of a bucket", "leave out s3:// and what follows the name"),
    "raw_prefix": (r"(?!/|s3:).*", "what keys begin with", "leave out s3://, bucket and first /"),
    "events_table": _TABLE,
    "dedupe_table": _TABLE,
    "aggregates_table": _TABLE,
    "replay_queue_url": _QUEUE,
    "dead_letter_queue_urls": _QUEUE,
    "raw_folder": (
        r"/.+",
        "the whole path of a folder",
        "as /data/orders-raw, a copy of the bucket",
    ),
    "raw_inventory": _OBJECT,
    "events_export": _OBJECT,
    "dedupe_export": _OBJECT,
    "aggregates_export": _OBJECT,
    # Lines, metrics and mappings know a function by its name alone.
    "functions": (
        r"[^:]+",
        "a function's name",
        "leave out the ARN around it, and the version or alias behind it",
    ),
}
_TEXT = (r".+", "a text", "leave the entry out if there is nothing to say")


def load_settings(path: str | Path) -> Settings:
    """Return the settings in a TOML file; raise `SettingsError` naming the file and the entry."""
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"there is no configuration file {path}",
            hint="see docs/configuration.md for one to start from",
        ) from None
    except IsADirectoryError:
        raise SettingsError(
            f"{path} is a folder, not a configuration file",
            hint=f"name the TOML file in it, for example {path / 'pipeline.toml'}",
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}",
            hint="name a TOML file that you may read, see docs/configuration.md",
        ) from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"{path} is not TOML: {error}", hint="see docs/configuration.md for what it may hold"
        ) from error
    try:
        return parse_settings(document)
    except InvestigationError as error:
        raise SettingsError(f"{path}: {error.message}", hint=error.hint) from error


def parse_settings(document: Mapping[str, Any]) -> Settings:
    """Return the settings of a parsed TOML document; raise `SettingsError` for unknown entries."""
    _refuse_unknown(document, {"pipeline", "window", "thresholds"}, "section")
    return Settings(
        names=_parse_names(_section(document, "pipeline")),
        window=_parse_window(_section(document, "window")),
        thresholds=Thresholds().changed(_section(document, "thresholds")),
    )


def _parse_names(section: Mapping[str, Any]) -> PipelineNames:
    _refuse_unknown(section, _PIPELINE_KEYS, "entry of [pipeline]")
    functions = _section(section, "functions")
    _refuse_unknown(functions, set(FUNCTION_ROLES), "role of [pipeline.functions]")
    queues = section.get("dead_letter_queue_urls", [])
    if not isinstance(queues, list):
        raise SettingsError("pipeline.dead_letter_queue_urls must be a list of texts")
    apart = ("functions", "dead_letter_queue_urls", "raw_prefix", "design")
    texts = {key: _text(key, value) for key, value in section.items() if key not in apart}
    design = design_named(_text("design", section.get("design", REFERENCE.name)))
    prefix = section.get("raw_prefix", design.raw_prefix)
    return PipelineNames(
        **texts,
        raw_prefix=_prefix(prefix),
        dead_letter_queue_urls=tuple(_text("dead_letter_queue_urls", url) for url in queues),
        functions={
            role: _text("functions", name, entry=f"functions.{role}")
            for role, name in functions.items()
        },
        design=design,
    )


def _prefix(value: Any) -> str:
    """Return a prefix as keys begin with it: empty, or up to and with its last slash."""
    if value == "":
        return ""
    text = _text("raw_prefix", value)
    return text if text.endswith("/") else f"{text}/"


def _text(key: str, value: Any, *, entry: str = "") -> str:
    pattern, what, hint = _SHAPES.get(key, _TEXT)
    if isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL):
        return value
    raise SettingsError(f"pipeline.{entry or key} must be {what}, not {quoted(value)}", hint=hint)


def _parse_window(section: Mapping[str, Any]) -> Window | None:
    _refuse_unknown(section, {"start", "end"}, "entry of [window]")
    if not section:
        return None
    if set(section) != {"start", "end"}:
        raise SettingsError("[window] needs both start and end")
    return Window.parse(*(_time(name, section[name]) for name in ("start", "end")))


def _time(name: str, value: Any) -> str:
    """Return a time as text; TOML has times of its own, which need no quotes."""
    if isinstance(value, str | date):
        return str(value)
    raise SettingsError(
        f"window.{name} must be a date and a time with its offset from UTC, not {_shown(value)}",
        hint=f'for example {name} = "2026-03-10T00:00:00Z"',
    )


def _shown(value: Any) -> str:
    """A value of TOML in a message: times of day as they are written there."""
    return str(value) if isinstance(value, time) else quoted(value)


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, Mapping):
        raise SettingsError(
            f"{name} must be a section, not {quoted(section)}", hint=f"write [{name}]"
        )
    return section


def _refuse_unknown(section: Mapping[str, Any], known: set[str], kind: str) -> None:
    for name in section:
        if name not in known:
            raise UsageError.unknown(kind, name, sorted(known))
