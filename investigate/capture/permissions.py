"""Which actions a capture needs, for which tables, and the IAM policy that allows exactly those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from investigate.aws import SIDE_EFFECTS, action_of
from investigate.capture.dead_letter_queues import FAILURES_PREFIX, place_of_url
from investigate.settings import PipelineNames

Statement = dict[str, Any]
_DYNAMODB = ("events", "dedupe", "aggregates")
_LOGS = ("invocations", "log_lines", "metric_points")
_DELIVERIES = ("deliveries", "queue_state", "dead_letters")
_LOST = "the records that a dead letter only points at are not fetched"
_RESCUE = "--sample-messages"


@dataclass(frozen=True, slots=True)
class Need:
    """One action: what it is asked of, for which tables, and what is lost without it."""

    service: str
    operation: str
    kind: str  # of the resource; `any` where IAM knows nothing narrower than the account
    tables: tuple[str, ...]
    without: str
    only_for: str = ""  # what alone needs it; empty: every capture
    named: str = ""  # the action, where one operation needs two

    @property
    def action(self) -> str:
        """The IAM action."""
        return self.named or action_of(self.service, self.operation)

    @property
    def has_effect(self) -> bool:
        """Whether it changes something although its name says that it reads."""
        return self.operation in SIDE_EFFECTS.get(self.service, frozenset())


@dataclass(frozen=True, slots=True)
class PolicyScope:
    """The pipeline that a policy is narrowed to, and where it is."""

    names: PipelineNames
    account: str
    region: str
    log_groups: tuple[str, ...] = ()  # none: the default one of each function
    failure_buckets: tuple[str, ...] = ()  # that Lambda puts failures into

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    @property
    def partition(self) -> str:
        """Which of AWS's separate worlds the region belongs to."""
        worlds = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((w for start, w in worlds.items() if self.region.startswith(start)), "aws")


NEEDS: Sequence[Need] = (
    Need("cloudformation", "ListStackResources", "stack", (), "no resource is found by the name "
         "of the stack: name each in the configuration", "a stack in the configuration"),
    Need("cloudformation", "DescribeStackEvents", "stack", ("deployments",), "what the stack has "
         "changed stays unknown", "a stack in the configuration"),
    Need("s3", "ListObjectsV2", "listing", ("raw", "dead_letters"), "no raw objects, and no "
         "failures that go to a bucket; and an object that does not exist cannot be told from one "
         "that may not be read"),
    Need("s3", "GetObject", "object", ("raw", "dead_letters"), "objects are known, and not what "
         "they hold; no inventory and no export can be read"),
    Need("s3", "GetBucketVersioning", "bucket", ("raw",), "that earlier versions exist stays "
         "unknown"),
    Need("s3", "ListObjectVersions", "listing", ("raw",), "no raw objects of a bucket that keeps "
         "versions"),
    Need("s3", "GetObject", "object", ("raw",), "what the objects of a bucket with versions hold "
         "stays unknown", named="s3:GetObjectVersion"),
    Need("dynamodb", "Scan", "table", _DYNAMODB, "the table is left out"),
    Need("dynamodb", "Query", "table", ("events", "aggregates"), "the table is left out",
         "--entity"),
    Need("dynamodb", "BatchGetItem", "table", ("dedupe",), "the table is left out", "--entity"),
    Need("dynamodb", "DescribeTable", "table", _DYNAMODB, "the read units cannot be told "
         "beforehand", "--estimate and limits"),
    Need("sqs", "GetQueueAttributes", "queue",
         ("queue_state", "messages", "dead_letters", "mappings", "deliveries"), "the queue is left "
         "out"),
    Need("sqs", "GetQueueUrl", "queue", ("queue_state", "dead_letters"), "a dead-letter queue that "
         "only an ARN names is left out"),
    Need("sqs", "ReceiveMessage", "queue", ("messages", "dead_letters"), "no message can be "
         "sampled", "--sample-messages"),
    Need("lambda", "GetFunctionConfiguration", "function", ("functions", *_LOGS), "the function is "
         "left out; its log is looked for under the default name"),
    Need("lambda", "GetFunctionConcurrency", "function", ("functions",), "its reserved concurrency "
         "stays unknown"),
    Need("lambda", "GetFunctionEventInvokeConfig", "function", ("functions",), "its settings for "
         "asynchronous calls stay unknown"),
    Need("lambda", "ListFunctionEventInvokeConfigs", "function", ("functions",), "the settings of "
         "its versions and aliases stay unknown"),
    Need("lambda", "GetPolicy", "function", ("functions", *_DELIVERIES), "who may invoke it stays "
         "unknown, and so do the topics and the event buses before it"),
    Need("lambda", "ListAliases", "function", ("functions", *_DELIVERIES), "who may invoke one of "
         "its aliases stays unknown, and what reaches it through one"),
    Need("lambda", "ListVersionsByFunction", "function", ("deployments",), "when it was changed "
         "stays unknown"),
    Need("lambda", "ListEventSourceMappings", "any", ("mappings", "queue_state", "dead_letters"),
         "the table is left out, and where the mappings send failures stays unknown"),
    Need("kinesis", "GetShardIterator", "data stream", ("rescued",), _LOST, _RESCUE),
    Need("kinesis", "GetRecords", "data stream", ("rescued",), _LOST, _RESCUE),
    Need("dynamodbstreams", "GetShardIterator", "table stream", ("rescued",), _LOST, _RESCUE),
    Need("dynamodbstreams", "GetRecords", "table stream", ("rescued",), _LOST, _RESCUE),
    Need("logs", "FilterLogEvents", "log group", _LOGS, "the function's log is left out"),
    Need("events", "ListRuleNamesByTarget", "any", _DELIVERIES, "which rules invoke the functions "
         "stays unknown, and with them the dead-letter queues of their targets"),
    Need("events", "DescribeRule", "rule", _DELIVERIES, "the rules are left out"),
    Need("events", "ListTargetsByRule", "rule", _DELIVERIES, "the rules are left out"),
    Need("sns", "ListSubscriptionsByTopic", "topic", _DELIVERIES, "the subscriptions are left out, "
         "and with them their dead-letter queues"),
    Need("sns", "GetSubscriptionAttributes", "any", _DELIVERIES, "the subscriptions are left out"),
    Need("kinesis", "DescribeStreamSummary", "data stream", ("mappings",), "how long the stream of "
         "a mapping keeps its records stays unknown"),
    Need("logs", "DescribeLogGroups", "any", ("functions", *_LOGS), "what the retention has "
         "already deleted stays unknown, and whether a function has a log group"),
    Need("cloudwatch", "GetMetricData", "any", ("metric_points", "queue_state"), "only the metrics "
         "that stand in logs; the age of the oldest message stays unknown"),
    Need("cloudwatch", "DescribeAlarms", "alarm", ("alarms",), "the table is left out"),
    Need("xray", "GetTraceSummaries", "any", ("spans",), "the table is left out"),
    Need("xray", "BatchGetTraces", "any", ("spans",), "the table is left out"),
)  # fmt: skip


