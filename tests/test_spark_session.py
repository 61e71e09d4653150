"""Where Spark is asked for and cannot be: one message each, and nothing started."""

from __future__ import annotations

import pytest

from investigate import cli
from investigate.engine import open_engine, spark_session
from investigate.errors import UsageError
from tests.commands.conftest import HEALTHY


def test_an_address_that_is_none_is_refused_with_the_forms_there_are():
    with pytest.raises(UsageError, match=r"unknown address of a Spark master 'here' .*local\[2\]"):
        open_engine("spark", master="here")


def test_without_pyspark_the_message_says_what_to_type(monkeypatch):
    monkeypatch.setattr(spark_session, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="there is no pyspark") as missing:
        spark_session.session_at()
    assert missing.value.hint == "pip install 'investigate[spark]'"


def test_without_java_the_message_says_what_to_type(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="Spark needs Java 17 or newer, and there is no ") as found:
        spark_session._refuse_no_java()
    assert "openjdk-17-jre-headless" in found.value.hint


def test_without_its_client_an_address_of_spark_connect_is_refused(monkeypatch):
    monkeypatch.setattr(spark_session, "find_spec", lambda name: None if name == "grpc" else True)
    with pytest.raises(UsageError, match="whose client is not installed") as missing:
        spark_session.session_at("sc://somewhere")
    assert missing.value.hint == "pip install 'pyspark[connect]'"


@pytest.mark.parametrize(
    ("master", "here"),
    [("local", True), ("local[*]", True), ("local-cluster[2,1,1024]", False), ("yarn", False)],
)
def test_only_this_process_is_this_machine(master, here):
    assert spark_session.is_local(master) is here


@pytest.mark.parametrize("option", ["--spark-master", "--spark-scratch"])
@pytest.mark.parametrize("command", [["check"], ["ledger"], ["process-plan"]])
def test_an_option_of_spark_without_spark_is_refused(capsys, command, option):
    assert cli.main([*command, HEALTHY, option, "yarn"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "no meaning for the engine duckdb" in err


def test_a_case_that_there_is_not_is_told_before_spark_is_started(capsys, monkeypatch):
    monkeypatch.setattr(spark_session, "session_at", lambda master: pytest.fail("it was started"))
    assert cli.main(["check", "nowhere", "--engine", "spark"]) == 2
    assert "there is no case nowhere" in capsys.readouterr().err
