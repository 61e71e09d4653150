"""Every parser on inputs nobody meant for it; `python -m benchmarks fuzz` takes a million each."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz.hostile import FRAGMENTS, extremes, tokens_of
from benchmarks.fuzz.run import TARGETS, write_lines
from benchmarks.fuzz.target import Broken, seed
from benchmarks.fuzz.worker import main as worker
from investigate import pipeline
from investigate.capture import body

EXAMPLES = 60
PIECES = st.sampled_from((b"", *FRAGMENTS)) | st.binary(max_size=8)


@st.composite
def changed(draw, seeds):
    """An input of the parser, with a few of its tokens replaced or left out."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        tokens = tokens_of(data)
        at = draw(st.integers(0, len(tokens)))
        rest = tokens[at + draw(st.integers(0, 2)) :]
        data = b"".join([*tokens[:at], draw(PIECES), *rest])
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_takes_or_refuses_whatever_it_is_given(name):
    target = TARGETS[name]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(changed(target.seeds), st.binary(max_size=64)))
    def holds(data):
        target.run(data)

    holds()


@pytest.mark.parametrize("name", TARGETS)
def test_nesting_long_runs_and_bombs_end_no_parser(name):
    target = TARGETS[name]
    for data in islice(extremes(target.seeds[:1], 1), 0, None, 7):
        target.run(data)


PAYLOADS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**18, 10**400)
    | st.floats()
    | st.text(st.characters()),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(), parts, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(PAYLOADS)
def test_canonical_json_is_that_of_the_reference_encoder(payload):
    told = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert pipeline.canonical_json(payload) == told
    if payload is not None:
        event = {**dict.fromkeys(pipeline.REQUIRED_FIELDS, "2026-03-10"), "payload": payload}
        TARGETS["raw-body"].run(seed(event))


def test_a_target_notices_another_encoder(monkeypatch):
    event = {**dict.fromkeys(pipeline.REQUIRED_FIELDS, "2026-03-10"), "payload": {"b": 1, "a": 2}}
    monkeypatch.setattr(body, "canonical_json", json.dumps)
    with pytest.raises(Broken, match="reference encoder"):
        TARGETS["raw-body"].run(seed(event))


def test_a_crash_of_a_parser_ends_the_run_and_its_input_is_kept(monkeypatch, tmp_path, capfd):
    def falls(data: bytes) -> None:
        raise KeyError("found")

    known = TARGETS["emf"]
    broken = type(known)("emf", known.reads, falls, known.seeds)
    monkeypatch.setitem(TARGETS, "emf", broken)
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    with pytest.raises(KeyError, match="found"):  # which ends the process with 1 and says so
        worker("emf", 1, tmp_path)
    assert (tmp_path / "crash-input").read_bytes() == known.seeds[0]
    assert "extremes:" not in capfd.readouterr().err


def test_a_line_of_the_document_is_replaced_by_that_of_a_later_run(tmp_path):
    document = tmp_path / "fuzzing.md"
    cells = ["raw-key", "a key", "1", "2", "3", "4", "0", "5", "2026-03-10"]
    write_lines(document, {"raw-key": cells, "raw-body": ["raw-body", *cells[1:]]})
    write_lines(document, {"raw-key": [*cells[:3], "1,000,000", *cells[4:]]})
    lines = [line for line in document.read_text("utf-8").splitlines() if line.startswith("| raw")]
    assert lines == [
        "| raw-body | a key | 1 | 2 | 3 | 4 | 0 | 5 | 2026-03-10 |",
        "| raw-key | a key | 1 | 1,000,000 | 3 | 4 | 0 | 5 | 2026-03-10 |",
    ]
    untried = next(line for line in document.read_text("utf-8").splitlines() if "No run" in line)
    assert "emf" in untried
    assert "raw-key" not in untried
