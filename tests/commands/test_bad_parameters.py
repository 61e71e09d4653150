"""What `investigate report` refuses before a kernel starts, each with one message."""

from __future__ import annotations

import pytest

from investigate.commands import report
from tests.commands.conftest import CASES, END, HEALTHY, START

KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
DAY = "2026-03-11T00:00:00Z"


def window(start: str, end: str) -> list[str]:
    return [HEALTHY, "--start", start, "--end", end]


BAD = {
    "nothing": ([], "CASE"),
    "unknown name": ([HEALTHY, "--entitiy", "e1"], "--entity"),
    "abbreviated name": ([HEALTHY, "--ent", "e1"], "--entity"),
    "one argument too many": ([HEALTHY, "more"], "'more'"),
    "no value": ([HEALTHY, "--entity"], "expected one argument"),
    "empty case": ([""], "case is empty"),
    "blank case": (["  "], "case is empty"),
    "case of a URL": (["gs://bucket/case"], "case is a URL"),
    "bucket without a case": (["s3://bucket"], "is not the address of a case in a bucket"),
    "case below ~": (["~/case"], "begins with ~"),
    "case that is a file": ([f"{HEALTHY}/case.json"], "name the folder"),
    "case that is no case": ([str(CASES)], "is not a case"),
    "case that is nowhere": ([str(CASES / "helthy")], "did you mean"),
    "case with a line break": ([f"{HEALTHY}\n"], "U+000A"),
    "case with a NUL": ([f"{HEALTHY}\0"], "U+0000"),
    "case too long": (["c" * 4097], "4,097 characters"),
    "no time": (window("yesterday", END), "'yesterday' is not an ISO 8601 time"),
    "number as time": (window("1773100800", END), "is not an ISO 8601 time"),
    "30th of February": (window("2026-02-30T00:00:00Z", END), "is not an ISO 8601 time"),
    "25 o'clock": (window("2026-03-10T25:00:00Z", END), "is not an ISO 8601 time"),
    "naive time": (window("2026-03-10T00:00:00", END), "no offset"),
    "date only": (window("2026-03-10", END), "no offset"),
    "name of a zone": (window("2026-03-10T00:00:00 Europe/Berlin", END), "is not an ISO 8601"),
    "time with spaces": (window(f" {START}", END), "is not an ISO 8601 time"),
    "reversed": (window(END, START), "the window is empty"),
    "reversed by its offset": (
        window("2026-03-11T00:00:00Z", "2026-03-11T01:00:00+02:00"),
        "empty",
    ),
    "of no length": (window(DAY, DAY), "the window is empty"),
    "end of the calendar": (window(START, "9999-12-31T23:59:59Z"), "beyond what was captured"),
    "beyond the calendar": (window(START, "9999-12-31T23:59:59-01:00"), "is not an ISO 8601"),
    "year 1": (window("0001-01-01T00:00:00Z", END), "beyond what was captured"),
    "a microsecond too wide": (window(START, "2026-03-13T00:00:00.000001Z"), "beyond"),
    "start after the case": ([HEALTHY, "--start", END], "lies after what was captured"),
    "end before the case": ([HEALTHY, "--end", START], "lies before what was captured"),
    "unknown entity": ([HEALTHY, "--entity", "customer"], "unknown entity 'customer'"),
    "entity with an escape": ([HEALTHY, "--entity", "e\x1b[31m"], "U+001B"),
    "half a character": ([HEALTHY, "--entity", "e\udcff"], "U+DCFF"),
    "entity too long": ([HEALTHY, "--entity", "e" * 4097], "4,097 characters"),
    "access key": ([HEALTHY, "--entity", KEY_ID], "looks like an AWS access key id"),
    "password": (["https://me:pw@example.org"], "looks like a URL with a password"),
    "unknown severity": ([HEALTHY, "--fail-on", "bad"], "unknown severity 'bad'"),
    "no seconds": ([HEALTHY, "--deadline", "soon"], "'soon' are no seconds"),
    "no time at all": ([HEALTHY, "--deadline", "0"], "1 to 2592000"),
    "less than no time": ([HEALTHY, "--notebook-seconds", "-1"], "'-1' are no seconds"),
    "half a second": ([HEALTHY, "--notebook-seconds", "0.5"], "1 to 2592000"),
    "for ever": ([HEALTHY, "--deadline", "9" * 30], "1 to 2592000"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD.values(), ids=BAD)
def test_a_bad_question_is_refused_before_a_kernel_starts_and_leaves_nothing(
    ask, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    started = []
    monkeypatch.setattr(report, "write_report", lambda *args, **options: started.append(args))
    code, out, err = ask("report", *arguments)
    assert (code, out, started) == (2, "", [])
    assert said in err
    assert err.count("investigate: ") == 1
    assert KEY_ID not in err
    assert list(tmp_path.iterdir()) == []


def test_what_is_refused_is_the_question_and_not_the_way_it_is_asked(ask, tmp_path, monkeypatch):
    """The control of the table above: a good question gets as far as the notebooks."""
    started = []
    monkeypatch.setattr(
        report, "write_report", lambda *args, **options: started.append(options) or []
    )
    times = ["--start", "2026-03-10T02:00:00+02:00", "--end", END]
    limits = ["--deadline", "60", "--notebook-seconds", "30"]
    code, _, _ = ask("report", HEALTHY, *times, *limits, "--out", tmp_path / "out")
    assert code == 0
    assert started[0]["limits"].notebook == 30
    assert 0 < started[0]["seconds"] < 60
