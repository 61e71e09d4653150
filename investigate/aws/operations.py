"""Exactly which operations of AWS may be used, and the refusal of every other one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from investigate.errors import WriteRefused

# Exactly these operations leave this machine; docs/permissions.md is generated from them.
# ReceiveMessage is absent on purpose: it hides messages and raises their receive count.
READ_ONLY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "s3": frozenset(
            {"GetBucketVersioning", "GetObject", "ListObjectVersions", "ListObjectsV2"}
        ),
        "dynamodb": frozenset({"BatchGetItem", "DescribeTable", "Query", "Scan"}),
        "sqs": frozenset({"GetQueueAttributes", "GetQueueUrl"}),
        "lambda": frozenset(
            {
                "GetFunctionConcurrency",
                "GetFunctionConfiguration",
                "GetFunctionEventInvokeConfig",
                "GetPolicy",
                "ListAliases",
                "ListEventSourceMappings",
                "ListFunctionEventInvokeConfigs",
                "ListVersionsByFunction",
            }
        ),
        "events": frozenset({"DescribeRule", "ListRuleNamesByTarget", "ListTargetsByRule"}),
        "sns": frozenset({"GetSubscriptionAttributes", "ListSubscriptionsByTopic"}),
        "dynamodbstreams": frozenset({"GetRecords", "GetShardIterator"}),
        "kinesis": frozenset({"DescribeStreamSummary", "GetRecords", "GetShardIterator"}),
        "logs": frozenset({"DescribeLogGroups", "FilterLogEvents"}),
        "cloudwatch": frozenset({"DescribeAlarms", "GetMetricData"}),
        "xray": frozenset({"BatchGetTraces", "GetTraceSummaries"}),
        "cloudformation": frozenset({"DescribeStackEvents", "ListStackResources"}),
        "sts": frozenset({"GetCallerIdentity"}),
    }
)
# Reads by name, with an effect on the pipeline; only for a connection opened for sampling.
SIDE_EFFECTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"sqs": frozenset({"ReceiveMessage"})}
)

# Where the IAM action has another name than the operation, or another prefix than the service.
_ACTIONS = {
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
}
_PREFIXES = {"dynamodbstreams": "dynamodb"}


def action_of(service: str, operation: str) -> str:
    """Return the IAM action that allows an operation; S3 names two of them differently."""
    return f"{_PREFIXES.get(service, service)}:{_ACTIONS.get(operation, operation)}"


def allowed_operations(service: str, *, sampling: bool = False) -> frozenset[str]:
    """Return the operations a connection may use of a service; raise `WriteRefused` for others."""
    if service not in READ_ONLY:
        raise WriteRefused(
            f"{service} is not on the read-only list",
            hint=f"the services a capture reads: {', '.join(sorted(READ_ONLY))}",
        )
    return READ_ONLY[service] | (
        SIDE_EFFECTS.get(service, frozenset()) if sampling else frozenset()
    )


def refuse_unlisted(service: str, operation: str, *, sampling: bool = False) -> None:
    """Raise `WriteRefused` for an operation that a connection may not use, before it is built."""
    allowed = allowed_operations(service, sampling=sampling)
    if operation in allowed:
        return
    opt_in = operation in SIDE_EFFECTS.get(service, frozenset())
    raise WriteRefused(
        f"{service}:{operation} is not on the read-only list; nothing was sent",
        hint="ask for it with --sample-messages N: it hides messages and counts as a receive"
        if opt_in
        else f"allowed of {service}: {', '.join(sorted(allowed))}",
    )
