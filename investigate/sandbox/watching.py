"""What watches a sandbox if it is asked for: alarms on its resources, traces of its functions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from investigate.sandbox.cloud import ACCOUNT, Clients, SandboxOptions
from investigate.sandbox.lines import Attempt
from investigate.settings import PipelineNames

SEGMENTS_PER_PUT = 50


def create_alarms(clients: Clients, names: PipelineNames, options: SandboxOptions) -> None:
    """Create an alarm on the age of the replay queue, one on the errors of the processor, and one
    of another application in the same account."""
    queue = {"Name": "QueueName", "Value": str(names.replay_queue_url).rsplit("/", 1)[-1]}
    processor = {"Name": "FunctionName", "Value": names.functions["processor"]}
    action = f"arn:aws:sns:{options.region}:{ACCOUNT}:{options.name}-alerts"
    put = clients.cloudwatch.put_metric_alarm
    put(
        AlarmName=f"{options.name}-replay-late",
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[queue],
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=3600.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        ActionsEnabled=True,
        AlarmActions=[action],
    )
    errors = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60}
    above = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0.0}
    put(AlarmName=f"{options.name}-processor-failing", Dimensions=[processor], **errors, **above)
    other = {"Name": "FunctionName", "Value": "another-application"}
    put(AlarmName="another-application", Dimensions=[other], **errors, **above)


def create_advised_alarms(clients: Clients, names: PipelineNames, options: SandboxOptions) -> None:
    """Create an alarm that tells somebody on each metric that tells of failures."""
    queue = str(names.replay_queue_url).rsplit("/", 1)[-1]
    dead = [url.rsplit("/", 1)[-1] for url in names.dead_letter_queue_urls]
    processor = names.functions["processor"]
    watched = [
        *(("AWS/Lambda", "Errors", "FunctionName", name) for name in names.functions.values()),
        (options.design.metric_namespace, "ProcessorErrorCount", "Function", processor),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue),
        *(("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name) for name in dead),
    ]
    for namespace, metric, dimension, name in watched:
        counts = metric in ("Errors", "ProcessorErrorCount")
        clients.cloudwatch.put_metric_alarm(
            AlarmName=f"{name}-{metric}",
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": dimension, "Value": name}],
            Statistic="Sum" if counts else "Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=3600.0 if metric == "ApproximateAgeOfOldestMessage" else 1.0,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
            ActionsEnabled=True,
            AlarmActions=[f"arn:aws:sns:{options.region}:{ACCOUNT}:{options.name}-alerts"],
        )


@dataclass
class TraceBook:
    """The segments of invocations, kept until they are handed to X-Ray."""

    region: str
    _documents: list[str] = field(default_factory=list)

    def take(self, function: str, attempt: Attempt) -> None:
        """Note the two segments that Lambda sends of an invocation: the service's and the
        function's, with what it did inside."""
        start, end = attempt.started.timestamp(), attempt.ended.timestamp()
        inside = f"{int(attempt.segment, 16) ^ 1:016x}"
        common = {
            "name": function,
            "trace_id": attempt.trace,
            "start_time": start,
            "end_time": end,
            "aws": {"request_id": attempt.request_id},
            **({"fault": True} if attempt.status != "ok" else {}),
        }
        arn = f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{function}"
        self._note({**common, "id": attempt.segment, "origin": "AWS::Lambda", "resource_arn": arn})
        invocation = {
            "id": f"{int(attempt.segment, 16) ^ 2:016x}",
            "name": "Invocation",
            "start_time": start,
            "end_time": end,
        }
        self._note(
            {
                **common,
                "id": inside,
                "parent_id": attempt.segment,
                "origin": "AWS::Lambda::Function",
                "subsegments": [invocation],
            }
        )

    def publish(self, xray: Any) -> None:
        """Hand over what was noted."""
        for first in range(0, len(self._documents), SEGMENTS_PER_PUT):
            part = self._documents[first : first + SEGMENTS_PER_PUT]
            xray.put_trace_segments(TraceSegmentDocuments=part)
        self._documents.clear()

    def _note(self, document: dict[str, Any]) -> None:
        self._documents.append(json.dumps(document))
