from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.case import open_case
from investigate.checks import book
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.findings import Examination, examine
from investigate.model import STEPS, Outcome, Severity
from investigate.sandbox import demo
from investigate.sandbox.demo import DEMOS, readme, regenerate, stage_and_capture
from investigate.sandbox.faults import faults
from investigate.sandbox.traffic import LIGHT
from investigate.sandbox.truth import TRUTH, GroundTruth

CASES = Path(__file__).parent.parent / "data" / "cases"

# The findings of these have a queue or a function for a key, or depend on what else is in the
# queue: told together they could hide each other, so each is told alone. All others have keys of
# their own, and are told in a few groups because asking all checks takes seconds per case.
# EACH_FAULT_ALONE=1 tells every single fault alone, which takes some minutes.
ALONE = (
    "queue-purged", "consumer-stopped", "doubled-messages-waiting", "malformed-messages",
    "concurrency-zero", "poison-object", "dry-run-processor", "dry-run-replay",
    "processor-throttled",
)  # fmt: skip
GROUPS = 2


def groups_of_faults() -> list[Any]:
    names = [fault.name for fault in faults]
    if os.environ.get("EACH_FAULT_ALONE"):
        return [pytest.param((name,), id=name) for name in names]
    together = [name for name in names if name not in ALONE]
    shared = [tuple(together[first::GROUPS]) for first in range(GROUPS)]
    groups = [pytest.param(group, id=f"group-{n}") for n, group in enumerate(shared, 1)]
    return [*(pytest.param((name,), id=name) for name in ALONE), *groups]


@cache
def examined(folder: Path) -> Examination:
    return examine(Evidence(open_case(folder)))


def differences(examination: Examination, truth: GroundTruth) -> list[str]:
    """Every way in which what was found is not what happened, one line each."""
    found = {f.code: set(f.keys) for f in examination.findings if f.outcome is Outcome.FOUND}
    said: list[str] = []
    for code in sorted(found.keys() | truth.findings.keys()):
        happened = truth.findings.get(code, set())
        said += [f"{code}: extra {key}" for key in sorted(found.get(code, set()) - happened)]
        said += [f"{code}: missed {key}" for key in sorted(happened - found.get(code, set()))]
    return [*said, *unanswered(examination, truth), *others(examination, truth)]


def unanswered(examination: Examination, truth: GroundTruth) -> list[str]:
    open_ones = {
        finding.code: f"{finding.outcome.value}, {finding.reason}"
        for finding in examination.findings
        if finding.outcome not in (Outcome.FOUND, Outcome.PASSED)
    }
    said = [f"{code}: {why}" for code, why in open_ones.items() if code not in truth.not_evaluated]
    return said + [f"{code}: passed" for code in truth.not_evaluated if code not in open_ones]


def others(examination: Examination, truth: GroundTruth) -> list[str]:
    """Every verdict of a day and every retry pattern that is not the true one."""
    document = examination.document
    days = {(row["entity_id"], row["day"]): row["verdict"] for row in document["aggregates"]}
    retries = {(row["group"], row["channel"]): row["pattern"] for row in document["retries"]}
    return [
        f"{' '.join(key)}: {told.get(key)} instead of {true.get(key)}"
        for told, true in ((days, truth.days), (retries, truth.retries))
        for key in sorted(told.keys() | true.keys())
        if told.get(key) != true.get(key)
    ]


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_case_gives_exactly_the_findings_of_its_ground_truth(name: str) -> None:
    assert differences(examined(CASES / name), GroundTruth.read(CASES / name)) == []


def test_the_healthy_case_gives_nothing_above_expected_and_every_check_an_answer() -> None:
    findings = examined(CASES / "healthy").findings
    assert {f.outcome for f in findings} == {Outcome.PASSED, Outcome.FOUND}
    found = [f for f in findings if f.outcome is Outcome.FOUND]
    assert {f.severity for f in found} == {Severity.EXPECTED}


