"""A pipeline of the same names in another region or account is another pipeline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from investigate.aws import connect
from investigate.errors import RecoveryRefused
from investigate.recovery.live import Live
from investigate.recovery.region_and_account import (
    RegionAndAccount,
    region_and_account,
    region_and_account_of,
)
from tests.recovery.helpers import LIMITS, configuration, ingest, plan_file
from tests.sandbox.pipelines import DAY, later

HERE = RegionAndAccount("eu-west-1", "123456789012")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", HERE),
        ("arn:aws:sqs:eu-west-1:123456789012:q", HERE),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", HERE),
        ("http://127.0.0.1:5000/123456789012/q", RegionAndAccount(None, "123456789012")),
        # What an emulator or a mask put there is not known.
        ("arn:aws:sqs:elasticmq:000000000000:q", RegionAndAccount()),
        ("https://sqs.eu-west-1.amazonaws.com/account-1/q", RegionAndAccount("eu-west-1", None)),
        ("q", RegionAndAccount()),
        ("", RegionAndAccount()),
    ],
)
def test_a_reference_tells_where_it_leads(reference, found):
    assert region_and_account_of(reference) == found


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (RegionAndAccount("us-east-1", None), "region us-east-1"),
        (RegionAndAccount(None, "9" * 12), "account 9999"),
    ],
)
def test_another_place_is_refused_and_an_unknown_one_is_not(other, part):
    with pytest.raises(RecoveryRefused, match=part):
        HERE.refuse_other(other, "the queue q")
    HERE.refuse_other(RegionAndAccount(), "the queue q")
    region_and_account("eu-west-1", "masked").refuse_other(
        RegionAndAccount("eu-west-1", "9" * 12), "the queue q"
    )


def test_a_queue_of_that_name_elsewhere_is_not_the_queue_of_the_case(trouble):
    names = trouble.sandbox.names
    elsewhere = connect(region="us-east-1", endpoint_url=trouble.served.url)
    name = names.replay_queue_url.rpartition("/")[2]
    elsewhere._session.client("sqs", endpoint_url=trouble.served.url).create_queue(QueueName=name)
    with pytest.raises(RecoveryRefused, match="region us-east-1"):
        Live(elsewhere, names).replay_queue()
    here = connect(region="eu-west-1", endpoint_url=trouble.served.url)
    other = names.replay_queue_url.replace("123456789012", "999999999999")
    with pytest.raises(RecoveryRefused, match="account 123456789012"):
        Live(here, replace(names, account_id=None, replay_queue_url=other)).replay_queue()
    assert Live(here, names).replay_queue().name == name


def test_another_region_or_url_on_the_command_line_is_refused(ask, trouble, tmp_path):
    ingest(trouble.sandbox, "acme", 1)
    later(trouble.sandbox, minutes=10)
    case = trouble.capture()
    scope = ("--entity", "acme", "--start", DAY[0], "--end", DAY[1])
    plan = plan_file(ask, trouble.folder, "replay-plan", case, *scope)
    options = ("--plan", plan, "--allow-writes", "--yes", *LIMITS, *trouble.aws())
    code, _, err = ask("replay", case, *options, "--region", "us-east-1")
    assert code == 2
    assert "refused (other-pipeline)" in err
    url = trouble.sandbox.names.replay_queue_url.replace("123456789012", "999999999999")
    config = tmp_path / "other.toml"
    text = configuration(trouble.sandbox.names, replay_queue_url=url)
    config.write_text(text, encoding="utf-8")
    code, _, err = ask("replay", case, *options, "--config", config)
    assert code == 2
    assert "refused (other-pipeline)" in err
    # Of AWS itself the time is that of the wall.
    real = ("--plan", plan, "--allow-writes", "--yes", *LIMITS, "--now", "2020-01-01T00:00:00Z")
    code, _, err = ask("replay", case, *real)
    assert code == 2
    assert "--now is for a sandbox" in err
