"""The AWS side of a sandbox: its options, its clients and the resources of one pipeline."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from investigate import pipeline
from investigate.errors import UsageError
from investigate.settings import FUNCTION_ROLES, PipelineNames

ACCOUNT = "123456789012"
CREDENTIAL = "sandbox"  # made up; no sandbox ever uses real ones
LOG_FORMATS = ("JSON", "Text")
TIMEOUTS = {
    "ingest": pipeline.INGEST_TIMEOUT_SECONDS,
    "replay": pipeline.INGEST_TIMEOUT_SECONDS,
    "processor": pipeline.PROCESSOR_TIMEOUT_SECONDS,
}
MEMORY = {
    "ingest": pipeline.INGEST_MEMORY_MB,
    "replay": pipeline.INGEST_MEMORY_MB,
    "processor": pipeline.PROCESSOR_MEMORY_MB,
}


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """What a sandbox looks like; every resource name is derived from `name`."""

    start: datetime
    seed: int = 7
    region: str = "eu-west-1"
    name: str = "demo"
    log_format: str = "JSON"
    dry_run: frozenset[str] = field(default_factory=frozenset)
    dead_letter_queue: bool = False
    max_receive_count: int = 3
    endpoint_url: str | None = None
    alarms: bool = False
    traces: bool = False
    design: pipeline.Design = pipeline.REFERENCE
    well_configured: bool = False  # as AWS advises, and not as the pipeline's template has it

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise UsageError("the start of a sandbox needs an offset", hint="use tzinfo=UTC")
        if self.log_format not in LOG_FORMATS:
            raise UsageError.unknown("log format", self.log_format, LOG_FORMATS)
        for role in self.dry_run:
            if role not in FUNCTION_ROLES:
                raise UsageError.unknown("role", role, FUNCTION_ROLES)

    def function(self, role: str) -> str:
        """The name of the Lambda function with a role."""
        return f"{self.name}-{role}"


@dataclass(frozen=True)
class Clients:
    """One boto3 client per service that the pipeline or its platform uses."""

    s3: Any
    dynamodb: Any
    sqs: Any
    lambda_: Any
    logs: Any
    cloudwatch: Any
    iam: Any
    xray: Any


def connect(options: SandboxOptions) -> Clients:
    """Return clients with made-up credentials, for the emulator or for the endpoint given."""
    core = botocore.session.Session()
    core.register_component("data_loader", _service_models())
    session = boto3.Session(
        botocore_session=core,
        aws_access_key_id=CREDENTIAL,
        aws_secret_access_key=CREDENTIAL,
        region_name=options.region,
    )
    config = Config(
        retries={"total_max_attempts": 1},
        parameter_validation=False,
        user_agent="investigate-sandbox",
        request_checksum_calculation="when_required",
        s3={"addressing_style": "path"},
    )
    return Clients(
        *(
            session.client(service, endpoint_url=options.endpoint_url, config=config)
            for service in ("s3", "dynamodb", "sqs", "lambda", "logs", "cloudwatch", "iam", "xray")
        )
    )


@cache
def _service_models() -> Loader:
    """Return the descriptions of the services, which take longest to read, read once."""
    return Loader()


def create_pipeline(clients: Clients, options: SandboxOptions) -> PipelineNames:
    """Create every resource of the reference pipeline and return their names."""
    names = PipelineNames(
        region=options.region,
        raw_bucket=f"{options.name}-raw",
        raw_prefix=options.design.raw_prefix,
        events_table=f"{options.name}-events",
        dedupe_table=f"{options.name}-dedupe",
        aggregates_table=f"{options.name}-aggregates",
        dead_letter_queue_urls=_create_dead_letter_queue(clients, options),
        replay_queue_url=_create_replay_queue(clients, options),
        functions={role: options.function(role) for role in FUNCTION_ROLES},
        design=options.design,
    )
    _create_bucket(clients, str(names.raw_bucket), options.region)
    _create_tables(clients, names)
    _create_functions(clients, names, options)
    return names


def queue_arn(options: SandboxOptions) -> str:
    """Return the ARN of the replay queue."""
    return f"arn:aws:sqs:{options.region}:{ACCOUNT}:{options.name}-replay"


def environment_of(names: PipelineNames, *, dry_run: bool) -> dict[str, str]:
    """Return the environment variables of a function, which are all it knows of the pipeline."""
    return {
        "RAW_BUCKET": str(names.raw_bucket),
        "RAW_PREFIX": names.raw_prefix,
        "EVENTS_TABLE": str(names.events_table),
        "DEDUPE_TABLE": str(names.dedupe_table),
        "AGGREGATES_TABLE": str(names.aggregates_table),
        "REPLAY_QUEUE_URL": str(names.replay_queue_url),
        "DRY_RUN": "true" if dry_run else "false",
        "LOG_LEVEL": "INFO",
    }


def _create_dead_letter_queue(clients: Clients, options: SandboxOptions) -> tuple[str, ...]:
    if not _has_dead_letters(options):
        return ()
    made = clients.sqs.create_queue(
        QueueName=f"{options.name}-dead-letters",
        Attributes={"MessageRetentionPeriod": "1209600"},
    )
    return (made["QueueUrl"],)


def _has_dead_letters(options: SandboxOptions) -> bool:
    return options.dead_letter_queue or options.well_configured


def _create_replay_queue(clients: Clients, options: SandboxOptions) -> str:
    # Six times the function's timeout: "Using Lambda with Amazon SQS".
    advised = 6 * pipeline.PROCESSOR_TIMEOUT_SECONDS
    visibility = advised if options.well_configured else pipeline.QUEUE_VISIBILITY_SECONDS
    attributes = {
        "VisibilityTimeout": str(visibility),
        "MessageRetentionPeriod": str(pipeline.QUEUE_RETENTION_SECONDS),
    }
    if _has_dead_letters(options):
        target = f"arn:aws:sqs:{options.region}:{ACCOUNT}:{options.name}-dead-letters"
        policy = {
            "deadLetterTargetArn": target,
            "maxReceiveCount": str(5 if options.well_configured else options.max_receive_count),
        }
        attributes["RedrivePolicy"] = json.dumps(policy)
    made = clients.sqs.create_queue(QueueName=f"{options.name}-replay", Attributes=attributes)
    return str(made["QueueUrl"])


def _create_bucket(clients: Clients, bucket: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"LocationConstraint": region}
    place = {"CreateBucketConfiguration": where} if where else {}
    clients.s3.create_bucket(Bucket=bucket, **place)
    expiry = {"Days": pipeline.RAW_LIFETIME_DAYS}
    rule = {"ID": "expiry", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": expiry}
    clients.s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}
    )


def _create_tables(clients: Clients, names: PipelineNames) -> None:
    index = {
        "IndexName": "GSI1",
        "KeySchema": _keys("GSI1PK", "GSI1SK"),
        "Projection": {"ProjectionType": "ALL"},
    }
    _create_table(
        clients, names.events_table, "PK", "SK", "GSI1PK", "GSI1SK", GlobalSecondaryIndexes=[index]
    )
    _create_table(clients, names.aggregates_table, "PK", "SK")
    _create_table(clients, names.dedupe_table, "event_id")
    clients.dynamodb.update_time_to_live(
        TableName=names.dedupe_table,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl_epoch"},
    )


def _create_table(clients: Clients, table: str | None, *attributes: str, **more: Any) -> None:
    clients.dynamodb.create_table(
        TableName=table,
        KeySchema=_keys(*attributes[:2]),
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in attributes],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def _keys(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)
    ]


def _create_functions(clients: Clients, names: PipelineNames, options: SandboxOptions) -> None:
    trust = {"Version": "2012-10-17", "Statement": []}
    role = clients.iam.create_role(
        RoleName=f"{options.name}-role", AssumeRolePolicyDocument=json.dumps(trust)
    )
    for kind in FUNCTION_ROLES:
        clients.lambda_.create_function(
            FunctionName=options.function(kind),
            Runtime="python3.11",
            Architectures=["arm64"],
            Role=role["Role"]["Arn"],
            Handler=f"handlers.{kind}",
            Code={"ZipFile": _code(kind)},
            Timeout=TIMEOUTS[kind],
            MemorySize=MEMORY[kind],
            TracingConfig={"Mode": "Active"},
            LoggingConfig={"LogFormat": options.log_format},
            Environment={
                "Variables": environment_of(names, dry_run=kind in options.dry_run),
            },
        )
        clients.logs.create_log_group(logGroupName=log_group(options.function(kind)))
    reports = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
    clients.lambda_.create_event_source_mapping(
        EventSourceArn=queue_arn(options),
        FunctionName=options.function("processor"),
        BatchSize=options.design.batch_size,
        Enabled=True,
        **(reports if options.well_configured else {}),
    )


def log_group(function: str) -> str:
    """Return the log group of a function."""
    return f"/aws/lambda/{function}"


def _code(role: str) -> bytes:
    """Return a deployment package whose bytes are always the same."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handlers.py", (2026, 1, 1, 0, 0, 0)), f"# {role}\n")
    return packed.getvalue()
