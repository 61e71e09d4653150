"""Which modules are mutated, and the tests that answer for each."""

from __future__ import annotations

from collections.abc import Mapping

_ABSENCE, _SCOPED = "checks/test_absence.py", "test_scoped_capture.py"
_AGGREGATES = ("checks/test_aggregates.py", "analysis/test_aggregates.py")
_CONFIGURATION = ("checks/test_configuration.py", _ABSENCE)
_DEAD_LETTERS = ("checks/test_dead_letters.py", "commands/test_redrive_plan.py")
_EVENTS = ("checks/test_events.py", "checks/test_reused_ids.py", "ledger/test_repeats.py")
_LEDGER = ("ledger/test_ledger.py", "ledger/test_objections.py", "ledger/test_repeats.py")
_PIPELINE = ("test_pipeline.py", "test_designs.py", "test_model.py", "test_meter.py")
_PROCESSOR = ("analysis/test_processing.py", "checks/test_processor.py", "checks/test_sqs.py")
_RAW = ("checks/test_raw.py", _ABSENCE, "checks/test_dedupe.py", "checks/test_events.py")
_REPLAY = ("analysis/test_replays.py", "checks/test_replay.py", "commands/test_replay_plan.py")
_RETRIES = (
    "analysis/test_retries.py", "checks/test_retries.py", "analysis/test_managed_retries.py",
    "analysis/test_amplification.py",
)  # fmt: skip

# The diagnosis: what the checks ask, what their questions are built of, and what the pipeline is.
TESTS: Mapping[str, tuple[str, ...]] = {
    "checks.aggregates": ("checks/test_aggregates.py", _ABSENCE),
    **{
        f"checks.configuration.{name}": _CONFIGURATION
        for name in (
            "alarms", "changes", "deliveries", "functions", "queues", "streams", "telemetry",
        )
    },
    "checks.configuration.advice": _CONFIGURATION,
    "checks.dead_letters": ("checks/test_dead_letters.py", _ABSENCE),
    "checks.retries": ("checks/test_retries.py", _ABSENCE),
    "checks.dedupe": ("checks/test_dedupe.py", _ABSENCE, _SCOPED),
    "checks.events": ("checks/test_events.py", _ABSENCE, _SCOPED),
    "checks.processor": ("checks/test_processor.py", _ABSENCE),
    "checks.raw": ("checks/test_raw.py", _ABSENCE),
    "checks.raw_timing": ("checks/test_raw.py", _ABSENCE, _SCOPED),
    "checks.replay": ("checks/test_replay.py", _ABSENCE),
    "checks.sqs": ("checks/test_sqs.py", _ABSENCE),
    "analysis.aggregate_days": _AGGREGATES,
    "analysis.aggregates": _AGGREGATES,
    "analysis.alarms": _CONFIGURATION,
    "analysis.amplification": ("analysis/test_amplification.py", "checks/test_retries.py"),
    "analysis.arrivals": (*_EVENTS, "checks/test_dedupe.py", *_REPLAY),
    "analysis.batch_walk_rules": (
        "analysis/test_batch_walk_rules.py", "analysis/test_batch_walks.py",
    ),
    "analysis.batch_walks": ("analysis/test_batch_walks.py", "analysis/test_batch_walk_rules.py"),
    "analysis.candidate_inputs": (*_AGGREGATES, "analysis/test_version_meanings.py"),
    "analysis.capture_scope": (_SCOPED, *_RAW, *_AGGREGATES),
    "analysis.changes": _CONFIGURATION,
    "analysis.collateral": ("analysis/test_amplification.py", "analysis/test_batch_walks.py"),
    "analysis.consumption": ("checks/test_processor.py", "checks/test_sqs.py", *_CONFIGURATION),
    "analysis.dead_letters": _DEAD_LETTERS,
    "analysis.discards": ("checks/test_dead_letters.py",),
    "analysis.duplicates": _EVENTS,
    "analysis.error_rules": ("analysis/test_error_rules.py", "analysis/test_failures.py"),
    "analysis.explanation": (*_AGGREGATES, "analysis/test_version_meanings.py"),
    "analysis.failures": ("analysis/test_failures.py", "checks/test_dead_letters.py"),
    "analysis.identities": (*_RETRIES, *_EVENTS),
    "analysis.invokers": ("analysis/test_invokers.py", *_CONFIGURATION),
    "analysis.known_ids": (*_EVENTS, "checks/test_dedupe.py", "analysis/test_stages.py"),
    "analysis.loading": ("analysis/test_loading.py", *_REPLAY),
    "analysis.logs": ("analysis/test_logs.py", *_PROCESSOR, *_AGGREGATES),
    "analysis.managed_retries": ("analysis/test_managed_retries.py", "checks/test_retries.py"),
    "analysis.nested_retries": ("analysis/test_amplification.py",),
    "analysis.objects": (*_RAW, "capture/test_object_versions.py"),
    "analysis.processing": _PROCESSOR,
    "analysis.queues": ("analysis/test_queues.py", *_PROCESSOR),
    "analysis.redeliveries": _RETRIES,
    "analysis.repeated_effects": ("checks/test_retries.py", "analysis/test_retries.py"),
    "analysis.replay_prospects": ("commands/test_replay_plan.py", "recovery/test_rules.py"),
    "analysis.replays": (*_REPLAY, "recovery/test_rules.py"),
    "analysis.retries": _RETRIES,
    "analysis.retry_evidence_gaps": _RETRIES,
    "analysis.retry_patterns": ("analysis/test_retries.py", "checks/test_retries.py"),
    "analysis.roles": (*_PROCESSOR, *_REPLAY, "checks/test_raw.py"),
    "analysis.silences": ("checks/test_raw.py",),
    "analysis.stages": ("analysis/test_stages.py", *_LEDGER, "trace/test_hops.py"),
    "analysis.stored_events": (*_AGGREGATES, *_EVENTS),
    "analysis.synchrony": ("analysis/test_amplification.py",),
    "analysis.telemetry": _CONFIGURATION,
    "analysis.version_meanings": ("analysis/test_version_meanings.py",),
    "ledger.csv": (*_LEDGER, "commands/test_ledger.py"),
    "ledger.objections": _LEDGER,
    "ledger.repeats": ("ledger/test_repeats.py",),
    "ledger.rows": _LEDGER,
    "ledger.summary": _LEDGER,
    "entities": ("test_investigation.py", "commands/test_bad_parameters.py"),
    "layouts": _PIPELINE,
    "model": _PIPELINE,
    "pipeline": _PIPELINE,
}  # fmt: skip
