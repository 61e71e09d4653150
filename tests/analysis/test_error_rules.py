"""What errors say about themselves: kind, whether they last, fingerprint, what was denied."""

from __future__ import annotations

import ibis
import pytest

from investigate.analysis.error_rules import (
    RULES,
    denied_action,
    denied_resource,
    denied_role,
    error_text,
    fingerprint_of,
    kind_of,
    lasting_of,
    why_of,
)
from investigate.engine import DuckDBEngine
from tests.spark import spark_sql

DENIED = (
    "An error occurred (AccessDeniedException) when calling the PutItem operation: User: "
    "arn:aws:sts::123456789012:assumed-role/processor-role/processor is not authorized to perform: "
    "dynamodb:PutItem on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/aggregates "
    "because no identity-based policy allows the dynamodb:PutItem action"
)
KINDS = {
    "Runtime.ImportModuleError: Unable to import module 'app'": ("import-or-handler", "permanent"),
    "Runtime.HandlerNotFound: Handler 'f' missing on module 'm'": (
        "import-or-handler", "permanent",
    ),
    "Runtime.MarshalError: Unable to marshal response": ("marshal", "permanent"),
    "RequestId: x Error: Runtime exited with error: signal: killed": ("out-of-memory", "unknown"),
    DENIED: ("access-denied", "permanent"),
    "NO_PERMISSIONS": ("access-denied", "permanent"),
    "MessageRejected: Email address is not verified. The following identities failed": (
        "identity", "permanent",
    ),
    "An error occurred (ConditionalCheckFailedException): The conditional request failed": (
        "guard", "permanent",
    ),
    "ThrottlingException: Rate exceeded": ("throttle", "transient"),
    "TooManyRequestsException": ("throttle", "transient"),
    "ProvisionedThroughputExceededException: x": ("throttle", "transient"),
    "2026-03-10T00:00:00Z r1 Task timed out after 3.00 seconds": ("timeout", "transient"),
    "TIMEOUT": ("timeout", "transient"),
    "An error occurred (InternalServerError) when calling the Query operation": (
        "service", "transient",
    ),
    "ServiceException": ("service", "transient"),
    "CONNECTION_FAILURE": ("service", "transient"),
    "An error occurred (NoSuchKey) when calling the GetObject operation": ("missing", "permanent"),
    "NO_RESOURCE: gone": ("missing", "permanent"),
    "JSONDecodeError: Expecting value: line 1 column 1 (char 0)": ("malformed", "permanent"),
    "KeyError: 'entity_id'": ("malformed", "permanent"),
    "OSError: [Errno 28] No space left on device": ("resource", "unknown"),
    "SomethingElse: odd": ("other", "unknown"),
    "": ("other", "unknown"),
}  # fmt: skip


def answers(expression, errors):
    engine = DuckDBEngine()
    table = ibis.memtable({"error": list(errors)}, schema={"error": "string"})
    return [row["told"] for row in engine.rows(table.select(told=expression(table.error)))]


def test_every_kind_is_known_by_its_words():
    assert answers(kind_of, KINDS) == [kind for kind, _ in KINDS.values()]
    assert {kind for kind, _ in KINDS.values()} == {rule.kind for rule in RULES} | {"other"}


def test_every_error_lasts_or_passes_for_a_reason():
    assert answers(lasting_of, KINDS) == [lasting for _, lasting in KINDS.values()]
    assert all(len(why) > 20 for why in answers(why_of, KINDS))


def test_an_unknown_error_is_unknown():
    assert answers(kind_of, [None]) == ["other"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no key 'a/b.json' of 17", "no key 'c.json' of 3"),
        ("for arn:aws:s3:::bucket/x", "for arn:aws:s3:::other"),
        ("1d5db2bf-901e-4930-b39c-02a1df439667", "29166074-4240-4c82-ac58-ed6f3228d347"),
        ("id 14d489b8db25997d36d4", "id ddd7940b929d67e8848d"),
        ("at 2026-03-10T11:18:00.5Z", "at 2026-03-11 02:30:00"),
        ('took 1.5 s\nTraceback "a"', 'took 20 s\nOther "b"'),
        ("raw/source=a/x.json missing", "raw/source=b/y.json missing"),
    ],
)  # fmt: skip
def test_what_differs_each_time_is_no_part_of_a_fingerprint(one, other):
    first, second = answers(fingerprint_of, [one, other])
    assert first == second
    assert first not in (one, other)


def test_different_errors_have_different_fingerprints():
    prints = answers(fingerprint_of, ["KeyError: 'a'", "ValueError: 'a'", ""])
    assert prints == ["KeyError: <text>", "ValueError: <text>", "(no message)"]


def test_a_denial_names_action_resource_and_role():
    assert answers(denied_action, [DENIED, "no"]) == ["dynamodb:PutItem", None]
    assert answers(denied_resource, [DENIED, "no"]) == [
        "arn:aws:dynamodb:eu-west-1:123456789012:table/aggregates", None,
    ]  # fmt: skip
    quoted = 'on resource: "arn:aws:s3:::b/my key.json" because no policy'
    assert answers(denied_resource, [quoted]) == ["arn:aws:s3:::b/my key.json"]
    assert answers(denied_role, [DENIED, "no"]) == ["processor-role", None]


def test_type_and_message_stand_together_once():
    told = answers(
        lambda error: error_text(ibis.literal("KeyError"), error), ["'a'", "KeyError: 'a'", None]
    )
    assert told == ["KeyError: 'a'", "KeyError: 'a'", "KeyError"]
    assert answers(lambda error: error_text(ibis.null("string"), error), ["x", None]) == ["x", ""]


def test_every_rule_is_an_expression_of_spark_too():
    table = ibis.table({"error": "string"}, name="t")
    text = table.error
    for expression in (kind_of, lasting_of, why_of, fingerprint_of, denied_action, denied_role):
        assert "SELECT" in spark_sql(table.select(told=expression(text)))
