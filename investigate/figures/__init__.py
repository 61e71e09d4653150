"""Small tables in, plotly figures out: each function returns one figure and shows nothing."""

from investigate.figures.aggregates import (
    aggregate_versions,
    day_coverage,
    day_verdicts,
    version_coverage,
)
from investigate.figures.batch_walks import batch_walk
from investigate.figures.configuration import alarm_tests, failures_and_changes
from investigate.figures.dead_letters import letter_deadlines, letter_groups
from investigate.figures.events import (
    duplicates_by_cause,
    duplicates_over_time,
    repeats_by_kind,
    retry_gaps,
)
from investigate.figures.failures import failure_classes
from investigate.figures.overview import checks_by_step, event_flow, ledger_cells
from investigate.figures.processor import invocations_over_time, records_over_time
from investigate.figures.raw import events_over_time, lag_over_time
from investigate.figures.replay import replay_edges, replay_plan, replays_logged
from investigate.figures.retries import attempts_timeline, retry_arrivals, retry_load
from investigate.figures.sqs import message_ages, queue_levels, receive_counts
from investigate.figures.style import Drawing, template
from investigate.figures.trace import trace_hops

__all__ = [
    "Drawing", "aggregate_versions", "alarm_tests", "attempts_timeline", "batch_walk",
    "checks_by_step", "day_coverage", "day_verdicts", "duplicates_by_cause", "duplicates_over_time",
    "event_flow", "events_over_time", "failure_classes", "failures_and_changes",
    "invocations_over_time", "lag_over_time", "ledger_cells", "letter_deadlines", "letter_groups",
    "message_ages", "queue_levels", "receive_counts", "records_over_time", "repeats_by_kind",
    "replay_edges", "replay_plan", "replays_logged", "retry_arrivals", "retry_gaps", "retry_load",
    "template", "trace_hops", "version_coverage",
]  # fmt: skip
