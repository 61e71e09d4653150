"""`investigate sandbox`, and `capture` of what it serves."""

from __future__ import annotations

import json
import signal
import socket
import subprocess

import pytest

from investigate.settings import load_settings
from tests.commands.conftest import INVESTIGATE, process


def test_a_sandbox_serves_a_pipeline_that_capture_reads_with_what_serve_prints(tmp_path):
    config = tmp_path / "pipeline.toml"
    with (
        config.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            [*INVESTIGATE, "sandbox", "serve", "--fault", "raw-corrupt"],
            stdout=kept, stderr=subprocess.PIPE, text=True,
        ) as serving,
    ):  # fmt: skip
        assert serving.stderr
        line = next(line for line in serving.stderr if "http://" in line)
        url = line.split("answers at ")[1].split(";")[0]
        try:
            captured = process(
                "capture", str(tmp_path / "case"), "--config", str(config), "--endpoint-url", url,
                "--sample-messages", "100", "--now", "2026-03-16T18:00:00Z",
            )  # fmt: skip
        finally:
            serving.send_signal(signal.SIGINT)
            serving.stderr.read()
    assert serving.returncode == 0
    assert captured.returncode == 0, captured.stderr
    assert load_settings(config).names.raw_bucket == "demo-raw"
    checked = process("check", str(tmp_path / "case"), "--step", "raw", "--format", "json")
    found = [c["code"] for c in json.loads(checked.stdout)["checks"] if c["outcome"] == "found"]
    assert "raw/corrupt" in found


def test_the_faults_are_listed_with_what_happens(ask):
    code, out, _ = ask("sandbox", "faults")
    assert code == 0
    assert "raw-corrupt" in out


def test_a_port_that_is_taken_is_said_before_anything_is_staged(ask):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = ask("sandbox", "serve", "--port", port)
    assert (code, out) == (2, "")
    assert f"port {port} cannot be used" in err
    assert "staging" not in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--throttle", "30"), "'30' is not a share; 0 to 1 are"),
        (("--throttle", "0.6", "--drop", "0.6"), "the shares of requests do not add up"),
        (("--deny", "s3:ListBuckets"), "did you mean 's3:ListBucket'"),
    ],
)
def test_a_weather_that_cannot_be_is_said_before_anything_is_staged(ask, options, said):
    code, out, err = ask("sandbox", "serve", *options)
    assert (code, out) == (2, "")
    assert said in err
    assert "staging" not in err
