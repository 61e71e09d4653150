"""What people and schedulers hand in: manifests, configurations, parameters, decisions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from benchmarks.fuzz.target import FILES, Target, expect, parsed, parts_of, refusing, seed, text_of
from investigate.aws.secrets import HIDDEN
from investigate.capture.privacy import Mask
from investigate.case import read_manifest, verify_case
from investigate.errors import CaseError, SettingsError, UsageError
from investigate.evidence import Evidence
from investigate.findings import unlike
from investigate.injected import refuse_unknown
from investigate.model import Window
from investigate.own_findings import own_findings_in
from investigate.parameters import Parameters
from investigate.redrive_plan import (
    PlannedLetter,
    RedrivePlan,
    as_csv,
    with_decisions,
)
from investigate.settings import load_settings
from investigate.tables import TABLES

START, END = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC)
_TIMES = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-13T00:00:00Z"}
_MANIFEST: dict[str, Any] = {
    "schema": "investigate.case/1", "name": "n", "window": _TIMES,
    "captured_at": "2026-03-14T00:00:00Z", "settle_seconds": 300,
    "tool": {"name": "investigate", "version": "1"}, "pipeline": {"region": "eu-west-1"},
    "tables": {"raw": {"rows": 1, "files": [{"path": "raw/0.parquet", "bytes": 1, "sha256": "0"}]}},
    "coverage": {
        "raw": {"status": "partial", "reason": "r", "horizon": "../2026-03-13T00:00:00Z"},
        "spans": {"status": "denied", "reason": None, "horizon": None},
    },
    "scope": {"entities": ["u1"], "event_dates": ["2026-03-10", "2026-03-12"]},
    "lake": {
        "events": {
            "kind": "dynamodb-export", "location": "s3://b/", "rows": 2, "report": "s3://b/m",
            "files": [{"key": "data/0.gz", "items": 2, "md5": "x"}],
        }
    },
}  # fmt: skip
_CONFIGURATION = """
[pipeline]
stack = "orders"
region = "eu-west-1"
account_id = "123456789012"
raw_bucket = "orders-raw"
raw_prefix = "raw/"
dead_letter_queue_urls = ["https://sqs.eu-west-1.amazonaws.com/123456789012/dead"]
[pipeline.functions]
ingest = "orders-ingest"
[window]
start = 2026-03-10T00:00:00Z
end = "2026-03-13T00:00:00Z"
[thresholds]
late_seconds = 60
gap_factor = 2.5
"""
LETTER = PlannedLetter(
    message_id="m", queue_arn="q", channel="sqs-redrive", destination="d", event_id="e",
    function="f", fingerprint="p", lasting="unknown", times=1, attempts=2, processed=False,
    deployed_since=None, consumers=1, fifo=False, pointer=False, until="2026-03-20T00:00:00Z",
    expired=False, body_sha="0", decision="escalate", reason="nothing tells",
)  # fmt: skip
PLAN = RedrivePlan("n", "2026-03-14T00:00:00Z", "0" * 64, (LETTER,))
_SECRET = "ann@example.com"  # noqa: S105 - what masking must hide
_FINDING = {
    "code": "own/x", "step": "raw", "outcome": "found", "severity": "suspect", "question": "q?",
    "summary": "s", "count": 1, "key": "k", "keys": ["a"], "keys_shown": 1, "reason": None,
    "advice": "", "avoid": "",
}  # fmt: skip


def _manifest(data: bytes) -> None:
    FILES.hold("case.json", data)
    with refusing(CaseError):
        case = read_manifest(FILES.folder)
        for files in (*case.files.values(), *case.listings.values()):
            for file in files:
                inside = (FILES.folder / file.path).resolve()
                expect(inside.is_relative_to(FILES.folder.resolve()), "a file is in the case")
        verify_case(case)
        evidence = Evidence(case, _no_engine())
        evidence.judged_until(*TABLES)
        for table in TABLES:
            evidence.capture_gap(table)
            evidence.end_gap(table) if table not in ("raw", "events", "dedupe") else None
        json.dumps([dict(case.tool), dict(case.pipeline), dict(case.consumed)])


def _configuration(data: bytes) -> None:
    path = FILES.hold("pipeline.toml", data)
    with refusing(SettingsError):
        load_settings(path)


def _parameters(data: bytes) -> None:
    asked, cell = parts_of(data, 2)
    found = parsed(asked)
    with refusing(UsageError):
        parameters = Parameters.parse(found if isinstance(found, dict) else {"case": found})
        window = parameters.window(Window(START, END))
        expect(START <= window.start < window.end <= END, "a window lies in the captured one")
    declared = "\n".join(f'{name} = ""' for name in Parameters.names())
    with refusing(UsageError):
        refuse_unknown([declared, text_of(cell), "open_investigation()"])


def _decisions(data: bytes) -> None:
    with refusing(UsageError):
        decided = with_decisions(PLAN, text_of(data))
        expect(decided.letters[0].key == LETTER.key, "a table changes decisions alone")
        again = with_decisions(PLAN, as_csv(decided))
        expect(again == decided or "\r" in text_of(data), "what is written is read alike")


def _findings(data: bytes) -> None:
    found = parsed(data)
    known = found if isinstance(found, dict) else {}
    with refusing(UsageError):
        unlike(known, {"schema": "investigate.findings/1"})
        own = own_findings_in(known)
        for code, finding in own.items():
            expect(isinstance(code, str) and isinstance(finding.summary, str), "texts are texts")
            expect(isinstance(finding.count, int), "a count is a number")


def _mask(data: bytes) -> None:
    text = text_of(data)
    mask = Mask({"email"}, "123456789012")
    masked = mask.text(text)
    expect(mask.text(masked) == masked, "masking twice is masking once")
    found = parsed(text.encode("utf-8", "surrogatepass"))
    if isinstance(found, dict | list):
        expect(not _leaks(parsed(masked.encode("utf-8", "surrogatepass"))), "nothing is left")


def _leaks(value: Any) -> bool:
    """Whether a named field still holds anything, in a value or in JSON within its texts."""
    if isinstance(value, dict):
        own = any(name == "email" and part != HIDDEN for name, part in value.items())
        return own or any(map(_leaks, value.values()))
    return any(map(_leaks, value)) if isinstance(value, list) else False


def _no_engine() -> Any:
    return None


TARGETS = (
    Target(
        "manifest",
        "case.json",
        _manifest,
        (seed(_MANIFEST), seed({**_MANIFEST, "lake": {}, "scope": {}})),
    ),
    Target(
        "configuration",
        "a configuration in TOML",
        _configuration,
        (_CONFIGURATION.encode(), b"[window]\nstart=1\nend=2\n"),
    ),
    Target(
        "parameters",
        "the parameters of a notebook, and the cell that a scheduler put in",
        _parameters,
        (
            seed({"case": "c", "entity": "u1", **_TIMES}, 'case = "c"\nentity = "u"'),
            seed({"case": "~/c", "event": "0"}, "import os"),
        ),
    ),
    Target(
        "decisions",
        "the edited table of a redrive plan, as CSV",
        _decisions,
        (as_csv(PLAN).encode(), b"message_id,queue_arn,decision,note\nm,q,archive,because\n"),
    ),
    Target(
        "findings",
        "a findings document with findings of an analyst",
        _findings,
        (seed({"schema": "investigate.findings/1", "own": [_FINDING]}),),
    ),
    Target(
        "mask",
        "a text from which a named field and an account are hidden",
        _mask,
        (
            seed({"email": _SECRET, "a": [{"email": {"x": 1}}], "arn": "arn:x:123456789012:q"}),
            seed({"Message": json.dumps({"email": _SECRET, "secret_key": "A" * 40})}),
        ),
    ),
)
