"""`--memory` and `--spill`, which every command has that asks a case."""

from __future__ import annotations

import pytest

from tests.builders import Event
from tests.commands.conftest import HEALTHY, START

WINDOW = ["--start", START, "--end", "2026-03-11T00:00:00Z"]
ASKING = {
    "check": ["--step", "raw"],
    "ledger": [],
    "symptoms": ["processor-idle"],
    "trace": [Event("a").id],
    "replay-plan": ["--entity", Event("a").entity_id, *WINDOW],
    "redrive-plan": [],
    "process-plan": [],
}
WRONG = {
    "no-size": (["--memory", "2"], ["--memory '2' is no size", "2GB"]),
    "too-little": (["--memory", "1MB"], ["1MB is too little", "100MB or more"]),
    "no-share": (["--memory", "200%"], ["200% is no share", "100%"]),
    "no-folder": (["--spill", "nothing"], ["--spill nothing does not exist", "mkdir -p nothing"]),
}


@pytest.mark.parametrize(("command", "arguments"), ASKING.items(), ids=ASKING)
def test_a_command_that_asks_a_case_says_the_same_within_a_limit(
    ask, case, tmp_path, command, arguments
):
    asked = [command, case, *arguments]
    code, out, err = usual = ask(*asked)
    place = tmp_path / "place"
    place.mkdir()
    assert code != 2
    assert out or err
    assert ask(*asked, "--memory", "100MB", "--spill", place) == usual


@pytest.mark.parametrize("command", ["check", "report", "ledger"])
@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_a_limit_that_cannot_be_is_refused(ask, tmp_path, monkeypatch, command, options, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = ask(command, HEALTHY, *options)
    assert (code, out) == (2, "")
    assert [word for word in said if word not in err] == []
    assert list(tmp_path.iterdir()) == []


def test_a_report_says_before_it_begins_that_its_processes_need_more(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = ask("report", HEALTHY, "--memory", "150MB")
    assert (code, out) == (2, "")
    assert "--memory 150MB is too little for the" in err
    assert list(tmp_path.iterdir()) == []