def policy(scope: PolicyScope | None, *, sampling: bool = False) -> Statement:
    """Return the IAM policy of a capture: narrowed to a pipeline, or for any with `None`.

    `sampling` adds a statement for what has an effect, which no capture does unasked.
    """
    needed = [need for need in NEEDS if not need.has_effect]
    effects = [need for need in NEEDS if need.has_effect and sampling]
    return document([*statements(needed, scope), *statements(effects, scope)])


def document(allowed: list[Statement]) -> Statement:
    """Return the policy of these statements."""
    return {"Version": "2012-10-17", "Statement": allowed}


def statements(needs: Iterable[Need], scope: PolicyScope | None) -> list[Statement]:
    """Return what allows these needs: one statement for each service and kind of resource, or one
    for all without a scope."""
    if scope is None:
        return _wide(list(needs))
    grouped: dict[tuple[str, str, bool], list[str]] = {}
    for need in needs:
        actions = grouped.setdefault((need.service, need.kind, need.has_effect), [])
        actions.append(need.action)
    made = (
        _narrowed(scope, service, kind, actions, has_effect=effect)
        for (service, kind, effect), actions in grouped.items()
    )
    return [statement for statement in made if statement["Resource"]]


def _wide(needs: Sequence[Need]) -> list[Statement]:
    made = []
    for sid, effect in (("ReadPipelines", False), ("SamplePipelines", True)):
        actions = sorted({need.action for need in needs if need.has_effect is effect})
        made += [_allow(sid, actions, "*")] if actions else []
    return made


def _narrowed(
    scope: PolicyScope, service: str, kind: str, actions: list[str], *, has_effect: bool
) -> Statement:
    words = ["sample" if has_effect else "read", service, *_SIDS[kind].split()]
    resources = "*" if kind == "any" else sorted(_ARNS[kind](scope))
    sid = "".join(word.capitalize() for word in words)
    statement = _allow(sid, sorted(set(actions)), resources)
    if kind == "listing" and scope.names.raw_prefix:
        # IfExists: a GetObject has no prefix, and only who may list is told that a key is missing.
        prefix = scope.names.raw_prefix
        failures = [f"{FAILURES_PREFIX}*"] if scope.failure_buckets else []
        prefixes = [prefix, f"{prefix}*", *failures]
        statement["Condition"] = {"StringLikeIfExists": {"s3:prefix": prefixes}}
    return statement


