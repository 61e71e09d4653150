"""Checks of the mappings of streams: does one bad record hold up a shard, or vanish from it?"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.checks.configuration.advice import AuditRule, apply_rule
from investigate.checks.registry import PartialRows, check
from investigate.evidence import Evidence
from investigate.model import Severity

ENDLESS = -1  # of MaximumRetryAttempts and MaximumRecordAgeInSeconds, and the default of both
_PAGE = "Configuring how Lambda handles errors with stream sources (AWS Lambda Developer Guide)"


@check(
    "configuration/endless-retries",
    Severity.DANGEROUS,
    key="mapping",
    needs=("mappings",),
    found="{count} mapping{s} of a stream {are} held up by a bad record until it expires.",
    advice="Set MaximumRetryAttempts (a few) or MaximumRecordAgeInSeconds (well below the "
    "stream's retention), best both, together with an on-failure destination.",
    avoid="Do not set them without a destination: what is given up is then gone without a trace.",
)
def endless_retries(evidence: Evidence) -> PartialRows:
    """Does one bad record hold up its shard without end?"""
    maps = _of_streams(evidence)
    endless = (maps.max_retry_attempts.fill_null(ENDLESS) == ENDLESS) & (
        maps.max_record_age_s.fill_null(ENDLESS) == ENDLESS
    )
    rule = AuditRule(
        "MaximumRetryAttempts and MaximumRecordAgeInSeconds", "both set to what can be waited for",
        _PAGE,
        "everything behind the bad record waits, and expires with the stream's retention",
    )  # fmt: skip
    return apply_rule(evidence, maps, rule, found=maps.endless, bad=endless, noun="mapping")


@check(
    "configuration/no-bisect",
    Severity.SUSPECT,
    key="mapping",
    needs=("mappings",),
    found="{count} mapping{s} of a stream give{_s} up whole batches for one record.",
    advice="Set BisectBatchOnFunctionError, and ReportBatchItemFailures once the handler returns "
    "the failed sequence number: together they leave only the bad record out. `07_retries` shows "
    "the walk of a batch with each setting.",
    avoid="Do not set ReportBatchItemFailures alone: what follows the bad record in its batch is "
    "discarded with it.",
)
def no_bisect(evidence: Evidence) -> PartialRows:
    """Is a failed batch of a stream split, so that only the bad record is given up?"""
    maps = _of_streams(evidence)
    maps = maps.filter((maps.batch_size > 1).fill_null(True))
    rule = AuditRule(
        "BisectBatchOnFunctionError", "true", _PAGE,
        "good records are discarded together with the bad one",
    )  # fmt: skip
    split = maps.bisect.fill_null(False)
    unknown = maps.batch_size.isnull() & ~split
    return apply_rule(
        evidence, maps, rule, found=maps.bisect.cast("string"), noun="mapping",
        bad=unknown.ifelse(ibis.null("boolean"), ~split),
    )  # fmt: skip


@check(
    "configuration/no-stream-destination",
    Severity.DANGEROUS,
    key="mapping",
    needs=("mappings",),
    found="{count} mapping{s} of a stream keep{_s} nothing of what is given up.",
    advice="Set DestinationConfig.OnFailure to a queue, a topic or a bucket; only the bucket "
    "receives the records themselves, the others a pointer that ends with the stream's retention.",
    avoid="Do not rely on the function's own dead-letter queue: a stream's mapping never uses it.",
)
def no_stream_destination(evidence: Evidence) -> PartialRows:
    """Has a stream's mapping a place for the records that are given up?"""
    maps = _of_streams(evidence)
    rule = AuditRule(
        "DestinationConfig.OnFailure", "a bucket or a queue", _PAGE,
        "given-up records leave no trace but the metric DroppedEventCount",
    )  # fmt: skip
    return apply_rule(
        evidence, maps, rule, found=maps.on_failure_arn, bad=maps.on_failure_arn.isnull(),
        noun="mapping",
    )  # fmt: skip


def _of_streams(evidence: Evidence) -> ir.Table:
    maps = evidence["mappings"]
    streams = maps.filter(maps.source_arn.re_search(":(kinesis|dynamodb):"))
    return streams.mutate(
        key=streams.uuid,
        endless=streams.max_retry_attempts.cast("string").fill_null("no limit")
        + " attempts, age "
        + streams.max_record_age_s.cast("string").fill_null("without limit"),
    )
