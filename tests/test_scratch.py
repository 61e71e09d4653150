"""Private folders: gone with the process that had them, at the latest when the next one comes."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from investigate import scratch
from investigate.engine import DuckDBEngine
from investigate.memory import EngineMemory
from investigate.scratch import LOCK, Scratch

pytest.importorskip("fcntl")

PREFIX = "investigate-spill-"
ENGINE_THAT_WAITS = """
import sys
from pathlib import Path
from investigate.engine import DuckDBEngine
from investigate.memory import EngineMemory
engine = DuckDBEngine(EngineMemory(spill=Path(sys.argv[1])))
print("open", flush=True)
sys.stdin.read()
"""


def left(place: Path, name: str = "left") -> Path:
    """What a process that was killed leaves: a folder, with a lock that nobody holds."""
    folder = place / f"{PREFIX}{name}"
    (folder / "spill").mkdir(parents=True)
    (folder / "spill" / "block").write_text("rows")
    (folder / LOCK).touch()
    return folder


def test_what_a_killed_process_left_is_gone_when_the_next_engine_is_opened(tmp_path):
    command = [sys.executable, "-c", ENGINE_THAT_WAITS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        (folder,) = tmp_path.iterdir()
        own = DuckDBEngine(EngineMemory(spill=tmp_path))
        assert folder.is_dir()  # it lives
        process.kill()
    assert folder.is_dir()
    another = DuckDBEngine(EngineMemory(spill=tmp_path))
    assert not folder.exists()
    assert {own._own_folder, another._own_folder} == set(tmp_path.iterdir())


def test_whatever_may_be_left_by_a_kill_and_is_large_comes_from_here():
    for path in Path(scratch.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.count('"investigate-sp') == text.count('opened("investigate-sp'), path.name


def test_what_a_kill_in_the_middle_of_removing_leaves_is_removed_by_the_next(tmp_path, monkeypatch):
    own = Scratch.opened(PREFIX, tmp_path)
    (own.folder / "spill").mkdir()
    gone = []
    monkeypatch.setattr(scratch.shutil, "rmtree", lambda path, **_: gone.append(Path(path).name))
    own.remove()
    assert gone == ["spill"]
    assert [path.name for path in own.folder.iterdir()] == ["spill"]


def test_another_prefix_and_a_folder_without_a_lock_are_left_alone(tmp_path):
    other = left(tmp_path).rename(tmp_path / "investigate-spark-left")
    bare = tmp_path / f"{PREFIX}bare"
    bare.mkdir()
    own = Scratch.opened(PREFIX, tmp_path)
    assert set(tmp_path.iterdir()) == {other, bare, own.folder}
    own.remove()
    assert set(tmp_path.iterdir()) == {other, bare}


def test_a_folder_of_another_user_is_left_alone(tmp_path, monkeypatch):
    folder = left(tmp_path)
    monkeypatch.setattr(scratch.os, "geteuid", lambda: folder.stat().st_uid + 1)
    Scratch.opened(PREFIX, tmp_path)
    assert (folder / "spill" / "block").is_file()


def test_no_link_is_followed(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    precious = left(tmp_path, "precious")
    (place / f"{PREFIX}link").symlink_to(precious, target_is_directory=True)
    lock_elsewhere = left(place, "elsewhere")
    (lock_elsewhere / LOCK).unlink()
    (lock_elsewhere / LOCK).symlink_to(precious / LOCK)
    folder = left(place)
    (folder / "link").symlink_to(precious, target_is_directory=True)
    (folder / "spill" / "link").symlink_to(precious / "spill", target_is_directory=True)
    Scratch.opened(PREFIX, place)
    assert not folder.exists()
    assert (precious / "spill" / "block").is_file()
    assert (lock_elsewhere / "spill" / "block").is_file()


def test_what_cannot_be_removed_stays_and_is_tried_again(tmp_path, monkeypatch):
    folder = left(tmp_path)
    with monkeypatch.context() as refusing:

        def refused(name, **_):
            raise PermissionError(name)

        refusing.setattr(scratch.shutil, "rmtree", refused)
        Scratch.opened(PREFIX, tmp_path)
    assert (folder / LOCK).is_file()
    Scratch.opened(PREFIX, tmp_path)
    assert not folder.exists()


@pytest.mark.parametrize("held", [True, False], ids=["takes it", "has taken it"])
def test_who_loses_its_new_folder_to_another_process_makes_another(tmp_path, monkeypatch, held):
    lost, locks, lock = [], [], scratch.locked_at_once

    def late(opened: int) -> bool | None:
        """Between the making of a folder and its lock, another process comes by."""
        if not lost:
            lost.extend(tmp_path.iterdir())
            if held:
                locks.append((lost[0] / LOCK).open("w"))
                assert lock(locks[0].fileno())
            else:
                scratch._remove_left(PREFIX, tmp_path)
        return lock(opened)

    monkeypatch.setattr(scratch, "locked_at_once", late)
    own = Scratch.opened(PREFIX, tmp_path)
    for other in locks:
        other.close()
    assert own.folder not in lost
    assert (own.folder / LOCK).is_file()


def test_processes_that_start_at_once_take_nothing_from_each_other(tmp_path):
    # A lock is of an open file, so threads are to each other what processes are.
    with ThreadPoolExecutor(8) as many:
        opened = list(many.map(lambda _: Scratch.opened(PREFIX, tmp_path), range(64)))
    assert {one.folder for one in opened} == {path.parent for path in tmp_path.glob(f"*/{LOCK}")}


def test_without_such_locks_nothing_is_taken_for_left(tmp_path, monkeypatch):
    folder = left(tmp_path)
    monkeypatch.setattr(scratch, "locked_at_once", lambda opened: None)
    own = Scratch.opened(PREFIX, tmp_path)
    assert folder.is_dir()
    own.remove()
    assert not own.folder.exists()
