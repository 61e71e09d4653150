"""What `investigate doctor` prints, and with which code it ends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from investigate.aws import Connection, connect
from investigate.capture.permissions import PolicyScope, policy
from investigate.commands import doctor, environment
from investigate.commands.console import Console
from investigate.errors import AccessError, EngineError
from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from tests.builders import START
from tests.capture.helpers import refuse

WHOLE = """
[pipeline]
region = "eu-west-1"
raw_bucket = "demo-raw"
events_table = "demo-events"
dedupe_table = "demo-dedupe"
aggregates_table = "demo-aggregates"
replay_queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/demo-replay"
[pipeline.functions]
ingest = "demo-ingest"
replay = "demo-replay"
processor = "demo-processor"
"""
Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def world() -> Iterator[Sandbox]:
    with emulator(SandboxOptions(start=START, dead_letter_queue=True)) as sandbox:
        yield sandbox


@pytest.fixture
def connection(world: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The connection that the doctor uses, so that AWS can be made to refuse."""
    made = connect(region="eu-west-1", objects="botocore")
    monkeypatch.setattr(doctor, "connect", lambda **_: made)
    return made


@pytest.fixture
def ask(connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the doctor on a configuration; return its code and what it printed."""

    def run(configuration: str | None = WHOLE, **options: Any) -> tuple[int, str]:
        path = tmp_path / "pipeline.toml"
        path.write_text(configuration or "", encoding="utf-8")
        given = {"policy": False, "sampling": False, **options}
        asked = argparse.Namespace(
            config=str(path) if configuration is not None else None,
            region=None, profile=None, endpoint_url=None, **given,
        )  # fmt: skip
        code = doctor.run(asked, Console())
        return code, capsys.readouterr().out

    return run


def test_with_every_permission_it_ends_well(ask):
    code, text = ask()
    assert code == 0
    assert text.endswith("everything that a capture of this pipeline needs is granted\n")
    assert "not tried: it has an effect" in text


def test_it_says_who_asks_and_where_and_never_with_which_key(ask):
    _, text = ask()
    assert "account    123456789012" in text
    assert "arn:aws:sts::123456789012:user/moto" in text
    assert "region     eu-west-1" in text
    assert "AKIA" not in text
    assert "ASIA" not in text


def test_the_queue_of_the_redrive_policy_is_tried_too(ask):
    assert "demo-dead-letters" in ask()[1]


def test_a_report_is_tried_too_and_its_table_is_not(ask, connection):
    refuse(connection, "dynamodb", "Scan", only=lambda asked: b"demo-events" in asked["body"])
    export = "s3://demo-raw/AWSDynamoDB/1-a"
    code, text = ask(WHOLE.replace("dedupe_table", f'events_export = "{export}"\ndedupe_table'))
    assert code == 2
    assert text.endswith(
        f"not found: {export}/manifest-summary.json; correct the configuration or the region\n"
    )
    assert "dynamodb:Scan is denied" not in text


def test_a_denied_action_is_named_with_the_statement_to_add(ask, connection):
    refuse(connection, "dynamodb", "Scan")
    code, text = ask()
    assert code == 3
    assert "dynamodb:Scan is denied: the table is left out" in text
    added = json.loads(text.split("add this policy to the identity:\n")[1].split("\n\n")[0])
    (statement,) = added["Statement"]
    assert statement["Action"] == ["dynamodb:Scan"]
    assert statement["Resource"][0] == (
        "arn:aws:dynamodb:eu-west-1:123456789012:table/demo-aggregates"
    )
    assert text.endswith("a capture would be incomplete: dynamodb:Scan\n")


def test_what_only_an_option_needs_is_said_and_no_failure(ask, connection):
    refuse(connection, "dynamodb", "Query")
    code, text = ask()
    assert code == 0
    assert "dynamodb:Query is denied" in text


def test_a_wrong_name_is_a_wrong_configuration(ask):
    code, text = ask(WHOLE.replace("demo-events", "demo-evnets"))
    assert code == 2
    assert text.endswith("not found: demo-evnets; correct the configuration or the region\n")


def test_a_stack_is_looked_into(ask):
    template = {"Resources": {"RawBucket": {"Type": "AWS::S3::Bucket"}}}
    boto3.client("cloudformation").create_stack(
        StackName="orders", TemplateBody=json.dumps(template)
    )
    code, text = ask('[pipeline]\nstack = "orders"')
    assert code == 0
    assert "raw bucket  orders-rawbucket-" in text
    assert "the stack orders has no AggregatesTable" in text


def test_credentials_of_another_account_end_it(ask):
    with pytest.raises(AccessError, match="these credentials belong to account 123456789012"):
        ask(f'[pipeline]\naccount_id = "{"9" * 12}"')


def test_without_credentials_it_says_what_is_installed_and_ends(ask, connection, capsys):
    refuse(connection, "sts", "GetCallerIdentity", "InvalidClientTokenId")
    with pytest.raises(AccessError) as refused:
        ask()
    assert refused.value.exit_code == 2
    assert "ENVIRONMENT" in capsys.readouterr().out


def test_without_a_configuration_only_what_is_here_is_looked_at(ask):
    code, text = ask(None)
    assert code == 0
    assert "investigate doctor --config FILE" in text
    assert "ACTION" not in text


def test_the_policy_is_printed_alone(ask, world):
    code, text = ask(policy=True)
    scope = PolicyScope(
        world.names, "123456789012", "eu-west-1",
        tuple(f"/aws/lambda/demo-{role}" for role in ("ingest", "replay", "processor")),
    )  # fmt: skip
    assert len(world.names.dead_letter_queue_urls) == 1  # which the redrive policy names
    assert (code, json.loads(text)) == (0, policy(scope))
    assert json.loads(ask(policy=True, sampling=True)[1]) == policy(scope, sampling=True)


def test_the_policy_without_a_configuration_is_for_any_pipeline(ask):
    assert json.loads(ask(None, policy=True)[1]) == policy(None)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "agrees with that of AWS"),
        (60, "agrees with that of AWS"),
        (-61, "61 s behind AWS: from 300 s on AWS refuses every request; set the clock"),
        (299, "299 s ahead of AWS: from 300 s on AWS refuses every request; set the clock"),
        (300, "300 s ahead of AWS: AWS refuses what is signed by it"),
    ],
)
def test_the_clock_is_compared_with_that_of_aws(seconds, told):
    now = datetime(2026, 3, 10, tzinfo=UTC)
    header = format_datetime(now - timedelta(seconds=seconds), usegmt=True)
    assert doctor.skew_of({"date": header}, now).startswith(told)


def test_an_answer_without_a_date_says_nothing_about_the_clock():
    assert "cannot be compared" in doctor.skew_of({}, datetime(2026, 3, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("found", "bounds", "fitting"),
    [
        ("1.44.5", ">=1.44,<2", True),
        ("2.0", ">=1.44,<2", False),
        ("2", "<2.0.0", False),
        ("1.43.9", ">=1.44,<2", False),
        ("30.17.0", "<30.18", True),
        ("30.18", "<30.18", False),
        ("26.0.1", "", True),
        ("1.10", ">=1.9", True),
        ("3.1.0rc1", ">=3.1", True),
        ("1.2", "==1.2.0", True),
        ("1.2", "!=1.2", False),
    ],
)
def test_versions_are_compared_as_numbers(found, bounds, fitting):
    assert environment.fits(found, bounds) is fitting


def test_everything_that_is_always_needed_is_looked_for():
    needed = dict(environment.required())
    assert needed["boto3"] == "<2,>=1.44"
    assert "moto" not in needed
    assert all(needs == "" for _, _, needs in environment.rows())


def test_what_is_missing_or_too_old_or_broken_is_said(ask, monkeypatch):
    monkeypatch.setattr(
        environment,
        "requires",
        lambda _: ["duckdb>=99", "no-such-package>=1", "extra; extra == 'x'"],
    )

    class Broken:
        def scalar(self, _: Any) -> Any:
            raise EngineError("the query failed")

    monkeypatch.setattr(environment, "open_engine", Broken)
    code, text = ask()
    assert code == 2
    lines = [line.split() for line in text.splitlines()]
    assert ["no-such-package", "not", "installed", ">=1"] in lines
    assert any(line[:1] == ["duckdb"] and line[-1] == ">=99" for line in lines)
    assert ["engine", "duckdb", "the", "query", "failed"] in lines


def test_whose_credentials_these_are_is_asked_once(ask, connection):
    ask()
    assert connection.meter.snapshot()["requests"]["sts:GetCallerIdentity"] == 1
