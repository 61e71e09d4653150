from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median

import pytest

from investigate.checks import book
from investigate.errors import UsageError
from investigate.sandbox.faults import Faults, attempts, faults, stories_of_faults
from investigate.sandbox.stories import Plot, Story, at, perform
from investigate.sandbox.truth import GroundTruth
from tests.sandbox.pipelines import rows, running

EVERYTHING = Path(__file__).parent.parent.parent / "data" / "cases" / "everything"


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same for every run, which is the point


def gaps_of(fault: str) -> list[list[float]]:
    """The waiting times that a fault of repeated attempts yields, one list per sequence."""
    with running() as sandbox:
        truth, moments = GroundTruth(), []
        (story,) = stories_of_faults(Plot(sandbox, truth, chance(7), "test"), [fault])
        perform(sandbox, [noted(story, moments)], until=at(10, "23:00"))
    seconds = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    sequences: list[list[float]] = [[]]
    for gap in seconds:
        sequences[-1].append(gap) if gap < 900 else sequences.append([])
    return sequences


def noted(story: Story, moments: list[datetime]) -> Story:
    for moment in story:
        moments.append(moment)
        yield moment


def doublings(gaps: Sequence[float]) -> list[float]:
    return [later / earlier for earlier, later in pairwise(gaps)]


def test_fixed_retries_hardly_vary_from_their_median() -> None:
    for gaps in gaps_of("retries-fixed"):
        assert len(gaps) >= 2
        assert max(gaps) / min(gaps) < 1.1


def test_exponential_retries_double_with_every_attempt() -> None:
    for gaps in gaps_of("retries-exponential"):
        assert len(gaps) >= 3
        assert all(1.9 < ratio < 2.1 for ratio in doublings(gaps))


def test_truncated_retries_double_and_then_stay_at_their_cap() -> None:
    for gaps in gaps_of("retries-truncated"):
        assert all(1.9 < ratio < 2.1 for ratio in doublings(gaps[:5]))
        assert len(gaps) >= 7
        assert max(gaps[4:]) / min(gaps[4:]) < 1.1


def test_jittered_retries_grow_in_the_middle_and_not_in_every_step() -> None:
    sequences = gaps_of("retries-jittered")
    middles = [median(gaps) for gaps in zip(*sequences, strict=True)]
    assert len(middles) >= 8
    assert middles[-1] > 50 * middles[0]
    assert any(ratio < 1 for gaps in sequences for ratio in doublings(gaps))


def test_randomised_retries_vary_and_do_not_grow() -> None:
    sequences = gaps_of("retries-randomised")
    early = median(gap for gaps in sequences for gap in gaps[:4])
    late = median(gap for gaps in sequences for gap in gaps[4:])
    assert min(len(gaps) for gaps in sequences) >= 8
    assert 0.5 < late / early < 2
    assert all(max(gaps) / min(gaps) > 1.5 for gaps in sequences)


def test_every_pattern_is_tried_often_enough_to_be_told() -> None:
    assert len(gaps_of("retries-fixed")) == attempts.SEQUENCES


def test_every_fault_has_a_name_in_kebab_case_and_a_sentence() -> None:
    for fault in faults:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", fault.name)
        assert fault.summary.endswith(".")


def test_a_name_is_given_to_one_fault_only() -> None:
    own = Faults()

    def story(plot: Plot) -> Story:
        """Something happens."""
        yield at(10, "00:00")

    own.fault("twice")(story)
    with pytest.raises(ValueError, match="two faults"):
        own.fault("twice")(story)


def test_an_unknown_fault_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UsageError, match="did you mean 'raw-copied'"):
        faults["raw-copy"]


def test_every_code_that_a_fault_records_is_a_check_of_the_book() -> None:
    codes = {check.code for check in book}
    truth = GroundTruth.read(EVERYTHING)
    assert truth.findings.keys() | truth.obscured <= codes


def test_every_fault_is_part_of_everything() -> None:
    assert GroundTruth.read(EVERYTHING).faults == sorted(fault.name for fault in faults)


def test_a_fault_is_the_same_whatever_it_is_told_together_with() -> None:
    def sent_by(names: Sequence[str]) -> list[str]:
        with running() as sandbox:
            plot = Plot(sandbox, GroundTruth(), chance(7), "test")
            perform(sandbox, stories_of_faults(plot, names), until=at(12, "00:00"))
            return [
                row["SK"] for row in rows(sandbox, "events") if row["source"] == "double-charge"
            ]

    assert sent_by(["double-charge"]) == sent_by(["upstream-replay", "double-charge"])


def test_stories_go_on_in_the_order_of_their_moments() -> None:
    heard: list[str] = []

    def story(name: str, *clocks: str) -> Story:
        for clock in clocks:
            yield at(10, clock)
            heard.append(f"{name} {clock}")

    with running() as sandbox:
        perform(sandbox, [story("a", "07:00", "09:00"), story("b", "08:00")], until=at(10, "10:00"))
        assert sandbox.clock.now() == at(10, "10:00")
    assert heard == ["a 07:00", "b 08:00", "a 09:00"]


def test_the_truth_is_the_same_after_it_was_written_and_read(tmp_path: Path) -> None:
    truth = GroundTruth(faults=["b", "a"])
    truth.add("raw/missing", "2", "1")
    truth.obscure("sqs/lost", "raw/missing")
    truth.retried("shop", "fixed")
    truth.day("e1", "2026-03-10", "partial")
    truth.write(tmp_path)
    assert GroundTruth.read(tmp_path).document() == truth.document()
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8")) == {
        "schema": "investigate.truth/1",
        "faults": ["a", "b"],
        "findings": {"raw/missing": ["1", "2"]},
        "not_evaluated": ["sqs/lost"],
        "retries": [{"group": "shop", "channel": "client", "pattern": "fixed"}],
        "aggregates": [{"entity_id": "e1", "day": "2026-03-10", "verdict": "partial"}],
    }


def test_the_truth_takes_no_finding_without_a_key_and_no_second_verdict() -> None:
    truth = GroundTruth()
    with pytest.raises(ValueError, match="without a key"):
        truth.add("raw/missing")
    truth.day("e1", "2026-03-10", "partial")
    with pytest.raises(ValueError, match="cannot be 'complete'"):
        truth.day("e1", "2026-03-10", "complete")
