"""What AWS charges for what a capture asks: list prices of us-east-1, in US dollars."""

from __future__ import annotations

from dataclasses import dataclass

NOTE = (
    "list prices of us-east-1 without any free tier; other regions differ. Not included: "
    "KMS requests, storage classes that charge for retrieval, and data that leaves AWS "
    "($0.09 per GB)"
)


@dataclass(frozen=True, slots=True)
class Price:
    """So many dollars for so many of a thing, and where AWS says so."""

    usd: float
    per: int
    of: str
    source: str

    def for_(self, count: float) -> float:
        """Return the dollars for this many."""
        return count * self.usd / self.per


S3_LIST = Price(0.005, 1_000, "LIST requests, S3 Standard", "aws.amazon.com/s3/pricing")
S3_GET = Price(0.0004, 1_000, "GET requests, S3 Standard", "aws.amazon.com/s3/pricing")
# Halved on 1 November 2024; older pages say 0.25.
READ_UNITS = Price(
    0.125, 1_000_000, "read request units, on demand", "aws.amazon.com/dynamodb/pricing/on-demand"
)
SQS_REQUESTS = Price(0.40, 1_000_000, "requests, standard queue", "aws.amazon.com/sqs/pricing")
METRICS = Price(
    0.01, 1_000, "metrics requested by GetMetricData", "aws.amazon.com/cloudwatch/pricing"
)
CLOUDWATCH_REQUESTS = Price(
    0.01, 1_000, "requests other than GetMetricData", "aws.amazon.com/cloudwatch/pricing"
)
TRACES = Price(0.50, 1_000_000, "traces retrieved or scanned", "aws.amazon.com/xray/pricing")
# What CloudFormation, Lambda's own API and FilterLogEvents cost: nothing, they only have quotas.
PRICES = (
    S3_LIST, S3_GET, READ_UNITS, SQS_REQUESTS, METRICS, CLOUDWATCH_REQUESTS, TRACES,
)  # fmt: skip
