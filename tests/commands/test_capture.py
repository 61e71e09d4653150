"""`investigate capture` from its command line to the case, against a pipeline behind a URL."""

from __future__ import annotations

import os
import signal

import pytest

from investigate import tables
from investigate.capture.draft import draft_folder_of
from investigate.case import open_case
from investigate.cli import main
from investigate.commands import capture_options
from investigate.commands.options import COMMANDS, parse
from investigate.sandbox.serve import serve
from investigate.sandbox.weather import CALM, Weather
from investigate.sandbox.world import SandboxOptions, emulator
from tests.builders import START
from tests.capture.whole import fill

CONFIGURATION = """
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
[window]
start = "2026-03-10T00:00:00Z"
end = "2026-03-11T00:00:00Z"
"""


@pytest.fixture(scope="module")
def pipeline():
    """A small pipeline behind a URL."""
    with emulator(SandboxOptions(start=START)) as world:
        fill(world)
        world.send_message('{"s3_key": "waiting"}')
        with serve(world) as served:
            yield served


@pytest.fixture
def served(pipeline):
    pipeline.become(CALM)
    yield pipeline
    pipeline.hook = None


@pytest.fixture
def capture(ask, served, tmp_path):
    """Run the command; return its exit code, standard output and standard error."""
    config = tmp_path / "pipeline.toml"
    config.write_text(CONFIGURATION, encoding="utf-8")

    def run(*options: str, case: str = "case") -> tuple[int, str, str]:
        return ask(
            "capture", tmp_path / case, "--config", config, "--endpoint-url", served.url,
            "--now", "2026-03-10T20:00:00Z", *options,
        )  # fmt: skip

    return run


def left(tmp_path) -> list[str]:
    """What stands in the folder, but for the configuration."""
    return sorted(path.name for path in tmp_path.iterdir() if path.name != "pipeline.toml")


def words(out: str) -> dict[str, str]:
    """The lines of a table by their first word."""
    lines = (line.split(maxsplit=1) for line in out.splitlines() if line.strip())
    return {first: " ".join("".join(rest).split()) for first, *rest in lines}


def test_a_capture_prints_what_the_case_holds_and_what_to_do_next(capture, tmp_path):
    code, out, err = capture()
    assert code == 0
    told = words(out)
    assert told["raw"] == "captured 6 event dates 2026-03-09 to 2026-03-11 only"
    assert told["events"] == "captured 6"
    assert told["aggregates"] == "captured 0"
    assert told["messages"].startswith("skipped")
    assert "--sample-messages N" in out
    assert told["next"] == f"investigate check {tmp_path / 'case'}"
    assert told["case"] == str(tmp_path / "case")
    requests = sum(open_case(tmp_path / "case").consumed["requests"].values())
    assert told["took"].startswith(f"{requests} requests, ")
    assert err.splitlines()[0] == "reading; nothing of the pipeline changes"
    assert "  events: 6 rows" in err.splitlines()
    assert left(tmp_path) == ["case"]


def test_every_request_is_counted(capture, served, tmp_path):
    capture()
    told = open_case(tmp_path / "case").consumed["requests"]
    assert sum(told.values()) == len(served.record)


def test_only_the_tables_named_are_captured_spaces_or_not(capture, tmp_path):
    code, out, _ = capture("--only", "events, dedupe")
    assert code == 0
    assert open_case(tmp_path / "case").tables == ("events", "dedupe")
    assert words(out)["raw"] == "skipped not asked for (--only)"


def test_one_entity_is_captured_by_queries(capture, served, tmp_path):
    code, out, _ = capture("--entity", "e0", "--entity", "e1", "--only", "events")
    assert code == 0
    assert "entity e0, e1 only" in out
    assert open_case(tmp_path / "case").scope_entities == ("e0", "e1")
    asked = [operation for service, operation in served.requests if service == "dynamodb"]
    assert asked == ["Scan", "Query", "Query"]  # the scan is the first look, of one row


def test_what_is_denied_is_said_in_the_table(capture, served):
    served.become(Weather(denied=frozenset({"dynamodb:Scan"})))
    code, out, err = capture()
    assert code == 0
    assert words(out)["events"] == "denied AccessDeniedException: dynamodb:Scan of demo-events"
    assert "not everything was allowed: investigate doctor --config" in err
    assert "not everything was answered" not in err


# What it would take


