"""What is assumed of a pipeline, of AWS and of a cluster, and where each figure is from."""

from __future__ import annotations

from dataclasses import dataclass

from investigate.capture.prices import Price

MEMORY = "from memory; no source at hand"
_DEMO = "counted by DynamoDB's rule in the demo case `healthy`"


@dataclass(frozen=True, slots=True)
class Assumed:
    """A figure that nothing here measured: how large, of what, and why it is believed."""

    value: float
    of: str
    source: str


RAW_BYTES = Assumed(
    600, "bytes of a raw object; one object for each event", "assumed; in the demo case 429"
)
EVENT_BYTES = Assumed(770, "bytes of a row of the EventsTable; one row for each event", _DEMO)
DEDUPE_BYTES = Assumed(215, "bytes of a row of the DedupeTable; one row for each event", _DEMO)
AGGREGATE_BYTES = Assumed(920, "bytes of a row of the AggregatesTable, with 10 sample ids", _DEMO)
ATTEMPTS = Assumed(1.05, "calls of ingest for each event", "assumed")
INGEST_LOG = Assumed(
    1_000, "bytes in the log for each call of ingest: START, END, REPORT, one EMF line", "assumed"
)
BATCH_LOG = Assumed(1_500, "bytes in the log for each batch of 10 messages", "assumed")
BATCH = Assumed(10, "messages of a batch", "the mapping's default, BatchSize")

LIST_SECONDS = Assumed(0.1, "seconds from one page of a listing to the next", MEMORY)
SCAN_SECONDS = Assumed(0.1, "seconds from one page of a scan to the next", MEMORY)
LOG_CALLS = Assumed(
    5,
    "calls of FilterLogEvents a second, of the whole account in a region",
    "repost.aws/knowledge-center/cloudwatch-logs-throttling; some regions allow more",
)
HASHING = Assumed(
    1e9, "bytes a second that one process hashes", "what `investigate/case.py` says of itself"
)

GETS = Assumed(
    5_500, "GETs a second that S3 answers of one partition of a bucket", "Amazon S3 user guide"
)
PARTITIONS = Assumed(20, "partitions that S3 has made of the raw prefix", "assumed")
SPARK_FACTOR = Assumed(
    3, "times the processor time of DuckDB that Spark takes for the same questions",
    "a guess: no time of Spark was measured",
)  # fmt: skip
CORES = (16, 64, 256)

INVENTORY = Price(0.0025, 1_000_000, "objects listed by S3 Inventory", MEMORY)
EXPORT = Price(0.10, 10**9, "bytes that DynamoDB exports to S3", MEMORY)
ATHENA = Price(5.0, 10**12, "bytes that Athena reads", MEMORY)
CORE_HOURS = Price(0.06, 1, "hours of one core, EC2 and EMR together", MEMORY)

FIGURES = (
    RAW_BYTES, EVENT_BYTES, DEDUPE_BYTES, AGGREGATE_BYTES, ATTEMPTS, INGEST_LOG, BATCH_LOG, BATCH,
    LIST_SECONDS, SCAN_SECONDS, LOG_CALLS, HASHING, GETS, PARTITIONS, SPARK_FACTOR,
)  # fmt: skip
PRICES = (INVENTORY, EXPORT, ATHENA, CORE_HOURS)