def _allow(sid: str, actions: list[str], resources: str | list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _bucket(scope: PolicyScope) -> Iterator[str]:
    if scope.names.raw_bucket:
        yield f"arn:{scope.partition}:s3:::{scope.names.raw_bucket}"


def _listed(scope: PolicyScope) -> Iterator[str]:
    yield from _bucket(scope)
    for bucket in scope.failure_buckets:
        yield f"arn:{scope.partition}:s3:::{bucket}"


def _objects(scope: PolicyScope) -> Iterator[str]:
    names = scope.names
    for bucket in _bucket(scope):
        yield f"{bucket}/{names.raw_prefix}*"
    for name in scope.failure_buckets:
        yield f"arn:{scope.partition}:s3:::{name}/{FAILURES_PREFIX}*"
    if names.raw_inventory:  # its data lies beside the folder of the manifest
        yield _below(scope, names.raw_inventory, up=2)
    for export in (names.events_export, names.dedupe_export, names.aggregates_export):
        if export:
            yield _below(scope, export, up=1)


def _below(scope: PolicyScope, url: str, *, up: int) -> str:
    path = url.removeprefix("s3://").rstrip("/")
    if path.endswith((".json", ".checksum")):
        path = path.rsplit("/", min(up, path.count("/")))[0]
    return f"arn:{scope.partition}:s3:::{path}/*"


def _tables(scope: PolicyScope) -> Iterator[str]:
    names = scope.names
    for name in (names.events_table, names.dedupe_table, names.aggregates_table):
        if name:
            yield scope.arn("dynamodb", f"table/{name}")


def _queues(scope: PolicyScope) -> Iterator[str]:
    for url in (scope.names.replay_queue_url, *scope.names.dead_letter_queue_urls):
        if url:
            account, name = place_of_url(url)
            owner = account if account.isdecimal() else scope.account
            yield f"arn:{scope.partition}:sqs:{scope.region}:{owner}:{name}"


def _functions(scope: PolicyScope) -> Iterator[str]:
    for name in scope.names.functions.values():
        yield scope.arn("lambda", f"function:{name}")
        yield scope.arn("lambda", f"function:{name}:*")  # the policies of its aliases


def _log_groups(scope: PolicyScope) -> Iterator[str]:
    default = (f"/aws/lambda/{name}" for name in scope.names.functions.values())
    for group in scope.log_groups or default:
        yield scope.arn("logs", f"log-group:{group}:*")


def _data_streams(scope: PolicyScope) -> Iterator[str]:
    # Which streams there are, only the functions' mappings and their dead letters tell.
    if scope.names.functions:
        yield scope.arn("kinesis", "stream/*")


def _table_streams(scope: PolicyScope) -> Iterator[str]:
    if scope.names.functions:
        yield scope.arn("dynamodb", "table/*/stream/*")


def _rules(scope: PolicyScope) -> Iterator[str]:
    # Which rules and topics lead to the functions, only AWS tells.
    if scope.names.functions:
        yield scope.arn("events", "rule/*")


def _topics(scope: PolicyScope) -> Iterator[str]:
    if scope.names.functions:
        yield scope.arn("sns", "*")


def _stacks(scope: PolicyScope) -> Iterator[str]:
    if scope.names.stack:
        parts = scope.names.stack.split("/")
        name = parts[1] if len(parts) > 1 else parts[0]
        yield scope.arn("cloudformation", f"stack/{name}/*")
        yield scope.arn("cloudformation", f"stack/{name}-*/*")  # the stacks within it


def _alarms(scope: PolicyScope) -> Iterator[str]:
    # Which alarms watch a pipeline shows only when all have been looked at.
    yield scope.arn("cloudwatch", "alarm:*")


_ARNS: Mapping[str, Callable[[PolicyScope], Iterator[str]]] = {
    "stack": _stacks,
    "listing": _listed,
    "bucket": _bucket,
    "object": _objects,
    "table": _tables,
    "queue": _queues,
    "function": _functions,
    "rule": _rules,
    "topic": _topics,
    "data stream": _data_streams,
    "table stream": _table_streams,
    "log group": _log_groups,
    "alarm": _alarms,
}
_SIDS = {kind: f"{kind}s" for kind in _ARNS} | {"listing": "keys", "any": "account"}