def test_an_estimate_prints_and_captures_nothing(capture, served, tmp_path):
    code, out, err = capture("--estimate")
    assert code == 0
    assert err == "looking at metadata and listings; nothing is captured\n"
    told = words(out)
    assert told["together"].startswith("about ")
    assert "list prices" in out
    assert left(tmp_path) == []
    asked = {operation for _, operation in served.requests}
    assert not asked & {"GetObject", "FilterLogEvents", "GetMetricData", "ReceiveMessage"}


def test_an_estimate_beyond_a_limit_prints_and_refuses(capture, tmp_path):
    code, out, err = capture("--estimate", "--max-requests", "10")
    assert code == 2
    assert "together" in out
    assert "--max-requests is 10" in err
    assert left(tmp_path) == []


@pytest.mark.parametrize(("option", "limit"), [("--max-requests", "10"), ("--max-read-units", "1")])
def test_what_would_take_more_is_refused_before_anything_is_written(
    capture, served, tmp_path, option, limit
):
    code, out, err = capture(option, limit)
    assert (code, out) == (2, "")
    assert f"{option} is {limit}" in err
    assert left(tmp_path) == []
    assert "FilterLogEvents" not in {operation for _, operation in served.requests}


def test_the_limit_that_a_refusal_names_is_enough(capture, tmp_path):
    _, _, err = capture("--max-requests", "10")
    hint = err.splitlines()[-1].split()
    code, _, err = capture(*hint[:2])
    assert (code, left(tmp_path)) == (0, ["case"]), err


def test_a_limit_stops_nothing_on_the_way_of_what_was_reckoned(capture, tmp_path):
    """The look beforehand, which is no part of the capture, does not count."""
    capture(case="first")
    took = sum(open_case(tmp_path / "first").consumed["requests"].values())
    code, _, err = capture("--max-requests", str(took))
    assert code == 0, err


@pytest.mark.parametrize("text", ["many", "-1", "1.5"])
def test_a_limit_that_is_no_number_is_refused(capture, tmp_path, text):
    code, _, err = capture(f"--max-requests={text}")
    assert code == 2
    assert f"'{text}' is not a whole number" in err
    assert left(tmp_path) == []


# Refusals


