"""The largest tables that the numbers can be: of 100,000 events with 5,000 long names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from investigate.display import OTHERS, Numbers
from investigate.figures.aggregates import EXPLANATIONS, VERDICTS
from investigate.figures.batch_walks import STATES
from investigate.figures.dead_letters import DECISIONS
from investigate.figures.events import CAUSES
from investigate.figures.events import KINDS as REPEATS
from investigate.figures.overview import LEDGER, STATIONS, WORDS
from investigate.figures.replay import REASONS
from investigate.model import Step
from investigate.numbers import aggregates, bins, raw, replay, retries, sqs
from investigate.numbers import configuration as settings
from investigate.numbers import dead_letters as letters
from investigate.numbers import events as index
from investigate.numbers import failures as failed
from investigate.numbers.batch_walks import MOST_COLUMNS
from tests.figures.samples import SAMPLES

EVENTS, NAMES = 100_000, 5_000
START = datetime.fromisoformat("2026-03-10 00:00:00")
LEDGER_STATIONS = ("raw", "events", "dedupe", "replay", "queue", "processor", "aggregates")


def name(number: int) -> str:
    return f"entity-with-a-long-name-of-many-letters/{number:05}"


def names(many: int) -> list[str]:
    return [*(name(number) for number in range(many)), OTHERS]


def time(number: int, seconds: int = 3600) -> str:
    return str(START + timedelta(seconds=number * seconds))


def ids(number: int) -> list[str]:
    """Every second mark stands for few, and its numbers name two ids."""
    return [f"{n:064x}" for n in (number, number + 1)] if number % 2 else []


def grid(
    many: int, common: dict[str, Any], counted: str, **columns: Sequence[Any]
) -> Iterator[dict[str, Any]]:
    """Every combination of some columns with every bin of time; together they are all events."""
    cells = list(product(range(many), *columns.values()))
    for number, (at, *values) in enumerate(cells):
        yield {
            "time": time(at), "seconds": 3600, counted: EVENTS // len(cells), "ids": ids(number),
            **dict(zip(columns, values, strict=True)), **common,
        }  # fmt: skip


def many(sample: str, count: int, changed: Callable[[int], dict[str, Any]]) -> Numbers:
    """The first row of a sample, again and again, with what is different each time."""
    first = SAMPLES[sample][0].rows[0]
    return Numbers("large", [{**first, **changed(number)} for number in range(count)])


def _events_over_time() -> list[Numbers]:
    sources = names(raw.MOST_NAMES + raw.MOST_QUIET)
    rows = grid(bins.MOST_BINS, {"of_sources": NAMES}, "events", source=sources)
    gap = SAMPLES["events_over_time"][1].rows[0]
    silences = [
        {**gap, "source": name(number % 10), "event_type": name(number), "of": NAMES}
        for number in range(raw.MOST_MARKED)
    ]
    return [Numbers("large", list(rows)), Numbers("large", silences)]


def _lag_over_time() -> list[Numbers]:
    lags = grid(bins.MOST_BINS, {"median_lag": 2.125, "longest_lag": 30_000.5}, "events")
    unusual = [
        {"time": time(n), "lag": 30_000.5, "kind": "late", "event_id": f"{n:064x}", "of_kind": 9000}
        for n in range(raw.MOST_MARKED)
    ]
    return [Numbers("large", list(lags)), Numbers("large", unusual)]


def _replay_plan() -> list[Numbers]:
    """Each reason in its own bins, as rows of an entity seldom share one."""
    every = grid(replay.MOST_PLAN_BINS, {}, "events", entity=names(replay.MOST_ENTITIES))
    kinds = list(REASONS)
    rows = [{**row, "reason": kinds[n % 6]} for n, row in enumerate(every)]
    return [Numbers("large", rows)]


def _failures_and_changes() -> list[Numbers]:
    rows = grid(bins.MOST_BINS, {}, "failures", function=names(bins.MOST_NAMES))
    change = SAMPLES["failures_and_changes"][1].rows[0]
    changes = [{**change, "resource": name(n), "at": time(n)} for n in range(bins.MOST_ROWS)]
    return [Numbers("large", list(rows)), Numbers("large", changes)]


def _attempts_timeline() -> list[Numbers]:
    sample = SAMPLES["attempts_timeline"][0].rows[0]
    rows = [
        {**sample, "group": name(sequence // 4), "sequence": f"{sequence:064x}", "attempt": n + 1,
         "time": time(n), "gap_s": 12.345 if n else None, "after_s": 12.345 * n, "attempts": 50,
         "of_sequences": EVENTS}
        for sequence in range(retries.MOST_SEQUENCES) for n in range(retries.MOST_ATTEMPTS)
    ]  # fmt: skip
    return [Numbers("large", rows)]


def _batch_walk() -> list[Numbers]:
    sample = SAMPLES["batch_walk"][0].rows[0]
    states = list(STATES)
    columns = [(walk, n + 1) for walk in ("simulated", "logged")
               for n in range(MOST_COLUMNS)]  # fmt: skip
    rows = [
        {**sample, "walk": walk, "invocation": n, "record": record, "records": 40,
         "state": states[(n + record) % len(states)]}
        for walk, n in [*columns, ("simulated", 0)] for record in range(1, 41)
    ]  # fmt: skip
    return [Numbers("large", rows)]


def _day_verdicts() -> list[Numbers]:
    verdicts = list(VERDICTS)
    entities = aggregates.MOST_ENTITIES
    return [
        many("day_verdicts", aggregates.MOST_SQUARES, lambda n: {
            "entity_id": name(n % entities), "day": time(n // entities, 86_400)[:10],
            "verdict": verdicts[n % len(verdicts)], "of_days": EVENTS, "of_complete": 60_000,
        })
    ]  # fmt: skip


def _aggregate_versions() -> list[Numbers]:
    looks = list(EXPLANATIONS)
    days = aggregates.MOST_DAYS
    return [
        many("aggregate_versions", aggregates.MOST_VERSIONS, lambda n: {
            "entity_id": name(n * days // aggregates.MOST_VERSIONS), "version": n,
            "inputs_hash": f"{n:064x}", "input_count": EVENTS, "of_versions": EVENTS,
            "explained_by": looks[n % len(looks)], "of_days": NAMES,
        })
    ]  # fmt: skip


def _version_coverage() -> list[Numbers]:
    parts = aggregates.MOST_PARTS
    return [
        many("version_coverage", parts * aggregates.MOST_VERSIONS_OF_A_DAY, lambda n: {
            "entity_id": name(0), "version": n // parts, "computed": time(n // parts),
            "part": n % parts, "events": EVENTS // parts, "held": n % 3, "doubled": 0,
            "ids": ids(n),
        })
    ]  # fmt: skip


def _event_flow() -> list[Numbers]:
    row = SAMPLES["event_flow"][0].rows[-1]
    stages = [{**row, "stage": stage, "reached": EVENTS, "ids": ids(1)} for stage in STATIONS]
    return [Numbers("large", stages)]


def _queues() -> list[Numbers]:
    return [many("queue_levels", sqs.MOST_BARS, lambda n: {"queue": name(n), "visible": EVENTS})]


LARGE: dict[str, Callable[[], list[Numbers]]] = {
    "aggregate_versions": _aggregate_versions,
    "alarm_tests": lambda: [
        many("alarm_tests", settings.MOST_ALARMS, lambda n: {"alarm": name(n), "fired": time(n)})
    ],
    "attempts_timeline": _attempts_timeline,
    "batch_walk": _batch_walk,
    "checks_by_step": lambda: [
        Numbers("large", [{"step": step.value, "word": word, "checks": 30}
                          for step in Step for word in WORDS])
    ],
    "day_coverage": lambda: [
        many("day_coverage", aggregates.MOST_DAYS, lambda n: {"entity_id": name(n)})
    ],
    "day_verdicts": _day_verdicts,
    "duplicates_by_cause": lambda: [
        Numbers("large", list(grid(1, {}, "duplicates", source=names(index.MOST_SOURCES),
                                   made_by=CAUSES)))
    ],
    "duplicates_over_time": lambda: [
        Numbers("large", list(grid(bins.MOST_BINS, {}, "duplicates",
                                   source=names(index.MOST_SOURCES))))
    ],
    "event_flow": _event_flow,
    "events_over_time": _events_over_time,
    "failure_classes": lambda: [
        many("failure_classes", failed.MOST_CLASSES, lambda n: {"function": name(n), "ids": ids(n)})
    ],
    "failures_and_changes": _failures_and_changes,
    "invocations_over_time": lambda: [
        Numbers("large", list(grid(bins.MOST_BINS, {}, "invocations",
                                   status=("ok", "error", "timeout", "out-of-memory"))))
    ],
    "lag_over_time": _lag_over_time,
    "ledger_cells": lambda: [
        Numbers("large", [{"station": station, "cell": cell, "events": EVENTS // len(LEDGER),
                           "broken": 7, "ids": ids(1)}
                          for station in LEDGER_STATIONS for cell in LEDGER])
    ],
    "letter_deadlines": lambda: [
        many("letter_deadlines", letters.MOST_LETTERS, lambda n: {
            "message_id": name(n), "reason": name(n) * 3, "total": EVENTS})
    ],
    "letter_groups": lambda: [
        many("letter_groups", letters.MOST_GROUPS, lambda n: {
            "fingerprint": name(n) * 3, "decision": list(DECISIONS)[n % len(DECISIONS)],
            "letters": EVENTS // letters.MOST_GROUPS, "ids": ids(n)})
    ],
    "message_ages": lambda: [
        many("message_ages", 2 * sqs.MOST_BARS, lambda n: {
            "age_s": n // 2 * 3600, "well_formed": n % 2 == 0, "messages": 2000, "ids": ids(n)})
    ],
    "queue_levels": _queues,
    "receive_counts": lambda: [
        many("receive_counts", 2 * sqs.MANY_RECEIVES, lambda n: {
            "receives": n // 2 + 1, "well_formed": n % 2 == 0, "messages": 2500, "ids": ids(n)})
    ],
    "records_over_time": lambda: [
        Numbers("large", list(grid(bins.MOST_BINS, {}, "records",
                                   what=("loaded", "failed", "deleted"))))
    ],
    "repeats_by_kind": lambda: [
        Numbers("large", list(grid(1, {}, "events", kind=list(REPEATS), made_by=CAUSES)))
    ],
    "replay_edges": lambda: [
        many("replay_edges", replay.MOST_EDGES, lambda n: {
            "entity": name(n), "event_id": f"{n:064x}", "offset_ms": n, "of": EVENTS})
    ],
    "replay_plan": _replay_plan,
    "replays_logged": lambda: [
        many("replays_logged", replay.MOST_REPLAYS, lambda n: {"entity": name(n), "of": NAMES})
    ],
    "retry_arrivals": lambda: [
        many("retry_arrivals", retries.MOST_SECONDS, lambda n: {
            "group": name(n), "time": time(n, 1), "of_seconds": EVENTS})
    ],
    "retry_gaps": lambda: [
        many("retry_gaps", index.MOST_RETRIERS * index.MOST_ATTEMPTS, lambda n: {
            "source": name(n // index.MOST_ATTEMPTS), "attempt": n % index.MOST_ATTEMPTS + 2,
            "of_sources": NAMES})
    ],
    "retry_load": lambda: [
        many("retry_load", retries.MOST_GROUPS, lambda n: {"group": name(n), "of_groups": NAMES})
    ],
    "trace_hops": lambda: [
        many("trace_hops", 1000, lambda n: {"place": n, "what": name(n), "offset_s": 1.0 * n})
    ],
    "version_coverage": _version_coverage,
}  # fmt: skip
