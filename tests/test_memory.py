"""How much memory the queries take, where they put what is more, and what is left of that."""

from __future__ import annotations

import gc
import stat
import tempfile
from pathlib import Path

import pytest

from investigate import open_investigation
from investigate.engine import DuckDBEngine, open_engine
from investigate.errors import EngineError, UsageError
from investigate.memory import DEFAULT_LIMIT, EngineMemory, MemoryLimit, spill_folder
from investigate.report.execute import at_once, share_of
from tests.builders import Event, event_row, evidence_of

WRONG_SIZES = {
    "": "'' is no size of memory",
    "much": "'much' is no size of memory",
    "2": "'2' is no size of memory",
    "-2GB": "'-2GB' is no size of memory",
    "1e9GB": "'1e9GB' is no size of memory",
    "2kB": "'2kB' is no size of memory",
    "50MB": "50MB is too little to work with",
    "0%": "0% is no share of this machine",
    "101%": "101% is no share of this machine",
}


def setting(engine: DuckDBEngine, name: str) -> str:
    """What an engine says that holds now, outside of any query of a person."""
    ((told,),) = engine._backend.con.execute(f"select current_setting('{name}')").fetchall()
    return str(told)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """A place for temporary files that nothing else uses."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", MemoryLimit(2e9)),
        ("800 mb", MemoryLimit(8e8)),
        ("1.5GiB", MemoryLimit(1.5 * 2**30)),
        ("1TB", MemoryLimit(1e12)),
        ("30%", MemoryLimit(30, is_share=True)),
    ],
)
def test_a_size_is_read_as_people_write_it(text, size):
    assert MemoryLimit.parse(text) == size


@pytest.mark.parametrize(("text", "said"), WRONG_SIZES.items(), ids=WRONG_SIZES)
def test_what_is_no_size_is_refused_with_what_to_write(text, said):
    with pytest.raises(UsageError) as refused:
        MemoryLimit.parse(text)
    assert refused.value.message == f"--memory {said}"
    assert refused.value.hint


def test_a_folder_to_spill_to_must_be_there(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--spill .*nothing does not exist\n  make it first"):
        spill_folder(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match=r"--spill .*file is no folder"):
        spill_folder(str(tmp_path / "file"))


def test_an_option_wins_over_the_environment_and_that_over_the_default(tmp_path):
    told = {"INVESTIGATE_MEMORY": "1GB", "INVESTIGATE_SPILL": str(tmp_path)}
    assert EngineMemory.asked(environment={}) == EngineMemory(DEFAULT_LIMIT, None)
    assert EngineMemory.asked(environment=told) == EngineMemory(MemoryLimit(1e9), tmp_path)
    assert EngineMemory.asked(MemoryLimit(2e9), Path("/"), told) == EngineMemory(
        MemoryLimit(2e9), Path("/")
    )


def test_nonsense_in_the_environment_is_told_by_the_name_it_stands_under():
    with pytest.raises(UsageError, match="INVESTIGATE_MEMORY 'lots' is no size"):
        EngineMemory.asked(environment={"INVESTIGATE_MEMORY": "lots"})
    with pytest.raises(UsageError, match="INVESTIGATE_SPILL /no/where does not exist"):
        EngineMemory.asked(environment={"INVESTIGATE_SPILL": "/no/where"})


@pytest.mark.parametrize(
    "memory", [DEFAULT_LIMIT, MemoryLimit.parse("1GB"), MemoryLimit.parse("1.5TB")]
)
def test_the_memory_passes_through_the_environment_of_a_process(tmp_path, memory):
    memory = EngineMemory(memory, tmp_path)
    assert EngineMemory.asked(environment=memory.environment()) == memory


def test_the_kernels_of_a_report_and_the_command_share_what_there_is():
    every = share_of(DEFAULT_LIMIT).amount * (at_once() + 1)
    assert every == pytest.approx(DEFAULT_LIMIT.amount)
    assert every < 100
    with pytest.raises(UsageError, match=r"too little for the .* processes of a report"):
        share_of(MemoryLimit.parse("150MB"))


def test_an_engine_takes_what_it_is_given():
    assert (
        setting(open_engine(memory=EngineMemory(MemoryLimit.parse("200MB"))), "memory_limit")
        == "190.7 MiB"
    )
    of_the_machine = setting(open_engine(memory=EngineMemory(DEFAULT_LIMIT)), "memory_limit")
    engine = open_engine(memory=EngineMemory(MemoryLimit(30, is_share=True)))
    assert setting(engine, "memory_limit") != of_the_machine
    engine.shrink(MemoryLimit.parse("0.1GB"))
    assert setting(engine, "memory_limit") == "95.3 MiB"


def test_what_does_not_fit_goes_to_a_private_folder_that_is_removed(temporary, monkeypatch):
    monkeypatch.chdir(temporary)
    engine = DuckDBEngine(EngineMemory(MemoryLimit(1e8)))
    many = "select i, md5(i::varchar) as a, md5((i + 1)::varchar) as b from range(1500000) t(i)"
    rows = engine.select(many)
    assert engine.scalar(rows.i.nunique()) == 1_500_000
    (folder,) = temporary.iterdir()
    assert folder.name.startswith("investigate-spill-")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sum(path.stat().st_size for path in folder.rglob("*")) > 10_000_000
    engine.shrink(MemoryLimit(1.2e8))
    assert engine.scalar(rows.a.nunique()) == 1_500_000
    del engine, rows
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_two_engines_may_spill_into_one_folder(temporary):
    engines = [DuckDBEngine(EngineMemory(DEFAULT_LIMIT, temporary)) for _ in range(2)]
    assert len({setting(engine, "temp_directory") for engine in engines}) == 2
    assert len(list(temporary.iterdir())) == 2


def test_a_query_that_needs_more_than_there_is_says_so_in_one_line_and_what_to_give():
    engine = DuckDBEngine(EngineMemory(MemoryLimit(1e8)))
    with pytest.raises(EngineError, match="Out of Memory") as failed:
        engine.scalar(engine.select("select list(i) as all from range(30000000) t(i)").all.length())
    assert len(failed.value.message.splitlines()) == 1
    assert "--memory" in failed.value.hint


def test_a_notebook_may_say_how_much_it_takes(tmp_path, temporary):
    event = Event("a")
    case = evidence_of(tmp_path, events=[event_row(event)]).case.folder
    incident = open_investigation(str(case), memory="200MB", spill=str(temporary))
    assert setting(incident.evidence.engine, "memory_limit") == "190.7 MiB"
    assert setting(incident.evidence.engine, "temp_directory").startswith(str(temporary))
    with pytest.raises(UsageError, match="memory '2' is no size"):
        open_investigation(str(case), memory="2")