REFUSED = {
    "unknown-table": (("--only", "event"), ["unknown table 'event'", "did you mean 'events'"]),
    "mask-a-key": (("--mask", "event_id"), ["event_id"]),
    "force-without-sample": (
        ("--force-sampling",), ["forces a sample, and none is asked for", "--sample-messages N"],
    ),
    "negative-sample": (("--sample-messages", "-1"), ["cannot be negative"]),
    "resume-nothing": (("--resume",), ["no unfinished capture", "leave out --resume"]),
    "window-to-come": (
        ("--start", "2026-04-01T00:00:00Z", "--end", "2026-04-02T00:00:00Z"),
        ["the window starts at 2026-04-01T00:00:00Z, after the capture"],
    ),
    "no-entity-without-events": (
        ("--entity", "e0", "--only", "raw"), ["by the rows of its events", "add events to --only"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_in_two_lines_and_leaves_nothing(
    capture, tmp_path, options, said
):
    code, out, err = capture(*options)
    assert (code, out) == (2, "")
    (first, hint) = [line for line in err.splitlines() if not line.startswith("reading")]
    assert first.startswith("investigate: ")
    assert hint.startswith("  ")
    assert [word for word in said if word not in err] == []
    assert left(tmp_path) == []


def test_a_case_that_is_there_is_refused_before_aws_is_asked(capture, served, tmp_path):
    (tmp_path / "case").mkdir()
    code, _, err = capture("--max-requests", "1")
    assert code == 2
    assert "exists already" in err
    assert served.requests == []


def test_an_endpoint_that_does_not_answer_is_said_without_waiting(ask, capture, tmp_path):
    code, _, err = ask(
        "capture", tmp_path / "case", "--config", tmp_path / "pipeline.toml",
        "--now", "2026-03-10T20:00:00Z", "--endpoint-url", "http://127.0.0.1:9",
    )  # fmt: skip
    assert code == 2
    assert "check the network, the region (eu-west-1) and --endpoint-url" in err
    assert "waiting" not in err
    assert left(tmp_path) == []


def test_a_field_that_was_met_nowhere_is_said(capture, tmp_path):
    code, _, err = capture("--mask", "n", "--mask", "emial", "--only", "raw")
    assert code == 0
    assert "--mask emial: there was no field of that name; is it spelt right?" in err
    assert "--mask n:" not in err
    assert open_case(tmp_path / "case").masked == {"n": True, "emial": False}


def test_a_sample_is_said_to_have_an_effect(capture):
    code, out, err = capture("--sample-messages", "1", "--only", "messages")
    assert code == 0
    assert "messages are received" in err
    assert "nothing of the pipeline changes" not in err.replace("nothing else of", "")
    assert "1 of about 1" in out


# Stopped, and going on


def test_ctrl_c_keeps_what_was_read_says_how_to_go_on_and_that_goes_on(capture, served, tmp_path):
    capture(case="whole")
    half = len(served.record) // 2
    served.become(CALM)
    served.hook = lambda n: os.kill(os.getpid(), signal.SIGINT) if n == half else None
    code, out, err = capture("--mask-account")
    assert (code, out) == (130, "")
    assert err.splitlines()[-2:] == [
        "what was read is kept: the same command with --resume goes on",
        "investigate: stopped",
    ]
    assert left(tmp_path) == [draft_folder_of(tmp_path / "case").name, "whole"]
    assert len(served.record) < half + 40, "every thread stops with its request"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    served.hook = None
    assert capture()[0] == 2, "it was begun and not finished"
    assert "was begun with --mask-account, not without" in capture("--resume")[2]
    code, _, err = capture("--mask-account", "--resume")
    assert code == 0, err
    assert left(tmp_path) == ["case", "whole"]
    case, whole = open_case(tmp_path / "case"), open_case(tmp_path / "whole")
    assert case.rows == whole.rows


def test_ctrl_c_before_anything_was_read_promises_nothing(capture, served, tmp_path):
    served.hook = lambda n: os.kill(os.getpid(), signal.SIGINT) if n == 2 else None
    code, _, err = capture()
    assert code == 130
    assert "--resume" not in err
    assert left(tmp_path) == []


def test_credentials_that_expire_are_renewed_and_it_goes_on(capture, served, tmp_path):
    capture(case="whole")
    served.become(Weather(expires_after=len(served.record) * 2 // 3))
    code, _, err = capture()
    assert code == 2
    assert "renew the credentials" in err
    assert "--resume" in err
    served.become(CALM)
    assert capture("--resume")[0] == 0
    assert open_case(tmp_path / "case").rows == open_case(tmp_path / "whole").rows


# The command line


def test_every_option_has_a_default_that_captures_everything(tmp_path):
    options = parse(["capture", "new", "--config", "x.toml"])
    assert (options.entity, options.only, options.mask) == ([], None, [])
    assert (options.sample_messages, options.force_sampling) == (0, False)
    assert (options.max_requests, options.max_read_units) == (None, None)
    flags = ("estimate", "resume", "no_payloads", "mask_account")
    assert [name for name in flags if getattr(options, name)] == []


def test_the_tables_that_the_command_line_knows_are_those_there_are():
    assert tuple(tables.TABLES) == capture_options.TABLES


def test_doctor_is_a_command_with_the_same_connection(tmp_path):
    assert "doctor" in COMMANDS
    options = parse(
        ["doctor", "--config", "x.toml", "--region", "r", "--profile", "p",
         "--endpoint-url", "http://e", "--policy", "--sampling"]
    )  # fmt: skip
    assert (options.module, options.config, options.region) == ("doctor", "x.toml", "r")
    assert (options.profile, options.endpoint_url) == ("p", "http://e")
    assert options.policy
    assert options.sampling
    assert parse(["doctor"]).config is None


def test_doctor_answers_over_the_same_endpoint(ask, capture, served, tmp_path):
    code, out, _ = ask(
        "doctor", "--config", tmp_path / "pipeline.toml", "--endpoint-url", served.url
    )
    assert code == 0, out
    assert "123456789012" in out


def test_an_empty_list_of_tables_is_a_mistake_and_not_all_tables(tmp_path, capsys):
    config = tmp_path / "pipeline.toml"
    config.write_text(
        '[window]\nstart = "2026-03-10T00:00:00Z"\nend = "2026-03-11T00:00:00Z"\n', "utf-8"
    )
    assert main(["capture", str(tmp_path / "case"), "--config", str(config), "--only", ""]) == 2
    assert "--only names no table" in capsys.readouterr().err


def test_an_unfinished_capture_is_named_where_its_case_is_asked_for(tmp_path, capsys):
    (tmp_path / ".case.partial").mkdir()
    assert main(["check", str(tmp_path / "case")]) == 2
    assert "--resume goes on" in capsys.readouterr().err
