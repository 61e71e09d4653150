"""The lists of runs: their order, their pages, and what adding one reads and writes."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from investigate.errors import UsageError
from investigate.report.folder import report_draft
from investigate.report.history import OPEN, PAGE, RunList, RunRow, list_text, read_list
from investigate.report.publish import add_run
from investigate.report.runs import Run, folder_of, incident_named
from tests.report.markup import Markup
from tests.report.samples import HOSTILE, document, entry

FOUND = document(entry("raw/missing", keys=["a", "b"]), entry("raw/gap", "passed"))
CLEAN = document(entry("raw/missing", "passed"), entry("raw/gap", "passed"))
UNTOLD = document(entry("raw/missing", "not-evaluated"), entry("raw/gap", "passed"))


def a_run(name, incident="one", **asked):
    same = {"pipeline": "p", "thresholds": {}, "version": "1", "code": "c"}
    return Run(incident, {"name": name, **same, **asked})


def add(out, name, told=FOUND, incident="one", failed=(), **asked):
    """Add a run with a page of its own, as `write_report` does."""
    with report_draft(out) as draft:

        def write_index(known):
            for folder in (draft.files, draft.run):
                (folder / "index.html").write_text(name, encoding="utf-8")
                (folder / "findings.json").write_text(json.dumps(told), encoding="utf-8")

        run = a_run(name, incident, **asked)
        return add_run(draft, run, told, dict.fromkeys(failed, "it failed"), write_index)


def shown(page):
    """The rows of a page of runs: their verdicts and where they lead."""
    markup = Markup(page.read_text(encoding="utf-8"))
    links = [link for link in markup.values("a", "href") if link.count("/") >= 2]
    return markup.values("tr", "data-verdict"), links


def states(known):
    return {change.code: change.state for change in known.since.changes}


def record(out, known):
    return json.loads((out / known.row.place / "run.json").read_text(encoding="utf-8"))


def test_the_first_run_has_nothing_to_be_compared_with(tmp_path):
    known = add(tmp_path / "out", "a")
    assert known.since is None
    assert record(tmp_path / "out", known)["since"] is None


def test_three_runs_tell_what_is_new_persists_and_is_resolved(tmp_path):
    out = tmp_path / "out"
    add(out, "a", CLEAN)
    assert states(add(out, "b", FOUND)) == {"raw/missing": "new"}
    assert states(add(out, "c", FOUND)) == {"raw/missing": "persisting"}
    assert states(add(out, "d", UNTOLD)) == {"raw/missing": "no longer told"}
    assert states(add(out, "e", CLEAN)) == {}
    listed = [row.changes for row in read_list(out / "runs", None).rows]
    assert [row and row["new"] for row in listed] == [None, 1, 0, 0, 0]


def test_what_is_resolved_is_kept_for_machines_with_its_keys(tmp_path):
    out = tmp_path / "out"
    first = add(out, "a", FOUND)
    (change,) = record(out, add(out, "b", CLEAN))["since"]["changes"]
    assert (change["state"], change["removed_keys"]) == ("resolved", ["a", "b"])
    assert record(out, add(out, "c", CLEAN))["since"]["run"] != first.row.id


def test_a_run_is_compared_with_the_last_of_its_own_incident(tmp_path):
    out = tmp_path / "out"
    first = add(out, "a", FOUND)
    assert add(out, "b", CLEAN, incident="other").since is None
    assert add(out, "c", FOUND).since.run == first.row.id


OTHERWISE = [
    ({"pipeline": "q"}, "another pipeline"),
    ({"thresholds": {"late_seconds": 1}}, "other thresholds"),
    ({"version": "2"}, "another version"),
    ({"code": "d"}, "another version"),
]


@pytest.mark.parametrize(
    ("last", "now", "state"),
    [(FOUND, CLEAN, "not asked any more"), (CLEAN, FOUND, "new")],
    ids=["gone", "new"],
)
@pytest.mark.parametrize(("other", "why"), OTHERWISE)
def test_another_pipeline_threshold_or_version_resolves_nothing_and_casts_doubt_on_what_is_new(
    tmp_path, other, why, last, now, state
):
    add(tmp_path / "out", "a", last)
    (change,) = add(tmp_path / "out", "b", now, **other).since.changes
    assert change.state == state
    assert why in change.reason


def test_the_same_run_is_listed_once_and_keeps_its_place_and_its_bytes(tmp_path):
    out = tmp_path / "out"
    add(out, "a", FOUND)
    second = add(out, "b", CLEAN)
    before = (out / second.row.place / "run.json").read_bytes()
    add(out, "c", CLEAN)
    lists = (out / "runs.html").read_bytes(), (out / "runs/index.json").read_bytes()
    again = add(out, "b", CLEAN)
    assert again.row == second.row
    assert (out / second.row.place / "run.json").read_bytes() == before
    assert ((out / "runs.html").read_bytes(), (out / "runs/index.json").read_bytes()) == lists
    assert (out / "index.html").read_text(encoding="utf-8") == "b"


def test_a_failed_run_is_listed_as_failed_and_never_compared_with(tmp_path):
    out = tmp_path / "out"
    add(out, "a", CLEAN)
    failed = add(out, "b", FOUND, failed=["04_sqs"])
    assert shown(out / "runs.html")[0] == ["error", "passed"]
    assert record(out, failed)["failed"] == {"04_sqs": "it failed"}
    assert states(add(out, "c", FOUND)) == {"raw/missing": "new"}


def test_a_second_attempt_takes_the_place_of_a_failed_one(tmp_path):
    out = tmp_path / "out"
    failed = add(out, "a", FOUND, failed=["04_sqs"])
    done = add(out, "a", FOUND)
    assert (done.row.number, done.row.word) == (failed.row.number, "dangerous")
    assert shown(out / "runs.html")[0] == ["dangerous"]
    assert add(out, "b", FOUND).since.run == done.row.id


def test_a_failed_attempt_does_not_take_the_place_of_a_run_that_was_done(tmp_path):
    out = tmp_path / "out"
    done = add(out, "a", FOUND)
    add(out, "a", FOUND, failed=["04_sqs"])
    assert record(out, done)["failed"] == {}
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["failed"] != {}
    assert shown(out / "runs.html")[0] == ["dangerous"]


def test_a_run_whose_folder_was_removed_is_told_as_gone_and_can_be_made_again(tmp_path):
    out = tmp_path / "out"
    first = add(out, "a", FOUND)
    for path in (out / first.row.place).iterdir():
        path.unlink()
    (out / first.row.place).rmdir()
    assert add(out, "b", FOUND).since.unknown == "its folder is no longer there"
    again = add(out, "a", FOUND)
    assert again.row == first.row
    assert len(read_list(out / "runs", None).rows) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "investigate.findings/9"}'])
def test_findings_that_cannot_be_read_are_no_comparison_and_no_error(tmp_path, text):
    out = tmp_path / "out"
    first = add(out, "a", FOUND)
    (out / first.row.place / "findings.json").write_text(text, encoding="utf-8")
    known = add(out, "b", FOUND)
    assert known.since.changes == ()
    assert known.since.unknown.startswith("its findings")
    assert known.row.changes is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"schema": "investigate.runs/2"}', "investigate.runs/2"),
        ('{"schema": "investigate.runs/1"}', "another shape"),
        ("{", "cannot be read"),
    ],
)
def test_a_history_of_another_version_is_refused_and_stays_as_it_is(tmp_path, text, why):
    out = tmp_path / "out"
    add(out, "a")
    (out / "runs/index.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        add(out, "b")
    assert (out / "runs/index.json").read_text(encoding="utf-8") == text
    assert (out / "index.html").read_text(encoding="utf-8") == "a"


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "1"},
        {"own_number": None},
        {"failed": 1},
        {"since": {"x": 1}},
        {"since": [1]},
        {"since": {"number": "1"}},
        {"since": {"window": {"start": ""}}},
    ],
    ids=str,
)
def test_the_record_of_a_run_with_values_of_other_kinds_is_refused(tmp_path, changes):
    out = tmp_path / "out"
    add(out, "a", FOUND)
    known = add(out, "b", FOUND)
    path = out / known.row.place / "run.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(changes.get("since"), dict) and "x" not in changes["since"]:
        changes = {"since": {**told["since"], **changes["since"]}}
    path.write_text(json.dumps({**told, **changes}), encoding="utf-8")
    with pytest.raises(UsageError, match="another shape"):
        add(out, "b", FOUND)


@pytest.mark.parametrize(
    "changes",
    [
        {"added": float("inf")},
        {"added": "1"},
        {"rows": 1},
        {"rows": [1]},
        {"rows": [{"window": {}}]},
        {"rows": [{"number": "1"}]},
        {"rows": [{"changes": [1]}]},
        {"done": {"number": "1"}},
        {"done": 1},
    ],
    ids=str,
)
def test_a_list_with_values_of_other_kinds_is_refused(tmp_path, changes):
    told = json.loads(list_text(replace(listed(2), done=row(2))))
    ((name, value),) = changes.items()
    if isinstance(value, list) and isinstance(value[0], dict):
        value = [{**told["rows"][0], **value[0]}]
    elif isinstance(value, dict):
        value = {**told["done"], **value}
    (tmp_path / "index.json").write_text(json.dumps({**told, name: value}), encoding="utf-8")
    with pytest.raises(UsageError, match="another shape"):
        read_list(tmp_path, None)


def row(number, **changes):
    words = {"id": f"{number:016x}", "place": f"runs/one/{number:016x}", "incident": "one"}
    given = {"number": number, "own_number": number, "case": "sample", "entities": []}
    told = {"verdict": "dangerous", "broken": "raw", "found": 1, "untold": 0, "passed": 1}
    window = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    at = {"window": window, "captured_at": "2026-03-12T00:00:00Z"}
    return RunRow(**words, **given, **told, **at, failed=[], changes=None, **changes)


def listed(many, incident=None):
    """A list to which so many runs were added."""
    known = RunList(incident)
    for number in range(1, many + 1):
        known, _ = known.with_row(row(number))
    return known


def test_a_list_seals_its_older_half_and_never_grows_beyond_its_size():
    sizes = [len(listed(many).rows) for many in (1, OPEN - 1, OPEN, OPEN + 1, 5 * PAGE)]
    assert sizes == [1, OPEN - 1, PAGE, PAGE + 1, PAGE]
    assert [listed(many).sealed for many in (OPEN - 1, OPEN, 5 * PAGE)] == [0, 1, 4]


def test_every_run_stands_on_exactly_one_page():
    known, pages = RunList(None), {}
    for number in range(1, 4 * PAGE + 8):
        known, sealed = known.with_row(row(number))
        if sealed:
            pages[known.sealed] = [one.number for one in sealed]
    numbers = [n for page in pages.values() for n in page] + [one.number for one in known.rows]
    assert numbers == list(range(1, 4 * PAGE + 8))
    assert all(known.page_of(row(n)) == page for page, own in pages.items() for n in own)
    assert known.page_of(row(4 * PAGE + 7)) == 0


def history_of(out, many):
    """The lists on disk after so many runs of which no folder is there."""
    add(out, "a")
    for folder, incident in ((out / "runs", None), (out / "runs/one", "one")):
        known = replace(listed(many, incident), done=None)
        (folder / "index.json").write_text(list_text(known), encoding="utf-8")


@pytest.fixture
def traffic(monkeypatch):
    """How many bytes are read and written as text, and how many files are opened."""
    counted = {"bytes": 0, "files": 0}
    opened = io.open

    def counting(file, *arguments, **more):
        handle = opened(file, *arguments, **more)
        counted["files"] += 1
        for name in ("read", "write"):
            real = getattr(handle, name)
            if isinstance(handle, io.TextIOWrapper):
                setattr(handle, name, count(real))
        return handle

    def count(real):
        def call(*arguments):
            result = real(*arguments)
            counted["bytes"] += len(result) if isinstance(result, str) else len(arguments[0])
            return result

        return call

    monkeypatch.setattr(io, "open", counting)
    return counted


def cost_of(out, name, counted):
    counted.update(bytes=0, files=0)
    add(out, name)
    return counted["bytes"], counted["files"]


def test_adding_the_5000th_run_costs_what_the_170th_did(tmp_path, traffic):
    costs = {}
    for many in (169, 4_999):
        history_of(tmp_path / str(many), many)
        costs[many] = cost_of(tmp_path / str(many), "z", traffic)
    (early, files), (late, as_many) = costs[169], costs[4_999]
    assert files == as_many > 10
    assert early > 50_000  # what is counted is there
    # Both write the lists with as many rows; only the numbers in them are longer.
    assert late < early * 1.02


def test_the_newest_page_of_5000_runs_is_small_and_leads_to_all_others(tmp_path):
    out = tmp_path / "out"
    history_of(out, 4_998)
    add(out, "z")
    page = out / "runs.html"
    assert page.stat().st_size < 60_000
    assert len(shown(page)[0]) <= OPEN
    links = Markup(page.read_text(encoding="utf-8")).values("a", "href")
    older = [link for link in links if link.startswith("runs/0")]
    assert older == ["runs/0165.html", "runs/0155.html", "runs/0001.html"]


def test_a_run_that_was_sealed_long_ago_is_made_again_on_its_page(tmp_path, monkeypatch):
    monkeypatch.setattr("investigate.report.history.PAGE", 2)
    monkeypatch.setattr("investigate.report.history.OPEN", 4)
    out = tmp_path / "out"
    add(out, "a", FOUND, failed=["04_sqs"])
    for name in "bcdef":
        add(out, name, CLEAN)
    assert shown(out / "runs/0001.html")[0] == ["passed", "error"]
    later = (out / "runs/0002.html").read_bytes()
    add(out, "a", FOUND)
    assert shown(out / "runs/0001.html")[0] == ["passed", "dangerous"]
    assert shown(out / "runs/one/0001.html")[0] == ["passed", "dangerous"]
    assert (out / "runs/0002.html").read_bytes() == later


def test_every_link_of_every_list_leads_somewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("investigate.report.history.PAGE", 2)
    monkeypatch.setattr("investigate.report.history.OPEN", 4)
    monkeypatch.setattr("investigate.report.runs_pages.PAGE", 2)
    out = tmp_path / "out"
    for number, name in enumerate("abcdefg"):
        add(out, name, incident="one" if number % 3 else "the other: é")
    pages = [*out.glob("runs*.html"), *out.glob("runs/**/0*.html"), *out.glob("runs/*/index.html")]
    assert len(pages) > 4
    for page in pages:
        markup = Markup(page.read_text(encoding="utf-8"))
        links = [link for link in markup.values("a", "href") if not link.startswith("#")]
        missing = [link for link in links if not (page.parent / link).is_file()]
        assert missing == [], page
        (script,) = markup.values("script", "src")
        assert (page.parent / script).resolve() == (out / "assets/runs.js").resolve()


def test_hostile_names_stay_text_and_lead_nowhere_else(tmp_path):
    out = tmp_path / "out"
    told = document(entry("raw/missing"), case=HOSTILE, entities=[HOSTILE])
    known = add(out, "a", told, incident=HOSTILE)
    for page in (out / "runs.html", out / known.row.place / ".." / "index.html"):
        markup = Markup(page.read_text(encoding="utf-8"))
        assert [tag for tag, _ in markup.elements if tag in ("img", "iframe")] == []
        assert len(markup.values("script", "src")) == 1
    assert known.row.incident == HOSTILE
    assert Path(known.row.place).parts[0] == "runs"
    assert (out / known.row.place).resolve().is_relative_to((out / "runs").resolve())


@pytest.mark.parametrize(
    "names",
    [
        ("a b", "a-b", "a/b", "A-b", "a_b", "a-b.", "a--b"),
        ("..", ".", "/", "", "é", "è", "incident"),
        ("x" * 60, "x" * 61, "x" * 62),
    ],
)
def test_different_incidents_never_share_a_folder(names):
    folders = [folder_of(name) for name in names]
    assert len(set(folders)) == len(names)
    for folder in folders:
        assert folder == Path(folder).name
        assert folder.strip(".") == folder
        assert len(folder) < 80


@pytest.mark.parametrize("name", [" a", "a ", "x" * 121, "a\u00a0b"])
def test_a_name_that_is_no_line_of_its_own_is_refused(name):
    with pytest.raises(UsageError, match="no name for an incident"):
        incident_named(name)


@pytest.mark.parametrize("name", ["a\nb", "\udc80", "\u202ex", "a\u3164b", "a\u2800"])
def test_a_name_with_what_nobody_sees_is_refused(name):
    with pytest.raises(UsageError, match="--incident holds the character"):
        incident_named(name)


def test_the_id_of_a_run_follows_from_what_was_asked_and_from_nothing_else():
    assert a_run("a").id == Run("one", dict(reversed(a_run("a").asked.items()))).id
    assert a_run("a").id != a_run("b").id


def test_what_is_written_can_be_read(tmp_path):
    known = replace(listed(3), done=row(2))
    (tmp_path / "index.json").write_text(list_text(known), encoding="utf-8")
    again = read_list(tmp_path, None)
    assert asdict(again) == asdict(known)
    with pytest.raises(UsageError, match="it is the list of None"):
        read_list(tmp_path, "one")


def test_two_histories_of_the_same_runs_are_the_same_byte_for_byte(tmp_path):
    for out in (tmp_path / "one", tmp_path / "the-other"):
        for name, told in (("a", CLEAN), ("b", FOUND), ("c", CLEAN)):
            add(out, name, told)
    files = [
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (tmp_path / "one", tmp_path / "the-other")
    ]
    assert files[0] == files[1]
    assert len(files[0]) > 10