def test_everything_has_a_finding_of_every_check_of_the_six_steps() -> None:
    codes = {check.code for step in STEPS for check in book.of(step)}
    assert codes - GroundTruth.read(CASES / "everything").findings.keys() == set()


@pytest.mark.parametrize("names", groups_of_faults())
def test_a_fault_on_light_traffic_gives_exactly_what_it_says_it_caused(
    tmp_path: Path, names: Sequence[str]
) -> None:
    truth = stage_and_capture(tmp_path / "case", names, LIGHT)
    assert truth.faults == list(names)
    assert differences(examined(tmp_path / "case"), truth) == []


# The second holds stack traces, and with them line numbers of the sandbox's functions.
@pytest.mark.parametrize("name", ["healthy", "wrong-aggregates"])
def test_a_demo_case_is_built_again_byte_for_byte(tmp_path: Path, name: str) -> None:
    (built,) = regenerate(tmp_path, [name])
    if writer_of(built) == writer_of(CASES / name):
        assert digests(built) == digests(CASES / name)
    else:  # `make lowest` and `make newest`: Parquet names the version of pyarrow that wrote it
        assert rows_of(built) == rows_of(CASES / name)
        assert others_of(built) == others_of(CASES / name)


def writer_of(folder: Path) -> str:
    return str(pq.read_metadata(folder / "raw" / "part-0.parquet").created_by)


def others_of(folder: Path) -> dict[str, str]:
    """The files that are no Parquet, without what the manifest says of the bytes of those."""
    return {
        path.relative_to(folder).as_posix(): re.sub(
            r'"(bytes|sha256)": (\d+|"[0-9a-f]{64}")', r'"\1"', path.read_text(encoding="utf-8")
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".parquet"
    }


def rows_of(folder: Path) -> dict[str, pa.Table]:
    files = sorted(folder.rglob("*.parquet"))
    return {path.relative_to(folder).as_posix(): pq.read_table(path) for path in files}


def test_a_folder_that_is_no_demo_case_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "healthy").mkdir()
    with pytest.raises(UsageError, match="no demo case"):
        regenerate(tmp_path, ["healthy"])


@pytest.mark.parametrize("moment", range(1, 7))
def test_a_demo_case_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    draft, target = tmp_path / "draft", tmp_path / "cases" / "healthy"
    for folder, says in ((draft, "new"), (target, "old")):
        folder.mkdir(parents=True)
        (folder / TRUTH).write_text(says)
    steps = []

    def killed(doing: Callable[..., object]) -> Callable[..., object]:
        def step(*given: Any, **more: Any) -> object:
            steps.append(given)
            if len(steps) == moment:
                raise KeyboardInterrupt
            return doing(*given, **more)

        return step

    with monkeypatch.context() as patched:
        for owner, name in ((shutil, "copytree"), (shutil, "rmtree"), (Path, "rename")):
            patched.setattr(owner, name, killed(getattr(owner, name)))
        with pytest.raises(KeyboardInterrupt):
            demo.put_in_place(draft, target)
    # Whatever stands there is whole, or nothing does and the next run makes it.
    assert not target.exists() or (target / TRUTH).read_text() in ("old", "new")
    demo.put_in_place(draft, target)
    assert (target / TRUTH).read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["healthy"]


def test_an_unknown_demo_case_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="known: healthy"):
        regenerate(tmp_path, ["helthy"])


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_case_is_small_and_its_page_says_what_happened(name: str) -> None:
    assert sum(path.stat().st_size for path in (CASES / name).rglob("*")) < 2 * 1024 * 1024
    page = (CASES / name / "README.md").read_text(encoding="utf-8")
    assert page == readme(DEMOS[name], GroundTruth.read(CASES / name))


def test_every_folder_of_the_demo_cases_is_one_of_them() -> None:
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == set(DEMOS)
