"""What the figures show: small tables, counted in the engine, two thousand rows at most."""

from investigate.numbers.aggregates import (
    aggregate_versions,
    day_coverage,
    day_verdicts,
    version_coverage,
    versions_explained,
)
from investigate.numbers.batch_walks import batch_walk, batch_walks
from investigate.numbers.configuration import (
    alarm_tests,
    changes_made,
    failures_over_time,
    settings_advised,
    settings_found,
)
from investigate.numbers.dead_letters import discarded, letter_deadlines, letter_groups
from investigate.numbers.events import (
    duplicates_by_cause,
    duplicates_over_time,
    repeats,
    repeats_by_kind,
    retry_channels,
    retry_gaps,
)
from investigate.numbers.failures import denied_access, failure_classes, failure_fingerprints
from investigate.numbers.overview import event_flow, ledger_cells
from investigate.numbers.processor import invocations_over_time, records_over_time
from investigate.numbers.raw import events_over_time, lag_over_time, silences, unusual_lags
from investigate.numbers.replay import replay_edges, replay_plan, replays_logged
from investigate.numbers.retries import (
    attempts_timeline,
    collateral_batches,
    nested_retries,
    retry_arrivals,
    retry_effects,
    retry_load,
    retry_synchrony,
)
from investigate.numbers.sqs import message_ages, queue_levels, receive_counts

__all__ = [
    "aggregate_versions",
    "alarm_tests",
    "attempts_timeline",
    "batch_walk",
    "batch_walks",
    "changes_made",
    "collateral_batches",
    "day_coverage",
    "day_verdicts",
    "denied_access",
    "discarded",
    "duplicates_by_cause",
    "duplicates_over_time",
    "event_flow",
    "events_over_time",
    "failure_classes",
    "failure_fingerprints",
    "failures_over_time",
    "invocations_over_time",
    "lag_over_time",
    "ledger_cells",
    "letter_deadlines",
    "letter_groups",
    "message_ages",
    "nested_retries",
    "queue_levels",
    "receive_counts",
    "records_over_time",
    "repeats",
    "repeats_by_kind",
    "replay_edges",
    "replay_plan",
    "replays_logged",
    "retry_arrivals",
    "retry_channels",
    "retry_effects",
    "retry_gaps",
    "retry_load",
    "retry_synchrony",
    "settings_advised",
    "settings_found",
    "silences",
    "unusual_lags",
    "version_coverage",
    "versions_explained",
]  # fmt: skip
