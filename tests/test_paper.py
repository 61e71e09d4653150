"""What is reckoned for sizes that nobody ran: the arithmetic, the page, what is no measurement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.paper import assumptions as assumed
from benchmarks.paper import measured
from benchmarks.paper.account import Account
from benchmarks.paper.measured import Growth, Unusable
from benchmarks.paper.run import EVENTS
from benchmarks.paper.tables import as_markdown, in_powers, size_of, time_of
from benchmarks.paper.times import clusters, of_one_process
from investigate.capture import prices

ROOT = Path(__file__).resolve().parent.parent


def stage(wall: float, cpu: float | None = None) -> dict[str, float]:
    return {"wall": wall, "cpu": cpu or wall, "peak_mb": 300.0}


def size(events: int, seconds: float, **told: object) -> dict[str, object]:
    return {
        "events": events,
        "stages": {"check": stage(seconds, 2 * seconds), "ledger": stage(seconds)},
        "failures": {},
        "differences": [],
        "bytes": {"raw": 100 * events, "events": 50 * events, "dedupe": 10 * events},
        "rows": {"raw": events, "aggregates": events // 10},
        **told,
    }


def file_of(folder: Path, *sizes: dict[str, object]) -> Path:
    path = folder / "figures.json"
    told = {"on": "2026-03-10", "machine": "2 cores", "memory": "2GB", "sizes": list(sizes)}
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


@pytest.fixture
def run(tmp_path):
    return measured.read(file_of(tmp_path, size(1_000_000, 40.0), size(100_000, 10.0)))


def test_a_figure_grows_by_its_exponent_and_never_slower_than_the_events(run):
    growth = run.growth("check", lambda one: one.wall)
    assert (growth.events, growth.figure) == (1_000_000, 40.0)
    assert growth.exponent == pytest.approx(0.602, abs=0.001)  # 4 times for 10 times as many
    assert growth.at(10_000_000) == pytest.approx(400.0)
    assert Growth(1_000, 2.0, 2.0).at(10_000) == pytest.approx(200.0)
    assert Growth(1_000, 2.0, None).at(10_000) == pytest.approx(20.0)


def test_bytes_and_rows_are_those_of_the_largest_size(run):
    assert run.bytes_per_event() == 160
    assert run.bytes_per_event("raw", "events") == 150
    assert run.rows_per_event("aggregates") == 0.1


def test_an_account_costs_what_is_reckoned_by_hand():
    account = Account(events=1_000_001, aggregates=1_000)
    costs = {(cost.table, cost.operation): cost for cost in account.copied()}
    assert costs["raw", "s3:ListObjectsV2"].requests == 1_001
    assert costs["raw", "s3:ListObjectsV2"].price_usd == pytest.approx(1_001 * 0.005 / 1_000)
    assert costs["raw", "s3:GetObject"].price_usd == pytest.approx(0.4, abs=0.001)
    assert costs["events", "dynamodb:Scan"].bytes == 770_000_770
    assert costs["events", "dynamodb:Scan"].read_units == 187_989 / 2  # of 4,096 bytes each
    assert costs["events", "dynamodb:Scan"].requests == 735  # of 1 MiB each
    assert costs["aggregates", "dynamodb:Scan"].read_units == 225 / 2
    assert costs["queue_state", "sqs:GetQueueAttributes"].requests == 2
    calls = [cost.requests for cost in account.copied() if cost.table == "log_lines"]
    assert sorted(calls) == [1, 151, 1_051]  # 1 MB each: no replay, 1,500 B a batch, 1,050 an event


def test_what_is_asked_instead_costs_what_is_reckoned_by_hand():
    told = {cost.operation: cost for cost in Account(2_000_000, 0).instead()}
    assert told["S3 Inventory"].price_usd == pytest.approx(0.005)
    assert told["DynamoDB export"].bytes == 2_000_000 * (770 + 215)
    assert told["DynamoDB export"].price_usd == pytest.approx(0.197)
    assert told["s3:GetObject"].requests == 2_000_000
    assert told["dynamodb:Query"].read_units == 1_880 / 2
    assert told["dynamodb:BatchGetItem"].requests == 100
    assert told["dynamodb:BatchGetItem"].read_units == 5_000


def test_what_one_process_does_alone_takes_its_share_of_a_day():
    times = [one.seconds for one in of_one_process(Account(3_000_000, 0), 5e9)]
    listing, reading, scanning, logs, opening = times
    assert (listing, reading, opening) == (pytest.approx(300), 1_000, 5)
    assert scanning == pytest.approx(2_203 / 4 / 10)  # pages of 1 MiB
    assert logs == pytest.approx((3_150 + 450 + 1) / 5)


def test_a_cluster_reads_no_faster_than_s3_answers(run):
    few, more, many = clusters(run, 10_000_000)
    work = (80 + 40) * 10 * assumed.SPARK_FACTOR.value  # CPU seconds of both, ten times as many
    assert few.asking == pytest.approx(work / few.cores)
    assert few.reading == pytest.approx(2 * 10_000_000 / (3_000 * 16))
    assert more.reading == many.reading == pytest.approx(2 * 10_000_000 / 110_000)
    hours = (few.reading + few.asking) * few.cores / 3600
    assert few.usd == pytest.approx(hours * assumed.CORE_HOURS.usd)


def test_a_run_without_a_ledger_reckons_no_cluster(tmp_path):
    path = file_of(tmp_path, size(1_000, 1.0, stages={"check": stage(1.0)}))
    text = as_markdown(measured.read(path), [10**8])
    assert "Not reckoned: the run has not both of `check`, `ledger`." in text


def test_the_tables_say_which_run_they_are_of_and_how_each_row_is_known(run):
    text = as_markdown(run, [10**8, 1_500_000_000])
    assert "wrote on 2026-03-10, of 100,000 and 1,000,000 synthetic events; 2 cores; each" in text
    assert "too small" not in text
    assert "not the truth" not in text
    assert "### 10⁸ events: a capture that copies everything" in text
    assert "### 1,500,000,000 events: what can be asked instead" in text
    assert "| `check` | 40 s at 1,000,000 | 300 | 0.60 | 67 min | 17 h | measured, " in text
    assert "| all tables | 160 | 16 GB | 240 GB |" in text
    assert prices.NOTE in text
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith(("| ---", "| together")):
            assert line.split("|")[-2].strip(), line


def test_a_small_run_and_one_with_faults_say_so(tmp_path):
    failed = size(2_000, 1.0, stages={}, bytes={}, rows={}, failures={"generate": "died"})
    wrong = size(1_000, 1.0, differences=["raw/late: other keys"])
    run = measured.read(file_of(tmp_path, wrong, failed))
    assert [one.events for one in run.sizes] == [1_000]
    text = as_markdown(run, [10**8])
    assert "This run is too small: do not quote its times." in text
    assert "findings that were not the truth: 2." in text


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is no JSON"),
        ("[]", "is not what the scale benchmark writes (TypeError"),
        ('{"sizes": [{}]}', "is not what the scale benchmark writes (KeyError"),
        (
            '{"on": "", "machine": "", "memory": "", "sizes": []}',
            "holds no size of which anything was measured",
        ),
    ],
)
def test_a_file_that_is_no_measurement_is_refused_with_what_to_type(tmp_path, held, told, capsys):
    path = tmp_path / "figures.json"
    if held is not None:
        path.write_text(held, encoding="utf-8")
    with pytest.raises(Unusable):
        measured.read(path)
    assert main(["paper", "--measured", str(path)]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert f"python -m benchmarks scale --json {path} writes it" in said


def test_only_what_stands_between_the_marks_is_written_anew(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("By hand.\n\n<!-- begin paper -->\nold\n<!-- end paper -->\n\nThe end.\n")
    asked = ["paper", "--measured", str(file_of(tmp_path, size(1_000, 1.0))), "--write"]
    assert main([*asked, str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("By hand.\n\n<!-- begin paper -->\n\nWritten by")
    assert text.endswith("<!-- end paper -->\n\nThe end.\n")
    assert "old" not in text
    assert capsys.readouterr().out.strip() in text

    assert main([*asked, str(tmp_path / "none.md")]) == 2
    assert "does not exist: its text is written by hand" in capsys.readouterr().err
    page.write_text("<!-- begin paper -->\n")
    assert main([*asked, str(page)]) == 2
    assert "do not stand once, in order" in capsys.readouterr().err


def test_the_committed_page_is_what_the_command_makes_of_the_committed_figures():
    page = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    text = as_markdown(measured.read(ROOT / "docs/scale.json"), EVENTS)
    written = page.split("<!-- begin paper -->")[1].split("<!-- end paper -->")[0]
    assert written.strip() == text, "python -m benchmarks paper --write docs/scale.md"


def test_what_the_text_says_of_a_day_is_what_the_assumed_rates_give():
    text = (ROOT / "docs/scale.md").read_text(encoding="utf-8").split("<!-- begin paper -->")[0]
    listing, reading, _, logs, _ = of_one_process(Account(10**8, 10**7), 0)
    for told, one in (("2.6", reading), ("3.6", logs), ("8.6", listing)):
        assert in_powers(10**8 / one.seconds * 86_400) == f"{told} × 10⁸"
        assert text.count(f"| {told} × 10⁸ ") == 1


def test_amounts_are_told_in_the_unit_that_tells_most():
    told = [size_of(count) for count in (999, 1_500, 2.5e12)]
    assert told == ["999 B", "2 kB", "2.5 TB"]
    told = [time_of(seconds) for seconds in (1.5, 119, 600, 7_200, 100_000, 864_000)]
    assert told == ["1.5 s", "119 s", "10 min", "2.0 h", "28 h", "10 days"]
