"""Where a pipeline lives and which thresholds hold, read once from TOML and handed on."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from investigate import pipeline
from investigate.errors import InvestigationError, SettingsError, UsageError
from investigate.model import Window

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
    client_retry_seconds: int = 900
    upstream_replay_events: int = 5  # this many duplicates of one source ...
    upstream_replay_seconds: int = 600  # ... refused within this time are a replay upstream
    semantic_duplicate_seconds: int = 10
    dedupe_lifetime_days: int = pipeline.DEDUPE_LIFETIME_DAYS
    raw_lifetime_days: int = pipeline.RAW_LIFETIME_DAYS
    replay_limit: int = pipeline.DEFAULT_REPLAY_LIMIT
    poison_receives: int = 5
    expiring_seconds: int = 86_400  # warn when the oldest message has less than this to live

    def __post_init__(self) -> None:
        for known in fields(self):
            value = getattr(self, known.name)
            most = _MOST_DAYS if known.name.endswith("_days") else _MOST
            if not 0 <= value <= most:  # also refuses what is not a number (nan)
                raise SettingsError(
                    f"threshold {known.name} is {value}", hint=f"use a number from 0 to {most}"
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
                raise SettingsError(f"threshold {name} must be {kind}, not {value!r}")
        return replace(self, **values)


@dataclass(frozen=True, slots=True)
class PipelineNames:
    """The resources of one pipeline. What is None is unknown, and is then not captured."""

    region: str | None = None
    raw_bucket: str | None = None
    raw_prefix: str = "raw/"
    events_table: str | None = None
    dedupe_table: str | None = None
    aggregates_table: str | None = None
    replay_queue_url: str | None = None
    dead_letter_queue_urls: tuple[str, ...] = ()
    functions: Mapping[str, str] = field(default_factory=dict)  # role -> function name


@dataclass(frozen=True, slots=True)
class Settings:
    """One configuration file: the pipeline, the window and the thresholds."""

    names: PipelineNames
    window: Window | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)


FUNCTION_ROLES = ("ingest", "replay", "processor")
_PIPELINE_KEYS = {known.name for known in fields(PipelineNames)}


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
    except ValueError as error:
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
    if "stack" in section:
        raise SettingsError(
            "pipeline.stack: finding resources from a stack is not part of this version",
            hint="name the resources under [pipeline], see docs/configuration.md",
        )
    _refuse_unknown(section, _PIPELINE_KEYS, "entry of [pipeline]")
    functions = _section(section, "functions")
    _refuse_unknown(functions, set(FUNCTION_ROLES), "role of [pipeline.functions]")
    texts = {key: value for key, value in section.items() if key != "functions"}
    queues = texts.pop("dead_letter_queue_urls", [])
    if not isinstance(queues, list) or not all(isinstance(url, str) for url in queues):
        raise SettingsError("pipeline.dead_letter_queue_urls must be a list of texts")
    for key, value in {**texts, **functions}.items():
        if not isinstance(value, str) or not value:
            raise SettingsError(f"pipeline: {key} must be a text, not {value!r}")
    for role, name in functions.items():
        # Lines, metrics and mappings know a function by its name alone.
        if ":" in name:
            raise SettingsError(
                f"pipeline.functions.{role} must be a function's name, not {name!r}",
                hint="leave out the ARN around it, and the version or alias behind it",
            )
    return PipelineNames(**texts, dead_letter_queue_urls=tuple(queues), functions=dict(functions))


def _parse_window(section: Mapping[str, Any]) -> Window | None:
    _refuse_unknown(section, {"start", "end"}, "entry of [window]")
    if not section:
        return None
    if set(section) != {"start", "end"}:
        raise SettingsError("[window] needs both start and end")
    return Window.parse(str(section["start"]), str(section["end"]))


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, Mapping):
        raise SettingsError(f"{name} must be a section, not {section!r}", hint=f"write [{name}]")
    return section


def _refuse_unknown(section: Mapping[str, Any], known: set[str], kind: str) -> None:
    for name in section:
        if name not in known:
            raise UsageError.unknown(kind, name, sorted(known))
