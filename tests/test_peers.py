from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.peers import contest, run
from benchmarks.peers.contenders import product, with_duckdb, with_pandas
from benchmarks.peers.contenders.by_loops import any_run, hashed
from benchmarks.peers.contest import COMMAND, DUCKDB, OURS, PANDAS, POLARS, Contender, Result
from benchmarks.peers.questions import MADE_BY, QUESTIONS, answers, differences, untrue
from benchmarks.peers.spelling import limits, spell_out
from benchmarks.peers.tables import Comparison, as_markdown
from benchmarks.scale.measuring import Measured
from benchmarks.synthetic.case import write_case
from benchmarks.synthetic.truth import TRUTH
from investigate.case import Coverage, open_case
from investigate.pipeline import REFERENCE

EVERY = 140  # days from one of a fault to the next: all faults fit into the smallest case
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers") / f"synthetic-1000-{EVERY}"
    write_case(folder, 1_000, every=EVERY)
    return folder


@pytest.fixture(scope="module")
def tables(case):
    folder = case.parent / "tables"
    assert spell_out(case, folder) > 100_000
    return folder


@pytest.fixture(scope="module")
def ours(case):
    return product.main(case)


def test_the_checks_find_what_is_true_and_something_for_every_question(case, ours):
    truth = json.loads((case / TRUTH).read_text(encoding="utf-8"))
    assert untrue(ours, truth) == []
    assert all(ours[code] for code in QUESTIONS)
    assert sum(ours[MADE_BY].values()) == len(ours["events/duplicate"])
    assert len(ours[MADE_BY]) >= 3
    assert untrue({**ours, "raw/missing": []}, truth) == ["raw/missing"]


@pytest.mark.parametrize("other", [with_duckdb, with_pandas], ids=["DuckDB", "pandas"])
def test_the_other_tools_answer_as_the_checks_do(ours, tables, other):
    assert differences(ours, other.main(tables)) == []


def test_polars_answers_as_the_checks_do(ours, tables):
    pytest.importorskip("polars", reason="it comes with benchmarks/peers/requirements.txt")
    from benchmarks.peers.contenders import with_polars

    assert differences(ours, with_polars.main(tables)) == []


def test_tools_take_turns_in_processes_of_their_own_and_the_figures_are_written(
    case, capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr(contest, "CONTENDERS", (DUCKDB,))
    files = ["--json", str(tmp_path / "figures.json"), "--write", str(tmp_path / "found.md")]
    asked = ["--events", "1e3", "--every", str(EVERY), "--rounds", "2", "--cases", str(case.parent)]
    assert main(["peers", *asked, *files]) == 0
    document = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert document["differences"] == []
    (tool,) = document["tools"]
    assert len(tool["rounds"]) == 2
    assert all(one["wall"] > 0 and one["peak_mb"] > 0 for one in tool["rounds"])
    assert "<!-- begin peers -->" in (tmp_path / "found.md").read_text(encoding="utf-8")
    assert "| DuckDB SQL by hand | " in capsys.readouterr().out


def test_a_tool_that_fails_or_is_not_there_is_told_and_the_others_go_on(
    case, capsys, monkeypatch, tmp_path
):
    broken = Contender("a broken tool", "no_such_module", "duckdb")
    absent = Contender("a tool of another time", "with_polars", "no_such_package")
    monkeypatch.setattr(contest, "CONTENDERS", (broken, absent))
    asked = ["--events", "1e3", "--every", str(EVERY), "--cases", str(case.parent)]
    assert main(["peers", *asked]) == 1
    printed = capsys.readouterr()
    assert "| a broken tool | failed | – | – | – | – |" in printed.out
    assert "* a broken tool failed: " in printed.out
    assert "| a tool of another time | not installed | – | – | – | – |" in printed.out
    assert printed.err.count("a broken tool") == 1  # the second round does not ask it again


def _took(contender: Contender, wall: float, keys: str = "same") -> Result:
    found = answers({code: [keys] for code in QUESTIONS}, {"client-retry": 1})
    return Result(contender, [Measured(wall + 1, 9.0, 90.0), Measured(wall, 8.0, 95.0)], found)


def test_the_table_has_the_best_round_the_ratios_and_the_targets():
    results = [_took(OURS, 2.0), _took(DUCKDB, 1.0), Result(POLARS, failure="not installed")]
    results += [_took(PANDAS, 12.0), Result(COMMAND, [Measured(4.0, 8.0, 99.0)])]
    text = as_markdown(Comparison(1_000, 2, 10**6, 3 * 10**6, results, []), date(2026, 3, 10))
    assert "2026-03-10; " in text
    assert "polars 2" not in text
    assert "| Investigate | 2.00 | 8.00 | 95 | 1.00 | 1.00 |" in text
    assert "| DuckDB SQL by hand | 1.00 | 8.00 | 95 | 0.50 | 1.00 |" in text
    assert "* met: 6.0 times as fast as pandas" in text
    assert "* MISSED: 2.00 times the time of DuckDB SQL" in text
    assert "* Investigate, DuckDB SQL by hand, pandas: the same keys" in text
    assert "(1 client-retry)" in text


def test_other_answers_are_named_and_end_the_comparison_badly(case):
    results = [_took(OURS, 2.0, "a"), _took(DUCKDB, 1.0, "b")]
    told = run._told(results, case)
    assert "Investigate: not the truth for raw/missing" in told
    assert (
        "Investigate and DuckDB SQL by hand: raw/missing: 1 and 1 answers; only the first: a; only "
        "the second: b" in told
    )
    text = as_markdown(Comparison(1_000, 2, 1, 1, results, told), date(2026, 3, 10))
    assert "* NOT EQUAL: Investigate and DuckDB SQL by hand: raw/missing" in text
    assert "the same keys" not in text


def test_a_case_whose_stores_end_apart_is_no_case_for_this():
    case = open_case(ROOT / "data" / "cases" / "healthy")
    old = Coverage("captured", None, "../2026-03-01T00:00:00Z")
    with pytest.raises(ValueError, match="the stores tell of different times"):
        limits(replace(case, coverage={**case.coverage, "dedupe": old}))


def test_loops_find_a_run_a_whole_day_and_a_doubled_one():
    texts = ["a", "b", "c"]
    assert any_run(texts, 2, hashed(["b", "c"]))
    assert any_run(texts, 3, hashed(texts))
    assert any_run(texts, 6, hashed(["a", "a", "b", "b", "c", "c"]))
    assert not any_run(texts, 2, hashed(["a", "c"]))
    assert hashed([]) == REFERENCE.aggregate.inputs_hash([])


def test_rounds_that_make_no_sense_are_refused(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["peers", "--rounds", "0"])
    assert refused.value.code == 2
    assert "'0' is no number of rounds such as 3" in capsys.readouterr().err


def test_polars_is_pinned_with_hashes_and_without_an_address():
    text = (ROOT / "benchmarks" / "peers" / "requirements.txt").read_text(encoding="utf-8")
    assert "polars==" in text
    assert text.count("--hash=sha256:") >= 2
    assert "://" not in text
