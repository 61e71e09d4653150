"""A hostile AWS, a closed laptop: what a capture ends with is what a quiet day would have given.

`make test` kills 12 captures, spread over all of a capture; EACH_KILL=1 kills 50, in two minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reliability.judge import differences
from investigate.aws import READ_ONLY, action_of
from investigate.capture.draft import JOURNAL, draft_folder_of
from investigate.case import MANIFEST, Case, open_case
from investigate.errors import CaseError
from investigate.model import Outcome
from investigate.sandbox.weather import CALM, Weather
from investigate.tables import TABLES
from tests.capture.campaigns import (
    OPTIONS,
    Campaign,
    Client,
    Ending,
    campaigning,
    moments,
)
from tests.capture.delivered import Objects
from tests.capture.whole import deliver, export_of, rows
from tests.observed import Observed, observed

KILLS = 50 if os.environ.get("EACH_KILL") else 12
TORN = 4  # of so many cuts of a journal, one is also made within a line
TABLED = ("events", "dedupe", "aggregates")
STEPPED = ("raw", *TABLED, "invocations", "log_lines")
FAULTS = (
    "raw-corrupt", "crash-dedupe-lost", "processor-error", "limit-truncation", "window-edge",
)  # fmt: skip


@dataclass(frozen=True)
class Quiet:
    """The case of a capture that nothing disturbed, and the requests it took."""

    case: Case
    requests: Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    with campaigning(*FAULTS) as prepared:
        yield prepared


@pytest.fixture(autouse=True)
def _calm(campaign: Campaign) -> None:
    campaign.served.become(CALM)


@pytest.fixture(scope="module")
def quiet(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Quiet:
    campaign.served.become(CALM)
    case = campaign.take(tmp_path_factory.mktemp("quiet") / "case")
    return Quiet(case, Counter(campaign.served.requests))


@pytest.fixture(scope="module")
def kinds(campaign: Campaign) -> Mapping[str, dict[str, Any]]:
    """Every way in which a capture reads step by step: what is asked of it.

    What is read in one step is asked for once only: it is read the same way in each of them.
    """
    objects, names = Objects(), campaign.sandbox.names
    urls = {f"{table}_export": export_of(campaign.sandbox, objects, table) for table in TABLED}
    deliver(campaign.sandbox, objects)
    return {
        "plain": {},
        "masked": {"options": replace(OPTIONS, only=STEPPED, mask=("remark",))},
        "of an entity": {"options": replace(OPTIONS, only=STEPPED, entities=("room-1",))},
        "exported": {"options": replace(OPTIONS, only=STEPPED), "names": replace(names, **urls)},
    }


@pytest.fixture(scope="module")
def undisturbed(
    campaign: Campaign,
    kinds: Mapping[str, dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Quiet]:
    """The case of each kind of capture that nothing disturbed."""
    found = {}
    for kind, asked in kinds.items():
        campaign.served.become(CALM)
        case = campaign.take(tmp_path_factory.mktemp("undisturbed") / "case", **asked)
        found[kind] = Quiet(case, Counter(campaign.served.requests))
    return found


def fates(campaign: Campaign) -> Counter[str | None]:
    return Counter(asked.fate for asked in campaign.served.record)


# Throttling, failures, lost connections


@pytest.mark.parametrize("objects", ["obstore", "botocore"])
def test_with_30_percent_of_all_requests_throttled_every_row_is_there(
    campaign: Campaign, quiet: Quiet, tmp_path: Path, objects: str
) -> None:
    campaign.served.become(Weather(throttled=0.3, seed=15))
    case = campaign.take(tmp_path / "case", objects=objects)
    assert differences(case.folder, quiet.case.folder) == []
    told = fates(campaign)
    share = told["throttled"] / told.total()
    assert 0.2 < share < 0.4, f"{told['throttled']} of {told.total()} requests were throttled"
    services = {asked.service for asked in campaign.served.record if asked.fate}
    assert len(services) >= 5, f"only {sorted(services)} were throttled"


@pytest.mark.parametrize("objects", ["obstore", "botocore"])
def test_with_10_percent_of_the_connections_lost_and_10_percent_errors_every_row_is_there(
    campaign: Campaign, quiet: Quiet, tmp_path: Path, objects: str
) -> None:
    campaign.served.become(Weather(dropped=0.05, broken=0.05, failed=0.1, seed=12))
    case = campaign.take(tmp_path / "case", objects=objects)
    assert differences(case.folder, quiet.case.folder) == []
    told = fates(campaign)
    assert min(told[fate] for fate in ("dropped", "broken", "failed")) >= 3, told


@pytest.mark.parametrize("objects", ["obstore", "botocore"])
def test_an_answer_that_lacks_its_end_is_never_taken_for_evidence(
    campaign: Campaign, quiet: Quiet, tmp_path: Path, objects: str
) -> None:
    campaign.served.become(Weather(truncated=0.1, seed=13))
    case = campaign.take(tmp_path / "case", objects=objects)
    assert differences(case.folder, quiet.case.folder) == []
    assert fates(campaign)["truncated"] >= 5


# A closed laptop


def test_a_capture_in_one_step_and_one_in_many_hold_the_same_rows(
    campaign: Campaign, quiet: Quiet, tmp_path: Path
) -> None:
    case = campaign.take(tmp_path / "case", steps=False)
    assert case.rows == quiet.case.rows
    differ = differences(case.folder, quiet.case.folder)
    # A step is a file of the raw objects; every other table is put in order once more.
    assert [name for name in differ if not name.startswith("raw/")] == [MANIFEST]
    assert rows(case, "raw") == rows(quiet.case, "raw")


def test_captures_that_were_killed_and_resumed_are_all_the_same_bytes(
    campaign: Campaign,
    kinds: Mapping[str, dict[str, Any]],
    undisturbed: Mapping[str, Quiet],
    tmp_path: Path,
) -> None:
    wrong, resumed = [], 0
    for number, (kind, (share, after)) in enumerate(zip(cycle(kinds), moments(KILLS, seed=50))):
        asked, expected = kinds[kind], undisturbed[kind]
        at = 1 + int(share * expected.requests.total())
        folder = tmp_path / str(number) / "case"
        folder.parent.mkdir()
        kill(campaign, folder, at, after, asked)
        if number % 5 == 0:  # and once more while it goes on
            kill(campaign, folder, 1 + at % 40, after, asked)
        begun = draft_folder_of(folder).exists()  # not if it was killed at its first look
        campaign.served.become(CALM)
        campaign.take(folder, resume=begun, **asked)
        resumed += begun
        found = differences(folder, expected.case.folder)
        wrong += [(number, kind, at, after, name) for name in found]
        assert [path.name for path in folder.parent.iterdir()] == ["case"]
    assert wrong == [], f"{len({number for number, *_ in wrong})} of {KILLS} differ"
    assert resumed > 0.8 * KILLS, f"only {resumed} of {KILLS} had begun"


def kill(campaign: Campaign, folder: Path, at: int, after: float, asked: Mapping[str, Any]) -> None:
    """Kill a capture that is begun or goes on; if it was faster than `after`, without waiting."""
    ending = campaign.killed(folder, at, after, resume=draft_folder_of(folder).exists(), **asked)
    if ending == Ending("finished"):
        shutil.rmtree(folder)
        ending = campaign.killed(folder, at, **asked)
    assert ending == Ending("killed"), ending
    unfinished(folder)


def unfinished(folder: Path) -> None:
    """A killed capture leaves no case, and nothing that could be taken for one."""
    assert [path.name for path in folder.parent.iterdir()] in ([], [draft_folder_of(folder).name])
    for path in (folder, draft_folder_of(folder)):
        with pytest.raises(CaseError):
            open_case(path)


def test_wherever_its_journal_ends_a_capture_goes_on_to_the_same_bytes(
    campaign: Campaign,
    kinds: Mapping[str, dict[str, Any]],
    undisturbed: Mapping[str, Quiet],
    tmp_path: Path,
) -> None:
    wrong, units = [], set()
    for kind in ("masked", "of an entity", "exported"):
        asked, expected = kinds[kind], undisturbed[kind].case.folder
        left = tmp_path / kind / "left" / "case"
        ending = campaign.ending(left, dies_before_it_publishes=True, **asked)
        assert ending == Ending("killed")
        journal = (draft_folder_of(left) / JOURNAL).read_bytes()
        ends = [] if units else [0, len(journal)]
        within = {unit: end for unit, end in second_steps(journal) if unit not in units}
        units |= within.keys()
        torn = [end + 9 for end in sorted(within.values())[::TORN]]  # while a line was written
        for end in [*ends, *within.values(), *torn]:
            folder = tmp_path / kind / str(end) / "case"
            shutil.copytree(draft_folder_of(left), draft_folder_of(folder))
            (draft_folder_of(folder) / JOURNAL).write_bytes(journal[:end])
            campaign.take(folder, resume=True, **asked)
            wrong += [(kind, end, name) for name in differences(folder, expected)]
    functions = campaign.sandbox.names.functions.values()
    assert units >= {
        "raw", "events/0", "events/room-1", "dedupe", *(f"{table}/export" for table in TABLED),
        *(f"log of {name}" for name in functions),
        *(f"streams of {name}" for name in functions),
    }, "every way to read goes on from its middle"  # fmt: skip
    assert wrong == []


def second_steps(journal: bytes) -> Iterator[tuple[str, int]]:
    """Yield each unit of work that took several steps, and where its second ends in the journal."""
    ends: dict[str, list[int]] = {}
    for match in re.finditer(rb".*\n", journal):
        ends.setdefault(json.loads(match[0])["unit"], []).append(match.end())
    for unit, found in ends.items():
        if len(found) > 2:
            yield unit, found[1]


@pytest.fixture
def laptop(campaign: Campaign, quiet: Quiet, tmp_path: Path) -> Path:
    """The folder of a capture that was killed half-way."""
    folder = tmp_path / "case"
    assert campaign.killed(folder, quiet.requests.total() // 2) == Ending("killed")
    return folder


def test_a_capture_that_was_begun_is_not_begun_again(campaign: Campaign, laptop: Path) -> None:
    ending = campaign.ending(laptop)
    assert ending.how == "UsageError"
    assert ending.said == (
        f"a capture of {laptop} was begun and not finished\n"
        f"  go on with it: the same command with --resume; or remove {draft_folder_of(laptop)}"
    )


def test_a_capture_is_not_resumed_with_other_options(campaign: Campaign, laptop: Path) -> None:
    ending = campaign.ending(laptop, resume=True, options=replace(OPTIONS, payloads=False))
    assert ending.how == "UsageError"
    assert ending.said.splitlines()[0] == (
        "the unfinished capture was begun without --no-payloads, not with --no-payloads"
    )
    assert len(ending.said.splitlines()) == 2
    campaign.take(laptop, resume=True)  # with those it was begun with it still goes on


def test_what_is_finished_or_was_never_begun_is_not_resumed(
    campaign: Campaign, quiet: Quiet, tmp_path: Path
) -> None:
    finished = campaign.ending(quiet.case.folder, resume=True)
    assert finished.how == "UsageError"
    assert "exists already" in finished.said
    never = campaign.ending(tmp_path / "case", resume=True)
    assert never.how == "UsageError"
    assert never.said == (
        f"there is no unfinished capture of {tmp_path / 'case'} to go on with\n"
        "  leave out --resume to begin one"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("resume", [False, True], ids=["begun", "resumed"])
def test_of_two_captures_into_one_folder_the_second_is_refused_and_the_first_finishes(
    campaign: Campaign, quiet: Quiet, tmp_path: Path, resume: bool
) -> None:
    folder = tmp_path / "case"
    with campaign.paused_at(quiet.requests.total() // 2) as paused:
        first = Client(campaign.job(folder))
        paused.wait()
        second = campaign.ending(folder, resume=resume)
    assert second.how == "UsageError"
    assert second.said == (
        f"another process is capturing {folder} right now\n"
        "  wait for it, or choose another name for the case"
    )
    assert first.ending() == Ending("finished")
    assert differences(folder, quiet.case.folder) == []


# Credentials that expire


@pytest.mark.parametrize("objects", ["obstore", "botocore"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_credentials_that_expire_stop_with_one_message_and_the_rest_is_captured_with_new_ones(
    campaign: Campaign, quiet: Quiet, tmp_path: Path, share: float, objects: str
) -> None:
    folder = tmp_path / "case"
    requests = int(quiet.requests.total() * share)
    campaign.served.become(Weather(expires_after=requests))
    ending = campaign.ending(folder, objects=objects)
    assert ending.how == "AccessError"
    message, hint = ending.said.splitlines()
    assert "ExpiredToken" in message
    assert "renew the credentials" in hint
    assert "--resume" in hint
    unfinished(folder)
    assert draft_folder_of(folder).is_dir()
    campaign.served.become(CALM)
    case = campaign.take(folder, resume=True, objects=objects)
    assert differences(case.folder, quiet.case.folder) == []
    assert len(campaign.served.record) < quiet.requests.total()


# Access denied


_LOGS = {"invocations", "log_lines", "metric_points"}
# Every action of a plain capture, and the tables that cannot be whole without it.
AFFECTED: Mapping[str, set[str]] = {
    "cloudwatch:DescribeAlarms": {"alarms"},
    "cloudwatch:GetMetricData": {"metric_points", "queue_state"},
    "dynamodb:Scan": {"events", "dedupe", "aggregates"},
    "lambda:GetFunctionConcurrency": {"functions"},
    "events:ListRuleNamesByTarget": {"deliveries", "dead_letters"},
    "lambda:GetFunctionConfiguration": {"functions", "dead_letters", "deliveries"},
    "lambda:GetPolicy": {"functions", "dead_letters", "deliveries"},
    "lambda:ListAliases": {"functions", "dead_letters", "deliveries"},
    "lambda:ListEventSourceMappings": {"mappings", "dead_letters"},
    "lambda:ListVersionsByFunction": {"deployments"},
    "lambda:ListFunctionEventInvokeConfigs": {"functions", "dead_letters"},
    "logs:DescribeLogGroups": {"functions", *_LOGS},
    "logs:FilterLogEvents": _LOGS,
    "s3:GetBucketVersioning": {"raw"},
    "s3:GetObject": {"raw"},
    "s3:ListBucket": {"raw"},
    "sqs:GetQueueAttributes": {"queue_state", "mappings", "dead_letters", "deliveries"},
    "xray:GetTraceSummaries": {"spans"},
}
# What is there is all there is; only what was there before stays unknown.
NOTED = {"s3:GetBucketVersioning"}


@pytest.fixture(scope="module")
def known(quiet: Quiet) -> Observed:
    return observed(quiet.case)


def test_every_action_of_a_plain_capture_is_denied_in_one_of_these_tests(quiet: Quiet) -> None:
    asked = {action_of(*request) for request in quiet.requests}
    assert asked - {"sts:GetCallerIdentity"} == set(AFFECTED)  # which nobody can be denied


@pytest.mark.parametrize("action", AFFECTED)
def test_a_denied_action_leaves_the_other_tables_whole_and_no_finding_wrong(
    campaign: Campaign,
    quiet: Quiet,
    known: Observed,
    tmp_path: Path,
    action: str,
) -> None:
    campaign.served.become(Weather(denied=frozenset({action})))
    case = campaign.take(tmp_path / "case")
    affected = {
        table
        for table in TABLES
        if case.coverage[table] != quiet.case.coverage[table]
        or case.files.get(table) != quiet.case.files.get(table)
    }
    assert affected == AFFECTED[action]
    for table in affected:
        coverage = case.coverage[table]
        assert coverage.status in (("captured",) if action in NOTED else ("denied", "partial"))
        assert action in str(coverage.reason)
        assert "denied" in f"{coverage.status} {coverage.reason}".lower()
    assert wrong_without(known, case, action) == []


def wrong_without(known: Observed, case: Case, denied: str) -> list[str]:
    """What is said of a case with less evidence that is not said of the whole one, but that the
    action was denied."""
    wrong = []
    for finding in known.findings_of(case):
        before = known.findings[finding.code]
        more = sorted(set(finding.keys) - set(before.keys))
        if finding.code == "access/denied":
            more = [key for key in more if key != denied]
        if finding.outcome is Outcome.ERROR or more:
            wrong.append(f"{finding.code}: {finding.reason or more}")
        if finding.outcome is Outcome.PASSED and before.outcome is not Outcome.PASSED:
            wrong.append(f"{finding.code}: passed, and was {before.outcome.value}")
    return wrong


# The record of the server


@pytest.mark.parametrize("objects", ["obstore", "botocore"])
def test_a_whole_capture_sends_only_what_is_on_the_list(
    campaign: Campaign, quiet: Quiet, tmp_path: Path, objects: str
) -> None:
    case = campaign.take(tmp_path / "case", objects=objects)
    record = Counter(campaign.served.requests)
    unlisted = {(service, op) for service, op in record if op not in READ_ONLY.get(service, ())}
    assert unlisted == set()
    told = {f"{service}:{op}": count for (service, op), count in record.items()}
    assert case.consumed["requests"] == told, "the manifest counts what was sent"
    assert differences(case.folder, quiet.case.folder) == []
