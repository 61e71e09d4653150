"""What the reference pipeline's template leaves open, whatever happens to the pipeline later."""

from __future__ import annotations

from investigate.sandbox.truth import GroundTruth
from investigate.sandbox.world import Sandbox


def record_template_gaps(sandbox: Sandbox, truth: GroundTruth) -> None:
    """Record the settings that an audit must object to: the template has one queue without a
    dead-letter queue, whose visibility timeout is the function's timeout, a mapping that cannot
    report single messages, and no alarm; and what the format of the logs leaves out."""
    if sandbox.options.well_configured:
        return
    names = sandbox.names
    if sandbox.options.log_format == "Text":  # the level is the runtime's then (D20)
        truth.add("configuration/log-level", *names.functions.values())
    queue = str(names.replay_queue_url).rsplit("/", 1)[-1]
    processor = names.functions["processor"]
    mappings = sandbox.clients.lambda_.list_event_source_mappings(FunctionName=processor)
    truth.add("configuration/visibility-timeout", queue)
    truth.add(
        "configuration/partial-batch-response",
        *(mapping["UUID"] for mapping in mappings["EventSourceMappings"]),
    )
    if not names.dead_letter_queue_urls:
        truth.add("configuration/no-dead-letter-queue", queue)
    truth.add(
        "configuration/no-alarm",
        *(f"Errors of {name}" for name in names.functions.values()),
        f"ProcessorErrorCount of {processor}",
        f"ApproximateAgeOfOldestMessage of {queue}",
    )
